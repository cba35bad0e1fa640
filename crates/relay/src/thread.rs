//! The relay thread: epoll; then for each packet receive, unprotect, admit, copy, splice, protect, send. Where SRTP
//! ends here, the steps in between see the packet in the clear; on a plain leg, unprotect and protect do nothing.

#[cfg(test)]
mod allocations;
mod kernel;
mod links;
mod orders;
#[cfg(test)]
mod secured;
#[cfg(test)]
mod shaken;
#[cfg(test)]
mod tests;
mod unsaid;

use std::collections::{HashMap, VecDeque};
use std::hash::RandomState;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

pub(super) use kernel::Kernel;
use kernel::Ways;
use mio::net::UdpSocket;
use mio::{Events, Poll, Token, Waker};
pub(super) use orders::{Command, Orders};
use sidetone_call::{CallKey, Side};
use sidetone_rtp::latch::Policy;
use slab::Slab;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;
use unsaid::Unsaid;

use super::frame::Frame;
use super::handshakes::Handshakes;
use super::heed::Heeded;
use super::kept::{Bearings, Halted};
use super::relay::{Component, Outcome, Relay};
use super::report::{Left, Notice, RelayTotals, StreamReport};
use super::timer::Timer;
use super::voiceover::{Playing, Spoken};
use sidetone_tap::{Arrival, TapSender, Tapped};
use sidetone_watch::{Alarm, Heartbeat};

const WAKE: Token = Token(usize::MAX);
const TIMER: Token = Token(usize::MAX - 1);
/// Packets taken from one socket before the others get their turn.
const FAIR_SHARE: usize = 64;
/// Most turns in a row that may panic. Each loses one packet or order; a thread that only panics is of no use.
const MOST_PANICS: usize = 1_000;
/// Most sockets that one poll reports.
const MOST_EVENTS: usize = 1_024;
/// How late a thread that sleeps wakes up: Linux gathers its timers within 50 µs.
const WAKING: Duration = Duration::from_micros(50);
/// How often reports go out.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// How often the counts of a stream are told for another process to carry them on.
const COUNTS_KEPT_EVERY: Duration = Duration::from_secs(10);

/// The pace of a relay thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) tick: Duration,
    pub(super) coalesce_from: usize,
    pub(super) policy: Policy,
}

pub(super) struct RelayThread {
    poll: Poll,
    commands: Receiver<Command>,
    /// Raised with every order, so that a check before each packet is cheap.
    given: Arc<AtomicBool>,
    /// Number of orders that wait.
    waiting: Arc<AtomicUsize>,
    /// The thread is to end.
    ended: bool,
    /// Whoever is left sockets and streams, once the thread is to halt.
    heir: Option<mpsc::Sender<Halted>>,
    notices: Sender<Notice>,
    /// Channel for the ports of ended calls. The control side empties it before it takes a port, so that it never holds
    /// more entries than there are ports.
    left: mpsc::Sender<Left>,
    /// Notices of closed calls and announcements that `notices` had no room for: a few a call.
    unsaid: Unsaid,
    taps: Vec<TapSender>,
    /// The kernel's part, if it takes one.
    kernel: Option<Box<Kernel>>,
    /// Where DTLS goes, if there is a thread for it.
    handshakes: Option<Handshakes>,
    /// Whether to tell what streams need to be carried on by another process.
    keeping: bool,
    totals: Arc<RelayTotals>,
    pace: Pace,
    epoch: Instant,
    ports: Slab<Port>,
    /// Sockets opened so far.
    ports_opened: u64,
    streams: Slab<Stream>,
    calls: HashMap<CallKey, Vec<usize>>,
    /// Sockets that still had packets when their turn was over.
    unfinished: VecDeque<usize>,
    timer: Timer,
    /// Buffer for a packet of an announcement.
    speech: Vec<u8>,
    /// Seeds for the numbers of streams of our own.
    seeds: RandomState,
    batch: Batch,
    /// When the thread last had work.
    woken: Duration,
    /// Taken before the last poll: every socket that this poll did not report was empty then.
    looked: Duration,
    /// The same for the poll before it. Packets of a socket that the last poll reported came later, unless the socket
    /// stands in `unfinished`.
    empty: Duration,
}

