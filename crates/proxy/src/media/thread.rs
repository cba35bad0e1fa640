//! The relay thread: epoll, receive, forward, then copy.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::UdpSocket as StdSocket;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use mio::net::UdpSocket;
use mio::{Events, Interest, Poll, Token, Waker};
use sidetone_rtp::latch::Policy;
use sidetone_sip::Face;
use sidetone_sip::anchor::{CallKey, StreamPlan};
use tokio::sync::mpsc::UnboundedSender;

use super::relay::{Component, Outcome, Relay};
use super::report::{Notice, RelayTotals, StreamReport};
use crate::tap::{TapSender, Tapped};

const WAKE: Token = Token(usize::MAX);
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
    /// Close the call's sockets and say how it went.
    Close { call: CallKey },
    /// End the thread.
    Stop,
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
    notices: UnboundedSender<Notice>,
    taps: Vec<TapSender>,
    totals: Arc<RelayTotals>,
    pace: Pace,
    epoch: Instant,
    ports: Vec<Option<Port>>,
    free_ports: Vec<usize>,
    streams: Vec<Option<Stream>>,
    free_streams: Vec<usize>,
    calls: HashMap<CallKey, Vec<usize>>,
    /// Sockets that still had packets when their turn was over.
    unfinished: VecDeque<usize>,
    batch: Batch,
    /// When the thread last had something to do.
    woken: Duration,
}

struct Port {
    socket: UdpSocket,
    stream: usize,
    face: Face,
    component: Component,
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
}

