//! Bodies for fuzzers: each takes any bytes and asserts what must hold for all of them.
//!
//! They run as property tests of this crate and under cargo-fuzz.
#![allow(clippy::panic, clippy::missing_panics_doc)] // a failed assertion is the finding

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::latch::{Latch, Policy, Verdict};
use crate::reorder::{Played, Reorder, Settings, Timing};
use crate::rtcp::Compound;
use crate::splice::{Content, Splice};
use crate::telephone_event::{Change, Sources, Tracker};
use crate::{RtpHeader, RtpMut, RtpView, StreamStats, classify, redundancy, rtcp, telephone_event};

/// Header view and rewriting.
pub fn header(data: &[u8]) {
    let _ = classify(data);
    let Ok(view) = RtpView::parse(data) else { return };
    assert!(view.header_len() + view.payload().len() <= data.len());
    assert!(view.payload_type() < 128);
    let mut changed = data.to_vec();
    if let Ok(mut packet) = RtpMut::parse(&mut changed) {
        packet.set_sequence(view.sequence());
        packet.set_timestamp(view.timestamp());
        packet.set_ssrc(view.ssrc());
        packet.set_marker(view.marker());
        assert_eq!(packet.set_payload_type(view.payload_type()), Ok(()));
    }
    assert_eq!(changed, data, "writing what was read changes nothing");
}

/// RTCP compounds.
pub fn rtcp(data: &[u8]) {
    let Ok(compound) = rtcp::Compound::parse_reduced(data) else {
        assert!(rtcp::Compound::parse(data).is_err());
        return;
    };
    let mut packets = 0;
    for packet in compound.packets() {
        packets += 1;
        match packet {
            rtcp::Packet::SenderReport { blocks, info, ssrc } => {
                let mut trip = rtcp::RoundTrip::new();
                trip.forwarded(Duration::ZERO, ssrc, &info);
                for block in blocks.iter() {
                    assert!((0.0..1.0).contains(&block.loss_ratio()));
                    let _ = trip.answered(Duration::from_secs(1), &block);
                }
            }
            rtcp::Packet::ReceiverReport { blocks, .. } => assert!(blocks.iter().count() <= 31),
            rtcp::Packet::Sdes(sdes) => {
                assert!(sdes.items().map(|item| item.value.len() + 2).sum::<usize>() <= data.len());
            }
            rtcp::Packet::Bye(bye) => assert!(bye.sources().count() <= 31 && bye.reason().len() <= 255),
            rtcp::Packet::Other { body, .. } => assert!(body.len() < data.len()),
        }
    }
    assert!(packets >= 1 && packets * 4 <= data.len(), "every packet checked is a packet read");
}

/// RFC 2198 payloads.
pub fn redundancy(data: &[u8]) {
    let Ok(blocks) = redundancy::blocks(data) else { return };
    let total: usize = blocks.map(|block| block.payload.len() + 1).sum();
    assert!(total <= data.len(), "blocks don't overlap");
}

/// A stream of telephone-event packets cut from the data: every event is told exactly once.
pub fn telephone_event(data: &[u8]) {
    let mut tracker = Tracker::new();
    let mut sources = Sources::default();
    let mut now = Duration::ZERO;
    let mut open = None;
    let mut check = |tracker: &mut Tracker| {
        while let Some(change) = tracker.poll() {
            match change {
                Change::Started { event, timestamp, .. } => {
                    assert!(open.replace((event, timestamp)).is_none(), "the one before had not ended");
                }
                Change::Ended { event, timestamp, .. } => assert_eq!(open.take(), Some((event, timestamp))),
            }
        }
    };
    for chunk in data.chunks(11) {
        let (head, payload) = chunk.split_at(chunk.len().min(3));
        let [delay, stamp, flags] = <[u8; 3]>::try_from(head).unwrap_or([0; 3]);
        now += Duration::from_millis(u64::from(delay) * 2);
        let _ = telephone_event::reports(payload).count();
        tracker.receive(now, u32::from(stamp) * 257, flags & 1 != 0, payload);
        let header = RtpHeader {
            payload_type: 96 + (flags >> 6),
            marker: flags & 1 != 0,
            sequence: u16::from(delay),
            timestamp: u32::from(stamp) * 257,
            ssrc: u32::from(flags >> 4 & 3) * u32::from(stamp),
        };
        let mut packet = Vec::new();
        if header.write(&mut packet).is_ok() {
            packet.extend_from_slice(payload);
            if let Ok(view) = RtpView::parse(&packet) {
                if flags & 2 == 0 {
                    sources.receive(now, &view);
                } else {
                    sources.suspect(now, &view);
                }
            }
        }
        while sources.poll().is_some() {}
        sources.advance(now);
        if flags == 0xff {
            tracker.restart(now);
        }
        check(&mut tracker);
    }
    tracker.advance(now + Tracker::SILENCE);
    check(&mut tracker);
    sources.advance(now + Tracker::SILENCE);
    assert!(sources.current().is_none(), "nor does one of another source outlast it");
    assert!(open.is_none() && tracker.current().is_none(), "silence ends every event");
}

