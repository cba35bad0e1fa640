//! Both ends of many calls: sends RTP on a strict clock, takes what arrives, and knows how long each packet took.
//!
//! All packets of a period are spread evenly over it, as those of independent phones are. A leg's socket is read
//! just before the leg sends: the kernel has stamped what arrived meanwhile, so that nobody has to wake up for it.

use std::collections::BTreeMap;
use std::io::{ErrorKind, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt::ReceiveTimestampns};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use serde::Serialize;
use sidetone_call::Keying;
use sidetone_srtp::{Inbound, MOST_TRAILER, Outbound};

/// A packet every 20 ms.
pub(crate) const PERIOD: Duration = Duration::from_millis(20);
/// Bytes of G.711 in a packet.
pub(crate) const PAYLOAD: usize = 160;
const HEADER: usize = 12;
/// Packets leave on ticks of this length, so that a generator with thousands of legs has time to sleep.
const TICK: Duration = Duration::from_micros(100);
/// How long the last packets have to arrive.
const LAST_ARRIVALS: Duration = Duration::from_millis(200);

/// One end of a call.
#[derive(Debug)]
pub(crate) struct Leg {
    socket: UdpSocket,
    to: SocketAddr,
    speech: Arc<[u8]>,
    /// Packets into the speech at which this leg begins.
    start: usize,
    /// When the packet of each period left, in ns of the wall clock; 0 once it has arrived.
    sent: Vec<u64>,
    ssrc: u32,
    /// What it sends is protected, and what it receives.
    srtp: Option<Box<(Outbound, Inbound)>>,
}

impl Leg {
    /// A leg with a socket of its own.
    pub(crate) fn open(ip: IpAddr) -> anyhow::Result<Self> {
        let socket = UdpSocket::bind((ip, 0)).context("a socket for one leg of a call")?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, ReceiveTimestampns, &true).context("kernel receive timestamps")?;
        let to = socket.local_addr()?;
        Ok(Self {
            socket,
            ssrc: u32::from(to.port()) << 8,
            to,
            speech: Arc::new([]),
            start: 0,
            sent: Vec::new(),
            srtp: None,
        })
    }

    pub(crate) fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Where to send, and what to say.
    pub(crate) fn aim(&mut self, to: SocketAddr, speech: Arc<[u8]>, start: usize) {
        (self.to, self.speech, self.start) = (to, speech, start);
    }

    /// Speaks SRTP from now on.
    pub(crate) fn secure(&mut self, own: Keying, theirs: Keying) -> anyhow::Result<()> {
        self.srtp = Some(Box::new((Outbound::new(own)?, Inbound::new(theirs)?)));
        Ok(())
    }

    /// Takes all that has arrived: by sequence number its timestamp, and when it came, in ns of the wall clock.
    pub(crate) fn collect(&self, arrived: &mut BTreeMap<u16, (u32, u64)>) -> anyhow::Result<()> {
        let (mut buffer, mut control) = ([0; 2_048], nix::cmsg_space!(TimeSpec));
        loop {
            let mut parts = [IoSliceMut::new(&mut buffer)];
            let received =
                recvmsg::<()>(self.socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::empty());
            let stamp = match received {
                Ok(message) => message.cmsgs()?.find_map(|control| match control {
                    ControlMessageOwned::ScmTimestampns(stamp) => Some(nanos(stamp)),
                    _ => None,
                }),
                Err(Errno::EAGAIN) => return Ok(()),
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(error).context("receiving"),
            };
            let [_, _, s, t, a, b, c, d, ..] = buffer;
            if let Some(stamp) = stamp {
                arrived.insert(u16::from_be_bytes([s, t]), (u32::from_be_bytes([a, b, c, d]), stamp));
            }
        }
    }

    fn payload(&self, period: u32) -> &[u8] {
        let packets = (self.speech.len() / PAYLOAD).max(1);
        let at = (self.start + period as usize) % packets * PAYLOAD;
        self.speech.get(at..at + PAYLOAD).unwrap_or_default()
    }

    /// RTP as RFC 3550 §5.1 and RFC 3551 have it: version 2, payload type 0, sequence number and time from 0.
    fn send(&mut self, period: u32, packet: &mut Vec<u8>) -> anyhow::Result<()> {
        packet.clear();
        packet.extend_from_slice(&[0x80, 0]);
        packet.extend_from_slice(&(period as u16).to_be_bytes());
        packet.extend_from_slice(&(period * PAYLOAD as u32).to_be_bytes());
        packet.extend_from_slice(&self.ssrc.to_be_bytes());
        packet.extend_from_slice(self.payload(period));
        if let Some(srtp) = &mut self.srtp {
            let length = packet.len();
            packet.resize(length + MOST_TRAILER, 0);
            let protected = srtp.0.protect(packet, length)?;
            packet.truncate(protected);
        }
        if let Some(sent) = self.sent.get_mut(period as usize) {
            *sent = now(ClockId::CLOCK_REALTIME)?;
        }
        match self.socket.send_to(packet, self.to) {
            // A full buffer loses the packet, and it is counted as lost.
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error).context("sending"),
            _ => Ok(()),
        }
    }
}

