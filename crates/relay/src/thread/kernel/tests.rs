//! A thread whose settled streams the kernel forwards, beside one that forwards everything itself.

use std::net::UdpSocket;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sidetone_call::Format;
use sidetone_rtp::header::RtpHeader;

use super::super::tests::{CALL, Desk, plan};
use super::super::{Command, Notice};
use super::*;
use crate::heed::Heed;
use crate::report::StreamReport;

/// Turns that a packet may need to be dealt with.
const MOST_TURNS: usize = 2_000;

fn kernel(desk: &Desk) -> Kernel {
    Kernel::open(&[], None, desk.thread.epoch).expect("this test loads a BPF program: run it as root")
}

fn rtp(payload_type: u8, sequence: u16, ssrc: u32, length: usize) -> Vec<u8> {
    let mut packet = Vec::new();
    let timestamp = u32::from(sequence).wrapping_mul(160);
    RtpHeader { payload_type, marker: false, sequence, timestamp, ssrc }.write(&mut packet).unwrap();
    packet.resize(12 + length, sequence as u8);
    packet
}

/// Who sends.
#[derive(Debug, Clone, Copy)]
enum Who {
    Carrier,
    Pbx,
    /// Another port of the carrier's host.
    Neighbour,
    Stranger,
}

#[derive(Debug, Clone)]
enum Step {
    Send(Who, Vec<u8>),
    /// The same agreement again, as a re-INVITE brings it.
    Plan,
    /// The PBX's host holds the call, or resumes it.
    Hold(bool),
    Heed(bool),
}

/// A thread, its parties and its strangers.
struct Bench {
    desk: Desk,
    neighbour: UdpSocket,
    stranger: UdpSocket,
    held: bool,
}

impl Bench {
    fn new(by_kernel: bool) -> Self {
        let (tap, _copies) = sidetone_tap::ring(1 << 16);
        let desk = Desk::tapped(vec![tap]);
        if by_kernel {
            desk.orders.give(Command::Kernel(Box::new(kernel(&desk))));
        }
        desk.orders.give(Command::Tap { call: CALL, worker: Some(0) });
        let bind = |ip: &str| UdpSocket::bind((ip, 0)).unwrap();
        let mut side = Self { desk, neighbour: bind("127.0.0.1"), stranger: bind("127.0.0.9"), held: false };
        side.plan();
        side
    }

    fn plan(&mut self) {
        let mut plan = plan(&self.desk.carrier, &self.desk.pbx);
        if self.held {
            plan.pbx.remote_rtp = None;
        }
        let event = Format {
            payload_type: 101,
            encoding: "telephone-event".to_owned(),
            clock_rate: 8_000,
            channels: 1,
            fmtp: String::new(),
        };
        plan.trunk.formats.push(event.clone());
        plan.pbx.formats.push(event);
        self.desk.orders.give(Command::Plan {
            call: CALL,
            stream: 0,
            plan: Box::new(plan),
            guard: None,
            shake: Vec::new(),
        });
        self.turns(1);
    }

    fn turns(&mut self, number: usize) {
        for _ in 0..number {
            self.desk.brief_turn();
        }
    }

    fn report(&mut self) -> StreamReport {
        let (_, stream) = self.desk.thread.stream(CALL, 0).unwrap();
        stream.relay.report(0)
    }

    /// Packets whose fate is known.
    fn judged(&mut self) -> u64 {
        let report = self.report();
        [report.trunk, report.pbx].iter().map(|end| end.packets + end.rtcp_packets + end.rejected).sum()
    }

    /// Sends a packet, and gives what has arrived at either party.
    fn send(&mut self, who: Who, packet: &[u8]) -> [Option<Vec<u8>>; 2] {
        let before = self.judged();
        let (socket, to) = match who {
            Who::Carrier => (&self.desk.carrier, self.desk.entrance),
            Who::Neighbour => (&self.neighbour, self.desk.entrance),
            Who::Stranger => (&self.stranger, self.desk.entrance),
            Who::Pbx => (&self.desk.pbx, self.desk.exit),
        };
        socket.send_to(packet, to).unwrap();
        for _ in 0..MOST_TURNS {
            self.turns(1);
            if self.judged() > before {
                break;
            }
        }
        assert!(self.judged() > before, "{who:?}'s packet came nowhere");
        [received(&self.desk.carrier), received(&self.desk.pbx)]
    }
}

