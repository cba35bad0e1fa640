//! The call book: what is known of every call that is up, and the events that follow from it.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sidetone_call::{CallKey, Cause, Side};
use sidetone_consent::policy::{Facts, Presumed, Settings};
use sidetone_consent::{Input, Medium, Policy, Source, Telling};
use sidetone_events::{
    Bus, CallAnswered, CallHeld, CallId, CallMedia, CallRef, CallResumed, CallStarted, CallUntappable,
    Direction, MediaProblem, MediaState, NumberHasher, Parties, Timestamp,
};
use sidetone_insight::{Insight, Phase as AlertPhase, Thresholds};
use sidetone_relay::Prompter;
use sidetone_sip::anchor::{CallFact, Claims};

use crate::consent::Consent;
use crate::counters::CallCounters;
use crate::entry::Entry;
use crate::lookup::NotOne;
use crate::quality::Change;
use crate::receipts::Receipts;
use crate::transfer::Transfers;
use crate::view::CallView;
use crate::words;
use sidetone_hear::{Audible, Orders, Outcome, Work};
use sidetone_relay::{Notice, PlanChange};

/// Calls whose route is known and whose INVITE has not passed yet.
const MOST_ROUTED: usize = 10_000;
/// How long an ended call waits for its media and its summary before it is closed without them.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// The call book.
pub struct Calls {
    pub(crate) inner: Mutex<Inner>,
    pub(crate) bus: Bus,
    pub(crate) hasher: NumberHasher,
    pub(crate) workers: Vec<Orders>,
    pub(crate) epoch: Instant,
    pub(crate) epoch_wall: Timestamp,
    /// Has announcements played; there from the moment that media is.
    pub(crate) prompter: OnceLock<Prompter>,
    pub(crate) receipts: OnceLock<Receipts>,
    /// Announcements that are laid over speech.
    pub(crate) mixing: AtomicUsize,
}

/// Calls that are remembered by their Call-ID after they have ended, for the log.
const MOST_PAST: usize = 1_024;

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) routed: HashMap<(String, SocketAddr), RoutedTo>,
    pub(crate) routed_order: VecDeque<(String, SocketAddr)>,
    pub(crate) calls: HashMap<CallKey, Entry>,
    pub(crate) transfers: Transfers,
    /// The same by SIP Call-ID, of which a call that comes back to us has the same.
    pub(crate) by_sip: HashMap<String, Vec<CallKey>>,
    /// SIP Call-IDs of the calls that ended last, with their ids: what is said of them afterwards names them too.
    pub(crate) past: VecDeque<(String, CallId)>,
    pub(crate) thresholds: Thresholds,
    pub(crate) settings: Settings,
    pub(crate) numbers: Numbers,
    /// Calls just answered, whose plans are still on their way.
    pub(crate) answered: Vec<(CallKey, Duration)>,
    pub(crate) media_timeout: Duration,
    pub(crate) counters: CallCounters,
}

/// Which peers a call runs between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoutedTo {
    /// The trunk's name.
    pub trunk: String,
    /// The PBX's name.
    pub pbx: String,
    /// How the caller has been told; the weakest of all trunks that the call may go out by.
    pub disclosure: Policy,
    /// The call was up before this process: a request within its dialog has made it known.
    pub resumed: bool,
    /// Whether whom the PBX calls is a customer, as the configuration says.
    pub to_customers: bool,
}

/// What calls go by; it may change while they are up, for those to come.
#[derive(Default)]
pub struct Rules {
    /// When a caller counts as upset.
    pub thresholds: Thresholds,
    /// A call whose media is silent for so long is dropped.
    pub media_timeout: Duration,
    /// How callers are told.
    pub consent: Settings,
    /// Who is never listened to, and who is no customer.
    pub numbers: Numbers,
}

/// Whether one of the numbers that are given for a party is on a list.
pub type OnList = Box<dyn Fn(&[&str]) -> bool + Send + Sync>;

