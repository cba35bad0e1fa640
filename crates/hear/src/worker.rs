//! A worker thread: drains its tap rings, advances its calls, and runs the network once for all of them.
//!
//! Orders come first. They are checked before each packet and before each run of the network, so that an objection
//! waits for one packet at most, however much else waits. A worker that falls behind drops sound, never orders and
//! never keys: from a ring whose oldest packet is [`MOST_BEHIND`] old it takes keys only until it has caught up.

mod order;
mod ring;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use sidetone_call::CallKey;
use sidetone_drill::Fault;
use sidetone_emotion::model::Model;

use super::call::CallAnalysis;
use super::inbox::Inbox;
pub use order::{Outcome, Work};
use ring::{Ring, Urgency};
use sidetone_tap::TapReceiver;
use sidetone_watch::{Alarm, Heartbeat};

/// Pause between two polls of the rings: a packet's length, so that a round has one of each party. Fresh enough for
/// events that come once a second; orders wake the worker at once.
const PACE: Duration = Duration::from_millis(20);
/// Pause while no call is heard.
const IDLE: Duration = Duration::from_millis(200);
/// Packets taken from all rings before calls are advanced and the network runs.
const ROUND: usize = 4_096;
/// Packets taken from one ring before the others get their turn.
const SHARE: usize = 64;
/// Calls whose speech goes through the network between two checks for orders.
const BATCH: usize = 32;
/// A packet that has waited for this long is too old to be worth listening to.
pub(crate) const MOST_BEHIND: Duration = Duration::from_secs(2);
/// How long the last words of a call that is over are waited for.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// A ring is listened to again when its oldest packet is no older than this: otherwise sound would come and go.
pub(crate) const CAUGHT_UP: Duration = Duration::from_millis(200);

/// A worker's counters, for metrics.
#[derive(Debug, Default)]
pub struct WorkerCounters {
    /// Calls being listened to.
    pub calls: AtomicU64,
    /// Packets taken from the rings.
    pub packets: AtomicU64,
    /// Of these, packets in which only keys were heard, since the worker was behind.
    pub shed: AtomicU64,
    /// Runs of the network.
    pub batches: AtomicU64,
    /// Estimates from these runs, abstentions included.
    pub estimates: AtomicU64,
    /// Of these, those that the network failed at: they abstain.
    pub failed: AtomicU64,
    /// Frames of the customer's voice that reached the network, in milliseconds of audio.
    pub model_ms: AtomicU64,
    /// Calls whose analysis panicked and was given up.
    pub panics: AtomicU64,
    /// Calls whose analysis was given up since too many of their orders waited.
    pub abandoned: AtomicU64,
    /// CPU time spent working, in microseconds.
    pub busy_us: AtomicU64,
}

/// The calls that a worker listens to.
type Calls = HashMap<CallKey, CallAnalysis>;

/// A worker: `run` is its thread.
pub struct Worker {
    /// Orders from the call book.
    inbox: Inbox,
    rings: Vec<Ring>,
    model: Arc<Model>,
    report: Box<dyn Fn(Outcome) + Send>,
    counters: Arc<WorkerCounters>,
    epoch: Instant,
    calls: Calls,
    /// Ended calls whose packets may still wait in the rings.
    ending: Vec<Ending>,
}

/// The end of a call.
#[derive(Debug)]
struct Ending {
    call: CallKey,
    at: Duration,
    /// Each ring's read position at which all packets from before the end have been heard.
    heard_at: Vec<u64>,
    /// Since when only its last words are awaited.
    closed: Option<Duration>,
}

impl Worker {
    /// A worker that has no calls.
    ///
    /// `taps` holds a ring from each relay thread; outcomes go to `report`, which is called on the worker's thread; all
    /// times count from `epoch`.
    #[must_use]
    pub fn new(
        inbox: Inbox,
        taps: Vec<TapReceiver>,
        model: Arc<Model>,
        report: Box<dyn Fn(Outcome) + Send>,
        counters: Arc<WorkerCounters>,
        epoch: Instant,
    ) -> Self {
        let rings = taps.into_iter().map(Ring::new).collect();
        Self { inbox, rings, model, report, counters, epoch, calls: Calls::new(), ending: Vec::new() }
    }

    /// Works until the call book is gone. A panic outside of a single call's analysis costs all calls theirs: the call
    /// at fault is unknown.
    pub fn run(mut self, beat: &Heartbeat, alarm: &Alarm) {
        loop {
            beat.beat(self.epoch.elapsed());
            let wait = match (self.rings.iter().any(Ring::has_more), self.calls.is_empty()) {
                (true, _) => Duration::ZERO,
                (false, true) => IDLE,
                (false, false) => PACE,
            };
            if self.inbox.wait(wait).is_err() {
                return;
            }
            sidetone_drill::stand_still_by(Fault::ModelFrozen);
            let began = Instant::now();
            if alarm.contain(beat, || self.round(self.epoch.elapsed())).is_none() {
                self.keys().into_iter().for_each(|key| self.give_up(key));
            }
            self.counters.calls.store(self.calls.len() as u64, Relaxed);
            self.counters.busy_us.fetch_add(u64::try_from(began.elapsed().as_micros()).unwrap_or(0), Relaxed);
        }
    }

