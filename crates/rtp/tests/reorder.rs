//! What comes out of the reorder buffer when the network loses, delays, duplicates and disorders.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use proptest::prelude::*;
use sidetone_rtp::reorder::{Cause, Delay, Pushed, Settings, Timing};
use sidetone_rtp::{Played, Reorder, RtpHeader, RtpView};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// What came out, without the borrowed payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Out {
    /// Sequence number (16 bits).
    Packet(u16),
    Lost(u32, u32),
    Silence(u32),
    Restart(Cause),
}

struct Line {
    reorder: Reorder,
    ssrc: u32,
    timing: Timing,
}

impl Line {
    fn new(delay: Delay) -> Self {
        let reorder = Reorder::new(Settings { delay, ..Settings::default() });
        Self { reorder, ssrc: 1, timing: Timing { clock_rate: 8000, duration: 160 } }
    }

    fn fixed(delay_ms: u64) -> Self {
        Self::new(Delay::Fixed(ms(delay_ms)))
    }

    /// Pushes a packet and returns what comes out at once.
    fn packet(&mut self, now: Duration, sequence: u16, timestamp: u32) -> Vec<Out> {
        self.push(now, sequence, timestamp);
        self.drain(now)
    }

    fn push(&mut self, now: Duration, sequence: u16, timestamp: u32) -> Pushed {
        let mut packet = Vec::new();
        RtpHeader { sequence, timestamp, ssrc: self.ssrc, ..RtpHeader::default() }
            .write(&mut packet)
            .unwrap();
        packet.extend_from_slice(&sequence.to_be_bytes());
        self.reorder.push(now, &RtpView::parse(&packet).unwrap(), self.timing)
    }

    /// A packet of 20 ms on time.
    fn on_time(&mut self, n: u16) -> Vec<Out> {
        self.packet(ms(u64::from(n) * 20), n, u32::from(n) * 160)
    }

    fn drain(&mut self, now: Duration) -> Vec<Out> {
        let mut out = Vec::new();
        while let Some(played) = self.reorder.pop(now) {
            out.push(match played {
                Played::Packet(packet) => {
                    assert_eq!(packet.payload, (packet.sequence as u16).to_be_bytes());
                    Out::Packet(packet.sequence as u16)
                }
                Played::Lost { count, ticks } => Out::Lost(count, ticks),
                Played::Silence { ticks } => Out::Silence(ticks),
                Played::Restart { cause, .. } => Out::Restart(cause),
            });
        }
        out
    }
}

#[test]
fn what_is_in_order_comes_out_at_once() {
    let mut line = Line::fixed(60);
    assert_eq!(line.on_time(65_534), [Out::Restart(Cause::Start), Out::Packet(65_534)]);
    assert_eq!(line.packet(ms(1_310_700), 65_535, 65_535 * 160), [Out::Packet(65_535)]);
    assert_eq!(line.packet(ms(1_310_720), 0, 65_536 * 160), [Out::Packet(0)]);
}

#[test]
fn an_overtaken_packet_is_waited_for() {
    let mut line = Line::fixed(60);
    line.on_time(1);
    assert_eq!(line.on_time(3), []);
    assert_eq!(line.reorder.next_deadline(), Some(ms(120)));
    assert_eq!(line.packet(ms(70), 2, 320), [Out::Packet(2), Out::Packet(3)]);
    assert_eq!(line.reorder.next_deadline(), None);
}

#[test]
fn a_lost_packet_is_given_up_after_the_delay() {
    let mut line = Line::fixed(60);
    line.on_time(1);
    assert_eq!(line.on_time(4), []);
    assert_eq!(line.drain(ms(139)), []);
    assert_eq!(line.drain(ms(140)), [Out::Lost(2, 320), Out::Packet(4)]);
    assert_eq!(line.push(ms(150), 2, 320), Pushed::Late);
    assert_eq!(line.push(ms(150), 4, 640), Pushed::Duplicate);
    assert_eq!(line.reorder.counters().late, 1);
}

#[test]
fn silence_is_not_loss() {
    let mut line = Line::fixed(60);
    line.on_time(1);
    // Two seconds without packets, and the timestamp says so.
    assert_eq!(line.packet(ms(2_040), 2, 102 * 160), [Out::Silence(100 * 160), Out::Packet(2)]);
    // A loss at the end of a second silence: one packet's worth is lost, the rest was silent.
    line.packet(ms(4_060), 4, 203 * 160);
    assert_eq!(line.drain(ms(4_120)), [Out::Lost(1, 160), Out::Silence(99 * 160), Out::Packet(4)]);
}

