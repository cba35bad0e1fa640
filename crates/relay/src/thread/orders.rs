//! The orders of a relay thread and their execution: opens and closes sockets, takes plans, plays announcements.

use std::hash::BuildHasher;
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::sync::Arc;
use std::sync::atomic::Ordering::{AcqRel, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc::{self, TryRecvError};
use std::time::Duration;

use mio::net::UdpSocket;
use mio::{Interest, Token, Waker};
use sidetone_announce::{Playback, Voice};
use sidetone_call::{CallKey, Side, StreamPlan};
use sidetone_rtp::latch::Senders;

use super::kernel::{Kernel, Ways};
use super::{Placed, Port, RelayThread, Stream};
use crate::handshakes::{Handshakes, Leg};
use crate::heed::Heed;
use crate::kept::{Halted, StreamKept};
use crate::protection::{Change, Changes, Shake};
use crate::relay::{Component, Relay};
use crate::report::{Left, Notice, RelayTotals};
use crate::voiceover::{PlayId, Playing};

/// An order of the control side to a relay thread.
#[derive(Debug)]
pub(crate) enum Command {
    /// Take these two sockets, toward one side of one stream. They were empty when they were `bound`; each may still
    /// receive packets from its last call's senders.
    Open {
        call: CallKey,
        stream: usize,
        side: Side,
        rtp: StdSocket,
        rtcp: StdSocket,
        bound: Duration,
        senders: Box<[Senders; 2]>,
    },
    /// SDP has agreed on something. `guard` comes where SRTP ends here.
    ///
    /// What it asks of the handshakes goes by this thread: they answer with keys, which must not come before the plan,
    /// and no datagram of a party's may be there before its session.
    Plan {
        call: CallKey,
        stream: usize,
        plan: Box<StreamPlan>,
        guard: Option<Box<Changes>>,
        shake: Vec<Shake>,
    },
    /// Copy this call's packets to the worker, or to none.
    Tap { call: CallKey, worker: Option<usize> },
    /// What of this call's sound its worker may have.
    Heed { call: CallKey, heed: Heed },
    /// The kernel forwards what is settled.
    Kernel(Box<Kernel>),
    /// Tell from now on what streams need to be carried on by another process.
    Keep,
    /// A call's streams go on as they were in an earlier process.
    Resume { call: CallKey, streams: Vec<StreamKept> },
    /// What the kernel still forwards of an earlier process, and no stream has claimed, is nobody's.
    Claimed,
    /// Play an announcement to the party on a side.
    Play { call: CallKey, stream: usize, toward: Side, id: PlayId, playback: Box<Playback> },
    /// Go on playing in other formats.
    Revoice { call: CallKey, stream: usize, toward: Side, voices: Vec<Voice> },
    /// Stop an announcement.
    Hush { call: CallKey, toward: Side, id: PlayId },
    /// From now on DTLS goes there.
    Handshakes(Handshakes),
    /// Send a datagram of a handshake.
    Send { leg: Leg, to: SocketAddr, bytes: Vec<u8> },
    /// A handshake has given keys, or there are none any more.
    Keyed { leg: Leg, change: Box<Change> },
    /// Carry out several orders before anything else happens.
    Together(Vec<Command>),
    /// End the thread, and leave sockets and streams to another process.
    Halt(mpsc::Sender<Halted>),
    /// Close the call's sockets and report their last state.
    Close { call: CallKey },
    /// End the thread.
    Stop,
    /// Panic, to test the effect on other calls: in tests and drills.
    Panic,
}

/// Most orders that may wait: some hundred calls set up at once. Beyond it only orders that release resources get
/// through.
pub(super) const MOST_WAITING: usize = 65_536;

/// The control side's end of a relay thread.
pub(crate) struct Orders {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) given: Arc<AtomicBool>,
    pub(super) waker: Waker,
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) totals: Arc<RelayTotals>,
}

impl Orders {
    /// Gives an order. It is carried out before any packet that comes after this returns. A thread that hangs holds a
    /// bounded number of orders; further ones are dropped and counted.
    pub(crate) fn give(&self, command: Command) {
        let gives_back = matches!(command, Command::Close { .. } | Command::Stop | Command::Halt(_));
        if self.waiting.load(Relaxed) >= MOST_WAITING && !gives_back {
            self.totals.orders_lost.fetch_add(1, Relaxed);
            return;
        }
        self.waiting.fetch_add(1, Relaxed);
        // A thread that has ended takes no orders; its calls have no media either way.
        if self.commands.send(command).is_ok() {
            // Whoever raised it before wakes the thread, or has: one waking, a system call, for all orders of a
            // message.
            if !self.given.swap(true, AcqRel) {
                let _ = self.waker.wake();
            }
        }
    }
}

impl RelayThread {
    /// Carries out the orders since the last time.
    pub(super) fn obey(&mut self) {
        if !self.given.load(Relaxed) {
            return;
        }
        // Lowered before the check: an order given meanwhile raises it again.
        self.given.swap(false, AcqRel);
        loop {
            let order = self.commands.try_recv();
            if order.is_ok() {
                self.waiting.fetch_sub(1, Relaxed);
            }
            match order {
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => {
                    self.ended = true;
                    return;
                }
                Ok(order) => self.carry_out(order),
                Err(TryRecvError::Empty) => return,
            }
        }
    }

