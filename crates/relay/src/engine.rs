//! The control side of the media plane: turns the SIP core's requests into sockets and commands.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use sidetone_announce::{Playback, Voice};
use sidetone_call::{CallKey, Exhausted, IpFamily, LocalMedia, MediaPlane, Side, StreamPlan};
use sidetone_handover::Inherited;
use sidetone_handshake::Settings;
use sidetone_rtp::latch::Policy;
use tokio::sync::mpsc::Sender;

use super::aim::Aim;
use super::handshakes::{HandshakeTotals, Handshakes, Message};
use super::heed::Heed;
use super::kept::{Halted, StreamKept};
use super::report::{Left, Notice, RelayTotals};
use super::shaking::HandshakeThread;
use super::stock::{Pair, Stock};
use super::thread::{Command, Kernel, Orders, Pace, RelayThread};
use super::voiceover::PlayId;
use crate::config::{KernelUse, Latching, Media};
use crate::protection::Keyring;
use sidetone_tap::TapSender;
use sidetone_watch::{Alarm, Heartbeat};

/// How long a relay thread may take to leave its sockets.
const HALTS_WITHIN: Duration = Duration::from_millis(500);

/// The media plane, as the SIP core sees it.
pub struct Engine {
    config: Media,
    epoch: Instant,
    stock: Stock,
    aim: Aim,
    threads: Vec<Handle>,
    calls: HashMap<CallKey, Taken>,
    /// What is to be ordered for calls from an earlier process, once all is known of them.
    reclaimed: HashMap<CallKey, Vec<Command>>,
    changes: Vec<PlanChange>,
    /// Calls whose sockets are to be closed once their last facts have been passed on.
    closing: Vec<(CallKey, Taken)>,
    /// Ports of ended calls, from the relay threads.
    left: Receiver<Left>,
    /// Times that no port was free.
    exhausted: u64,
    handshakes: Option<Handshakes>,
    /// The thread behind it.
    shaking: Option<JoinHandle<()>>,
}

/// A call's part of the pool.
#[derive(Debug, Default)]
struct Taken {
    locals: Vec<LocalMedia>,
    /// The keys of its protected legs.
    keys: Keyring,
    /// Both parties have described their media at some time: packets may come, even after the call's end.
    flowed: bool,
}

/// A new agreement of SDP on one stream, for the call book.
#[derive(Debug, Clone)]
pub struct PlanChange {
    /// The call.
    pub call: CallKey,
    /// Index of the m-line.
    pub stream: usize,
    /// The new state.
    pub plan: StreamPlan,
}

/// Plays announcements into calls. Copies may be used from any thread: nothing here waits.
#[derive(Clone)]
pub struct Announcer {
    threads: Vec<Arc<Orders>>,
}

impl Announcer {
    /// Plays an announcement to the party on a side of a call's stream, replacing the current one. Progress is reported
    /// by [`Notice::Playing`].
    pub fn play(&self, call: CallKey, stream: usize, toward: Side, id: PlayId, playback: Playback) {
        self.tell(call, Command::Play { call, stream, toward, id, playback: Box::new(playback) });
    }

    /// Continues an announcement in other formats.
    pub fn revoice(&self, call: CallKey, stream: usize, toward: Side, voices: Vec<Voice>) {
        self.tell(call, Command::Revoice { call, stream, toward, voices });
    }

    /// Stops an announcement.
    pub fn hush(&self, call: CallKey, toward: Side, id: PlayId) {
        self.tell(call, Command::Hush { call, toward, id });
    }

    /// From now on a call's packets are copied to this worker, or to none.
    pub fn tap(&self, call: CallKey, worker: Option<usize>) {
        self.tell(call, Command::Tap { call, worker });
    }

    /// Tells what of a call's sound its worker may have. See [`Heed`].
    pub fn heed(&self, call: CallKey, heed: Heed) {
        self.tell(call, Command::Heed { call, heed });
    }

    fn tell(&self, call: CallKey, command: Command) {
        if let Some(orders) = self.threads.get(thread_of(call, self.threads.len())) {
            orders.give(command);
        }
    }
}

/// A call stays on one thread.
fn thread_of(call: CallKey, threads: usize) -> usize {
    usize::try_from(call.0).unwrap_or(0) % threads.max(1)
}

struct Handle {
    beat: Heartbeat,
    orders: Arc<Orders>,
    totals: Arc<RelayTotals>,
    join: Option<JoinHandle<()>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.orders.give(Command::Stop);
        if let Some(join) = self.join.take() {
            let _ = join.join();
        }
    }
}