/// How long to drive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Periods before the window.
    pub(crate) warm_up: u32,
    /// Periods in it.
    pub(crate) window: u32,
}

impl Plan {
    /// Periods in all: one more after the window, so that its last packets travel under the same load.
    pub(crate) fn periods(&self) -> u32 {
        self.warm_up + self.window + 1
    }
}

/// Counts of the window's packets by their fate.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Travelled {
    /// Packets sent.
    pub(crate) sent: u64,
    /// Packets of these that never arrived.
    pub(crate) lost: u64,
    /// Packets of these that arrived with another payload.
    pub(crate) altered: u64,
    /// Delay from just before the send call to the kernel's receive stamp, in µs: median.
    pub(crate) delay_p50_us: f64,
    /// The delay's 99th percentile.
    pub(crate) delay_p99_us: f64,
    /// The longest.
    pub(crate) delay_most_us: f64,
    /// How late the generator itself sent, in µs, 99th percentile: its own quality.
    pub(crate) late_p99_us: f64,
}

/// Sends and receives for `legs` (trunk, PBX, trunk, PBX...); calls `edge` at the beginning and the end of the window.
pub(crate) fn drive(
    legs: &mut [Leg],
    plan: Plan,
    mut edge: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<Travelled> {
    let end = plan.warm_up + plan.window;
    let periods = plan.periods();
    anyhow::ensure!(periods < u32::from(u16::MAX), "a sequence number would come round");
    for leg in legs.iter_mut() {
        leg.sent = vec![0; periods as usize];
    }
    // The two sides of a call speak half a period apart.
    let order: Vec<usize> = (0..legs.len()).step_by(2).chain((1..legs.len()).step_by(2)).collect();
    let start = Duration::from_nanos(now(ClockId::CLOCK_MONOTONIC)?) + PERIOD;
    let step = PERIOD / u32::try_from(legs.len().max(1))?;
    let mut inbox = Inbox::new(plan);
    let mut late = Vec::new();
    let mut packet = Vec::with_capacity(HEADER + PAYLOAD);
    for period in 0..periods {
        if period == plan.warm_up || period == end {
            edge()?;
        }
        for (slot, &number) in (0_u32..).zip(&order) {
            let due = start + PERIOD * period + on_tick(step * slot);
            late.push(sleep_until(due)?);
            // One comes for each that goes; should two have come, the other waits, and its stamp with it.
            inbox.read(legs, number, 1)?;
            if let Some(leg) = legs.get_mut(number) {
                leg.send(period, &mut packet)?;
            }
        }
    }
    std::thread::sleep(LAST_ARRIVALS);
    for number in 0..legs.len() {
        inbox.read(legs, number, usize::MAX)?;
    }
    let unarrived = |leg: &Leg| {
        let window = leg.sent.get(plan.warm_up as usize..end as usize).unwrap_or_default();
        window.iter().filter(|sent| **sent != 0).count() as u64
    };
    inbox.delays.sort_unstable();
    late.sort_unstable();
    Ok(Travelled {
        sent: legs.len() as u64 * u64::from(plan.window),
        lost: legs.iter().map(unarrived).sum(),
        altered: inbox.altered,
        delay_p50_us: percentile(&inbox.delays, 50),
        delay_p99_us: percentile(&inbox.delays, 99),
        delay_most_us: percentile(&inbox.delays, 100),
        late_p99_us: percentile(&late, 99),
    })
}

/// The receiver's account of the packets that have arrived.
struct Inbox {
    plan: Plan,
    delays: Vec<u64>,
    altered: u64,
    buffer: [u8; 2_048],
    control: Vec<u8>,
}

impl Inbox {
    fn new(plan: Plan) -> Self {
        let control = nix::cmsg_space!(TimeSpec);
        Self { plan, delays: Vec::new(), altered: 0, buffer: [0; 2_048], control }
    }

    /// Takes up to `most` packets that wait for one leg: its peer has sent them.
    fn read(&mut self, legs: &mut [Leg], number: usize, most: usize) -> anyhow::Result<()> {
        let pair = legs.chunks_exact_mut(2).nth(number / 2);
        let Some([first, second]) = pair else { return Ok(()) };
        let (own, peer) = if number.is_multiple_of(2) { (first, second) } else { (second, first) };
        let fd = own.socket.as_raw_fd();
        for _ in 0..most {
            let mut parts = [IoSliceMut::new(&mut self.buffer)];
            let (length, stamp) =
                match recvmsg::<()>(fd, &mut parts, Some(&mut self.control), MsgFlags::empty()) {
                    Ok(message) => {
                        let stamp = message.cmsgs()?.find_map(|control| match control {
                            ControlMessageOwned::ScmTimestampns(stamp) => Some(nanos(stamp)),
                            _ => None,
                        });
                        (message.bytes, stamp)
                    }
                    Err(Errno::EAGAIN) => return Ok(()),
                    Err(Errno::EINTR) => continue,
                    Err(error) => return Err(error).context("receiving"),
                };
            // What does not open is as good as lost.
            let length = match (&mut own.srtp, self.buffer.get_mut(..length)) {
                (Some(srtp), Some(packet)) => srtp.1.unprotect(packet).unwrap_or_default(),
                _ => length,
            };
            let Some((header, payload)) =
                self.buffer.get(..length).and_then(|p| p.split_first_chunk::<HEADER>())
            else {
                continue;
            };
            let [_, _, high, low, ..] = *header;
            let period = u32::from(u16::from_be_bytes([high, low]));
            let in_window = (self.plan.warm_up..self.plan.warm_up + self.plan.window).contains(&period);
            let same = payload == peer.payload(period);
            // A packet that has arrived before is a duplicate, and says nothing.
            let Some(sent) = peer.sent.get_mut(period as usize).filter(|sent| **sent != 0) else { continue };
            let left = std::mem::take(sent);
            if in_window {
                self.altered += u64::from(!same);
                self.delays.extend(stamp.map(|stamp| stamp.saturating_sub(left)));
            }
        }
        Ok(())
    }
}

/// The tick at or before a moment.
fn on_tick(moment: Duration) -> Duration {
    let ticks = moment.as_micros() / TICK.as_micros();
    TICK * u32::try_from(ticks).unwrap_or(u32::MAX)
}

/// Sleeps until a moment of the monotonic clock; gives back by how many ns it was missed.
fn sleep_until(due: Duration) -> anyhow::Result<u64> {
    let due_ns = u64::try_from(due.as_nanos())?;
    let early = now(ClockId::CLOCK_MONOTONIC)?;
    if early >= due_ns {
        return Ok(early - due_ns);
    }
    let until = TimeSpec::from_duration(due);
    while clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &until)
        == Err(Errno::EINTR)
    {}
    Ok(now(ClockId::CLOCK_MONOTONIC)?.saturating_sub(due_ns))
}

