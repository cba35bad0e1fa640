//! The relay thread: epoll, receive, forward, then copy.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind};
use std::net::UdpSocket as StdSocket;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Relaxed, Release};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use sidetone_announce::{Playback, Voice};
use sidetone_rtp::header::FIXED_HEADER;
use sidetone_rtp::latch::Policy;
use sidetone_sip::Face;
use sidetone_sip::anchor::{CallKey, StreamPlan};
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::relay::{Component, Outcome, Relay};
use super::report::{Notice, RelayTotals, StreamReport};
use super::timer::Timer;
use super::voiceover::{PlayId, Playing, Spoken};
use crate::tap::{TapSender, Tapped};

const WAKE: Token = Token(usize::MAX);
const TIMER: Token = Token(usize::MAX - 1);
/// Packets taken from one socket before the others get their turn.
const FAIR_SHARE: usize = 64;
/// How often reports go out.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// What the control side asks of a relay thread.
#[derive(Debug)]
pub(super) enum Command {
    /// Take these two sockets, toward one face of one stream.
    Open { call: CallKey, stream: usize, face: Face, rtp: StdSocket, rtcp: StdSocket },
    /// SDP has agreed on something.
    Plan { call: CallKey, stream: usize, plan: Box<StreamPlan> },
    /// Copy this call's packets to the worker, or to none.
    Tap { call: CallKey, worker: Option<usize> },
    /// Play something to the party on a face.
    Play { call: CallKey, stream: usize, toward: Face, id: PlayId, playback: Box<Playback> },
    /// Go on playing in other formats.
    Revoice { call: CallKey, stream: usize, toward: Face, voices: Vec<Voice> },
    /// Stop playing it.
    Hush { call: CallKey, toward: Face, id: PlayId },
    /// Close the call's sockets and say how it went.
    Close { call: CallKey },
    /// End the thread.
    Stop,
}

/// The control side's end of a relay thread.
pub(super) struct Orders {
    commands: mpsc::Sender<Command>,
    given: Arc<AtomicBool>,
    waker: Waker,
}

impl Orders {
    /// Gives an order. It is carried out before any packet that comes after this returns.
    pub(super) fn give(&self, command: Command) {
        // A thread that is gone can't be told anything; its calls have no media either way.
        if self.commands.send(command).is_ok() {
            self.given.store(true, Release);
            let _ = self.waker.wake();
        }
    }
}

/// How a relay thread works.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) tick: Duration,
    pub(super) coalesce_from: usize,
    pub(super) policy: Policy,
}

pub(super) struct RelayThread {
    poll: Poll,
    commands: Receiver<Command>,
    /// Raised with every order, so that whether there is one can be asked before each packet.
    given: Arc<AtomicBool>,
    /// Told to end.
    ended: bool,
    notices: Sender<Notice>,
    /// Closed calls and announcements that `notices` had no room for: a few a call.
    unsaid: VecDeque<Notice>,
    taps: Vec<TapSender>,
    totals: Arc<RelayTotals>,
    pace: Pace,
    epoch: Instant,
    ports: Vec<Option<Port>>,
    free_ports: Vec<usize>,
    /// Sockets taken so far.
    ports_opened: u64,
    streams: Vec<Option<Stream>>,
    free_streams: Vec<usize>,
    calls: HashMap<CallKey, Vec<usize>>,
    /// Sockets that still had packets when their turn was over.
    unfinished: VecDeque<usize>,
    timer: Timer,
    /// A packet of an announcement's in the making.
    speech: Vec<u8>,
    /// Where the numbers of streams of our own come from.
    seeds: RandomState,
    batch: Batch,
    /// When the thread last had something to do.
    woken: Duration,
}

struct Port {
    socket: UdpSocket,
    stream: usize,
    face: Face,
    component: Component,
    /// Tells it from one that had the same place before.
    opened: u64,
    /// Stands in `unfinished`. epoll announces a socket again with every packet; it must not queue twice.
    queued: bool,
}

struct Stream {
    call: CallKey,
    index: usize,
    relay: Relay,
    sockets: Vec<Placed>,
    tap: Option<usize>,
}

/// Where one of a stream's sockets stands in the thread's table. There are four, or eight if the call has changed
/// its address family, so a look through them is quicker than a map.
#[derive(Clone, Copy)]
struct Placed {
    face: Face,
    component: Component,
    v6: bool,
    number: usize,
}

