//! What the RTP functions cost a packet: `cargo run --release -p sidetone-rtp --example rtp_cost`.
#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sidetone_rtp::reorder::{Reorder, Settings, Timing};
use sidetone_rtp::telephone_event::Tracker;
use sidetone_rtp::{Latch, Policy, RtpHeader, RtpMut, RtpView, StreamStats, classify};

/// The fastest of several runs, in nanoseconds a call: what it costs when nothing else is running.
fn measure(name: &str, mut call: impl FnMut(u32)) {
    const CALLS: u32 = 10_000;
    let fastest = (0..80)
        .map(|_| {
            let begun = Instant::now();
            (0..CALLS).for_each(&mut call);
            begun.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS)
        })
        .fold(f64::MAX, f64::min);
    println!("{name:<30} {fastest:>7.1} ns");
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut packet = Vec::new();
    RtpHeader { ssrc: 7, ..RtpHeader::default() }.write(&mut packet)?;
    packet.extend_from_slice(&[0xd5; 160]);
    let time = |n: u32| Duration::from_millis(u64::from(n) * 20);

    measure("classify", |_| {
        black_box(classify(black_box(&packet)));
    });
    measure("header: parse", |_| {
        black_box(RtpView::parse(black_box(&packet)).ok());
    });
    let mut rewritten = packet.clone();
    measure("header: rewrite seq, ts, ssrc", |n| {
        if let Ok(mut header) = RtpMut::parse(black_box(&mut rewritten)) {
            header.set_sequence(n as u16);
            header.set_timestamp(n);
            header.set_ssrc(n);
        }
    });

    let party: SocketAddr = "203.0.113.7:61000".parse()?;
    let stranger: SocketAddr = "198.51.100.1:61000".parse()?;
    let mut latch = Latch::new(Policy::Signalled);
    latch.expect(Some("192.168.1.5:4000".parse()?), Some(party.ip()));
    measure("latch: accept", |n| {
        black_box(latch.accept(time(n), black_box(party)));
    });
    measure("latch: reject", |n| {
        black_box(latch.accept(time(n), black_box(stranger)));
    });

    let mut sequence = 0u16;
    let mut numbered = packet.clone();
    let mut next = |numbered: &mut Vec<u8>| {
        sequence = sequence.wrapping_add(1);
        if let Ok(mut header) = RtpMut::parse(numbered) {
            header.set_sequence(sequence);
            header.set_timestamp(u32::from(sequence) * 160);
        }
    };
    let mut stats = StreamStats::new();
    measure("stats (with parse)", |n| {
        next(&mut numbered);
        if let Ok(view) = RtpView::parse(&numbered) {
            black_box(stats.receive(time(n), &view, 8000));
        }
    });
    let mut reorder = Reorder::new(Settings::default());
    measure("reorder push + pop (w. parse)", |n| {
        next(&mut numbered);
        if let Ok(view) = RtpView::parse(&numbered) {
            reorder.push(time(n), &view, Timing { clock_rate: 8000, duration: 160 });
            while black_box(reorder.pop(time(n))).is_some() {}
        }
    });
    let mut tracker = Tracker::new();
    measure("telephone-event", |n| {
        tracker.receive(time(n), n / 8 * 1280, false, &[5, 10, 0, 160]);
        while black_box(tracker.poll()).is_some() {}
    });
    Ok(())
}
