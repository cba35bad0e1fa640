//! A worker thread: drains its tap rings, advances its calls, and runs the network once for all of them.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use sidetone_consent::{ListeningPermit, Medium};
use sidetone_emotion::model::Model;
use sidetone_insight::{Insight, Summary, Thresholds, TimelinePoint};
use sidetone_sip::Face;
use sidetone_sip::anchor::{CallKey, StreamPlan};

use super::call::CallAnalysis;
use crate::tap::TapReceiver;

/// Pause between two looks at the rings: fresh enough for events that come once a second.
const PACE: Duration = Duration::from_millis(10);
/// Pause while no call is heard.
const IDLE: Duration = Duration::from_millis(200);

/// What the call book asks of a worker.
#[derive(Debug)]
pub enum Work {
    /// Hear the keys of a call from now on. `origin` is when its INVITE was seen.
    Begin {
        /// The call.
        call: CallKey,
        /// Zero of the call's own time.
        origin: Duration,
        /// When its caller counts as upset.
        thresholds: Box<Thresholds>,
        /// Whether keys are also heard in the sound.
        in_band: bool,
    },
    /// There is consent: listen to the call that the permit is for.
    Listen(ListeningPermit),
    /// There is none, or no longer: listen to nothing but keys.
    Deafen {
        /// The call.
        call: CallKey,
        /// What was inferred is to be forgotten.
        erase: bool,
    },
    /// SDP has agreed on something.
    Plan {
        /// The call.
        call: CallKey,
        /// Index of the m-line.
        stream: usize,
        /// The new state.
        plan: Box<StreamPlan>,
    },
    /// The call was answered.
    Answered(CallKey, Duration),
    /// The party on this face put the other one on hold.
    Held(CallKey, Face, Duration),
    /// It took the hold back.
    Resumed(CallKey, Face, Duration),
    /// The call is over: sum it up.
    Finish(CallKey, Duration),
}

/// What a worker has found out.
#[derive(Debug)]
pub enum Outcome {
    /// Something worth an event, with its time in the call.
    Insight(CallKey, Duration, Box<Insight>),
    /// The customer pressed a key.
    Key(CallKey, char, Medium),
    /// The call's summary and its timeline, if it was listened to; nothing more comes for it.
    Finished(CallKey, Option<Box<Summary>>, Vec<TimelinePoint>),
    /// The analysis of this call broke; the call itself goes on.
    Broken(CallKey),
}

/// What a worker has done, for metrics.
#[derive(Debug, Default)]
pub struct WorkerCounters {
    /// Calls being listened to.
    pub calls: AtomicU64,
    /// Packets taken from the rings.
    pub packets: AtomicU64,
    /// Runs of the network.
    pub batches: AtomicU64,
    /// Estimates that came out of them, abstentions included.
    pub estimates: AtomicU64,
    /// Frames of the customer's voice that reached the network, in milliseconds of audio.
    pub model_ms: AtomicU64,
    /// Calls whose analysis panicked and was given up.
    pub panics: AtomicU64,
    /// CPU time spent working, in microseconds.
    pub busy_us: AtomicU64,
}

/// The calls that a worker listens to.
type Calls = HashMap<CallKey, CallAnalysis>;

/// A worker in the making; [`Worker::run`] is its thread.
pub struct Worker {
    /// Orders from the call book.
    pub inbox: Receiver<Work>,
    /// A ring from each relay thread.
    pub taps: Vec<TapReceiver>,
    /// The network.
    pub model: Arc<Model>,
    /// Where outcomes go. Called on the worker's thread.
    pub report: Box<dyn Fn(Outcome) + Send>,
    /// What the worker has done.
    pub counters: Arc<WorkerCounters>,
    /// Zero of all times.
    pub epoch: Instant,
}