fn received(socket: &UdpSocket) -> Option<Vec<u8>> {
    let mut room = [0; 2_048];
    socket.recv(&mut room).ok().map(|length| room[..length].to_vec())
}

/// All that does not depend on when a packet came.
fn counts(report: &StreamReport) -> [[u64; 9]; 2] {
    [report.trunk, report.pbx].map(|end| {
        let kind = end.payload_type.map_or(255, u64::from);
        [
            end.packets,
            end.octets,
            end.lost,
            end.duplicates,
            end.reordered,
            end.rtcp_packets,
            end.rejected,
            end.undeliverable,
            kind,
        ]
    })
}

#[test]
fn a_settled_stream_passes_through_the_kernel_and_is_counted_as_ever() {
    let (mut plain, mut express) = (Bench::new(false), Bench::new(true));
    for sequence in 0..50_u16 {
        for who in [Who::Carrier, Who::Pbx] {
            let packet = rtp(0, sequence, 7, 160);
            assert_eq!(plain.send(who, &packet), express.send(who, &packet), "{sequence}");
        }
    }
    assert_eq!(counts(&plain.report()), counts(&express.report()));
    let report = express.report();
    // The first packet of each party latches it, and its way is opened after it.
    assert_eq!((report.trunk.by_kernel, report.pbx.by_kernel), (49, 49));
    assert_eq!(plain.report().trunk.by_kernel, 0);
    assert_eq!(express.desk.totals.ways.load(std::sync::atomic::Ordering::Relaxed), 2);
}

/// Were its copies not told by the kernel, the worker would hear silence.
#[test]
fn what_the_kernel_forwards_is_copied_only_while_it_may_be_heard() {
    let (tap, mut copies) = sidetone_tap::ring(1 << 16);
    let desk = Desk::tapped(vec![tap]);
    desk.orders.give(Command::Kernel(Box::new(kernel(&desk))));
    desk.orders.give(Command::Tap { call: CALL, worker: Some(0) });
    desk.plan();
    let mut side = Bench {
        desk,
        neighbour: UdpSocket::bind("127.0.0.1:0").unwrap(),
        stranger: UdpSocket::bind("127.0.0.9:0").unwrap(),
        held: false,
    };
    let mut sequence = 0;
    let mut copied = |side: &mut Bench, packets: u16| {
        let mut copied = 0;
        for _ in 0..packets {
            sequence += 1;
            let packet = rtp(0, sequence, 7, 160);
            side.send(Who::Carrier, &packet);
            while let Some(copy) = copies.receive() {
                assert_eq!(copy.packet, packet, "whole, and as it came");
                assert_eq!(copy.side, Side::Trunk);
                assert!(copy.came.earliest <= side.desk.thread.epoch.elapsed());
                copied += 1;
            }
        }
        copied
    };
    // Each time the first comes to the socket, and goes the old way: the worker decides what it hears of it.
    assert_eq!(copied(&mut side, 10), 1);
    for (heed, packets) in [(Heed::Sound(true), 10), (Heed::Sound(false), 1), (Heed::Tones(true), 10)] {
        side.desk.orders.give(Command::Heed { call: CALL, heed });
        side.turns(1);
        assert_eq!(copied(&mut side, 10), packets, "{heed:?}");
    }
    assert!(side.report().trunk.by_kernel >= 36);
}