/// Now, in ns of the clock that the kernel stamps with.
pub(crate) fn wall_clock() -> anyhow::Result<u64> {
    now(ClockId::CLOCK_REALTIME)
}

fn now(clock: ClockId) -> anyhow::Result<u64> {
    Ok(nanos(clock_gettime(clock)?))
}

fn nanos(time: TimeSpec) -> u64 {
    u64::try_from(Duration::from(time).as_nanos()).unwrap_or(u64::MAX)
}

/// In µs, of ns in order.
fn percentile(sorted: &[u64], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |ns| *ns as f64 / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// Two legs that speak to each other with nobody between them.
    fn pair() -> Vec<Leg> {
        let speech: Arc<[u8]> = (0..PAYLOAD * 7).map(|n| (n % 251) as u8).collect();
        let (mut one, mut other) = (Leg::open(HERE).unwrap(), Leg::open(HERE).unwrap());
        one.aim(other.address().unwrap(), Arc::clone(&speech), 0);
        other.aim(one.address().unwrap(), speech, 3);
        vec![one, other]
    }

    #[test]
    fn what_arrives_is_counted_and_timed() {
        let mut legs = pair();
        let mut edges = 0;
        let travelled = drive(&mut legs, Plan { warm_up: 2, window: 5 }, || {
            edges += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(edges, 2);
        assert_eq!((travelled.sent, travelled.lost, travelled.altered), (10, 0, 0));
        assert!(
            travelled.delay_p50_us > 0.0 && travelled.delay_p99_us >= travelled.delay_p50_us,
            "{travelled:?}"
        );
    }

    #[test]
    fn what_nobody_forwards_is_lost() {
        let mut legs = pair();
        let nobody = UdpSocket::bind((HERE, 0)).unwrap();
        legs[0].to = nobody.local_addr().unwrap();
        let travelled = drive(&mut legs, Plan { warm_up: 1, window: 4 }, || Ok(())).unwrap();
        assert_eq!((travelled.sent, travelled.lost), (8, 4));
    }

    #[test]
    fn what_is_changed_on_the_way_is_seen() {
        let mut legs = pair();
        let relay = UdpSocket::bind((HERE, 0)).unwrap();
        let to = legs[1].address().unwrap();
        legs[0].to = relay.local_addr().unwrap();
        let relaying = std::thread::spawn(move || {
            relay.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
            let mut buffer = [0; 2_048];
            while let Ok(length) = relay.recv(&mut buffer) {
                buffer[HEADER] ^= 1;
                relay.send_to(&buffer[..length], to).unwrap();
            }
        });
        let travelled = drive(&mut legs, Plan { warm_up: 1, window: 4 }, || Ok(())).unwrap();
        assert_eq!((travelled.lost, travelled.altered), (0, 4));
        relaying.join().unwrap();
    }
}