/// The lists of numbers.
#[derive(Default)]
pub struct Numbers {
    /// Customers who are never listened to.
    pub excluded: Option<OnList>,
    /// The agents' own numbers.
    pub agents: Option<OnList>,
}

/// What the parties of a silent call say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Both still have it, as far as could be asked.
    Alive,
    /// Neither could be asked.
    Unknown,
    /// One has it no longer: by its own word, which is the status, or since it and its host are silent.
    Gone {
        /// Which one.
        side: Side,
        /// 481 or 408.
        status: Option<u16>,
    },
}

impl Inner {
    pub(crate) fn enter(&mut self, key: CallKey, entry: Entry) {
        self.by_sip.entry(entry.sip_call_id().to_owned()).or_default().push(key);
        self.calls.insert(key, entry);
    }

    pub(crate) fn strike(&mut self, key: CallKey) -> Option<Entry> {
        let entry = self.calls.remove(&key)?;
        if let Some(keys) = self.by_sip.get_mut(entry.sip_call_id()) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.by_sip.remove(entry.sip_call_id());
            }
        }
        if self.past.len() >= MOST_PAST {
            self.past.pop_front();
        }
        self.past.push_back((entry.sip_call_id().to_owned(), entry.call().id));
        Some(entry)
    }

    fn rule(&mut self, rules: Rules) {
        let Rules { thresholds, media_timeout, consent, numbers } = rules;
        self.thresholds = thresholds;
        self.media_timeout = media_timeout;
        self.settings = consent;
        self.numbers = numbers;
    }
}

impl Calls {
    /// An empty book. Events go to `bus`; calls are shared out among `workers`.
    #[must_use]
    pub fn new(bus: Bus, hasher: NumberHasher, workers: Vec<Orders>, rules: Rules, epoch: Instant) -> Self {
        let mut inner = Inner::default();
        inner.rule(rules);
        let elapsed = u64::try_from(epoch.elapsed().as_millis()).unwrap_or(0);
        let epoch_wall = Timestamp::from_unix_millis(Timestamp::now().unix_millis().saturating_sub(elapsed));
        let (prompter, receipts, mixing) = (OnceLock::new(), OnceLock::new(), AtomicUsize::new(0));
        Self { inner: Mutex::new(inner), bus, hasher, workers, epoch, epoch_wall, prompter, receipts, mixing }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes new rules, for calls to come.
    pub fn reload(&self, rules: Rules) {
        self.lock().rule(rules);
    }

    /// From now on callers can be told, and receipts of it are filed.
    pub fn disclose_by(&self, prompter: Prompter, receipts: Receipts) {
        // Both are set once, at the start.
        let _ = self.prompter.set(prompter);
        let _ = self.receipts.set(receipts);
    }

    /// Has announcements played.
    pub fn prompter(&self) -> Option<&Prompter> {
        self.prompter.get()
    }

    /// Where receipts are filed.
    pub fn receipts(&self) -> Option<&Receipts> {
        self.receipts.get()
    }

    /// The time of day at zero of the process's clock.
    pub fn epoch_wall(&self) -> Timestamp {
        self.epoch_wall
    }

    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    pub(crate) fn mixing(&self) -> usize {
        self.mixing.load(Relaxed)
    }

    pub(crate) fn mix(&self, by: isize) {
        let _ = self.mixing.fetch_update(Relaxed, Relaxed, |now| Some(now.saturating_add_signed(by)));
    }

    /// How a call is known to its PBX: its Call-ID as it is, and the PBX's name.
    #[must_use]
    pub fn identity(&self, id: &CallId) -> Option<(String, String)> {
        let inner = self.lock();
        let entry = inner.calls.values().find(|entry| entry.call().id == *id)?;
        Some((entry.sip_call_id().to_owned(), entry.pbx().to_owned()))
    }

    /// Sidetone's id of the call with that SIP Call-ID, as it stands in SIP; of one that has just ended, too.
    pub fn known_as(&self, sip_call_id: &str) -> Option<CallId> {
        let inner = self.lock();
        let up = inner.by_sip.get(sip_call_id).and_then(|keys| inner.calls.get(keys.last()?));
        let past = || inner.past.iter().rev().find(|(past, _)| past == sip_call_id).map(|(_, id)| *id);
        up.map(|entry| entry.call().id).or_else(past)
    }

    /// The SIP Call-ID, as it stands in SIP, of a call with this id of Sidetone's.
    pub fn raw_id(&self, id: &str) -> Option<String> {
        let id: CallId = id.parse().ok()?;
        self.identity(&id).map(|(sip_call_id, _)| sip_call_id)
    }

    /// Whether there is a call with that PBX and that SIP Call-ID.
    #[must_use]
    pub fn is_with(&self, sip_call_id: &str, pbx: &str) -> bool {
        let inner = self.lock();
        // Asked with the SIP core locked, once for each SUBSCRIBE: no search through all calls.
        let keys = inner.by_sip.get(sip_call_id).map_or(&[][..], Vec::as_slice);
        keys.iter().filter_map(|key| inner.calls.get(key)).any(|entry| entry.pbx() == pbx)
    }

    /// The calls that are up, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<CallView> {
        let now = self.epoch.elapsed();
        let inner = self.lock();
        let mut calls: Vec<CallView> = inner.calls.values().map(|entry| entry.view(now)).collect();
        calls.sort_by(|a, b| a.id.cmp(&b.id));
        calls
    }

