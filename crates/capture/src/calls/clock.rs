//! The times of a capture put right, before anything is made of them.
//!
//! Frames stand in a file as its writer had them: files joined end to end hold one leg behind the other, captures of
//! two interfaces are a little out of step, and a clock may be set while it is being captured by. RTP tells these
//! apart: a stream whose sequence goes on while the clock goes back was captured by a clock that was set; anything else
//! is only out of order, and is sorted.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use sidetone_rtp::RtpView;

use crate::datagrams::{Datagram, Transport};

/// Less than this is the ordinary disorder of several interfaces or queues.
const SLACK: i128 = 100_000_000;
/// A clock that was ahead for a while was so by as much as it is set back by, give or take this.
const ALIKE: i128 = 1_000_000_000;
/// A sequence number follows on another if it is ahead of it by no more than this.
const NEAR: u16 = 100;
/// A capture that lasts longer than this has a broken clock: frames farther than this from the middle one are drawn
/// near.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// The corrections that were made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Mended {
    /// Datagrams that stood behind later ones.
    pub(super) out_of_order: u64,
    /// The largest correction.
    pub(super) farthest: Duration,
    /// Times that the clock was set back while streams went on.
    pub(super) set_back: u64,
}

/// Nanoseconds since the Unix epoch.
fn nanoseconds(at: Duration) -> i128 {
    i128::try_from(at.as_nanos()).unwrap_or(i128::MAX)
}

/// Puts datagrams in order of time.
pub(super) fn mend(datagrams: &mut [Datagram]) -> Mended {
    let mut times: Vec<i128> = datagrams.iter().map(|datagram| nanoseconds(datagram.at)).collect();
    let set_back = Clock::default().follow(datagrams, &mut times);
    keep_near(&mut times);
    keep_streams_in_order(datagrams, &mut times);
    let mut mended = Mended { set_back, ..Mended::default() };
    let mut newest = i128::MIN;
    for time in &times {
        if newest.saturating_sub(*time) > SLACK {
            mended.out_of_order += 1;
            mended.farthest = mended.farthest.max(duration(newest - time));
        }
        newest = newest.max(*time);
    }
    for (datagram, time) in datagrams.iter_mut().zip(times) {
        datagram.at = duration(time);
    }
    datagrams.sort_by_key(|datagram| datagram.at);
    mended
}

fn duration(nanoseconds: i128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    let nanoseconds = u128::try_from(nanoseconds).unwrap_or(0);
    Duration::new(u64::try_from(nanoseconds / SECOND).unwrap_or(u64::MAX), (nanoseconds % SECOND) as u32)
}

/// Follows the clock through the file, in the order of its frames.
#[derive(Debug, Default)]
struct Clock {
    /// The newest packet of each stream: its sequence number and mended time.
    streams: HashMap<(SocketAddr, SocketAddr, u32), (u16, i128)>,
    /// The time that is added from here on.
    shift: i128,
    /// The latest jump ahead that has not been taken back: where, and by how much.
    ahead: Option<(usize, i128)>,
    /// The latest fall: where, and the time before it.
    fall: Option<(usize, i128)>,
}

impl Clock {
    /// Mends times where the clock was set back; gives how often it was.
    fn follow(mut self, datagrams: &[Datagram], times: &mut [i128]) -> u64 {
        let mut set_back = 0;
        let mut previous = None;
        for (index, datagram) in datagrams.iter().enumerate() {
            let Some(time) = times.get_mut(index) else { break };
            *time += self.shift;
            let mut now = *time;
            if let Some(previous) = previous {
                let step: i128 = now - previous;
                if step > ALIKE {
                    self.ahead = Some((index, step));
                } else if step < -SLACK {
                    self.fall = Some((index, previous));
                }
            }
            let stream = stream(datagram);
            if let Some((key, sequence)) = stream
                && let Some((before, last)) = self.streams.get(&key).copied()
                && (1..=NEAR).contains(&sequence.wrapping_sub(before))
                && last - now > SLACK
            {
                set_back += 1;
                now = self.take_back(index, last - now, times);
            }
            if let Some((key, sequence)) = stream {
                self.streams.insert(key, (sequence, now));
            }
            previous = Some(now);
        }
        set_back
    }

    /// The clock has gone back by about `back` while a stream went on; gives the mended time of the frame at `index`.
    fn take_back(&mut self, index: usize, back: i128, times: &mut [i128]) -> i128 {
        let (fell, before) =
            self.fall.take().unwrap_or((index, times.get(index).map_or(0, |now| now + back)));
        match self.ahead.take() {
            // The clock was ahead for a while: datagrams of that while are moved back to where they belong.
            Some((from, amount)) if (amount - back).abs() <= ALIKE && from < fell => {
                let since = times.get(from).copied().unwrap_or_default();
                times.get_mut(from..fell).unwrap_or_default().iter_mut().for_each(|time| *time -= amount);
                for (_, last) in self.streams.values_mut().filter(|(_, last)| *last >= since) {
                    *last -= amount;
                }
            }
            // The clock goes on from where it was.
            _ => {
                let shift = times.get(fell).map_or(0, |now| before - now);
                self.shift += shift;
                let moved = times.get_mut(fell..=index).unwrap_or_default();
                moved.iter_mut().for_each(|time| *time += shift);
            }
        }
        times.get(index).copied().unwrap_or_default()
    }
}

