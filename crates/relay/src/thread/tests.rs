//! The thread's turns, one at a time, between sockets on this machine.

use std::fs::File;
use std::net::UdpSocket as StdSocket;
use std::os::fd::OwnedFd;

use sidetone_call::{Direction, EndPlan, MediaKind, Protection, Security, StreamPlan};
use sidetone_rtp::latch::Senders;
use tokio::sync::mpsc;

use super::*;
use crate::frame::Frame;

pub(super) const CALL: CallKey = CallKey(1);
const PACKET: [u8; 14] = [0x80, 0, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7, 0xff, 0xff];

fn socket() -> StdSocket {
    let socket = StdSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn open(call: CallKey, side: Side, rtp: StdSocket, senders: Box<[Senders; 2]>) -> Command {
    Command::Open { call, stream: 0, side, rtp, rtcp: socket(), bound: Duration::ZERO, senders }
}

fn toward(party: &StdSocket) -> EndPlan {
    let at = party.local_addr().unwrap();
    EndPlan {
        remote_rtp: Some(at),
        remote_rtcp: None,
        signalled_from: Some(at.ip()),
        mux: false,
        security: Security::None,
        protection: Protection::None,
        formats: Vec::new(),
        direction: Direction::SendRecv,
        ptime_ms: None,
        held: false,
    }
}

pub(super) fn plan(carrier: &StdSocket, pbx: &StdSocket) -> StreamPlan {
    StreamPlan {
        kind: MediaKind::Audio,
        trunk: toward(carrier),
        pbx: toward(pbx),
        tappable: Ok(()),
        answered: true,
    }
}

/// A thread whose turns the test runs, with one call between two parties.
pub(super) struct Desk {
    pub(super) thread: RelayThread,
    pub(super) orders: Arc<Orders>,
    pub(super) told: mpsc::Receiver<Notice>,
    left: Receiver<Left>,
    pub(super) totals: Arc<RelayTotals>,
    events: Events,
    buffer: Frame,
    pub(super) carrier: StdSocket,
    pub(super) pbx: StdSocket,
    /// Where the carrier sends to.
    pub(super) entrance: std::net::SocketAddr,
    /// Where the PBX sends to.
    pub(super) exit: std::net::SocketAddr,
}

impl Desk {
    pub(super) fn new(notices: usize) -> Self {
        Self::with(notices, Vec::new())
    }

    pub(super) fn tapped(taps: Vec<TapSender>) -> Self {
        Self::with(16, taps)
    }

    fn with(notices: usize, taps: Vec<TapSender>) -> Self {
        let (notices, told) = mpsc::channel(notices);
        let pace = Pace { tick: Duration::ZERO, coalesce_from: usize::MAX, policy: Policy::Signalled };
        let totals = Arc::new(RelayTotals::default());
        let (leaving, left) = std::sync::mpsc::channel();
        let (thread, orders) =
            RelayThread::new(notices, leaving, taps, Arc::clone(&totals), pace, Instant::now()).unwrap();
        let (rtp_trunk, rtp_pbx) = (socket(), socket());
        let (entrance, exit) = (rtp_trunk.local_addr().unwrap(), rtp_pbx.local_addr().unwrap());
        for (side, rtp) in [(Side::Trunk, rtp_trunk), (Side::Pbx, rtp_pbx)] {
            orders.give(open(CALL, side, rtp, Box::default()));
        }
        let (events, buffer, orders) = (Events::with_capacity(16), Frame::new(), Arc::new(orders));
        let (carrier, pbx) = (socket(), socket());
        let mut desk =
            Self { thread, orders, told, left, totals, events, buffer, carrier, pbx, entrance, exit };
        desk.turn();
        desk
    }

    pub(super) fn turn(&mut self) {
        assert!(self.thread.turn(Duration::from_secs(5), &mut self.events, &mut self.buffer).unwrap());
    }

    /// A turn that waits for hardly anything.
    pub(super) fn brief_turn(&mut self) {
        let wait = Duration::from_millis(1);
        assert!(self.thread.turn(wait, &mut self.events, &mut self.buffer).unwrap());
    }

    pub(super) fn plan(&self) {
        let plan = Box::new(plan(&self.carrier, &self.pbx));
        self.orders.give(Command::Plan { call: CALL, stream: 0, plan, guard: None, shake: Vec::new() });
    }

    /// The slot of the socket that the carrier sends to.
    fn place(&self) -> usize {
        let at = |port: &Port| port.socket.local_addr().unwrap() == self.entrance;
        self.thread.ports.iter().find(|(_, port)| at(port)).unwrap().0
    }

    pub(super) fn arrived(&self) -> Option<Vec<u8>> {
        let mut arrived = [0; 64];
        self.pbx.recv(&mut arrived).ok().map(|length| arrived[..length].to_vec())
    }
}

/// A party may send as soon as it has read the answer, and the answer leaves only after the plan is queued. So where a
/// plan and a packet wait together, the plan comes first, however late the thread gets its turn.
#[test]
fn a_plan_holds_for_the_packets_that_came_after_it() {
    let mut desk = Desk::new(16);
    desk.plan();
    desk.carrier.send_to(&PACKET, desk.entrance).unwrap();
    desk.turn();
    assert_eq!(desk.arrived().as_deref(), Some(PACKET.as_slice()), "forwarded in that same turn");
    assert_eq!(desk.totals.packets.load(Relaxed), 1);
}

/// A closed port is reported with its senders, and its next call hears nothing of them.
#[test]
fn the_last_calls_senders_are_told_with_the_port() {
    let mut desk = Desk::new(16);
    desk.plan();
    desk.carrier.send_to(&PACKET, desk.entrance).unwrap();
    desk.turn();
    assert!(desk.arrived().is_some());
    desk.orders.give(Command::Close { call: CALL });
    desk.turn();
    let left: Vec<Left> = desk.left.try_iter().collect();
    assert_eq!(left.len(), 4, "two ports a side");
    let its = left.iter().find(|left| left.local == desk.entrance).unwrap();
    let late = its.senders[0].unwrap();
    assert_eq!((late.address, late.ssrc), (desk.carrier.local_addr().unwrap(), Some(7)));

    let (rtp_trunk, rtp_pbx, party) = (socket(), socket(), socket());
    let entrance = rtp_trunk.local_addr().unwrap();
    let call = CallKey(2);
    desk.orders.give(open(call, Side::Trunk, rtp_trunk, Box::new([its.senders, Senders::default()])));
    desk.orders.give(open(call, Side::Pbx, rtp_pbx, Box::default()));
    desk.orders.give(Command::Plan {
        call,
        stream: 0,
        plan: Box::new(plan(&party, &desk.pbx)),
        guard: None,
        shake: Vec::new(),
    });
    desk.carrier.send_to(&PACKET, entrance).unwrap();
    desk.turn();
    assert_eq!((desk.arrived(), desk.totals.rejected.load(Relaxed)), (None, 1));
    party.send_to(&PACKET, entrance).unwrap();
    desk.turn();
    assert!(desk.arrived().is_some());
}

/// As in the test above, but the thread had been woken by something else, and was kept from going on.
#[test]
fn a_plan_given_in_the_middle_of_a_turn_holds_for_the_packets_that_came_after_it() {
    let mut desk = Desk::new(16);
    let place = desk.place();
    desk.plan();
    desk.carrier.send_to(&PACKET, desk.entrance).unwrap();
    desk.thread.drain(place, &mut desk.buffer);
    assert_eq!(desk.arrived().as_deref(), Some(PACKET.as_slice()));
}

/// The slot of a closed socket may be another call's by the time its last packet is looked at.
#[test]
fn a_packet_is_not_taken_for_one_of_the_socket_that_came_after_its_own() {
    let mut desk = Desk::new(16);
    desk.plan();
    desk.turn();
    let place = desk.place();
    desk.orders.give(Command::Close { call: CALL });
    for side in [Side::Trunk, Side::Pbx] {
        desk.orders.give(open(CallKey(2), side, socket(), Box::default()));
    }
    desk.carrier.send_to(&PACKET, desk.entrance).unwrap();
    desk.thread.drain(place, &mut desk.buffer);
    assert!(desk.thread.ports.contains(place), "the place is taken again");
    desk.turn();
    assert_eq!(desk.arrived(), None);
    let judged = [&desk.totals.packets, &desk.totals.rejected, &desk.totals.undeliverable];
    assert_eq!(judged.map(|total| total.load(Relaxed)), [0; 3]);
}

#[test]
fn reports_are_dropped_and_counted_while_nobody_listens_and_a_close_is_told_in_the_end() {
    let mut desk = Desk::new(1);
    desk.thread.report();
    desk.thread.report();
    desk.orders.give(Command::Close { call: CALL });
    desk.turn();
    assert_eq!(desk.totals.reports_dropped.load(Relaxed), 1);
    assert!(matches!(desk.told.try_recv(), Ok(Notice::Reports(_))));
    assert!(desk.told.try_recv().is_err());
    desk.orders.give(Command::Close { call: CallKey(2) });
    desk.turn();
    assert!(matches!(desk.told.try_recv(), Ok(Notice::Closed(CALL, _))));
}

/// A regular file can't be watched by epoll.
#[test]
fn a_socket_that_cannot_be_watched_is_counted() {
    let mut desk = Desk::new(16);
    let unwatchable =
        || StdSocket::from(OwnedFd::from(File::open(std::env::current_exe().unwrap()).unwrap()));
    desk.orders.give(Command::Open {
        call: CallKey(2),
        stream: 0,
        side: Side::Trunk,
        rtp: unwatchable(),
        rtcp: socket(),
        bound: Duration::ZERO,
        senders: Box::default(),
    });
    desk.turn();
    assert_eq!(desk.totals.unwatched.load(Relaxed), 1);
}

/// Before, the thread ended, with the audio of all its calls, and no alarm was raised.
#[test]
fn a_turn_that_panics_costs_its_order_and_no_call() {
    let Desk { thread, orders, told: _told, totals, carrier, pbx, entrance, .. } = Desk::new(16);
    let (alarm, beat) = (Alarm::new(), Heartbeat::new("relay-0", Duration::ZERO));
    let its_alarm = alarm.clone();
    let running = std::thread::spawn(move || thread.run(&beat, &its_alarm));
    orders.give(Command::Panic);
    // Queued behind the order that panics, and probably in the same turn.
    let plan = plan(&carrier, &pbx);
    orders.give(Command::Plan {
        call: CALL,
        stream: 0,
        plan: Box::new(plan),
        guard: None,
        shake: Vec::new(),
    });
    pbx.set_nonblocking(false).unwrap();
    pbx.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    carrier.send_to(&PACKET, entrance).unwrap();
    let mut arrived = [0; 64];
    assert_eq!(pbx.recv(&mut arrived).unwrap(), PACKET.len());
    assert_eq!(alarm.panics(), 1);
    orders.give(Command::Stop);
    assert!(running.join().unwrap().is_ok());
    assert_eq!(orders.waiting.load(Relaxed), 0);
    assert_eq!(totals.orders_lost.load(Relaxed), 0);
}

#[test]
fn a_thread_that_can_do_nothing_but_panic_ends_with_an_error() {
    let Desk { thread, orders, .. } = Desk::new(16);
    for _ in 0..=MOST_PANICS {
        orders.give(Command::Panic);
    }
    let (alarm, beat) = (Alarm::new(), Heartbeat::new("relay-0", Duration::ZERO));
    assert!(thread.run(&beat, &alarm).is_err());
}

/// A thread that hangs gets a bounded number of orders; an order that releases resources always gets through.
#[test]
fn orders_for_a_thread_that_hangs_are_bounded() {
    let mut desk = Desk::new(16);
    for _ in 0..super::orders::MOST_WAITING + 5 {
        desk.orders.give(Command::Tap { call: CALL, worker: None });
    }
    desk.orders.give(Command::Close { call: CALL });
    assert_eq!(desk.totals.orders_lost.load(Relaxed), 5);
    desk.turn();
    assert!(matches!(desk.told.try_recv(), Ok(Notice::Closed(CALL, _))));
    assert_eq!(desk.orders.waiting.load(Relaxed), 0);
}

/// However late the thread gets to work, a packet's earliest time is before its arrival, and its latest after.
#[test]
fn a_packet_that_waited_is_said_to_have_come_no_later_than_it_did() {
    let (tap, mut copies) = sidetone_tap::ring(1 << 16);
    let mut desk = Desk::tapped(vec![tap]);
    desk.plan();
    desk.orders.give(Command::Tap { call: CALL, worker: Some(0) });
    desk.turn();
    let more_than_a_share = FAIR_SHARE + 3;
    let sent = desk.thread.epoch.elapsed();
    for number in 0..more_than_a_share {
        let mut packet = PACKET;
        packet[3] = u8::try_from(number).unwrap();
        desk.carrier.send_to(&packet, desk.entrance).unwrap();
    }
    let consent = desk.thread.epoch.elapsed();
    while desk.thread.epoch.elapsed() <= consent + Duration::from_millis(1) {}
    let mut taken = 0;
    // The second turn finishes what the first had no time for.
    for _ in 0..2 {
        desk.turn();
        while let Some(copy) = copies.receive() {
            assert!(copy.came.earliest <= sent, "{:?}, sent at {sent:?}", copy.came);
            assert!(copy.came.latest > consent, "{:?}, taken after {consent:?}", copy.came);
            taken += 1;
        }
    }
    assert_eq!(taken, more_than_a_share);
    // A packet handled in time has an uncertainty no longer than since the poll before.
    // On a busy machine the system may have interrupted one try between its poll and its packet.
    let in_time = (0..20).any(|_| {
        let before = desk.thread.epoch.elapsed();
        desk.orders.give(Command::Tap { call: CALL, worker: Some(0) });
        desk.turn();
        desk.carrier.send_to(&PACKET, desk.entrance).unwrap();
        desk.turn();
        std::iter::from_fn(|| copies.receive().map(|copy| copy.came.earliest)).last() >= Some(before)
    });
    assert!(in_time);
}

/// The ring to a worker that takes nothing out.
#[test]
fn a_worker_that_stands_still_costs_copies_and_no_packet() {
    for by_kernel in [false, true] {
        let (tap, _copies) = sidetone_tap::ring(256);
        let mut desk = Desk::tapped(vec![tap]);
        if by_kernel {
            let kernel = Kernel::open(&[], None, desk.thread.epoch);
            let kernel = kernel.expect("this test loads a BPF program: run it as root");
            desk.orders.give(Command::Kernel(Box::new(kernel)));
        }
        desk.plan();
        desk.orders.give(Command::Tap { call: CALL, worker: Some(0) });
        desk.orders.give(Command::Heed { call: CALL, heed: crate::heed::Heed::Sound(true) });
        for number in 0..100 {
            let mut packet = PACKET;
            packet[3] = number;
            desk.carrier.send_to(&packet, desk.entrance).unwrap();
            while desk.totals.packets.load(Relaxed) <= u64::from(number) {
                desk.brief_turn();
            }
            assert_eq!(desk.arrived().as_deref(), Some(packet.as_slice()));
        }
        assert_eq!(desk.totals.by_kernel.load(Relaxed) > 50, by_kernel);
        let unheard = desk.thread.streams.iter().next().unwrap().1.relay.report(0).trunk.unheard;
        assert!((50..100).contains(&unheard), "{unheard} of 100 had no room");
        assert_eq!(desk.totals.tap_dropped.load(Relaxed), unheard);
    }
}

#[test]
fn a_packet_waits_for_less_than_a_tick_and_turns_stay_half_a_tick_apart() {
    let (tick, micros) = (Duration::from_millis(1), Duration::from_micros);
    for work in [0, 50, 100, 300, 450, 475].map(micros) {
        let apart = pause(tick, work) + work;
        assert!(apart + work + WAKING <= tick || apart == tick / 2, "{work:?}: {apart:?}");
        assert!(apart >= tick / 2, "{work:?}: {apart:?}");
    }
    assert_eq!(pause(tick, micros(100)), micros(750));
    assert_eq!(pause(tick, micros(800)), Duration::ZERO);
    assert_eq!(pause(Duration::ZERO, micros(100)), Duration::ZERO, "switched off");
}