impl Worker {
    /// Works until the call book is gone.
    pub fn run(mut self) {
        let mut calls = Calls::new();
        loop {
            let first = match self.inbox.recv_timeout(if calls.is_empty() { IDLE } else { PACE }) {
                Ok(work) => Some(work),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let began = Instant::now();
            self.take(&mut calls, first);
            self.think(&mut calls, self.epoch.elapsed());
            self.counters.calls.store(calls.len() as u64, Relaxed);
            self.counters.busy_us.fetch_add(u64::try_from(began.elapsed().as_micros()).unwrap_or(0), Relaxed);
        }
    }

    /// Takes what has been ordered and what has been copied.
    fn take(&mut self, calls: &mut Calls, first: Option<Work>) {
        // Orders before packets, so that a plan holds for what comes under it; but the end after them, for what was
        // copied before the end was told is in the rings.
        let mut ended = Vec::new();
        for work in first.into_iter().chain(self.inbox.try_iter()) {
            match work {
                Work::Finish(call, at) => ended.push((call, at)),
                work => self.obey(calls, work),
            }
        }
        self.hear(calls);
        for (call, at) in ended {
            self.finish(calls, call, at);
        }
    }

    fn hear(&mut self, calls: &mut Calls) {
        let mut packets = 0;
        for tap in &mut self.taps {
            while let Some(tapped) = tap.receive() {
                packets += 1;
                let key = tapped.call;
                let Some(call) = calls.get_mut(&key) else { continue };
                let heard = catch_unwind(AssertUnwindSafe(|| {
                    call.packet(tapped.at, usize::from(tapped.stream), tapped.face, tapped.packet);
                }));
                if heard.is_err() {
                    give_up(calls, key, &self.counters, &*self.report);
                }
            }
        }
        self.counters.packets.fetch_add(packets, Relaxed);
    }

    fn obey(&self, calls: &mut Calls, work: Work) {
        match work {
            Work::Begin { call, origin, thresholds, in_band } => {
                let begun = catch_unwind(AssertUnwindSafe(|| {
                    CallAnalysis::new(origin, *thresholds, &self.model, in_band)
                }));
                match begun {
                    Ok(analysis) => drop(calls.insert(call, analysis)),
                    Err(_) => self.give_up(calls, call),
                }
            }
            Work::Plan { call, stream, plan } => {
                self.contain(calls, call, |analysis| analysis.plan(stream, &plan));
            }
            Work::Listen(permit) => {
                let call = CallKey(permit.call());
                self.contain(calls, call, |analysis| analysis.listen(permit));
            }
            Work::Deafen { call, erase } => {
                self.contain(calls, call, |analysis| analysis.deafen(erase));
            }
            Work::Answered(call, at) => self.contain(calls, call, |analysis| analysis.answered(at)),
            Work::Held(call, face, at) => self.contain(calls, call, |analysis| analysis.held(face, at)),
            Work::Resumed(call, face, at) => {
                self.contain(calls, call, |analysis| analysis.resumed(face, at));
            }
            Work::Finish(call, at) => self.finish(calls, call, at),
        }
    }

    fn finish(&self, calls: &mut Calls, key: CallKey, at: Duration) {
        let Some(mut call) = calls.remove(&key) else { return };
        let finished = catch_unwind(AssertUnwindSafe(|| {
            let finished = call.finish(at);
            self.tell(key, &mut call);
            let (summary, timeline) = finished.unzip();
            Outcome::Finished(key, summary.map(Box::new), timeline.unwrap_or_default())
        }));
        match finished {
            Ok(outcome) => (self.report)(outcome),
            Err(_) => self.give_up(calls, key),
        }
    }

    /// Does something with a call's analysis, if there is one. If that panics, the analysis is given up; the others
    /// and the worker go on.
    fn contain(&self, calls: &mut Calls, key: CallKey, act: impl FnOnce(&mut CallAnalysis)) {
        let Some(call) = calls.get_mut(&key) else { return };
        if catch_unwind(AssertUnwindSafe(|| act(call))).is_err() {
            self.give_up(calls, key);
        }
    }

    fn give_up(&self, calls: &mut Calls, key: CallKey) {
        give_up(calls, key, &self.counters, &*self.report);
    }

    /// Advances every call to `now`, runs the network for all that are due, and reports.
    fn think(&self, calls: &mut Calls, now: Duration) {
        for key in calls.keys().copied().collect::<Vec<_>>() {
            self.contain(calls, key, |call| call.advance(now));
        }
        let estimated = catch_unwind(AssertUnwindSafe(|| CallAnalysis::estimate(calls.values_mut())));
        match estimated {
            Ok(0) => {}
            Ok(estimates) => {
                self.counters.batches.fetch_add(1, Relaxed);
                self.counters.estimates.fetch_add(estimates as u64, Relaxed);
            }
            // Which call it was can't be told, so none of this batch is trusted any more.
            Err(_) => {
                for key in calls.keys().copied().collect::<Vec<_>>() {
                    self.give_up(calls, key);
                }
            }
        }
        for key in calls.keys().copied().collect::<Vec<_>>() {
            self.contain(calls, key, |call| self.tell(key, call));
        }
    }

    fn tell(&self, key: CallKey, call: &mut CallAnalysis) {
        self.counters.model_ms.fetch_add(u64::try_from(call.take_heard().as_millis()).unwrap_or(0), Relaxed);
        while let Some((digit, medium)) = call.poll_key() {
            (self.report)(Outcome::Key(key, digit, medium));
        }
        while let Some((at, insight)) = call.poll() {
            (self.report)(Outcome::Insight(key, at, Box::new(insight)));
        }
    }
}

fn give_up(calls: &mut Calls, key: CallKey, counters: &WorkerCounters, report: &dyn Fn(Outcome)) {
    counters.panics.fetch_add(1, Relaxed);
    calls.remove(&key);
    report(Outcome::Broken(key));
}