impl Engine {
    /// Starts the relay threads. `taps` holds, for each thread, the ring to each worker; calls that are carried on find
    /// their sockets among the inherited ones.
    ///
    /// # Errors
    /// When the system gives no thread or no epoll descriptor.
    pub fn start(
        config: Media,
        taps: Vec<Vec<TapSender>>,
        notices: &Sender<Notice>,
        epoch: Instant,
        seed: u64,
        alarm: &Alarm,
        inherited: Inherited,
    ) -> io::Result<Self> {
        let policy = match config.latching {
            Latching::Sdp => Policy::Sdp,
            Latching::Signalled => Policy::Signalled,
            Latching::Open => Policy::Open,
        };
        let pace = Pace { tick: config.tick.into(), coalesce_from: config.coalesce_from, policy };
        let mut threads = Vec::new();
        let (leaving, left) = mpsc::channel();
        for (number, taps) in taps.into_iter().enumerate() {
            let totals = Arc::new(RelayTotals::default());
            let (thread, orders) =
                RelayThread::new(notices.clone(), leaving.clone(), taps, Arc::clone(&totals), pace, epoch)?;
            let beat = Heartbeat::new(&format!("relay-{number}"), epoch.elapsed());
            let (its_beat, its_alarm) = (beat.clone(), alarm.clone());
            let join = alarm.thread(beat.clone(), true, move || thread.run(&its_beat, &its_alarm))?;
            threads.push(Handle { beat, orders: Arc::new(orders), totals, join: Some(join) });
        }
        let own = [(Side::Trunk, false), (Side::Pbx, false), (Side::Trunk, true), (Side::Pbx, true)];
        let own = own.into_iter().filter_map(|(side, v6)| config.address_toward(side, v6));
        let stock = Stock::start(config.ports, seed, own, inherited, epoch, alarm)?;
        Ok(Self {
            config,
            epoch,
            stock,
            aim: Aim::new(Vec::new()),
            threads,
            calls: HashMap::new(),
            reclaimed: HashMap::new(),
            changes: Vec::new(),
            closing: Vec::new(),
            left,
            exhausted: 0,
            handshakes: None,
            shaking: None,
        })
    }