#[test]
fn a_timestamp_jump_yields_the_silence_there_was() {
    let mut line = Line::fixed(60);
    line.on_time(1);
    assert_eq!(line.packet(ms(40), 2, 3_000_000_000), [Out::Packet(2)]);
    assert_eq!(line.packet(ms(60), 3, 3_000_000_160), [Out::Packet(3)]);
    // Half a second later it jumps back.
    assert_eq!(line.packet(ms(580), 4, 17), [Out::Silence(25 * 160), Out::Packet(4)]);
    assert_eq!(line.reorder.counters().timestamp_jumps, 2);
}

#[test]
fn a_clock_twice_too_fast_does_not_stretch_the_call() {
    // A known fault: G.722 at 20 ms stepping by 320, though its RTP clock is 8000 Hz.
    let mut line = Line::fixed(60);
    let mut silence = 0;
    for n in 1..=500u16 {
        for out in line.packet(ms(u64::from(n) * 20), n, u32::from(n) * 320) {
            if let Out::Silence(ticks) = out {
                silence += ticks;
            }
        }
    }
    assert!(silence <= 2000, "a quarter of a second at most, not {silence} ticks");
}

#[test]
fn a_long_call_with_a_drifting_clock_stays_whole() {
    // The sender's clock runs 200 ppm slow, and every 30 s it is silent for 1 s.
    let mut line = Line::fixed(60);
    let mut silence = 0u64;
    let mut tick = 0u64;
    let mut sequence = 0u16;
    while tick < 3600 * 8000 {
        if tick % (31 * 8000) == 30 * 8000 {
            tick += 8000;
        }
        let now = Duration::from_nanos((tick as f64 * 125_000.0 * 1.000_2) as u64);
        for out in line.packet(now, sequence, tick as u32) {
            if let Out::Silence(ticks) = out {
                silence += u64::from(ticks);
            }
        }
        sequence = sequence.wrapping_add(1);
        tick += 160;
    }
    assert_eq!(silence, 116 * 8000);
    assert_eq!(line.reorder.counters().timestamp_jumps, 0);
}

#[test]
fn another_ssrc_takes_over_with_its_second_packet() {
    let mut line = Line::fixed(60);
    line.on_time(1);
    line.on_time(3);
    line.ssrc = 2;
    assert_eq!(line.packet(ms(80), 900, 77), []);
    assert_eq!(
        line.packet(ms(100), 901, 237),
        [Out::Lost(1, 160), Out::Packet(3), Out::Restart(Cause::Ssrc), Out::Packet(900), Out::Packet(901),]
    );
}

#[test]
fn one_packet_of_another_ssrc_changes_nothing() {
    let mut line = Line::fixed(60);
    line.on_time(1);
    line.ssrc = 2;
    assert_eq!(line.push(ms(30), 500, 9), Pushed::Foreign);
    line.ssrc = 1;
    assert_eq!(line.on_time(2), [Out::Packet(2)]);
    line.ssrc = 2;
    assert_eq!(line.push(ms(50), 501, 9), Pushed::Foreign);
    assert_eq!(line.reorder.counters().strays, 1);
}

#[test]
fn an_outage_is_loss_a_jump_of_the_sequence_a_restart() {
    let mut line = Line::fixed(60);
    line.on_time(1);
    // Ten seconds of outage: 500 packets.
    line.on_time(502);
    assert_eq!(line.on_time(503), [Out::Lost(500, 80_000), Out::Packet(502), Out::Packet(503)]);
    line.packet(ms(10_080), 40_000, 1);
    assert_eq!(
        line.packet(ms(10_100), 40_001, 161),
        [Out::Restart(Cause::Sequence), Out::Packet(40_000), Out::Packet(40_001)]
    );
}

#[test]
fn a_stream_that_went_back_is_followed_in_the_end() {
    let mut line = Line::fixed(0);
    line.on_time(1);
    line.on_time(81);
    let mut out = Vec::new();
    for n in 2..40 {
        out.extend(line.on_time(n));
    }
    assert_eq!(out[0], Out::Restart(Cause::Sequence));
    assert_eq!(out[1], Out::Packet(26));
    assert_eq!(line.reorder.counters().late, 24);
}

#[test]
fn events_stand_beside_the_audio() {
    let mut line = Line::fixed(60);
    line.on_time(1);
    line.timing.duration = 0;
    for n in 2..7u16 {
        // All of an event's packets carry the timestamp of its beginning.
        assert_eq!(line.packet(ms(u64::from(n) * 20), n, 320), [Out::Packet(n)]);
    }
    line.timing.duration = 160;
    assert_eq!(line.on_time(7), [Out::Silence(5 * 160), Out::Packet(7)]);
}