    /// One call, by Sidetone's id or by SIP Call-ID.
    ///
    /// # Errors
    /// When there is none, or more than one has that Call-ID.
    pub fn find(&self, id: &str) -> Result<CallView, NotOne> {
        let now = self.epoch.elapsed();
        let inner = self.lock();
        let key = inner.locate(id)?;
        inner.calls.get(&key).map(|entry| entry.view(now)).ok_or_else(|| NotOne::Unknown(id.to_owned()))
    }

    /// The calls in the book.
    pub fn keys(&self) -> Vec<CallKey> {
        self.lock().calls.keys().copied().collect()
    }

    /// Calls in the book: those that are up, and those whose summary is on its way.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().calls.len()
    }

    /// Whether no call is in the book.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sums over all calls so far.
    #[must_use]
    pub fn counters(&self) -> CallCounters {
        self.lock().counters
    }

    /// The way of an INVITE from `source` has been found; its call starts in a moment.
    pub fn routed(&self, sip_call_id: &str, source: SocketAddr, routed: RoutedTo) {
        let mut inner = self.lock();
        // Whoever else sends an INVITE of that Call-ID has a call of its own.
        let name = (sip_call_id.to_owned(), source);
        if inner.routed.insert(name.clone(), routed).is_none() {
            // Calls that have started stay in this order until it is full: cheaper than looking for each.
            inner.routed_order.push_back(name);
            if inner.routed_order.len() > MOST_ROUTED
                && let Some(oldest) = inner.routed_order.pop_front()
            {
                inner.routed.remove(&oldest);
            }
        }
    }

    /// The SIP core has noticed something.
    pub fn fact(&self, fact: CallFact) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        match fact {
            CallFact::Started { key, call_id, from_side, source, from, to, claims, at } => {
                self.started(inner, key, call_id, (from_side, source), &from, &to, &claims, at);
            }
            CallFact::Ringing { key, .. } => {
                if let Some(entry) = inner.calls.get_mut(&key) {
                    entry.ring();
                }
            }
            CallFact::Answered { key, at, .. } => {
                if let Some(entry) = inner.calls.get_mut(&key) {
                    inner.counters.answered += 1;
                    let waited = entry.answer(at);
                    self.order(entry, Work::Answered(key, at));
                    tracing::info!(call = %entry.call().id, sip_call_id = %entry.call().sip_call_id, waited_ms = waited.as_millis(), "call answered");
                    self.bus.publish(entry.tell(at, CallAnswered { waited }));
                }
                inner.answered.push((key, at));
            }
            CallFact::Held { key, by, at } => {
                if let Some(entry) = inner.calls.get_mut(&key) {
                    entry.hold(by, at);
                    tracing::info!(call = %entry.call().id, sip_call_id = %entry.call().sip_call_id, by = by.leg().as_str(), "call held");
                    self.order(entry, Work::Held(key, by, at));
                    self.bus.publish(entry.tell(at, CallHeld { by: by.leg() }));
                }
            }
            CallFact::Resumed { key, by, at } => {
                if let Some(entry) = inner.calls.get_mut(&key) {
                    let held = entry.resume(by, at);
                    tracing::info!(call = %entry.call().id, sip_call_id = %entry.call().sip_call_id, by = by.leg().as_str(), "call resumed");
                    self.order(entry, Work::Resumed(key, by, at));
                    self.bus.publish(entry.tell(at, CallResumed { by: by.leg(), held }));
                }
            }
            CallFact::Untappable { key, stream, reason } => {
                if let Some(entry) = inner.calls.get_mut(&key) {
                    inner.counters.untappable += 1;
                    let (call, sip_call_id) = (entry.call().id, &entry.call().sip_call_id);
                    let told = reason.as_str();
                    if reason.goes_around() {
                        tracing::warn!(%call, %sip_call_id, stream, reason = told, "a stream can't be heard, and may go past Sidetone");
                    } else {
                        tracing::info!(%call, %sip_call_id, stream, reason = told, "a stream is relayed but can't be heard");
                    }
                    let stream = u32::try_from(stream).unwrap_or(u32::MAX);
                    let (reason, state) = (reason, MediaState::Lost);
                    let happening = CallUntappable { stream, reason, leg: None, state };
                    self.bus.publish(entry.tell(self.epoch.elapsed(), happening));
                }
            }
            CallFact::Misaimed { key, by } => {
                inner.counters.misaimed += 1;
                if let Some(entry) = inner.calls.get(&key) {
                    let (call, by) = (entry.call().id, by.leg().as_str());
                    tracing::warn!(%call, by, "an answer aims media at this host, multicast or nobody: none is sent there");
                }
            }
            CallFact::Told { key, by, name, value, at } => match Telling::parse(&name, &value) {
                Ok(telling) => {
                    let source = match by {
                        Side::Trunk => Source::TrunkHeader,
                        Side::Pbx => Source::PbxHeader,
                    };
                    match self.check_language(&telling) {
                        Ok(()) => self.hear(inner, key, at, &telling, source),
                        Err(unknown) => {
                            inner.counters.tellings_unknown += 1;
                            tracing::debug!(%unknown, "an X-Sidetone header has no meaning");
                        }
                    }
                }
                Err(unknown) => {
                    inner.counters.tellings_unknown += 1;
                    tracing::debug!(%unknown, "an X-Sidetone header has no meaning");
                }
            },
            CallFact::Digit { key, by, digit, .. } => {
                if by == Side::Trunk {
                    self.key_pressed(inner, key, digit, Medium::Info);
                }
            }
            CallFact::Referred { key, by, user, replaces, at } => {
                self.referred(inner, at, key, by, &user, replaces);
            }
            CallFact::Replaces { key, call_id, at } => self.arrived(inner, at, key, Some(&call_id)),
            CallFact::Ended { key, by, status, cause, at } => {
                self.consent(inner, key, at, Input::Ended);
                if let Some(entry) = inner.calls.get_mut(&key) {
                    entry.end(self.epoch.elapsed(), by, status, cause, at);
                    self.order(entry, Work::Finish(key, at));
                    // A worker has yet to say what was heard; the receipt waits for that.
                    if entry.worker().is_none() {
                        self.file(inner, key);
                    }
                }
                self.close_if_done(inner, key);
            }
        }
    }

    #[allow(clippy::too_many_arguments)] // The fields of one fact.
    fn started(
        &self,
        inner: &mut Inner,
        key: CallKey,
        sip_call_id: String,
        (from_side, source): (Side, SocketAddr),
        from: &str,
        to: &str,
        claims: &Claims,
        at: Duration,
    ) {
        let routed = inner.routed.remove(&(sip_call_id.clone(), source));
        // A call whose trunk isn't known is not analysed: nothing says that its caller was told.
        let RoutedTo { trunk, pbx, disclosure, resumed, to_customers } = routed.unwrap_or_default();
        let direction = match from_side {
            // Either party may renew a dialog, so the sender says nothing about who had called whom.
            _ if resumed => Direction::Unknown,
            Side::Trunk => Direction::Inbound,
            Side::Pbx => Direction::Outbound,
        };
        let (from, to) = if resumed { ("", "") } else { (from, to) };
        let began = self.epoch_wall.after(at);
        let call = CallRef::new(
            &self.hasher,
            CallId::unique(began),
            &sip_call_id,
            &trunk,
            direction,
            Parties { caller: from, callee: to },
        );
        // Whoever is on the trunk's side goes by several numbers: the one in From may be withheld, the one in To another's.
        let customer = if direction == Direction::Inbound { from } else { to };
        let numbers: Vec<&str> =
            [customer].into_iter().chain(claims.users.iter().map(String::as_str)).collect();
        let is_on = |list: &Option<OnList>| list.as_ref().is_some_and(|is_on| is_on(&numbers));
        let presumed = match direction {
            _ if is_on(&inner.numbers.agents) => Presumed::Agent,
            // Of a call from before a restart nobody is listened to, whoever it is.
            Direction::Inbound | Direction::Unknown => Presumed::Customer,
            Direction::Outbound if claims.diverted => Presumed::Diverted,
            Direction::Outbound if to_customers => Presumed::Customer,
            Direction::Outbound => Presumed::Dialled,
        };
        let facts = Facts {
            presumed,
            trunk: trunk.clone(),
            // Without anybody to listen there is nothing to tell anyone of.
            trunk_policy: if self.workers.is_empty() { Policy::Never } else { disclosure },
            dialled: to.to_owned(),
            resumed,
            ..Facts::default()
        };
        let consent = Consent::new(&inner.settings, key, facts, direction == Direction::Outbound, at);
        // Also of calls that nothing allows to be analysed so far: the PBX may still say that a customer is reached.
        let listed = is_on(&inner.numbers.excluded);
        let mut entry = Entry::new(key, call, began, sip_call_id, pbx, at, consent);
        inner.counters.started += 1;
        let policy = entry.consent.machine.terms().policy;
        tracing::info!(call = %entry.call().id, sip_call_id = %entry.call().sip_call_id, %trunk, pbx = entry.pbx(), direction = words::word(&direction), policy = words::word(&policy), "call started");
        let analysed = policy == Policy::GivenUpstream && !listed;
        self.bus.publish(entry.tell(at, CallStarted { analysed }));
        inner.enter(key, entry);
        if listed {
            self.consent(inner, key, at, Input::Listed);
        }
        self.arrived(inner, at, key, None);
        self.drive(inner, key, at);
    }

    /// Gives a call to a worker, if its consent may depend on what is heard.
    pub(crate) fn attend_to(&self, inner: &mut Inner, key: CallKey) {
        let thresholds = inner.thresholds.clone();
        let in_band = inner.settings.in_band_digits;
        let Some(entry) = inner.calls.get_mut(&key) else { return };
        let wanted = !entry.is_over() && entry.is_sound() && entry.consent.concerns();
        if entry.worker().is_some() || !wanted || self.workers.is_empty() {
            return;
        }
        entry.engage(usize::try_from(key.0).unwrap_or(0) % self.workers.len());
        let thresholds = Box::new(thresholds);
        self.order(entry, Work::Begin { call: key, origin: entry.origin(), thresholds, in_band });
        for (stream, plan) in entry.plans() {
            self.order(entry, Work::Plan { call: key, stream, plan: Box::new(plan.clone()) });
        }
        if let Some(at) = entry.answered_at() {
            self.order(entry, Work::Answered(key, at));
        }
        for (side, since) in entry.holds() {
            self.order(entry, Work::Held(key, side, since));
        }
        if let Some(prompter) = self.prompter.get() {
            prompter.tap(key, entry.worker());
        }
    }

    /// Tells the call's worker, if one listens to it.
    pub(crate) fn order(&self, entry: &Entry, work: Work) {
        if let Some(worker) = entry.worker().and_then(|worker| self.workers.get(worker)) {
            // A worker that is gone will not report either; `close_overdue` closes its calls.
            worker.give(work);
        }
    }

    /// SDP has agreed on something.
    pub fn plan(&self, now: Duration, change: PlanChange) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let PlanChange { call, stream, plan } = change;
        let Some(entry) = inner.calls.get_mut(&call) else { return };
        self.order(entry, Work::Plan { call, stream, plan: Box::new(plan.clone()) });
        crate::decisions::agreed(entry.call(), stream, &plan);
        entry.plan(now, stream, plan);
        // A stream that is new has to be told who listens.
        if let (Some(prompter), Some(worker)) = (self.prompter.get(), entry.worker()) {
            prompter.tap(call, Some(worker));
        }
        self.revoice(entry, call);
        let Some((_, plan)) = entry.talk() else { return };
        let input = match plan {
            plan if plan.answered && plan.is_agreed() && plan.tappable.is_err() => Input::Untappable,
            plan if !plan.answered && plan.trunk.remote_rtp.is_some() && plan.pbx.remote_rtp.is_some() => {
                Input::EarlyMedia
            }
            _ => return,
        };
        self.consent(inner, call, now, input);
    }

    /// Another peer has answered than the one that the call was meant for first.
    pub fn answered_by(&self, key: CallKey, side: Side, peer: &str) {
        if let Some(entry) = self.lock().calls.get_mut(&key) {
            entry.answered_by(side, peer);
        }
    }

    /// All that one message meant for calls has been told. Whoever was answered by it can be told of the analysis now:
    /// only now is it known where their media goes.
    pub fn settled(&self) {
        let mut inner = self.lock();
        for (key, at) in std::mem::take(&mut inner.answered) {
            self.consent(&mut inner, key, at, Input::Answered);
        }
    }

    /// The media plane has something to say. Returns the calls that have fallen silent: whether they are still up is to be
    /// asked of their parties, and told by [`Self::judged`].
    pub fn notice(&self, now: Duration, notice: Notice) -> Vec<CallKey> {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let mut fallen_silent = Vec::new();
        match notice {
            Notice::Reports(reports) => {
                for (key, report) in reports {
                    let Some(entry) = inner.calls.get_mut(&key) else { continue };
                    let Some(change) = entry.media(now, report, inner.media_timeout) else { continue };
                    let (call, sip_call_id) = (entry.call().id, &entry.call().sip_call_id);
                    match change {
                        Change::OneWay { silent, .. } => {
                            inner.counters.one_way += 1;
                            tracing::warn!(%call, %sip_call_id, leg = silent.leg().as_str(), "one-way audio: nothing comes from this side");
                        }
                        Change::Restored { silent, .. } => {
                            tracing::info!(%call, %sip_call_id, leg = silent.leg().as_str(), "audio comes from this side again");
                        }
                        Change::Rejected { side, from, .. } => {
                            inner.counters.one_way += 1;
                            let source = from.map(|ip| ip.to_string()).unwrap_or_default();
                            tracing::warn!(
                                %call, %sip_call_id, leg = side.leg().as_str(), source,
                                "one-way audio: all that comes from this side is rejected, since neither its SDP nor its signalling names this source; see `media.latching`"
                            );
                        }
                        Change::Admitted { side, .. } => {
                            tracing::info!(%call, %sip_call_id, leg = side.leg().as_str(), "what comes from this side is let in again");
                        }
                        Change::TimedOut { for_, again } => {
                            fallen_silent.push(key);
                            if again {
                                continue;
                            }
                            inner.counters.silences += 1;
                            let silent_s = for_.as_secs();
                            tracing::warn!(%call, %sip_call_id, silent_s, "no media from either side: both are asked whether the call is still up");
                        }
                        Change::Flows { .. } => {
                            tracing::info!(%call, %sip_call_id, "media flow again after a silence");
                        }
                    }
                    self.bus.publish(entry.tell(now, media_event(change)));
                }
            }
            Notice::Playing(key, toward, id, how) => self.playing(inner, now, key, toward, id, how),
            Notice::Closed(key, reports) => {
                if let Some(entry) = inner.calls.get_mut(&key) {
                    entry.media_closed(reports);
                }
                self.close_if_done(inner, key);
            }
        }
        fallen_silent
    }

    /// The parties of a silent call have been asked. Returns whether it is to be ended: one of them has no such call any more,
    /// and nothing has come since.
    pub fn judged(&self, now: Duration, key: CallKey, judged: Judged) -> bool {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let Some(entry) = inner.calls.get_mut(&key) else { return false };
        let Some(since) = entry.quiet() else { return false };
        let (call, silent_s) = (entry.call().id, now.saturating_sub(since).as_secs());
        let sip_call_id = &entry.call().sip_call_id;
        match judged {
            Judged::Gone { side, status } => {
                let (leg, status) = (side.leg().as_str(), status.unwrap_or_default());
                tracing::warn!(%call, %sip_call_id, silent_s, leg, status, "no media, and this side has no such call any more (status 0: it is silent): both sides are sent BYE, the ports are released");
                return true;
            }
            Judged::Alive => {
                tracing::info!(%call, %sip_call_id, silent_s, "no media, but both sides still have the call: it goes on");
            }
            Judged::Unknown => {
                tracing::warn!(%call, %sip_call_id, silent_s, "no media, and neither side could be asked: the call goes on");
            }
        }
        inner.counters.silences_kept += 1;
        self.bus.publish(entry.tell(now, silence(MediaState::Kept, now.saturating_sub(since))));
        false
    }

    /// Closes ended calls whose media or analysis never reported back.
    pub fn close_overdue(&self, now: Duration) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let overdue: Vec<CallKey> = inner
            .calls
            .values()
            .filter(|entry| {
                entry.closing_since().is_some_and(|since| now.saturating_sub(since) > CLOSE_WITHIN)
            })
            .map(Entry::key)
            .collect();
        for key in overdue {
            inner.counters.closed_overdue += 1;
            self.file(inner, key);
            if let Some(entry) = inner.strike(key) {
                self.close(&mut inner.counters, entry);
            }
        }
    }

    /// A worker has found something out.
    pub fn outcome(&self, outcome: Outcome) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        match outcome {
            Outcome::Insight(key, at, insight) => {
                let Some(entry) = inner.calls.get_mut(&key) else { return };
                // It was on its way when consent was withdrawn, or paused.
                if !entry.consent.machine.may_analyse() && !entry.is_over() {
                    return;
                }
                if entry.consent.machine.record().erased {
                    return;
                }
                inner.counters.count(&insight);
                if let Insight::Alert(alert) = &*insight {
                    let (call, sip_call_id) = (entry.call().id, &entry.call().sip_call_id);
                    // The kind stays out: the log can't be made to forget when the customer objects.
                    let phase = match alert.phase {
                        AlertPhase::Rising => "rising",
                        AlertPhase::Calmed => "calmed",
                    };
                    tracing::info!(%call, %sip_call_id, phase, "alert told");
                }
                entry.insight(&insight);
                self.bus.publish(entry.tell_at(at, *insight));
            }
            Outcome::Key(key, digit, medium) => self.key_pressed(inner, key, digit, medium),
            Outcome::Audible(key, stream, side, Audible { restored, reason }) => {
                let Some(entry) = inner.calls.get_mut(&key).filter(|entry| !entry.is_over()) else { return };
                let (call, party, reason) = (entry.call().id, side.leg().as_str(), reason);
                if restored {
                    tracing::info!(%call, stream, leg = party, "there is sound in what comes from this side again");
                } else {
                    inner.counters.untappable += 1;
                    tracing::warn!(%call, stream, leg = party, reason = reason.as_str(), "packets come from this side, and no sound can be made of them");
                }
                let state = if restored { MediaState::Restored } else { MediaState::Lost };
                let stream = u32::try_from(stream).unwrap_or(u32::MAX);
                let happening = CallUntappable { stream, reason, leg: Some(side.leg()), state };
                self.bus.publish(entry.tell(self.epoch.elapsed(), happening));
            }
            Outcome::Finished { call: key, summary, timeline, heard } => {
                if let Some(entry) = inner.calls.get_mut(&key) {
                    entry.consent.machine.heard(&heard);
                    entry.sum_up(summary.map(|summary| *summary), timeline);
                }
                self.file(inner, key);
                self.close_if_done(inner, key);
            }
            Outcome::Broken(key) => {
                inner.counters.analysis_broken += 1;
                if let Some(entry) = inner.calls.get_mut(&key) {
                    tracing::error!(call = %entry.call().id, sip_call_id = %entry.call().sip_call_id, "the analysis of this call broke and was given up; the call goes on");
                    entry.broke();
                }
                self.consent(inner, key, self.now(), Input::AnalysisLost);
                self.close_if_done(inner, key);
            }
        }
    }

    fn close_if_done(&self, inner: &mut Inner, key: CallKey) {
        if !inner.calls.get(&key).is_some_and(Entry::is_done) {
            return;
        }
        self.file(inner, key);
        if let Some(entry) = inner.strike(key) {
            self.close(&mut inner.counters, entry);
        }
    }

    fn close(&self, counters: &mut CallCounters, mut entry: Entry) {
        self.forget_acts(&mut entry);
        let counter = match entry.cause() {
            Some(Cause::MediaTimeout) => &mut counters.media_timeouts,
            _ if !entry.was_answered() => &mut counters.unanswered,
            Some(Cause::Hangup) => &mut counters.hung_up,
            _ => &mut counters.ended_otherwise,
        };
        *counter += 1;
        let cause = entry.cause().map(Cause::as_str);
        let (by, status) = entry.ended_by();
        let talked_ms = entry.talked().map(|talked| talked.as_millis());
        let (call, sip_call_id) = (entry.call().id, &entry.call().sip_call_id);
        tracing::info!(%call, %sip_call_id, cause, by, status, talked_ms, "call ended");
        self.bus.publish(entry.ended_event(self.epoch.elapsed()));
    }
}

const fn silence(state: MediaState, silent: Duration) -> CallMedia {
    CallMedia { problem: MediaProblem::Timeout, state, leg: None, silent }
}

fn media_event(change: Change) -> CallMedia {
    match change {
        Change::OneWay { silent, for_ } => CallMedia {
            problem: MediaProblem::OneWay,
            state: MediaState::Lost,
            leg: Some(silent.leg()),
            silent: for_,
        },
        Change::Restored { silent, for_ } => CallMedia {
            problem: MediaProblem::OneWay,
            state: MediaState::Restored,
            leg: Some(silent.leg()),
            silent: for_,
        },
        Change::TimedOut { for_, .. } => silence(MediaState::Lost, for_),
        Change::Flows { for_ } => silence(MediaState::Restored, for_),
        Change::Rejected { side, for_, .. } => CallMedia {
            problem: MediaProblem::Rejected,
            state: MediaState::Lost,
            leg: Some(side.leg()),
            silent: for_,
        },
        Change::Admitted { side, for_ } => CallMedia {
            problem: MediaProblem::Rejected,
            state: MediaState::Restored,
            leg: Some(side.leg()),
            silent: for_,
        },
    }
}