    /// Carries out orders, then takes packets, up to a budget; then runs the network.
    fn round(&mut self, now: Duration) {
        self.obey();
        if !self.calls.is_empty() {
            sidetone_drill::panic_by(Fault::HearPanics);
        }
        self.hear(now);
        self.finish_heard(now);
        self.think(now);
    }

    /// Carries out the waiting orders.
    fn obey(&mut self) {
        while self.inbox.any() {
            for work in self.inbox.take() {
                self.carry_out(work);
            }
        }
    }

    fn carry_out(&mut self, work: Work) {
        match work {
            Work::Begin { call, origin, thresholds, in_band, coach, words } => {
                let model = &self.model;
                let begin = || {
                    CallAnalysis::new(origin, *thresholds, model, in_band)
                        .coached(coach.map(|coach| *coach))
                        .transcribed(words)
                };
                let begun = catch_unwind(AssertUnwindSafe(begin));
                match begun {
                    Ok(analysis) => drop(self.calls.insert(call, analysis)),
                    Err(_) => self.broke(call),
                }
            }
            Work::Keep(call, before) => self.contain(call, |analysis| analysis.keep(before.as_deref())),
            Work::Plan { call, stream, plan } => self.contain(call, |analysis| analysis.plan(stream, &plan)),
            Work::Listen(permit, since) => {
                let call = CallKey(permit.call());
                self.contain(call, |analysis| analysis.listen(permit, since));
            }
            Work::Deafen { call, erase } => self.contain(call, |analysis| analysis.deafen(erase)),
            Work::Answered(call, at) => self.contain(call, |analysis| analysis.answered(at)),
            Work::Held(call, side, at) => self.contain(call, |analysis| analysis.held(side, at)),
            Work::Resumed(call, side, at) => self.contain(call, |analysis| analysis.resumed(side, at)),
            Work::Labels(call, labels) => self.contain(call, |analysis| analysis.labels(&labels)),
            Work::Answer(call, at, number, answer) => {
                self.contain(call, |analysis| analysis.answer(at, number, answer));
            }
            Work::Abandon(call) => {
                if self.calls.remove(&call).is_some() {
                    self.counters.abandoned.fetch_add(1, Relaxed);
                    (self.report)(Outcome::Broken(call));
                }
            }
            // Packets copied before the end was reported are in the rings: the call is finished when they have been
            // heard.
            Work::Finish(call, at) => {
                let heard_at = self.rings.iter().map(Ring::put_in).collect();
                self.ending.push(Ending { call, at, heard_at, closed: None });
            }
        }
    }

    /// Takes packets, from each ring in turn.
    fn hear(&mut self, now: Duration) {
        let mut left = ROUND;
        let (mut heard, mut shed) = (0, 0);
        while left > 0 {
            let before = left;
            for ring in 0..self.rings.len() {
                for _ in 0..SHARE.min(left) {
                    self.obey();
                    match self.hear_one(now, ring) {
                        Some(Urgency::InTime) => heard += 1,
                        Some(Urgency::Late) => shed += 1,
                        None => break,
                    }
                    left -= 1;
                }
            }
            if left == before {
                break;
            }
        }
        self.obey();
        self.counters.packets.fetch_add(heard + shed, Relaxed);
        self.counters.shed.fetch_add(shed, Relaxed);
    }

    /// Takes the next packet of a ring, if it has one.
    fn hear_one(&mut self, now: Duration, ring: usize) -> Option<Urgency> {
        let (tapped, urgency) = self.rings.get_mut(ring)?.next(now)?;
        let key = tapped.call;
        let Some(call) = self.calls.get_mut(&key) else { return Some(urgency) };
        let (stream, side) = (usize::from(tapped.stream), tapped.side);
        let heard = catch_unwind(AssertUnwindSafe(|| match urgency {
            Urgency::InTime => call.packet(tapped.came, stream, side, tapped.packet),
            Urgency::Late => call.skim(tapped.came.latest, stream, side, tapped.packet),
        }));
        if heard.is_err() {
            self.give_up(key);
        } else {
            // At once: the key may forbid listening to the packet behind it.
            self.tell_keys(key);
        }
        Some(urgency)
    }