impl RelayThread {
    #[allow(clippy::too_many_arguments)] // Each is one end of a channel; a struct would only rename them.
    pub(super) fn new(
        commands: Receiver<Command>,
        notices: UnboundedSender<Notice>,
        taps: Vec<TapSender>,
        totals: Arc<RelayTotals>,
        pace: Pace,
        epoch: Instant,
    ) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let thread = Self {
            poll,
            commands,
            notices,
            taps,
            totals,
            pace,
            epoch,
            ports: Vec::new(),
            free_ports: Vec::new(),
            streams: Vec::new(),
            free_streams: Vec::new(),
            calls: HashMap::new(),
            unfinished: VecDeque::new(),
            batch: Batch::default(),
            woken: Duration::ZERO,
        };
        Ok((thread, waker))
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
                let spent = self.epoch.elapsed().saturating_sub(self.woken);
                std::thread::sleep(self.pace.tick.saturating_sub(spent));
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
        // Orders first: a party may send the moment it has read the answer, and by then the plan was given.
        if events.iter().any(|event| event.token() == WAKE) && !self.obey() {
            return false;
        }
        for _ in 0..self.unfinished.len() {
            if let Some(number) = self.unfinished.pop_front() {
                if let Some(Some(port)) = self.ports.get_mut(number) {
                    port.queued = false;
                }
                self.drain(number, buffer);
            }
        }
        for event in &*events {
            if event.token() != WAKE && !self.is_queued(event.token().0) {
                self.drain(event.token().0, buffer);
            }
        }
        self.publish();
        true
    }

    fn streams_open(&self) -> usize {
        self.streams.len() - self.free_streams.len()
    }

    /// Forwards what waits on one socket, up to a fair share.
    fn drain(&mut self, number: usize, buffer: &mut [u8]) {
        let Some(Some(port)) = self.ports.get(number) else { return };
        let Some(Some(stream)) = self.streams.get_mut(port.stream) else { return };
        let other = port.face.other();
        for _ in 0..FAIR_SHARE {
            let (length, source) = match port.socket.recv_from(buffer) {
                Ok(received) => received,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Linux reports an earlier send's ICMP error here; the next packet is unharmed.
                Err(_) => continue,
            };
            let Some(packet) = buffer.get(..length) else { continue };
            let now = self.epoch.elapsed();
            match stream.relay.packet(now, port.face, port.component, source, packet) {
                Outcome::Forward { via, to, audio } => {
                    let out =
                        stream.port(other, via, to.is_ipv6()).and_then(|out| self.ports.get(out)?.as_ref());
                    match out.map(|out| out.socket.send_to(packet, to)) {
                        Some(Ok(_)) => {
                            self.batch.packets += 1;
                            self.batch.octets += length as u64;
                        }
                        Some(Err(_)) => self.batch.send_errors += 1,
                        None => self.batch.undeliverable += 1,
                    }
                    if audio
                        && let Some(tap) = stream.tap.and_then(|tap| self.taps.get_mut(tap))
                        && !tap.send(&Tapped {
                            call: stream.call,
                            stream: u16::try_from(stream.index).unwrap_or(u16::MAX),
                            face: port.face,
                            at: now,
                            packet,
                        })
                    {
                        self.batch.tap_dropped += 1;
                        stream.relay.unheard(port.face);
                    }
                }
                Outcome::Rejected => self.batch.rejected += 1,
                Outcome::Undeliverable => self.batch.undeliverable += 1,
            }
        }
        // epoll is edge-triggered here: what is left would never be announced again.
        self.finish_later(number);
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
        ] {
            if more > 0 {
                total.fetch_add(more, Relaxed);
            }
        }
    }

    /// Carries out what was asked; false if the thread is to end.
    fn obey(&mut self) -> bool {
        loop {
            match self.commands.try_recv() {
                Ok(Command::Open { call, stream, face, rtp, rtcp }) => {
                    self.open(call, stream, face, rtp, rtcp);
                }
                Ok(Command::Plan { call, stream, plan }) => {
                    if let Some(stream) = self.stream(call, stream) {
                        stream.relay.plan(&plan);
                    }
                }
                Ok(Command::Tap { call, worker }) => {
                    for index in self.calls.get(&call).into_iter().flatten() {
                        if let Some(Some(stream)) = self.streams.get_mut(*index) {
                            stream.tap = worker;
                        }
                    }
                }
                Ok(Command::Close { call }) => self.close(call),
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return false,
                Err(TryRecvError::Empty) => return true,
            }
        }
    }

    fn stream(&mut self, call: CallKey, index: usize) -> Option<&mut Stream> {
        let numbers = self.calls.get(&call)?;
        let number = *numbers.iter().find(
            |number| matches!(self.streams.get(**number), Some(Some(stream)) if stream.index == index),
        )?;
        self.streams.get_mut(number)?.as_mut()
    }

    fn open(&mut self, call: CallKey, index: usize, face: Face, rtp: StdSocket, rtcp: StdSocket) {
        if self.stream(call, index).is_none() {
            let tap = self.calls.get(&call).and_then(|numbers| {
                numbers.iter().find_map(|number| self.streams.get(*number)?.as_ref()?.tap)
            });
            let stream =
                Stream { call, index, relay: Relay::new(self.pace.policy), sockets: Vec::new(), tap };
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
        self.poll.registry().register(&mut socket, Token(number), Interest::READABLE).ok()?;
        let number = place(
            &mut self.ports,
            &mut self.free_ports,
            Port { socket, stream, face, component, queued: false },
        );
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
            let Some(stream) = self.streams.get_mut(number).and_then(Option::take) else { continue };
            self.free_streams.push(number);
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
        let _ = self.notices.send(Notice::Closed(call, reports));
    }

    fn report(&mut self) {
        let reports: Vec<(CallKey, StreamReport)> = self
            .streams
            .iter()
            .flatten()
            .map(|stream| (stream.call, stream.relay.report(stream.index)))
            .collect();
        if !reports.is_empty() {
            let _ = self.notices.send(Notice::Reports(reports));
        }
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
    use std::sync::mpsc;

    use sidetone_sip::anchor::{Direction, EndPlan, MediaKind};

    use super::*;

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

    /// A party may send the moment it has read the answer, and the answer leaves only after the plan is queued. So
    /// where a plan and a packet wait together, however late the thread gets its turn, the plan comes first.
    #[test]
    fn a_plan_holds_for_the_packets_that_came_after_it() {
        let (command, commands) = mpsc::channel();
        let (notices, _told) = tokio::sync::mpsc::unbounded_channel();
        let pace = Pace { tick: Duration::ZERO, coalesce_from: usize::MAX, policy: Policy::Signalled };
        let totals = Arc::new(RelayTotals::default());
        let (mut thread, waker) =
            RelayThread::new(commands, notices, Vec::new(), Arc::clone(&totals), pace, Instant::now())
                .unwrap();
        let (mut events, mut buffer) = (Events::with_capacity(16), vec![0_u8; 2_048]);
        let call = CallKey(1);
        let (carrier, pbx) = (socket(), socket());
        let (rtp_trunk, rtp_pbx) = (socket(), socket());
        let entrance = rtp_trunk.local_addr().unwrap();
        for (face, rtp) in [(Face::Trunk, rtp_trunk), (Face::Pbx, rtp_pbx)] {
            command.send(Command::Open { call, stream: 0, face, rtp, rtcp: socket() }).unwrap();
        }
        waker.wake().unwrap();
        // The second turn looks at the sockets that the first one opened.
        for _ in 0..2 {
            assert!(thread.turn(Duration::from_secs(5), &mut events, &mut buffer));
        }

        let plan = StreamPlan {
            kind: MediaKind::Audio,
            trunk: toward(&carrier),
            pbx: toward(&pbx),
            tappable: Ok(()),
            answered: true,
        };
        command.send(Command::Plan { call, stream: 0, plan: Box::new(plan) }).unwrap();
        waker.wake().unwrap();
        let packet = [0x80, 0, 0, 1, 0, 0, 0, 160, 0, 0, 0, 7, 0xff, 0xff];
        carrier.send_to(&packet, entrance).unwrap();
        assert!(thread.turn(Duration::from_secs(5), &mut events, &mut buffer));

        let mut arrived = [0; 64];
        let length = pbx.recv(&mut arrived).expect("the packet is forwarded in that same turn");
        assert_eq!(&arrived[..length], packet);
        assert_eq!(totals.packets.load(Relaxed), 1);
    }
}