struct Port {
    socket: UdpSocket,
    stream: usize,
    side: Side,
    component: Component,
    /// Distinguishes it from an earlier socket with the same slot.
    opened: u64,
    /// The socket stands in `unfinished`. epoll reports a socket again with every packet; it must not queue twice.
    queued: bool,
    /// While queued: the packets waiting in it came no earlier than this.
    earliest: Option<Duration>,
}

struct Stream {
    call: CallKey,
    index: usize,
    relay: Relay,
    sockets: Vec<Placed>,
    tap: Option<usize>,
    heeded: Heeded,
    ways: Ways,
    /// What was last told of it for another process to carry it on, and when.
    kept: Option<(Bearings, Duration)>,
}

/// The slot of one of a stream's sockets in the thread's table. There are four, or eight if the call has changed its
/// address family, so a linear search is quicker than a map.
#[derive(Clone, Copy)]
struct Placed {
    side: Side,
    component: Component,
    v6: bool,
    local: SocketAddr,
    number: usize,
}

impl Stream {
    fn port(&self, side: Side, component: Component, v6: bool) -> Option<usize> {
        self.sockets
            .iter()
            .find(|placed| placed.side == side && placed.component == component && placed.v6 == v6)
            .map(|placed| placed.number)
    }
}

/// Counts of one batch, added to the shared totals when it ends.
#[derive(Default)]
struct Batch {
    packets: u64,
    octets: u64,
    rejected: u64,
    unauthentic: u64,
    checks: u64,
    unprotected: u64,
    undeliverable: u64,
    send_errors: u64,
    tap_dropped: u64,
    by_kernel: u64,
    announced: u64,
    held: u64,
}

impl RelayThread {
    pub(super) fn new(
        notices: Sender<Notice>,
        left: mpsc::Sender<Left>,
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
        let waiting = Arc::<AtomicUsize>::default();
        let orders = Orders {
            commands: sender,
            given: Arc::clone(&given),
            waker,
            waiting: Arc::clone(&waiting),
            totals: Arc::clone(&totals),
        };
        let thread = Self {
            poll,
            commands,
            given,
            waiting,
            ended: false,
            heir: None,
            notices,
            left,
            unsaid: Unsaid::new(Arc::clone(&totals)),
            taps,
            kernel: None,
            handshakes: None,
            keeping: false,
            totals,
            pace,
            epoch,
            ports: Slab::new(),
            ports_opened: 0,
            streams: Slab::new(),
            calls: HashMap::new(),
            unfinished: VecDeque::new(),
            timer,
            speech: Vec::with_capacity(2_048),
            seeds: RandomState::new(),
            batch: Batch::default(),
            woken: Duration::ZERO,
            looked: Duration::ZERO,
            empty: Duration::ZERO,
        };
        Ok((thread, orders))
    }

    /// Runs until it is stopped or the control side is gone. A turn that panics loses its current packet or order; the
    /// calls go on.
    ///
    /// # Errors
    /// When nothing can be relayed any more.
    pub(super) fn run(mut self, beat: &Heartbeat, alarm: &Alarm) -> io::Result<()> {
        let mut events = Events::with_capacity(MOST_EVENTS);
        let mut frame = Frame::new();
        let mut next_report = REPORT_EVERY;
        let mut panics = 0;
        loop {
            beat.beat(self.epoch.elapsed());
            let wait = next_report.saturating_sub(self.epoch.elapsed()).min(self.longest_wait());
            match alarm.contain(beat, || self.turn(wait, &mut events, &mut frame)) {
                Some(Ok(true)) => panics = 0,
                Some(Ok(false)) => {
                    // With calls that are up it outlives this process, and the next one takes it over.
                    if let Some(kernel) = self.kernel.as_mut().filter(|_| self.calls.is_empty()) {
                        kernel.unpin();
                    }
                    return Ok(());
                }
                Some(Err(error)) => return Err(error),
                None => {
                    panics += 1;
                    if panics > MOST_PANICS {
                        return Err(io::Error::other("it panics at every turn"));
                    }
                    self.pick_up();
                }
            }
            let now = self.epoch.elapsed();
            if now >= next_report {
                alarm.contain(beat, || self.report());
                next_report = now + REPORT_EVERY;
            }
            if self.streams.len() >= self.pace.coalesce_from && self.unfinished.is_empty() {
                let now = self.epoch.elapsed();
                let rest = pause(self.pace.tick, now.saturating_sub(self.woken));
                let due = self.timer.next().map_or(rest, |due| due.saturating_sub(now));
                std::thread::sleep(rest.min(due));
            }
        }
    }