    /// Starts the thread that shakes hands, with our certificate: without it no leg's keys come from DTLS.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn shaking_hands(mut self, settings: Arc<Settings>, alarm: &Alarm) -> io::Result<Self> {
        let relays = self.threads.iter().map(|thread| Arc::clone(&thread.orders)).collect();
        let (thread, handshakes) = HandshakeThread::new(settings, relays, thread_of);
        let beat = Heartbeat::new("handshakes", self.epoch.elapsed());
        let (its_beat, its_alarm, epoch) = (beat.clone(), alarm.clone(), self.epoch);
        self.shaking = Some(alarm.thread(beat, false, move || {
            thread.run(epoch, &its_beat, &its_alarm);
            Ok(())
        })?);
        for thread in &self.threads {
            thread.orders.give(Command::Handshakes(handshakes.clone()));
        }
        self.handshakes = Some(handshakes);
        Ok(self)
    }

    /// Lets the kernel forward what is settled, if the configuration wants it to. Where calls `outlive` the process, so
    /// does what it forwards, and what the last process has left there is taken over: [`Self::claimed`] has to follow.
    ///
    /// # Errors
    /// When it is required, and can't be done.
    pub fn by_kernel(self, outlives: bool) -> io::Result<Self> {
        let pins =
            self.config.kernel_pins.as_deref().filter(|_| outlives && self.config.kernel != KernelUse::Off);
        let name = |number: usize| format!("relay-{number}");
        if let Some(folder) = &self.config.kernel_pins {
            // What nobody here takes over would go on by itself for good.
            let ours: Vec<String> = pins.iter().flat_map(|_| (0..self.threads.len()).map(name)).collect();
            sidetone_kernel::clear_pins(folder, &ours);
        }
        if self.config.kernel == KernelUse::Off {
            return Ok(self);
        }
        let own = [(Side::Trunk, false), (Side::Pbx, false), (Side::Trunk, true), (Side::Pbx, true)];
        let own = own.map(|(side, v6)| self.config.address_toward(side, v6));
        let own: Vec<IpAddr> = own.into_iter().flatten().collect();
        for (number, thread) in self.threads.iter().enumerate() {
            match Kernel::open(&own, pins.map(|folder| (folder, name(number))), self.epoch) {
                Ok(kernel) => {
                    if let Some(error) = kernel.unpinned() {
                        tracing::warn!(%error, "the kernel's part can't be pinned in media.kernel_pins, and ends with this process: is it in a BPF file system, and may Sidetone's user write there?");
                    }
                    let (interfaces, taken_over) = (kernel.interfaces().join(" "), kernel.inherited());
                    tracing::info!(interfaces, taken_over, "the kernel forwards settled media");
                    thread.orders.give(Command::Kernel(Box::new(kernel)));
                }
                Err(why) if self.config.kernel == KernelUse::Require => {
                    return Err(io::Error::other(format!("media.kernel is `require`, and {why}")));
                }
                Err(why) => {
                    tracing::warn!(%why, "the kernel forwards no media; all of it passes through the program");
                    break;
                }
            }
        }
        Ok(self)
    }

    /// Every call that is carried on has been resumed: what else the kernel still forwards belongs to nobody.
    pub fn claimed(&self) {
        for thread in &self.threads {
            thread.orders.give(Command::Claimed);
        }
    }

    /// Totals of the handshakes, if there are any.
    #[must_use]
    pub fn handshakes(&self) -> Option<&Arc<HandshakeTotals>> {
        self.handshakes.as_ref().map(Handshakes::totals)
    }

    /// Registers our sockets other than media sockets: SDP must not aim media there.
    #[must_use]
    pub fn guarding(mut self, others: Vec<SocketAddr>) -> Self {
        self.aim = Aim::new(others);
        self
    }

    /// A handle for playing announcements.
    #[must_use]
    pub fn announcer(&self) -> Announcer {
        Announcer { threads: self.threads.iter().map(|thread| Arc::clone(&thread.orders)).collect() }
    }

    /// The agreements of SDP since the last call of this method.
    pub fn take_changes(&mut self) -> Vec<PlanChange> {
        std::mem::take(&mut self.changes)
    }

    /// Closes the sockets of released calls. Separate from `release`, so that a call's facts are reported before its
    /// closing.
    pub fn close_released(&mut self) {
        self.remember_senders();
        for (call, taken) in std::mem::take(&mut self.closing) {
            let says_good_bye = taken.keys.has_shaken()
                && self.handshakes.as_ref().is_some_and(|handshakes| handshakes.tell(Message::End(call)));
            if !says_good_bye {
                self.tell(call, Command::Close { call });
            }
            for local in taken.locals {
                self.aim.release(local);
                let (ip, port) = (local.rtp.ip(), local.rtp.port());
                if taken.flowed {
                    self.stock.lay_to_rest(ip, port);
                } else {
                    // The relay closes the sockets a moment later; if the port is taken again at once, `bind` skips it
                    // while it is still held.
                    self.stock.give_back(ip, port);
                }
            }
        }
    }

    /// Each thread's totals.
    pub fn totals(&self) -> impl Iterator<Item = &Arc<RelayTotals>> {
        self.threads.iter().map(|thread| &thread.totals)
    }

    /// RTP ports in use.
    #[must_use]
    pub fn ports_taken(&self) -> usize {
        self.stock.taken()
    }

    /// RTP ports that rest after an ended call.
    #[must_use]
    pub fn ports_resting(&self) -> usize {
        self.stock.resting()
    }

    /// Times that no port was free.
    #[must_use]
    pub fn exhausted(&self) -> u64 {
        self.exhausted
    }

    /// Asks for [`Notice::Kept`], so that calls can be carried on by the next process.
    #[must_use]
    pub fn keeping(self) -> Self {
        for thread in &self.threads {
            thread.orders.give(Command::Keep);
        }
        self
    }

    /// Has each relay thread panic at an order, once: a drill.
    pub fn panic(&self) {
        self.threads.iter().for_each(|thread| thread.orders.give(Command::Panic));
    }

    /// Has what is asked for by [`Self::keeping`] told anew, of all calls.
    pub fn keep_anew(&self) {
        self.threads.iter().for_each(|thread| thread.orders.give(Command::Keep));
    }

    /// The streams of a call that is carried on go on as they were: from here on its packets are relayed.
    pub fn resume(&mut self, call: CallKey, streams: Vec<StreamKept>) {
        let mut orders = self.reclaimed.remove(&call).unwrap_or_default();
        orders.push(Command::Resume { call, streams });
        self.tell(call, Command::Together(orders));
    }

    /// Ends the relay threads and keeps the sockets open for another process: what comes from here on waits in them.
    /// Gives the sockets, and what is to be known of the streams in order to carry them on.
    pub fn halt(&mut self) -> Halted {
        let (told, left) = mpsc::channel();
        for thread in &self.threads {
            thread.orders.give(Command::Halt(told.clone()));
        }
        drop(told);
        let mut all = Halted::default();
        // Each answers, or is gone, or hangs: then its calls have no media either way.
        while let Ok(some) = left.recv_timeout(HALTS_WITHIN) {
            all.kept.extend(some.kept);
            all.sockets.extend(some.sockets);
        }
        all
    }

    fn tell(&self, call: CallKey, command: Command) {
        if let Some(thread) = self.threads.get(thread_of(call, self.threads.len())) {
            thread.orders.give(command);
        }
    }

    /// Takes the senders to the ports of calls that have ended. A port that has since ended its rest was reported long
    /// ago.
    fn remember_senders(&mut self) {
        while let Ok(Left { local, senders }) = self.left.try_recv() {
            self.stock.remember(local, senders);
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let (Some(handshakes), Some(thread)) = (self.handshakes.take(), self.shaking.take()) {
            handshakes.tell(Message::Stop);
            let _ = thread.join();
        }
    }
}