    fn carry_out(&mut self, order: Command) {
        // Long: one arm for each order.
        match order {
            Command::Open { call, stream, side, rtp, rtcp, bound, senders } => {
                self.open(call, stream, side, rtp, rtcp, bound);
                if let Some((_, stream)) = self.stream(call, stream) {
                    let [to_rtp, to_rtcp] = &*senders;
                    stream.relay.beware(side, Component::Rtp, to_rtp);
                    stream.relay.beware(side, Component::Rtcp, to_rtcp);
                }
            }
            Command::Plan { call, stream: index, plan, guard, shake } => {
                let now = self.epoch.elapsed();
                self.withdraw(call);
                if let Some((number, stream)) = self.stream(call, index) {
                    if let Some(changes) = guard {
                        stream.relay.guard(*changes);
                    }
                    stream.relay.plan(now, &plan);
                    if let Some(handshakes) = &self.handshakes {
                        shake.into_iter().for_each(|shake| handshakes.shake(call, index, shake));
                    }
                    self.note_due(number);
                    self.aim_again(number);
                }
            }
            Command::Play { call, stream, toward, id, playback } => {
                self.play(call, stream, toward, id, *playback);
            }
            Command::Revoice { call, stream, toward, voices } => {
                if let Some((_, stream)) = self.stream(call, stream) {
                    stream.relay.revoice(toward, voices);
                }
            }
            Command::Hush { call, toward, id } => self.hush(call, toward, id),
            Command::Tap { call, worker } => {
                self.withdraw(call);
                for index in self.calls.get(&call).into_iter().flatten() {
                    if let Some(stream) = self.streams.get_mut(*index) {
                        stream.tap = worker;
                    }
                }
            }
            Command::Heed { call, heed } => {
                self.withdraw(call);
                for index in self.calls.get(&call).into_iter().flatten() {
                    if let Some(stream) = self.streams.get_mut(*index) {
                        stream.heeded.take(heed);
                    }
                }
            }
            Command::Keep => {
                self.keeping = true;
                self.streams.iter_mut().for_each(|(_, stream)| stream.kept = None);
            }
            Command::Claimed => self.disown(),
            Command::Resume { call, streams } => {
                self.withdraw(call);
                let now = self.epoch.elapsed();
                for kept in streams {
                    if let Some((number, stream)) = self.stream(call, kept.stream) {
                        stream.relay.resume(now, kept);
                        self.claim(number);
                    }
                }
            }
            Command::Kernel(kernel) => self.kernel = Some(kernel),
            Command::Handshakes(handshakes) => self.handshakes = Some(handshakes),
            Command::Send { leg, to, bytes } => self.send(leg, to, &bytes),
            Command::Keyed { leg, change } => {
                let now = self.epoch.elapsed();
                if let Some((number, stream)) = self.stream(leg.call, leg.stream) {
                    stream.relay.keyed(now, leg.side, leg.number, *change);
                    self.note_due(number);
                }
            }
            // After the packets that are in hand.
            Command::Halt(heir) => self.heir = Some(heir),
            Command::Close { call } => self.close(call),
            // Nothing is received in between.
            Command::Together(orders) => orders.into_iter().for_each(|order| self.carry_out(order)),
            Command::Stop => self.ended = true,
            #[allow(clippy::panic)] // What it is for.
            Command::Panic => panic!("ordered to, by a test or a drill"),
        }
    }

    /// Leaves sockets and streams to whoever carries them on, and is to end.
    pub(super) fn halt(&mut self, heir: &mpsc::Sender<Halted>) {
        let of = |number: &usize| self.streams.get(*number).map(|stream| stream.relay.keep(stream.index));
        let streams =
            self.calls.iter().map(|(call, numbers)| (*call, numbers.iter().filter_map(of).collect()));
        let kept = streams.collect();
        let numbers: Vec<usize> = self.ports.iter().map(|(number, _)| number).collect();
        let mut sockets = Vec::with_capacity(numbers.len());
        for number in numbers {
            if let Some(mut port) = self.ports.try_remove(number) {
                let _ = self.poll.registry().deregister(&mut port.socket);
                sockets.push(port.socket.into());
            }
        }
        let _ = heir.send(Halted { kept, sockets });
        self.ended = true;
    }

    fn play(&mut self, call: CallKey, stream: usize, toward: Side, id: PlayId, playback: Playback) {
        self.withdraw(call);
        let now = self.epoch.elapsed();
        let ended = |id, played| Notice::Playing(call, toward, id, Playing::Ended { whole: false, played });
        let Some((number, stream)) = self.stream(call, stream) else {
            return self.unsaid.push_back(ended(id, Duration::ZERO));
        };
        if let Some((before, played)) = stream.relay.play(now, toward, id, playback) {
            self.unsaid.push_back(ended(before, played));
        }
        self.note_due(number);
    }