/// A datagram's stream and sequence number, if it is RTP.
fn stream(datagram: &Datagram) -> Option<((SocketAddr, SocketAddr, u32), u16)> {
    if datagram.transport != Transport::Udp {
        return None;
    }
    let rtp: RtpView<'_> = crate::calls::options::rtp(&datagram.payload)?;
    Some(((datagram.src, datagram.dst, rtp.ssrc()), rtp.sequence()))
}

/// Draws times near that no capture can span.
fn keep_near(times: &mut [i128]) {
    let mut sorted = times.to_vec();
    let half = sorted.len() / 2;
    if half == 0 {
        return;
    }
    let (_, middle, _) = sorted.select_nth_unstable(half);
    let (middle, longest) = (*middle, nanoseconds(LONGEST));
    // The nearest that is not a broken clock's, to either side.
    let near = |time: i128| (middle - longest..=middle + longest).contains(&time);
    let first = times.iter().copied().filter(|time| near(*time)).min().unwrap_or(middle);
    let last = times.iter().copied().filter(|time| near(*time)).max().unwrap_or(middle);
    times.iter_mut().for_each(|time| *time = (*time).clamp(first, last));
}

/// Bytes of a TCP stream have been put in order already: they stay so whatever their clock says.
fn keep_streams_in_order(datagrams: &[Datagram], times: &mut [i128]) {
    let mut newest: HashMap<(SocketAddr, SocketAddr), i128> = HashMap::new();
    for (datagram, time) in datagrams.iter().zip(times) {
        if datagram.transport != Transport::Udp {
            let newest = newest.entry((datagram.src, datagram.dst)).or_insert(*time);
            *newest = (*newest).max(*time);
            *time = *newest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RTP of stream `ssrc`, by sequence number and milliseconds.
    fn packet(ssrc: u8, sequence: u8, ms: u64) -> Datagram {
        let address = |port| SocketAddr::from(([10, 0, 0, ssrc], port));
        let rtp = [0x80, 0, 0, sequence, 0, 0, 0, sequence, 0, 0, 0, ssrc, 1, 2, 3, 4];
        Datagram {
            at: Duration::from_secs(1_700_000_000) + Duration::from_millis(ms),
            src: address(4000),
            dst: address(6000),
            transport: Transport::Udp,
            payload: rtp.to_vec().into(),
        }
    }

    fn told(datagrams: &[Datagram]) -> Vec<(u8, u8, u128)> {
        let first = datagrams[0].at;
        datagrams.iter().map(|d| (d.payload[11], d.payload[3], (d.at - first).as_millis())).collect()
    }

    #[test]
    fn legs_one_behind_the_other_are_sorted() {
        let mut all: Vec<_> = (0..3).map(|n| packet(1, n, u64::from(n) * 200)).collect();
        all.extend((0..3).map(|n| packet(2, n, u64::from(n) * 200 + 3)));
        let mended = mend(&mut all);
        assert_eq!(told(&all), [(1, 0, 0), (2, 0, 3), (1, 1, 200), (2, 1, 203), (1, 2, 400), (2, 2, 403)]);
        assert_eq!((mended.out_of_order, mended.set_back), (2, 0));
        assert_eq!(mended.farthest.as_millis(), 397);
    }

    #[test]
    fn a_clock_that_is_set_back_goes_on() {
        let times = [(1, 0, 9000), (2, 0, 9003), (1, 1, 9020), (2, 1, 4023), (1, 2, 4040), (2, 2, 4043)];
        let mut all: Vec<_> = times.map(|(ssrc, n, ms)| packet(ssrc, n, ms)).to_vec();
        let mended = mend(&mut all);
        assert_eq!((mended.out_of_order, mended.set_back), (0, 1));
        assert_eq!(told(&all), [(1, 0, 0), (2, 0, 3), (1, 1, 20), (2, 1, 20), (1, 2, 37), (2, 2, 40)]);
    }

    #[test]
    fn a_clock_that_was_ahead_for_a_while_is_put_right() {
        const HOUR: u64 = 3_600_000;
        let times =
            [(1, 0, 0), (2, 0, 3), (1, 1, 20 + HOUR), (2, 1, 23 + HOUR), (1, 2, 40), (2, 2, 43), (1, 3, 60)];
        let mut all: Vec<_> = times.map(|(ssrc, n, ms)| packet(ssrc, n, ms)).to_vec();
        mend(&mut all);
        let told = told(&all);
        assert!(told.iter().all(|(.., ms)| *ms <= 60), "{told:?}");
        assert!(told.is_sorted_by_key(|(_, n, _)| *n), "{told:?}");
    }

    #[test]
    fn one_frame_of_another_age_does_not_stretch_the_call() {
        let mut all: Vec<_> = (0..5).map(|n| packet(1, n, u64::from(n) * 20)).collect();
        all[0].at = Duration::ZERO;
        all.push(packet(2, 0, 70));
        all[5].at = Duration::from_secs(u64::MAX);
        mend(&mut all);
        assert!(all[5].at - all[0].at < Duration::from_secs(1));
    }
}