impl MediaPlane for Engine {
    fn reserve(
        &mut self,
        call: CallKey,
        stream: usize,
        side: Side,
        family: IpFamily,
    ) -> Result<LocalMedia, Exhausted> {
        let thread = self.threads.get(thread_of(call, self.threads.len())).ok_or(Exhausted)?;
        // A new call is better off on another thread than on one that hangs.
        if thread.beat.hangs(self.epoch.elapsed()) {
            self.exhausted += 1;
            return Err(Exhausted);
        }
        let ip = self.config.address_toward(side, family == IpFamily::V6).ok_or(Exhausted)?;
        self.remember_senders();
        let Some(Pair { rtp, rtcp, port, empty_since: bound }) = self.stock.take(ip) else {
            self.exhausted += 1;
            return Err(Exhausted);
        };
        let local = LocalMedia { rtp: SocketAddr::new(ip, port), rtcp: SocketAddr::new(ip, port + 1) };
        let senders = Box::new([local.rtp, local.rtcp].map(|local| self.stock.senders(local)));
        self.tell(call, Command::Open { call, stream, side, rtp, rtcp, bound, senders });
        self.aim.hold(call, side, local);
        self.calls.entry(call).or_default().locals.push(local);
        Ok(local)
    }

    fn reclaim(
        &mut self,
        call: CallKey,
        stream: usize,
        side: Side,
        local: LocalMedia,
    ) -> Result<(), Exhausted> {
        let (ip, port) = (local.rtp.ip(), local.rtp.port());
        let own = [false, true].into_iter().filter_map(|v6| self.config.address_toward(side, v6));
        let rtcp = port.checked_add(1).map(|port| SocketAddr::new(ip, port));
        if !own.into_iter().any(|own| own == ip) || rtcp != Some(local.rtcp) {
            return Err(Exhausted);
        }
        let Pair { rtp, rtcp, empty_since: bound, .. } = self.stock.claim(ip, port).ok_or(Exhausted)?;
        let senders = Box::default();
        let open = Command::Open { call, stream, side, rtp, rtcp, bound, senders };
        self.reclaimed.entry(call).or_default().push(open);
        self.aim.hold(call, side, local);
        self.calls.entry(call).or_default().locals.push(local);
        Ok(())
    }

    fn admits(&self, call: CallKey, side: Side, address: SocketAddr) -> bool {
        self.aim.admits(&self.config, call, side, address)
    }

    fn apply(&mut self, call: CallKey, stream: usize, plan: &StreamPlan) {
        let mut guard = None;
        let mut shake = Vec::new();
        if let Some(taken) = self.calls.get_mut(&call) {
            taken.flowed |= plan.is_agreed();
            guard = taken.keys.changes(stream, plan, &mut shake);
        }
        let order = Command::Plan { call, stream, plan: Box::new(plan.clone()), guard, shake };
        match self.reclaimed.get_mut(&call) {
            Some(orders) => orders.push(order),
            None => self.tell(call, order),
        }
        self.changes.push(PlanChange { call, stream, plan: plan.clone() });
    }

    fn release(&mut self, call: CallKey) {
        self.reclaimed.remove(&call);
        self.closing.push((call, self.calls.remove(&call).unwrap_or_default()));
    }
}