/// A packet built from six bytes of fuzz data: small numbers, so that streams hang together.
struct Cut {
    now: Duration,
    bytes: Vec<u8>,
    timing: Timing,
}

/// Cuts a stream of packets with times out of the data.
fn stream(data: &[u8]) -> impl Iterator<Item = Cut> + '_ {
    let mut now = Duration::ZERO;
    let mut sequence = 65_500u16;
    let mut timestamp = u32::MAX - 5_000;
    data.chunks_exact(6).map(move |chunk| {
        let &[delay, step, kind, jump, a, b] = chunk else { unreachable!("chunks of six") };
        now += Duration::from_micros(u64::from(delay) * 200);
        sequence = match step {
            0..=180 => sequence.wrapping_add(1),
            181..=220 => sequence.wrapping_add_signed(i16::from(step) - 200),
            221..=250 => sequence.wrapping_add((u16::from(step) - 220) * 60),
            _ => u16::from_be_bytes([a, b]),
        };
        timestamp = match jump {
            0..=200 => timestamp.wrapping_add(160),
            201..=230 => timestamp.wrapping_add(u32::from(jump).wrapping_sub(215).wrapping_mul(160)),
            _ => u32::from_be_bytes([a, b, jump, step]),
        };
        let ssrc = if kind & 0x0f == 0 { u32::from(a & 3) } else { 1 };
        let clock_rate = if kind & 0xf0 == 0xf0 { 48_000 } else { 8_000 };
        let duration = if kind & 0xf0 == 0xe0 { 0 } else { 160 };
        let mut bytes = vec![0x80, kind & 0x7f];
        bytes.extend_from_slice(&sequence.to_be_bytes());
        bytes.extend_from_slice(&timestamp.to_be_bytes());
        bytes.extend_from_slice(&ssrc.to_be_bytes());
        bytes.extend_from_slice(&[a; 20]);
        Cut { now, bytes, timing: Timing { clock_rate, duration } }
    })
}

/// The reorder buffer under any packets at any times.
pub fn reorder(data: &[u8]) {
    let mut reorder = Reorder::new(Settings { capacity: 16, ..Settings::default() });
    let mut pushed = 0u64;
    let mut audio = Duration::ZERO;
    let mut filled = Duration::ZERO;
    let mut last = None;
    let clock_rate = 8_000;
    let mut drain = |reorder: &mut Reorder, now: Duration| {
        for turn in 0.. {
            assert!(turn < 10_000, "pop comes to an end");
            let Some(played) = reorder.pop(now) else { break };
            match played {
                Played::Packet(packet) => {
                    assert!(last.is_none_or(|last| last < packet.sequence), "in order, each once");
                    last = Some(packet.sequence);
                    audio += Duration::from_secs(1) * packet.duration / clock_rate;
                }
                Played::Lost { count, ticks } => {
                    assert!(count > 0);
                    filled += Duration::from_secs(1) * ticks / clock_rate;
                }
                Played::Silence { ticks } => {
                    assert!(ticks > 0);
                    filled += Duration::from_secs(1) * ticks / clock_rate;
                }
                Played::Restart { .. } => last = None,
            }
        }
    };
    let mut now = Duration::ZERO;
    for (index, cut) in stream(data).enumerate() {
        let Ok(view) = RtpView::parse(&cut.bytes) else { continue };
        now = cut.now;
        let timing = Timing { clock_rate, ..cut.timing };
        reorder.push(now, &view, timing);
        pushed += 1;
        // A reader that now and then does not keep up.
        if index % 7 != 3 {
            drain(&mut reorder, now);
            assert!(reorder.next_deadline().is_none_or(|at| at > now));
        }
    }
    reorder.finish();
    drain(&mut reorder, now);
    assert_eq!(reorder.queued(), 0);
    let counters = reorder.counters();
    let accounted =
        counters.played + counters.late + counters.duplicates + counters.strays + counters.overflow;
    assert!(pushed - accounted <= 1, "every packet is accounted for, a last foreign one apart: {counters:?}");
    let allowed = now + audio + Duration::from_millis(250) * (counters.restarts as u32 + 1);
    assert!(filled <= allowed, "silence and loss of {filled:?} in {now:?} with {audio:?} of audio");
}