#[test]
fn a_call_that_ends_leaves_nothing_in_the_kernel() {
    let mut express = Bench::new(true);
    for sequence in 0..5_u16 {
        express.send(Who::Carrier, &rtp(0, sequence, 7, 160));
    }
    express.desk.orders.give(Command::Close { call: CALL });
    express.turns(2);
    assert_eq!(express.desk.totals.ways.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert!(express.desk.thread.kernel.as_ref().unwrap().slots.is_empty());
    let told = std::iter::from_fn(|| express.desk.told.try_recv().ok());
    let closed = told.filter_map(|notice| match notice {
        Notice::Closed(_, reports) => Some(reports[0].trunk),
        _ => None,
    });
    let last: Vec<_> = closed.collect();
    assert_eq!((last[0].packets, last[0].by_kernel), (5, 4), "the last report has all of it");
    // Nobody's socket, and nobody's way.
    express.desk.carrier.send_to(&rtp(0, 6, 7, 160), express.desk.entrance).unwrap();
    express.turns(2);
    assert_eq!(received(&express.desk.pbx), None);
}

/// The thread had no turn for a while, and the first thing that it is told is that the call is over: the last report
/// has all packets still. An announcement would go on from the last one's numbers.
#[test]
fn a_way_is_not_closed_before_all_that_passed_is_taken() {
    let mut express = Bench::new(true);
    for sequence in 0..5_u16 {
        express.send(Who::Carrier, &rtp(0, sequence, 7, 160));
    }
    for sequence in 5..30_000_u16 {
        // No more at a time than a stream's share of the ring.
        if sequence % 4_000 == 0 {
            std::thread::sleep(Duration::from_millis(150));
        }
        express.desk.carrier.send_to(&rtp(0, sequence, 7, 0), express.desk.entrance).unwrap();
    }
    express.desk.orders.give(Command::Close { call: CALL });
    express.turns(1);
    let closed = std::iter::from_fn(|| express.desk.told.try_recv().ok()).find_map(|notice| match notice {
        Notice::Closed(_, reports) => Some(reports[0].trunk),
        _ => None,
    });
    assert_eq!(closed.map(|trunk| (trunk.packets, trunk.lost)), Some((30_000, 0)));
}

fn step() -> impl Strategy<Value = Step> {
    let who = prop_oneof![
        6 => Just(Who::Carrier),
        4 => Just(Who::Pbx),
        1 => Just(Who::Neighbour),
        1 => Just(Who::Stranger)
    ];
    let kind = prop::sample::select(vec![0_u8, 0, 0, 0, 0, 8, 101, 13]);
    let ssrc = prop::sample::select(vec![7_u32, 7, 7, 7, 7, 7, 7, 7, 9]);
    let length = prop::sample::select(vec![0_usize, 1, 160, 160, 160, 240, 320, 1_200]);
    let media = (kind, 0_u16..60, ssrc, length)
        .prop_map(|(kind, sequence, ssrc, length)| rtp(kind, sequence, ssrc, length));
    let rtcp = Just(vec![0x80, 201, 0, 1, 0, 0, 0, 7]);
    let extended = (0_u16..60).prop_map(|sequence| {
        let mut packet = rtp(0, sequence, 7, 8);
        packet[0] = 0x90;
        packet[12..16].fill(0);
        packet
    });
    prop_oneof![
        20 => (who.clone(), media).prop_map(|(who, packet)| Step::Send(who, packet)),
        1 => (who.clone(), rtcp).prop_map(|(who, packet)| Step::Send(who, packet)),
        1 => (who, extended).prop_map(|(who, packet)| Step::Send(who, packet)),
        1 => Just(Step::Plan),
        1 => any::<bool>().prop_map(Step::Hold),
        1 => any::<bool>().prop_map(Step::Heed),
    ]
}

/// Whatever is sent, by whomever, in whatever order: both threads forward the same bytes to the same parties, and count
/// the same.
#[test]
fn with_the_kernel_every_byte_and_every_count_is_as_without() {
    let mut runner = TestRunner::new(Config::with_cases(24));
    let by_kernel = std::cell::Cell::new(0);
    runner
        .run(&proptest::collection::vec(step(), 1..120), |steps| {
            let (mut plain, mut express) = (Bench::new(false), Bench::new(true));
            for step in &steps {
                match step {
                    Step::Send(who, packet) => {
                        prop_assert_eq!(plain.send(*who, packet), express.send(*who, packet), "{:?}", step);
                    }
                    Step::Plan => {
                        plain.plan();
                        express.plan();
                    }
                    Step::Hold(held) => {
                        for side in [&mut plain, &mut express] {
                            side.held = *held;
                            side.plan();
                        }
                    }
                    Step::Heed(sound) => {
                        for side in [&mut plain, &mut express] {
                            side.desk.orders.give(Command::Heed { call: CALL, heed: Heed::Sound(*sound) });
                            side.turns(1);
                        }
                    }
                }
                prop_assert_eq!(counts(&plain.report()), counts(&express.report()), "{:?}", step);
            }
            by_kernel.set(by_kernel.get() + express.report().trunk.by_kernel);
            Ok(())
        })
        .unwrap();
    assert!(by_kernel.get() > 100, "the kernel had a part in it: {} packets", by_kernel.get());
}