    /// Resumes after a turn that panicked: checks again for events that the turn had noted but not handled, for epoll
    /// and the orders' flag report them once only.
    fn pick_up(&mut self) {
        self.given.store(true, Relaxed);
        self.unfinished = self.ports.iter().map(|(number, _)| number).collect();
        for (_, port) in &mut self.ports {
            port.queued = true;
            port.earliest.get_or_insert(self.empty);
        }
        let streams: Vec<usize> = self.streams.iter().map(|(number, _)| number).collect();
        streams.into_iter().for_each(|number| self.note_due(number));
    }

    /// Waits for work for at most `wait`, and does it; false if the thread is to end.
    fn turn(&mut self, wait: Duration, events: &mut Events, frame: &mut Frame) -> io::Result<bool> {
        // After a turn that panicked, orders may wait whose waking was used up.
        let waits = self.unfinished.is_empty() && !self.given.load(Relaxed);
        let wait = if waits { wait } else { Duration::ZERO };
        let looking = self.epoch.elapsed();
        match self.poll.poll(events, Some(wait)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(true),
            // A failing epoll descriptor is a bug or a dying process; either way nothing can be relayed.
            Err(error) => return Err(error),
        }
        self.woken = self.epoch.elapsed();
        self.empty = self.looked;
        // A poll whose list is full says nothing about the other sockets.
        if events.iter().count() < MOST_EVENTS {
            self.looked = looking;
        }
        // Before the sockets: a stranger is judged by when its party was last heard.
        self.catch_up();
        self.obey();
        for _ in 0..self.unfinished.len() {
            if let Some(number) = self.unfinished.pop_front() {
                if let Some(port) = self.ports.get_mut(number) {
                    port.queued = false;
                }
                self.drain(number, frame);
                self.settle(number);
            }
        }
        for event in &*events {
            match event.token() {
                WAKE => {}
                TIMER => self.timer.rang(),
                Token(number) if self.is_queued(number) => {}
                Token(number) => {
                    self.drain(number, frame);
                    self.settle(number);
                }
            }
        }
        self.announce();
        self.publish();
        self.unsaid.say(&self.notices);
        if let Some(heir) = self.heir.take() {
            self.halt(&heir);
        }
        Ok(!self.ended)
    }