#[test]
fn another_clock_restarts_the_timeline() {
    let mut line = Line::fixed(60);
    line.on_time(1);
    line.timing = Timing { clock_rate: 48_000, duration: 960 };
    assert_eq!(line.packet(ms(40), 2, 123_456), [Out::Restart(Cause::Clock), Out::Packet(2)]);
    assert_eq!(line.packet(ms(60), 3, 124_416), [Out::Packet(3)]);
}

#[test]
fn the_delay_adapts_to_what_came_late() {
    let mut line = Line::new(Delay::default());
    assert_eq!(line.reorder.delay(), ms(20));
    line.on_time(1);
    line.on_time(3);
    assert_eq!(line.drain(ms(80)), [Out::Lost(1, 160), Out::Packet(3)]);
    // 40 ms after number 3 it comes: 40 ms and a quarter would have been enough.
    line.push(ms(100), 2, 320);
    assert_eq!(line.reorder.delay(), ms(50));
    for n in 4..2000 {
        line.on_time(n);
    }
    assert_eq!(line.reorder.delay(), ms(20), "and it goes back");
    line.on_time(2001);
    line.drain(ms(2001 * 20 + 25));
    line.push(ms(2001 * 20 + 900), 2000, 2000 * 160);
    assert_eq!(line.reorder.delay(), ms(200), "but never beyond its bound");
}

#[test]
fn a_reader_that_does_not_read_costs_bounded_memory() {
    let mut line = Line::fixed(60);
    for n in 0..1000u16 {
        line.push(ms(u64::from(n) * 20), n, u32::from(n) * 160);
    }
    assert!(line.reorder.queued() <= 64);
    assert!(line.reorder.counters().overflow > 900);
    let out = line.drain(ms(20_000));
    assert_eq!(out.len(), 65);
}

#[test]
fn at_the_end_nothing_is_waited_for() {
    let mut line = Line::fixed(1000);
    line.on_time(1);
    assert_eq!(line.on_time(3), []);
    line.reorder.finish();
    assert_eq!(line.drain(ms(60)), [Out::Lost(1, 160), Out::Packet(3)]);
}

proptest! {
    /// Whatever is lost, delayed or duplicated: packets come out in order and once, and the ticks
    /// add up to the time from the first packet to the last, exactly.
    #[test]
    fn the_timeline_is_exact(
        ptime in prop_oneof![Just(10u64), Just(20), Just(30), Just(40), Just(60)],
        fates in proptest::collection::vec((0u8..20, 0u64..150, 0u8..40), 2..300),
        first: u16, base: u32,
    ) {
        let mut line = Line::fixed(120);
        line.timing.duration = (ptime * 8) as u32;
        let mut arrivals = Vec::new();
        let mut media = 0u64;
        let last = fates.len() - 1;
        let mut end = 0;
        for (n, &(loss, delay, pause)) in fates.iter().enumerate() {
            if pause == 0 {
                media += 700; // silence suppression
            }
            let edge = n == 0 || n == last;
            let sequence = first.wrapping_add(n as u16);
            let timestamp = base.wrapping_add((media * 8) as u32);
            let delay = if edge || delay >= 100 { 0 } else { delay };
            if edge || loss != 0 {
                arrivals.push((media + delay, sequence, timestamp));
            }
            if loss == 1 {
                arrivals.push((media + delay + 7, sequence, timestamp));
            }
            media += ptime;
            end = media;
        }
        // The last one on time, after every other one.
        arrivals.sort();
        let mut out = Vec::new();
        for &(at, sequence, timestamp) in &arrivals {
            // Deadlines that pass between packets.
            while let Some(due) = line.reorder.next_deadline().filter(|&due| due < ms(at)) {
                out.extend(line.drain(due));
            }
            out.extend(line.packet(ms(at), sequence, timestamp));
        }
        line.reorder.finish();
        out.extend(line.drain(ms(end + 1000)));
        let mut next = first;
        let mut ticks = 0u64;
        for entry in out {
            match entry {
                Out::Packet(sequence) => {
                    prop_assert_eq!(sequence, next);
                    next = next.wrapping_add(1);
                    ticks += ptime * 8;
                }
                Out::Lost(count, lost) => {
                    next = next.wrapping_add(count as u16);
                    ticks += u64::from(lost);
                }
                Out::Silence(silent) => ticks += u64::from(silent),
                Out::Restart(cause) => prop_assert_eq!(cause, Cause::Start),
            }
        }
        prop_assert_eq!(next, first.wrapping_add(fates.len() as u16));
        // A lost packet before a pause: the pause's length is only known from the next one.
        prop_assert_eq!(ticks, end_ticks(&fates, ptime));
    }
}

fn end_ticks(fates: &[(u8, u64, u8)], ptime: u64) -> u64 {
    let pauses = fates.iter().skip(1).filter(|fate| fate.2 == 0).count() as u64;
    (fates.len() as u64 * ptime + pauses * 700) * 8
}