    /// Sums up the ended calls whose packets have all been heard.
    fn finish_heard(&mut self, now: Duration) {
        let rings = &self.rings;
        let is_heard = |ending: &mut Ending| {
            rings.iter().zip(&ending.heard_at).all(|(ring, heard_at)| ring.taken() >= *heard_at)
        };
        let ended: Vec<Ending> = self.ending.extract_if(.., is_heard).collect();
        for mut ending in ended {
            let (call, at) = (ending.call, ending.at);
            self.contain(call, |analysis| analysis.close(at));
            let awaits = self.calls.get(&call).is_some_and(CallAnalysis::awaits_words);
            let since = *ending.closed.get_or_insert(now);
            if awaits && now.saturating_sub(since) < LAST_WORDS {
                self.ending.push(ending);
            } else {
                self.finish(call, at);
            }
        }
    }

    fn finish(&mut self, key: CallKey, at: Duration) {
        let Some(mut call) = self.calls.remove(&key) else { return };
        let finished = catch_unwind(AssertUnwindSafe(|| {
            let finished = call.finish(at);
            tell(key, &mut call, &self.counters, &self.report);
            let (summary, timeline) = finished.unzip();
            let (summary, timeline) = (summary.map(Box::new), timeline.unwrap_or_default());
            Outcome::Finished { call: key, summary, timeline, heard: call.heard() }
        }));
        match finished {
            Ok(outcome) => (self.report)(outcome),
            Err(_) => self.broke(key),
        }
    }

    /// Acts on a call's analysis, if there is one. If that panics, the analysis is given up; the others and the worker
    /// go on.
    fn contain(&mut self, key: CallKey, act: impl FnOnce(&mut CallAnalysis)) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        if catch_unwind(AssertUnwindSafe(|| act(call))).is_err() {
            self.give_up(key);
        }
    }

    fn give_up(&mut self, key: CallKey) {
        self.calls.remove(&key);
        self.broke(key);
    }

    fn broke(&self, key: CallKey) {
        self.counters.panics.fetch_add(1, Relaxed);
        (self.report)(Outcome::Broken(key));
    }

    /// Advances every call to `now`, runs the network for all that are due, and reports.
    fn think(&mut self, now: Duration) {
        for key in self.keys() {
            self.contain(key, |call| call.advance(now));
            self.tell_keys(key);
        }
        let due = self.calls.iter().filter(|(_, call)| call.is_due()).map(|(key, _)| *key);
        for keys in due.collect::<Vec<_>>().chunks(BATCH) {
            self.obey();
            self.estimate(keys);
        }
        for key in self.keys() {
            let Some(call) = self.calls.get_mut(&key) else { continue };
            let (counters, report) = (&self.counters, &self.report);
            if catch_unwind(AssertUnwindSafe(|| tell(key, call, counters, report))).is_err() {
                self.give_up(key);
            }
        }
    }

    fn keys(&self) -> Vec<CallKey> {
        self.calls.keys().copied().collect()
    }

    /// Runs the network for those of the given calls that are due.
    fn estimate(&mut self, keys: &[CallKey]) {
        let keys: HashSet<CallKey> = keys.iter().copied().collect();
        let calls = self.calls.iter_mut().filter(|(key, _)| keys.contains(key)).map(|(_, call)| call);
        let estimate = || {
            sidetone_drill::panic_by(Fault::ModelPanics);
            if sidetone_drill::is_on(Fault::ModelSlow) {
                std::thread::sleep(sidetone_drill::SLOWER);
            }
            CallAnalysis::estimate(calls)
        };
        match catch_unwind(AssertUnwindSafe(estimate)) {
            Ok((0, _)) => {}
            Ok((estimates, failed)) => {
                self.counters.batches.fetch_add(1, Relaxed);
                self.counters.failed.fetch_add(failed as u64, Relaxed);
                self.counters.estimates.fetch_add(estimates as u64, Relaxed);
            }
            // The call at fault is unknown, so none of this batch is trusted any more.
            Err(_) => keys.iter().for_each(|key| self.give_up(*key)),
        }
    }

    /// Reports the keys that a call's customer has pressed.
    fn tell_keys(&mut self, key: CallKey) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        while let Some((digit, medium)) = call.poll_key() {
            (self.report)(Outcome::Key(key, digit, medium));
        }
    }
}

/// Reports the findings about a call.
fn tell(key: CallKey, call: &mut CallAnalysis, counters: &WorkerCounters, report: &dyn Fn(Outcome)) {
    counters.model_ms.fetch_add(u64::try_from(call.take_heard().as_millis()).unwrap_or(0), Relaxed);
    while let Some((digit, medium)) = call.poll_key() {
        report(Outcome::Key(key, digit, medium));
    }
    while let Some((stream, side, audible)) = call.poll_audible() {
        report(Outcome::Audible(key, stream, side, audible));
    }
    while let Some((at, insight)) = call.poll() {
        report(Outcome::Insight(key, at, Box::new(insight)));
    }
    if let Some(so_far) = call.take_so_far() {
        report(Outcome::Saying(key, so_far));
    }
    if let Some(kept) = call.take_kept() {
        report(Outcome::Kept(key, kept));
    }
}