    /// Forwards the packets that wait on one socket, up to a fair share.
    fn drain(&mut self, number: usize, frame: &mut Frame) {
        let Some(port) = self.ports.get_mut(number) else { return };
        let opened = port.opened;
        let earliest = port.earliest.take().unwrap_or(self.empty);
        for _ in 0..FAIR_SHARE {
            let Some(port) = self.ports.get(number) else { return };
            let received = frame.receive(|room| port.socket.recv_from(room));
            // A party may send as soon as it has read the answer, and by then the plan was queued. So the orders that
            // were there when a packet came are carried out before the packet is judged, however late this thread gets
            // to work.
            self.obey();
            let Some(port) = self.ports.get(number).filter(|port| port.opened == opened) else { return };
            let Some(stream) = self.streams.get_mut(port.stream) else { return };
            let source = match received {
                Ok(source) => source,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Linux reports an earlier send's ICMP error here; the next packet is unharmed.
                Err(_) => continue,
            };
            let now = self.epoch.elapsed();
            let (side, came) = (port.side, Arrival { earliest, latest: now });
            match stream.relay.unprotect(side, frame.packet_mut()) {
                Some(length) => frame.resize(length),
                None => {
                    let number = port.stream;
                    let came = links::Came { now, instant: self.epoch + now };
                    let handshakes = self.handshakes.as_ref();
                    if links::negotiate(
                        stream,
                        port,
                        came,
                        source,
                        frame.packet(),
                        handshakes,
                        &mut self.batch,
                    ) {
                        self.note_due(number);
                    }
                    continue;
                }
            }
            let Some(admitted) = stream.relay.admit(now, side, port.component, source, frame.packet()) else {
                self.batch.rejected += 1;
                continue;
            };
            // Copied before its header may be changed for an announcement: the copy is what the party sent.
            if admitted.audio {
                copy(stream, &mut self.taps, &mut self.batch, side, came, frame.packet());
            }
            match stream.relay.splice(now, side, admitted, frame.packet_mut()) {
                Outcome::Forward { via, to } => {
                    let length = frame.packet().len();
                    match stream.relay.protect(side.other(), frame.with_tail(), length) {
                        Some(length) => frame.resize(length),
                        None => {
                            self.batch.unprotected += 1;
                            continue;
                        }
                    }
                    let out =
                        stream.port(side.other(), via, to.is_ipv6()).and_then(|out| self.ports.get(out));
                    match out.map(|out| out.socket.send_to(frame.packet(), to)) {
                        Some(Ok(_)) => {
                            self.batch.packets += 1;
                            self.batch.octets += frame.packet().len() as u64;
                        }
                        Some(Err(_)) => self.batch.send_errors += 1,
                        None => self.batch.undeliverable += 1,
                    }
                }
                Outcome::Held => self.batch.held += 1,
                Outcome::Undeliverable => self.batch.undeliverable += 1,
            }
        }
        // epoll is edge-triggered here: remaining packets would never be reported again.
        self.finish_later(number, earliest);
    }