impl Stream {
    fn port(&self, face: Face, component: Component, v6: bool) -> Option<usize> {
        self.sockets
            .iter()
            .find(|placed| placed.face == face && placed.component == component && placed.v6 == v6)
            .map(|placed| placed.number)
    }
}

/// Sums of one batch, added to the shared totals when it ends.
#[derive(Default)]
struct Batch {
    packets: u64,
    octets: u64,
    rejected: u64,
    undeliverable: u64,
    send_errors: u64,
    tap_dropped: u64,
    announced: u64,
    held: u64,
}

impl RelayThread {
    pub(super) fn new(
        notices: Sender<Notice>,
        taps: Vec<TapSender>,
        totals: Arc<RelayTotals>,
        pace: Pace,
        epoch: Instant,
    ) -> io::Result<(Self, Orders)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let timer = Timer::new(poll.registry(), TIMER)?;
        let (sender, commands) = mpsc::channel();
        let given = Arc::new(AtomicBool::new(false));
        let orders = Orders { commands: sender, given: Arc::clone(&given), waker };
        let thread = Self {
            poll,
            commands,
            given,
            ended: false,
            notices,
            unsaid: VecDeque::new(),
            taps,
            totals,
            pace,
            epoch,
            ports: Vec::new(),
            free_ports: Vec::new(),
            ports_opened: 0,
            streams: Vec::new(),
            free_streams: Vec::new(),
            calls: HashMap::new(),
            unfinished: VecDeque::new(),
            timer,
            speech: Vec::with_capacity(2_048),
            seeds: RandomState::new(),
            batch: Batch::default(),
            woken: Duration::ZERO,
        };
        Ok((thread, orders))
    }

    /// Runs until told to stop or until the control side is gone.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(1_024);
        let mut buffer = vec![0_u8; 65_536];
        let mut next_report = REPORT_EVERY;
        loop {
            let wait = next_report.saturating_sub(self.epoch.elapsed());
            if !self.turn(wait, &mut events, &mut buffer) {
                return;
            }
            let now = self.epoch.elapsed();
            if now >= next_report {
                self.report();
                next_report = now + REPORT_EVERY;
            }
            if self.streams_open() >= self.pace.coalesce_from && self.unfinished.is_empty() {
                // The rest of the tick only: what the work took is not waited for twice.
                let now = self.epoch.elapsed();
                let rest = self.pace.tick.saturating_sub(now.saturating_sub(self.woken));
                let due = self.timer.next().map_or(rest, |due| due.saturating_sub(now));
                std::thread::sleep(rest.min(due));
            }
        }
    }

    /// Waits for something to do, for at most `wait`, and does it; false if the thread is to end.
    fn turn(&mut self, wait: Duration, events: &mut Events, buffer: &mut [u8]) -> bool {
        let wait = if self.unfinished.is_empty() { wait } else { Duration::ZERO };
        match self.poll.poll(events, Some(wait)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return true,
            // An epoll descriptor that fails is a bug or a dying process; either way nothing can be relayed.
            Err(_) => return false,
        }
        self.woken = self.epoch.elapsed();
        self.obey();
        for _ in 0..self.unfinished.len() {
            if let Some(number) = self.unfinished.pop_front() {
                if let Some(Some(port)) = self.ports.get_mut(number) {
                    port.queued = false;
                }
                self.drain(number, buffer);
            }
        }
        for event in &*events {
            match event.token() {
                WAKE => {}
                TIMER => self.timer.rang(),
                Token(number) if self.is_queued(number) => {}
                Token(number) => self.drain(number, buffer),
            }
        }
        self.announce();
        self.publish();
        self.say_unsaid();
        !self.ended
    }

    fn streams_open(&self) -> usize {
        self.streams.len() - self.free_streams.len()
    }

    /// Forwards what waits on one socket, up to a fair share.
    fn drain(&mut self, number: usize, buffer: &mut [u8]) {
        let Some(Some(port)) = self.ports.get(number) else { return };
        let opened = port.opened;
        for _ in 0..FAIR_SHARE {
            let Some(Some(port)) = self.ports.get(number) else { return };
            let received = port.socket.recv_from(buffer);
            // A party may send the moment it has read the answer, and by then the plan was given: so a packet is judged
            // after the orders that were there when it came, however long this thread was kept from its work.
            self.obey();
            let port = self.ports.get(number).and_then(Option::as_ref).filter(|port| port.opened == opened);
            let Some(port) = port else { return };
            let Some(Some(stream)) = self.streams.get_mut(port.stream) else { return };
            let (length, source) = match received {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Linux reports an earlier send's ICMP error here; the next packet is unharmed.
                Err(_) => continue,
            };
            let Some(packet) = buffer.get_mut(..length) else { continue };
            let now = self.epoch.elapsed();
            match stream.relay.packet(now, port.face, port.component, source, packet) {
                Outcome::Forward { via, to, audio, original } => {
                    let out = stream
                        .port(port.face.other(), via, to.is_ipv6())
                        .and_then(|out| self.ports.get(out)?.as_ref());
                    match out.map(|out| out.socket.send_to(packet, to)) {
                        Some(Ok(_)) => {
                            self.batch.packets += 1;
                            self.batch.octets += length as u64;
                        }
                        Some(Err(_)) => self.batch.send_errors += 1,
                        None => self.batch.undeliverable += 1,
                    }
                    if let (Some(original), Some(header)) =
                        (original, packet.first_chunk_mut::<FIXED_HEADER>())
                    {
                        *header = original;
                    }
                    if audio {
                        copy(stream, &mut self.taps, &mut self.batch, port.face, now, packet);
                    }
                }
                Outcome::Held { audio } => {
                    self.batch.held += 1;
                    if audio {
                        copy(stream, &mut self.taps, &mut self.batch, port.face, now, packet);
                    }
                }
                Outcome::Rejected => self.batch.rejected += 1,
                Outcome::Undeliverable => self.batch.undeliverable += 1,
            }
        }
        // epoll is edge-triggered here: what is left would never be announced again.
        self.finish_later(number);
    }

    /// Sends what is due of announcements.
    fn announce(&mut self) {
        let now = self.epoch.elapsed();
        while let Some((at, number, toward)) = self.timer.take(now) {
            let Some(Some(stream)) = self.streams.get_mut(number) else { continue };
            if stream.relay.due(toward) != Some(at) {
                continue; // It was stopped, or is due at another time by now.
            }
            let call = stream.call;
            match stream.relay.speak(now, toward, &mut self.speech) {
                (Spoken::Packet { began }, Some(to)) => {
                    let out = stream
                        .port(toward, Component::Rtp, to.is_ipv6())
                        .and_then(|out| self.ports.get(out)?.as_ref());
                    match out.map(|out| out.socket.send_to(&self.speech, to)) {
                        Some(Ok(_)) => self.batch.announced += 1,
                        Some(Err(_)) => self.batch.send_errors += 1,
                        None => self.batch.undeliverable += 1,
                    }
                    if let Some(id) = began {
                        self.unsaid.push_back(Notice::Playing(call, toward, id, Playing::Began));
                    }
                }
                (Spoken::Over(id, played), _) => {
                    let ended = Playing::Ended { whole: true, played };
                    self.unsaid.push_back(Notice::Playing(call, toward, id, ended));
                }
                (Spoken::Packet { .. } | Spoken::Nothing, _) => {}
            }
            if let Some(next) = stream.relay.due(toward) {
                self.timer.note(next, number, toward);
            }
        }
        self.timer.set(now);
    }

    /// Notes when a stream's announcements are due.
    fn note_due(&mut self, number: usize) {
        let Some(Some(stream)) = self.streams.get(number) else { return };
        for toward in [Face::Trunk, Face::Pbx] {
            if let Some(at) = stream.relay.due(toward) {
                self.timer.note(at, number, toward);
            }
        }
    }

    fn is_queued(&self, number: usize) -> bool {
        matches!(self.ports.get(number), Some(Some(port)) if port.queued)
    }

    fn finish_later(&mut self, number: usize) {
        if let Some(Some(port)) = self.ports.get_mut(number)
            && !std::mem::replace(&mut port.queued, true)
        {
            self.unfinished.push_back(number);
        }
    }

    fn publish(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        let totals = &self.totals;
        for (total, more) in [
            (&totals.packets, batch.packets),
            (&totals.octets, batch.octets),
            (&totals.rejected, batch.rejected),
            (&totals.undeliverable, batch.undeliverable),
            (&totals.send_errors, batch.send_errors),
            (&totals.tap_dropped, batch.tap_dropped),
            (&totals.announced, batch.announced),
            (&totals.held, batch.held),
        ] {
            if more > 0 {
                total.fetch_add(more, Relaxed);
            }
        }
    }

    /// Carries out what was ordered since the last time.
    fn obey(&mut self) {
        if !self.given.load(Relaxed) {
            return;
        }
        // Lowered before the look: what is ordered meanwhile raises it again.
        self.given.swap(false, AcqRel);
        loop {
            match self.commands.try_recv() {
                Ok(Command::Open { call, stream, face, rtp, rtcp }) => {
                    self.open(call, stream, face, rtp, rtcp);
                }
                Ok(Command::Plan { call, stream, plan }) => {
                    let now = self.epoch.elapsed();
                    if let Some((number, stream)) = self.stream(call, stream) {
                        stream.relay.plan(now, &plan);
                        self.note_due(number);
                    }
                }
                Ok(Command::Play { call, stream, toward, id, playback }) => {
                    self.play(call, stream, toward, id, *playback);
                }
                Ok(Command::Revoice { call, stream, toward, voices }) => {
                    if let Some((_, stream)) = self.stream(call, stream) {
                        stream.relay.revoice(toward, voices);
                    }
                }
                Ok(Command::Hush { call, toward, id }) => self.hush(call, toward, id),
                Ok(Command::Tap { call, worker }) => {
                    for index in self.calls.get(&call).into_iter().flatten() {
                        if let Some(Some(stream)) = self.streams.get_mut(*index) {
                            stream.tap = worker;
                        }
                    }
                }
                Ok(Command::Close { call }) => self.close(call),
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => {
                    self.ended = true;
                    return;
                }
                Err(TryRecvError::Empty) => return,
            }
        }
    }

    fn play(&mut self, call: CallKey, stream: usize, toward: Face, id: PlayId, playback: Playback) {
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

    fn hush(&mut self, call: CallKey, toward: Face, id: PlayId) {
        for number in self.calls.get(&call).into_iter().flatten() {
            if let Some(Some(stream)) = self.streams.get_mut(*number)
                && let Some((id, played)) = stream.relay.stop(toward, Some(id))
            {
                let ended = Playing::Ended { whole: false, played };
                self.unsaid.push_back(Notice::Playing(call, toward, id, ended));
            }
        }
    }

    fn stream(&mut self, call: CallKey, index: usize) -> Option<(usize, &mut Stream)> {
        let numbers = self.calls.get(&call)?;
        let number = *numbers.iter().find(
            |number| matches!(self.streams.get(**number), Some(Some(stream)) if stream.index == index),
        )?;
        Some((number, self.streams.get_mut(number)?.as_mut()?))
    }

    fn open(&mut self, call: CallKey, index: usize, face: Face, rtp: StdSocket, rtcp: StdSocket) {
        if self.stream(call, index).is_none() {
            let seed = self.seeds.hash_one((call, index, self.ports_opened));
            let tap = self.calls.get(&call).and_then(|numbers| {
                numbers.iter().find_map(|number| self.streams.get(*number)?.as_ref()?.tap)
            });
            let stream =
                Stream { call, index, relay: Relay::new(self.pace.policy, seed), sockets: Vec::new(), tap };
            let number = place(&mut self.streams, &mut self.free_streams, stream);
            self.calls.entry(call).or_default().push(number);
            self.totals.streams.store(self.streams_open() as u64, Relaxed);
        }
        let Some(numbers) = self.calls.get(&call) else { return };
        let Some(number) = numbers
            .iter()
            .copied()
            .find(|number| matches!(self.streams.get(*number), Some(Some(stream)) if stream.index == index))
        else {
            return;
        };
        for (component, socket) in [(Component::Rtp, rtp), (Component::Rtcp, rtcp)] {
            let v6 = socket.local_addr().is_ok_and(|local| local.is_ipv6());
            let Some(port) = self.register(number, face, component, socket) else { continue };
            if let Some(Some(stream)) = self.streams.get_mut(number) {
                stream.sockets.push(Placed { face, component, v6, number: port });
            }
        }
    }

    fn register(
        &mut self,
        stream: usize,
        face: Face,
        component: Component,
        socket: StdSocket,
    ) -> Option<usize> {
        let mut socket = UdpSocket::from_std(socket);
        let number = self.free_ports.last().copied().unwrap_or(self.ports.len());
        if self.poll.registry().register(&mut socket, Token(number), Interest::READABLE).is_err() {
            self.totals.unwatched.fetch_add(1, Relaxed);
            return None;
        }
        self.ports_opened += 1;
        let port = Port { socket, stream, face, component, opened: self.ports_opened, queued: false };
        let number = place(&mut self.ports, &mut self.free_ports, port);
        // Packets may have come before the socket was watched.
        self.finish_later(number);
        Some(number)
    }

    fn unregister(&mut self, number: usize) {
        if let Some(mut port) = self.ports.get_mut(number).and_then(Option::take) {
            let _ = self.poll.registry().deregister(&mut port.socket);
            self.free_ports.push(number);
        }
    }

    fn close(&mut self, call: CallKey) {
        let mut reports = Vec::new();
        for number in self.calls.remove(&call).unwrap_or_default() {
            let Some(mut stream) = self.streams.get_mut(number).and_then(Option::take) else { continue };
            self.free_streams.push(number);
            for toward in [Face::Trunk, Face::Pbx] {
                if let Some((id, played)) = stream.relay.stop(toward, None) {
                    let ended = Playing::Ended { whole: false, played };
                    self.unsaid.push_back(Notice::Playing(call, toward, id, ended));
                }
            }
            for placed in &stream.sockets {
                self.unregister(placed.number);
            }
            let report = stream.relay.report(stream.index);
            self.totals.lost.fetch_add(report.trunk.lost + report.pbx.lost, Relaxed);
            if (report.trunk.packets == 0) != (report.pbx.packets == 0) {
                self.totals.one_way_streams.fetch_add(1, Relaxed);
            }
            reports.push(report);
        }
        self.totals.streams.store(self.streams_open() as u64, Relaxed);
        self.unsaid.push_back(Notice::Closed(call, reports));
        self.say_unsaid();
    }

    /// Says what must not be lost, as far as there is room.
    fn say_unsaid(&mut self) {
        while let Some(notice) = self.unsaid.pop_front() {
            if let Err(TrySendError::Full(notice)) = self.notices.try_send(notice) {
                self.unsaid.push_front(notice);
                return;
            }
        }
    }

    fn report(&mut self) {
        let reports: Vec<(CallKey, StreamReport)> = self
            .streams
            .iter()
            .flatten()
            .map(|stream| (stream.call, stream.relay.report(stream.index)))
            .collect();
        // The next ones say it all again.
        if !reports.is_empty()
            && let Err(TrySendError::Full(_)) = self.notices.try_send(Notice::Reports(reports))
        {
            self.totals.reports_dropped.fetch_add(1, Relaxed);
        }
    }
}

