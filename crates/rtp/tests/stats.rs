//! Loss, order and jitter as RFC 3550 A.1, A.3 and A.8 define them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use proptest::prelude::*;
use sidetone_rtp::stats::Arrival;
use sidetone_rtp::{RtpHeader, RtpView, StreamStats};

struct Sender {
    stats: StreamStats,
    header: RtpHeader,
}

impl Sender {
    fn new() -> Self {
        let header = RtpHeader { payload_type: 0, ssrc: 1, ..RtpHeader::default() };
        Self { stats: StreamStats::new(), header }
    }

    fn send(&mut self, at_ms: f64, sequence: u16, timestamp: u32) -> Arrival {
        let mut packet = Vec::new();
        RtpHeader { sequence, timestamp, ..self.header }.write(&mut packet).unwrap();
        packet.extend([0; 160]);
        let view = RtpView::parse(&packet).unwrap();
        self.stats.receive(Duration::from_secs_f64(at_ms / 1000.0), &view, 8000)
    }

    /// A packet on time.
    fn on_time(&mut self, sequence: u16) -> Arrival {
        self.send(f64::from(sequence) * 20.0, sequence, u32::from(sequence) * 160)
    }
}

#[test]
fn loss_is_taken_back_when_the_packet_comes() {
    let mut sender = Sender::new();
    for sequence in [10, 11, 14, 15] {
        sender.on_time(sequence);
    }
    assert_eq!(sender.stats.snapshot().lost, 2);
    assert_eq!(sender.on_time(12), Arrival::Reordered(3));
    assert_eq!(sender.on_time(12), Arrival::Duplicate);
    let snapshot = sender.stats.snapshot();
    assert_eq!((snapshot.lost, snapshot.reordered, snapshot.duplicates), (1, 1, 1));
    assert_eq!((snapshot.packets, snapshot.octets), (6, 960));
    assert!((snapshot.loss_ratio() - 1.0 / 6.0).abs() < 1e-9);
}

#[test]
fn sequence_numbers_wrap() {
    let mut sender = Sender::new();
    for n in 0..200_000u32 {
        let sequence = n as u16;
        if n % 100 != 7 {
            sender.send(f64::from(n) * 20.0, sequence, n.wrapping_mul(160));
        }
    }
    let snapshot = sender.stats.snapshot();
    assert_eq!(snapshot.lost, 2_000);
    assert_eq!(snapshot.highest_sequence, 199_999);
    assert_eq!(snapshot.jitter_ticks, 0);
    assert_eq!((snapshot.restarts, snapshot.strays), (0, 0));
}

#[test]
fn packets_from_before_the_first_count() {
    let mut sender = Sender::new();
    sender.on_time(3);
    assert_eq!(sender.on_time(1), Arrival::Reordered(2));
    assert_eq!(sender.stats.snapshot().lost, 1);
}

#[test]
fn one_stray_number_changes_nothing_two_in_a_row_restart() {
    let mut sender = Sender::new();
    sender.on_time(1);
    sender.on_time(2);
    assert_eq!(sender.on_time(40_000), Arrival::Stray);
    assert_eq!(sender.on_time(3), Arrival::InOrder);
    assert_eq!(sender.on_time(40_000), Arrival::Stray);
    assert_eq!(sender.on_time(40_001), Arrival::First);
    assert_eq!(sender.on_time(40_002), Arrival::InOrder);
    let snapshot = sender.stats.snapshot();
    assert_eq!((snapshot.restarts, snapshot.strays, snapshot.lost), (1, 1, 0));
}

#[test]
fn losses_of_earlier_sources_stay() {
    let mut sender = Sender::new();
    sender.on_time(1);
    sender.on_time(4);
    sender.header.ssrc = 2;
    sender.header.payload_type = 8;
    assert_eq!(sender.on_time(500), Arrival::First);
    sender.on_time(502);
    let snapshot = sender.stats.snapshot();
    assert_eq!((snapshot.lost, snapshot.ssrc_changes, snapshot.payload_type_changes), (3, 1, 1));
    assert_eq!(snapshot.ssrc, Some(2));
}

/// The recurrence of A.8 in floating point, as the standard's text gives it.
fn reference_jitter(arrivals: &[f64]) -> f64 {
    let transit: Vec<f64> = arrivals.iter().enumerate().map(|(n, at)| at * 8.0 - n as f64 * 160.0).collect();
    transit.windows(2).fold(0.0, |jitter, pair| jitter + ((pair[1] - pair[0]).abs() - jitter) / 16.0)
}

proptest! {
    #[test]
    fn jitter_follows_the_standard(delays in proptest::collection::vec(0u32..30_000, 2..300)) {
        let arrivals: Vec<f64> =
            delays.iter().enumerate().map(|(n, &us)| n as f64 * 20.0 + f64::from(us) / 1000.0).collect();
        let mut sender = Sender::new();
        for (n, &at) in arrivals.iter().enumerate() {
            sender.send(at, n as u16, n as u32 * 160);
        }
        let snapshot = sender.stats.snapshot();
        // Integer ticks round each arrival, and the running sum keeps sixteenths.
        prop_assert!((f64::from(snapshot.jitter_ticks) - reference_jitter(&arrivals)).abs() < 3.0);
        prop_assert!((snapshot.jitter_ms - f64::from(snapshot.jitter_ticks) / 8.0).abs() < 0.2);
    }
}

#[test]
fn a_jump_of_the_timestamp_is_no_jitter() {
    let mut sender = Sender::new();
    for n in 0..10 {
        sender.on_time(n);
    }
    for n in 10..20u16 {
        sender.send(f64::from(n) * 20.0, n, u32::from(n) * 160 + 3_000_000_000);
    }
    let snapshot = sender.stats.snapshot();
    assert_eq!((snapshot.timestamp_jumps, snapshot.jitter_ticks), (1, 0));
}

#[test]
fn repeated_timestamps_of_an_event_are_no_jitter() {
    let mut sender = Sender::new();
    for n in 0..5 {
        sender.on_time(n);
    }
    for n in 5..15u16 {
        sender.send(f64::from(n) * 20.0, n, 800);
    }
    for n in 15..20 {
        sender.on_time(n);
    }
    assert_eq!(sender.stats.snapshot().jitter_ticks, 0);
}

#[test]
fn a_report_covers_its_interval() {
    let mut sender = Sender::new();
    assert_eq!(sender.stats.report(), None);
    for n in [0, 1, 2, 3, 5, 6, 7] {
        sender.on_time(n);
    }
    let report = sender.stats.report().unwrap();
    assert_eq!((report.fraction_lost, report.cumulative_lost, report.highest_sequence), (32, 1, 7));
    sender.on_time(8);
    let report = sender.stats.report().unwrap();
    assert_eq!((report.fraction_lost, report.cumulative_lost, report.highest_sequence), (0, 1, 8));
}