    /// Sends the announcement packets that are due.
    fn announce(&mut self) {
        let now = self.epoch.elapsed();
        while let Some((at, number, toward)) = self.timer.take(now) {
            let Some(stream) = self.streams.get_mut(number) else { continue };
            if stream.relay.due(toward) != Some(at) {
                continue; // The announcement was stopped, or is due at another time by now.
            }
            let call = stream.call;
            match stream.relay.speak(now, toward, &mut self.speech) {
                (Spoken::Packet { began }, Some(to)) => {
                    let out =
                        stream.port(toward, Component::Rtp, to.is_ipv6()).and_then(|out| self.ports.get(out));
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
                (Spoken::Packet { .. }, None) => self.batch.unprotected += 1,
                (Spoken::Nothing, _) => {}
            }
            if let Some(next) = stream.relay.due(toward) {
                self.timer.note(next, number, toward);
            }
        }
        self.timer.set(now);
    }

    /// Notes when a stream's announcements are due.
    fn note_due(&mut self, number: usize) {
        let Some(stream) = self.streams.get(number) else { return };
        for toward in [Side::Trunk, Side::Pbx] {
            if let Some(at) = stream.relay.due(toward) {
                self.timer.note(at, number, toward);
            }
        }
    }

    fn is_queued(&self, number: usize) -> bool {
        self.ports.get(number).is_some_and(|port| port.queued)
    }

    fn finish_later(&mut self, number: usize, earliest: Duration) {
        if let Some(port) = self.ports.get_mut(number) {
            port.earliest = Some(earliest);
            if !std::mem::replace(&mut port.queued, true) {
                self.unfinished.push_back(number);
            }
        }
    }

    fn publish(&mut self) {
        let batch = std::mem::take(&mut self.batch);
        let totals = &self.totals;
        for (total, more) in [
            (&totals.packets, batch.packets),
            (&totals.octets, batch.octets),
            (&totals.rejected, batch.rejected),
            (&totals.unauthentic, batch.unauthentic),
            (&totals.checks, batch.checks),
            (&totals.unprotected, batch.unprotected),
            (&totals.undeliverable, batch.undeliverable),
            (&totals.send_errors, batch.send_errors),
            (&totals.tap_dropped, batch.tap_dropped),
            (&totals.by_kernel, batch.by_kernel),
            (&totals.announced, batch.announced),
            (&totals.held, batch.held),
        ] {
            if more > 0 {
                total.fetch_add(more, Relaxed);
            }
        }
    }

    fn report(&mut self) {
        self.look_after_links(self.epoch.elapsed());
        self.look_after_ways();
        let reports: Vec<(CallKey, StreamReport)> =
            self.streams.iter().map(|(_, stream)| (stream.call, stream.relay.report(stream.index))).collect();
        // The next reports repeat everything.
        if !reports.is_empty()
            && let Err(TrySendError::Full(_)) = self.notices.try_send(Notice::Reports(reports))
        {
            self.totals.reports_dropped.fetch_add(1, Relaxed);
        }
        if self.keeping {
            self.tell_what_to_keep();
        }
    }

    /// Tells what the streams that have changed need to be carried on by another process: at once where packets come
    /// from or go elsewhere, or are numbered otherwise; their counts now and then.
    fn tell_what_to_keep(&mut self) {
        let now = self.epoch.elapsed();
        let is_due = |stream: &Stream| {
            let bearings = stream.relay.bearings();
            let every = if stream.relay.is_counted_closely() { REPORT_EVERY } else { COUNTS_KEPT_EVERY };
            stream.kept.is_none_or(|(before, at)| before != bearings || now >= at + every)
        };
        let due = self
            .calls
            .iter()
            .filter(|(_, numbers)| numbers.iter().filter_map(|number| self.streams.get(*number)).any(is_due));
        let due: Vec<CallKey> = due.map(|(call, _)| *call).collect();
        if due.is_empty() {
            return;
        }
        let mut all = Vec::with_capacity(due.len());
        for call in due {
            let mut streams = Vec::new();
            for number in self.calls.get(&call).into_iter().flatten() {
                let Some(stream) = self.streams.get_mut(*number) else { continue };
                stream.kept = Some((stream.relay.bearings(), now));
                streams.push(stream.relay.keep(stream.index));
            }
            all.push((call, streams));
        }
        if let Err(TrySendError::Full(Notice::Kept(all))) = self.notices.try_send(Notice::Kept(all)) {
            // In the next second again.
            for (call, _) in all {
                for number in self.calls.get(&call).into_iter().flatten() {
                    if let Some(stream) = self.streams.get_mut(*number) {
                        stream.kept = None;
                    }
                }
            }
        }
    }
}

/// How long to wait after `work` until the sockets are looked at again. A packet that comes just after its socket was
/// looked at waits for that long, for this turn's work and for some of the next one's, which is as much: all of it
/// stays within the tick. Under a load that fills a tick the turns stay half a tick apart at least, so that packets are
/// still handled many at a time.
fn pause(tick: Duration, work: Duration) -> Duration {
    let apart = tick.saturating_sub(work + WAKING).max(tick / 2);
    apart.saturating_sub(work)
}

/// Copies a packet to the worker that listens to its call.
fn copy(
    stream: &mut Stream,
    taps: &mut [TapSender],
    batch: &mut Batch,
    side: Side,
    came: Arrival,
    packet: &[u8],
) {
    let Some(tap) = stream.tap.and_then(|tap| taps.get_mut(tap)) else { return };
    let index = u16::try_from(stream.index).unwrap_or(u16::MAX);
    if !tap.send(&Tapped { call: stream.call, stream: index, side, came, packet }) {
        batch.tap_dropped += 1;
        stream.relay.unheard(side);
    }
}