    fn hush(&mut self, call: CallKey, toward: Side, id: PlayId) {
        for number in self.calls.get(&call).into_iter().flatten() {
            if let Some(stream) = self.streams.get_mut(*number)
                && let Some((id, played)) = stream.relay.stop(toward, Some(id))
            {
                let ended = Playing::Ended { whole: false, played };
                self.unsaid.push_back(Notice::Playing(call, toward, id, ended));
            }
        }
    }

    pub(super) fn stream(&mut self, call: CallKey, index: usize) -> Option<(usize, &mut Stream)> {
        let of = |number: &usize| self.streams.get(*number).is_some_and(|stream| stream.index == index);
        let number = self.calls.get(&call)?.iter().copied().find(of)?;
        Some((number, self.streams.get_mut(number)?))
    }

    fn open(
        &mut self,
        call: CallKey,
        index: usize,
        side: Side,
        rtp: StdSocket,
        rtcp: StdSocket,
        bound: Duration,
    ) {
        let number = match self.stream(call, index) {
            Some((number, _)) => number,
            None => self.begin(call, index),
        };
        for (component, socket) in [(Component::Rtp, rtp), (Component::Rtcp, rtcp)] {
            let local = socket.local_addr().unwrap_or(SocketAddr::from(([0; 4], 0)));
            let v6 = local.is_ipv6();
            let Some(port) = self.register(number, side, component, socket, bound) else { continue };
            if let Some(stream) = self.streams.get_mut(number) {
                stream.sockets.push(Placed { side, component, v6, local, number: port });
            }
        }
    }

    fn begin(&mut self, call: CallKey, index: usize) -> usize {
        let seed = self.seeds.hash_one((call, index, self.ports_opened));
        let numbers = self.calls.entry(call).or_default();
        let others = || numbers.iter().filter_map(|number| self.streams.get(*number));
        let tap = others().find_map(|stream| stream.tap);
        let heeded = others().next().map(|stream| stream.heeded).unwrap_or_default();
        let relay = Relay::new(self.pace.policy, seed);
        let number = self.streams.insert(Stream {
            call,
            index,
            relay,
            sockets: Vec::new(),
            tap,
            heeded,
            ways: Ways::default(),
            kept: None,
        });
        numbers.push(number);
        self.totals.streams.store(self.streams.len() as u64, Relaxed);
        number
    }

    fn register(
        &mut self,
        stream: usize,
        side: Side,
        component: Component,
        socket: StdSocket,
        bound: Duration,
    ) -> Option<usize> {
        let mut socket = UdpSocket::from_std(socket);
        let place = self.ports.vacant_entry();
        let number = place.key();
        if self.poll.registry().register(&mut socket, Token(number), Interest::READABLE).is_err() {
            self.totals.unwatched.fetch_add(1, Relaxed);
            return None;
        }
        self.ports_opened += 1;
        place.insert(Port {
            socket,
            stream,
            side,
            component,
            opened: self.ports_opened,
            queued: false,
            earliest: None,
        });
        // Packets may have come before the socket was watched.
        self.finish_later(number, bound);
        Some(number)
    }

    fn unregister(&mut self, number: usize) {
        if let Some(mut port) = self.ports.try_remove(number) {
            let _ = self.poll.registry().deregister(&mut port.socket);
        }
    }

    fn close(&mut self, call: CallKey) {
        self.withdraw(call);
        let mut reports = Vec::new();
        for number in self.calls.remove(&call).unwrap_or_default() {
            let Some(mut stream) = self.streams.try_remove(number) else { continue };
            for toward in [Side::Trunk, Side::Pbx] {
                // Perhaps of a plan that was carried out after the handshakes had heard of the call's end.
                if let Some(handshakes) =
                    self.handshakes.as_ref().filter(|_| stream.relay.link(toward).is_some())
                {
                    handshakes.shake(call, stream.index, Shake::Leave(toward));
                }
                if let Some((id, played)) = stream.relay.stop(toward, None) {
                    let ended = Playing::Ended { whole: false, played };
                    self.unsaid.push_back(Notice::Playing(call, toward, id, ended));
                }
            }
            for placed in &stream.sockets {
                let senders = stream.relay.senders(placed.side, placed.component);
                // If this fails, no control side is left to reuse the port.
                let _ = self.left.send(Left { local: placed.local, senders });
                self.unregister(placed.number);
            }
            let report = stream.relay.report(stream.index);
            self.totals.lost.fetch_add(report.trunk.lost + report.pbx.lost, Relaxed);
            let silent = [report.trunk, report.pbx].map(|end| end.packets == 0);
            let turned_away = report.trunk.rejected + report.pbx.rejected > 0;
            if matches!(silent, [true, false] | [false, true]) || (silent == [true; 2] && turned_away) {
                self.totals.one_way_streams.fetch_add(1, Relaxed);
            }
            reports.push(report);
        }
        self.totals.streams.store(self.streams.len() as u64, Relaxed);
        self.unsaid.push_back(Notice::Closed(call, reports));
        self.unsaid.say(&self.notices);
    }
}