/// Copies a packet to whoever listens to its call.
fn copy(
    stream: &mut Stream,
    taps: &mut [TapSender],
    batch: &mut Batch,
    face: Face,
    at: Duration,
    packet: &[u8],
) {
    let Some(tap) = stream.tap.and_then(|tap| taps.get_mut(tap)) else { return };
    let index = u16::try_from(stream.index).unwrap_or(u16::MAX);
    if !tap.send(&Tapped { call: stream.call, stream: index, face, at, packet }) {
        batch.tap_dropped += 1;
        stream.relay.unheard(face);
    }
}

/// Puts a value into the first free place.
fn place<T>(places: &mut Vec<Option<T>>, free: &mut Vec<usize>, value: T) -> usize {
    if let Some(number) = free.pop()
        && let Some(slot) = places.get_mut(number)
    {
        *slot = Some(value);
        return number;
    }
    places.push(Some(value));
    places.len() - 1
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::OwnedFd;

    use sidetone_sip::anchor::{Direction, EndPlan, MediaKind};
    use tokio::sync::mpsc;

    use super::*;

    const CALL: CallKey = CallKey(1);
    const PACKET: [u8; 14] = [0x80, 0, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7, 0xff, 0xff];

    fn socket() -> StdSocket {
        let socket = StdSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    fn toward(party: &StdSocket) -> EndPlan {
        let at = party.local_addr().unwrap();
        EndPlan {
            remote_rtp: Some(at),
            remote_rtcp: None,
            signalled_from: Some(at.ip()),
            mux: false,
            formats: Vec::new(),
            direction: Direction::SendRecv,
            ptime_ms: None,
            held: false,
        }
    }

    /// A thread that doesn't run by itself, with one call between two parties.
    struct Desk {
        thread: RelayThread,
        orders: Orders,
        told: mpsc::Receiver<Notice>,
        totals: Arc<RelayTotals>,
        events: Events,
        buffer: Vec<u8>,
        carrier: StdSocket,
        pbx: StdSocket,
        entrance: std::net::SocketAddr,
    }

    impl Desk {
        fn new(notices: usize) -> Self {
            let (notices, told) = mpsc::channel(notices);
            let pace = Pace { tick: Duration::ZERO, coalesce_from: usize::MAX, policy: Policy::Signalled };
            let totals = Arc::new(RelayTotals::default());
            let (thread, orders) =
                RelayThread::new(notices, Vec::new(), Arc::clone(&totals), pace, Instant::now()).unwrap();
            let (rtp_trunk, rtp_pbx) = (socket(), socket());
            let entrance = rtp_trunk.local_addr().unwrap();
            for (face, rtp) in [(Face::Trunk, rtp_trunk), (Face::Pbx, rtp_pbx)] {
                orders.give(Command::Open { call: CALL, stream: 0, face, rtp, rtcp: socket() });
            }
            let (events, buffer) = (Events::with_capacity(16), vec![0_u8; 2_048]);
            let (carrier, pbx) = (socket(), socket());
            let mut desk = Self { thread, orders, told, totals, events, buffer, carrier, pbx, entrance };
            desk.turn();
            desk
        }

        fn turn(&mut self) {
            assert!(self.thread.turn(Duration::from_secs(5), &mut self.events, &mut self.buffer));
        }

        fn plan(&self) {
            let plan = StreamPlan {
                kind: MediaKind::Audio,
                trunk: toward(&self.carrier),
                pbx: toward(&self.pbx),
                tappable: Ok(()),
                answered: true,
            };
            self.orders.give(Command::Plan { call: CALL, stream: 0, plan: Box::new(plan) });
        }

        /// The place of the socket that the carrier sends to.
        fn place(&self) -> usize {
            let at = |port: &Port| port.socket.local_addr().unwrap() == self.entrance;
            self.thread.ports.iter().position(|port| port.as_ref().is_some_and(at)).unwrap()
        }

        fn arrived(&self) -> Option<Vec<u8>> {
            let mut arrived = [0; 64];
            self.pbx.recv(&mut arrived).ok().map(|length| arrived[..length].to_vec())
        }
    }

    /// A party may send the moment it has read the answer, and the answer leaves only after the plan is queued. So
    /// where a plan and a packet wait together, however late the thread gets its turn, the plan comes first.
    #[test]
    fn a_plan_holds_for_the_packets_that_came_after_it() {
        let mut desk = Desk::new(16);
        desk.plan();
        desk.carrier.send_to(&PACKET, desk.entrance).unwrap();
        desk.turn();
        assert_eq!(desk.arrived().as_deref(), Some(PACKET.as_slice()), "forwarded in that same turn");
        assert_eq!(desk.totals.packets.load(Relaxed), 1);
    }

    /// As above, but the thread had been woken by something else, and was kept from going on.
    #[test]
    fn a_plan_given_in_the_middle_of_a_turn_holds_for_the_packets_that_came_after_it() {
        let mut desk = Desk::new(16);
        let place = desk.place();
        desk.plan();
        desk.carrier.send_to(&PACKET, desk.entrance).unwrap();
        desk.thread.drain(place, &mut desk.buffer);
        assert_eq!(desk.arrived().as_deref(), Some(PACKET.as_slice()));
    }

    /// The place of a closed socket may be another call's by the time its last packet is looked at.
    #[test]
    fn a_packet_is_not_taken_for_one_of_the_socket_that_came_after_its_own() {
        let mut desk = Desk::new(16);
        desk.plan();
        desk.turn();
        let place = desk.place();
        desk.orders.give(Command::Close { call: CALL });
        for face in [Face::Trunk, Face::Pbx] {
            desk.orders.give(Command::Open {
                call: CallKey(2),
                stream: 0,
                face,
                rtp: socket(),
                rtcp: socket(),
            });
        }
        desk.carrier.send_to(&PACKET, desk.entrance).unwrap();
        desk.thread.drain(place, &mut desk.buffer);
        assert!(desk.thread.ports[place].is_some(), "the place is taken again");
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
            face: Face::Trunk,
            rtp: unwatchable(),
            rtcp: socket(),
        });
        desk.turn();
        assert_eq!(desk.totals.unwatched.load(Relaxed), 1);
    }
}