/// The same with clock rates that change.
pub fn reorder_clocks(data: &[u8]) {
    let mut reorder = Reorder::new(Settings::default());
    for cut in stream(data) {
        let Ok(view) = RtpView::parse(&cut.bytes) else { continue };
        reorder.push(cut.now, &view, cut.timing);
        while reorder.pop(cut.now).is_some() {}
    }
}

/// Statistics of any packets.
pub fn stats(data: &[u8]) {
    let mut stats = StreamStats::new();
    for cut in stream(data) {
        let Ok(view) = RtpView::parse(&cut.bytes) else { continue };
        stats.receive(cut.now, &view, cut.timing.clock_rate);
        let snapshot = stats.snapshot();
        assert!((0.0..=1.0).contains(&snapshot.loss_ratio()));
        assert!(snapshot.jitter_ms.is_finite() && snapshot.jitter_ms <= snapshot.max_jitter_ms);
        assert!(snapshot.duplicates + snapshot.strays + snapshot.reordered <= snapshot.packets);
        if cut.now.as_millis().is_multiple_of(5) {
            let _ = stats.report();
        }
    }
}

/// A latch that anyone sends to: who isn't permitted is never accepted nor sent to.
pub fn latch(data: &[u8]) {
    let Some((&first, data)) = data.split_first() else { return };
    let policy = if first & 1 == 0 { Policy::Signalled } else { Policy::Sdp };
    let mut latch = Latch::new(policy);
    let address =
        |n: u8| SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, n >> 5)), 4000 + u16::from(n & 3));
    let mut stated = None;
    let mut signalled = None;
    let mut now = Duration::ZERO;
    for pair in data.chunks_exact(2) {
        let &[what, who] = pair else { unreachable!("chunks of two") };
        now += Duration::from_millis(u64::from(what) * 4);
        if what == 7 {
            stated = Some(address(who));
            latch.expect(stated, signalled);
        } else if what == 8 {
            signalled = Some(address(who).ip());
            latch.expect(stated, signalled);
        } else {
            let source = address(who);
            let permitted = match policy {
                Policy::Sdp => stated == Some(source),
                _ => stated.is_some_and(|s| s.ip() == source.ip()) || signalled == Some(source.ip()),
            };
            let verdict = latch.accept(now, source);
            assert!(permitted || !verdict.is_accepted(), "{source} is not permitted");
            if verdict == Verdict::Relatched {
                assert_eq!(latch.source(), Some(source));
            }
        }
        let ips = [stated.map(|s| s.ip()), signalled];
        assert!(latch.target().is_none_or(|target| ips.contains(&Some(target.ip()))));
    }
}

/// RTCP of a spliced stream, in every mode: never longer, never a panic, and still RTCP if it was.
pub fn splice(data: &[u8]) {
    let Some((&mode, data)) = data.split_first() else { return };
    let mut splice = Splice::new(u64::from(mode));
    if mode & 1 == 1 {
        splice.begin();
        splice.insert(Duration::ZERO, 160, 8_000, 160);
    }
    if mode & 2 == 2 {
        splice.end();
    }
    if let Ok(view) = RtpView::parse(data) {
        splice.forward(Duration::from_millis(20), &view, 8_000, Content::Sound);
    }
    let mut control = data.to_vec();
    let was = Compound::parse_reduced(&control).is_ok();
    splice.from_source(Duration::from_millis(40), &mut control);
    splice.from_listener(&mut control);
    assert_eq!(Compound::parse_reduced(&control).is_ok(), was);
}
