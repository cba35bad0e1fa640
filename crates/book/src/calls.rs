//! The running call book: a [`Book`] behind a lock. Its effects are carried out after that lock is dropped.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use sidetone_call::{CallKey, Side};
use sidetone_consent::{Failure, Source, State, Telling};
use sidetone_events::{Bus, CallId, NumberHasher, Timestamp, Tls};
use sidetone_hear::{Orders, Outcome};
use sidetone_insight::cues::{Answer, CueSet};
use sidetone_journal::{Part, Pen};
use sidetone_relay::{Notice, PlanChange, PlayId, Prompter};
use sidetone_sip::anchor::CallFact;
use sidetone_spool::Spool;

use crate::book::Book;
use crate::carrier::Carrier;
use crate::counters::CallCounters;
use crate::cues::NotAnswered;
use crate::disclosure::NotPlayed;
use crate::lookup::NotOne;
use crate::media::Judged;
use crate::playback::Repertoire;
use crate::receipts::Receipts;
use crate::rules::{RoutedTo, Rules};
use crate::telling::NotTaken;
use crate::view::CallView;

/// The call book, for all threads that have something to do with calls.
///
/// Some methods are called while the SIP core's lock is held: [`Self::routed`], [`Self::fact`], [`Self::plan`],
/// [`Self::answered_by`], [`Self::settled`] and [`Self::judged`]. These only queue effects: their caller carries them
/// out with [`Self::carry_out`] once it has dropped that lock. Every other method carries out its effects itself.
pub struct Calls {
    book: Mutex<Book>,
    carrier: Carrier,
    /// Held by the thread that carries out effects: one at a time, so that they happen in the order in which the book
    /// asked for them.
    turn: Mutex<()>,
    epoch: Instant,
    epoch_wall: Timestamp,
}

impl Calls {
    /// An empty book. Events go to `bus`; calls are shared out among `workers`.
    #[must_use]
    pub fn new(bus: Bus, hasher: NumberHasher, workers: Vec<Orders>, rules: Rules, epoch: Instant) -> Self {
        let elapsed = u64::try_from(epoch.elapsed().as_millis()).unwrap_or(0);
        let epoch_wall = Timestamp::from_unix_millis(Timestamp::now().unix_millis().saturating_sub(elapsed));
        let book = Book::new(hasher, workers.len(), rules, epoch_wall);
        let carrier = Carrier::new(bus, workers);
        Self { book: Mutex::new(book), carrier, turn: Mutex::new(()), epoch, epoch_wall }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        // A panic elsewhere must not take the calls down: the book is consistent between two inputs.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Acts on the book, then carries out the effects after the book's lock is dropped.
    fn with<R>(&self, act: impl FnOnce(&mut Book, Duration) -> R) -> R {
        let now = self.now();
        let result = act(&mut self.lock(), now);
        self.carry_out();
        result
    }

    /// Carries out the queued effects. If another thread is at it, that thread does these too: it looks again after its
    /// turn.
    pub fn carry_out(&self) {
        loop {
            let turn = match self.turn.try_lock() {
                Ok(turn) => turn,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => return,
            };
            // Written before the effects, so that the next process knows what a call has told once anybody may have
            // heard of it; erased after them, when its last event is on its way.
            let pen = self.carrier.journal.get();
            let kept = if pen.is_some() { self.lock().take_kept() } else { Vec::new() };
            let mut over = Vec::new();
            for (key, kept) in kept {
                match (kept, pen) {
                    (Some(kept), Some(pen)) => pen.write(key, Part::Book, Some(kept)),
                    _ => over.push(key),
                }
            }
            // One by one: a panic in one effect loses that one, and not an opt-out that stands behind it.
            loop {
                let Some(effect) = self.lock().effects.pop() else { break };
                self.carrier.carry_out(effect, self.now());
            }
            if let Some(pen) = pen {
                over.into_iter().for_each(|key| pen.erase(key));
            }
            drop(turn);
            if self.lock().is_settled() {
                return;
            }
        }
    }

    /// Replaces the rules, for calls to come.
    pub fn reload(&self, rules: Rules) {
        self.lock().rule(rules);
    }

    /// From now on announcements can be played, and receipts of them are filed. Called once, at the start.
    pub fn disclose_by(&self, prompter: Prompter, receipts: Receipts) {
        let mut book = self.lock();
        let (library, announcements) = (prompter.library().clone(), prompter.announcements().clone());
        book.playback.repertoire = Some(Repertoire { library, announcements });
        book.receipts_name = Some(receipts.model.clone());
        let _ = self.carrier.prompter.set(prompter);
        let _ = self.carrier.receipts.set(receipts);
    }

    /// From now on each event is kept in the spool too. Called once, at the start.
    pub fn spool_to(&self, spool: Spool) {
        let _ = self.carrier.spool.set(spool);
    }

    /// From now on each call is written down, so that the next process can carry it on. Called once, at the start.
    pub fn keep_in(&self, pen: Pen) {
        let _ = self.carrier.journal.set(pen);
        self.lock().touched.get_or_insert_default();
    }

    /// Writes down all calls: the journal was begun anew.
    pub fn keep_anew(&self) {
        self.with(|book, _| book.touch_all());
        // What was inferred follows.
        self.ask_what_is_inferred();
    }

    /// Whether an announcement is played into any call: in another process it could not go on.
    #[must_use]
    pub fn anybody_is_told(&self) -> bool {
        self.lock().calls.values().any(|entry| entry.consent.playing.is_some())
    }

    /// Has written down what was inferred of calls until now; gives the number of calls that this is asked of, each of
    /// which [`Self::inferred_kept`] counts once more.
    pub fn ask_what_is_inferred(&self) -> usize {
        self.with(|book, _| book.ask_what_is_inferred())
    }

    /// Times that it was written down what was inferred of a call.
    #[must_use]
    pub fn inferred_kept(&self) -> u64 {
        self.carrier.inferred_kept()
    }

    /// Writes down what has changed, and lets all calls go: another process has them now.
    pub fn let_go(&self) {
        self.carry_out();
        self.lock().let_go();
    }

    /// Carries on a call that an earlier process has written down, with what it has inferred; `since` is when that was
    /// last known to be alive. The effects are carried out by [`Self::carry_out`].
    ///
    /// # Errors
    /// When it can't be read.
    pub fn take_up(
        &self,
        since: Duration,
        kept: &[u8],
        inferred: Option<&[u8]>,
    ) -> Result<(), serde_json::Error> {
        self.lock().take_up(since, self.now(), kept, inferred)
    }

    /// Closes a call that an earlier process has written down and nobody carries on: its last event is told, and its
    /// receipt filed. `since` is when that process was last known to be alive, on its clock.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn give_up(&self, since: Duration, kept: &[u8]) -> Result<(), serde_json::Error> {
        self.with(|book, _| book.give_up(since, kept))
    }

    /// Where events are kept for readers that must not miss one.
    pub fn spool(&self) -> Option<&Spool> {
        self.carrier.spool.get()
    }

    /// Has announcements played.
    pub fn prompter(&self) -> Option<&Prompter> {
        self.carrier.prompter.get()
    }

    /// Where receipts are filed.
    pub fn receipts(&self) -> Option<&Receipts> {
        self.carrier.receipts.get()
    }

    /// Wall-clock time at zero of the process's clock.
    pub fn epoch_wall(&self) -> Timestamp {
        self.epoch_wall
    }

    /// The call's identity at its PBX: its unhashed Call-ID, and the PBX's name.
    #[must_use]
    pub fn identity(&self, id: &CallId) -> Option<(String, String)> {
        self.lock().identity(id)
    }

    /// Sidetone's id of the call with that unhashed SIP Call-ID. Calls that have just ended are found too.
    pub fn known_as(&self, sip_call_id: &str) -> Option<CallId> {
        self.lock().known_as(sip_call_id)
    }

    /// The unhashed SIP Call-ID of the call with this id of Sidetone's.
    pub fn raw_id(&self, id: &str) -> Option<String> {
        let id: CallId = id.parse().ok()?;
        self.identity(&id).map(|(sip_call_id, _)| sip_call_id)
    }

    /// Whether there is a call with that PBX and that SIP Call-ID.
    #[must_use]
    pub fn is_with(&self, sip_call_id: &str, pbx: &str) -> bool {
        self.lock().named(sip_call_id).any(|entry| entry.pbx() == pbx)
    }

    /// Whether more than one call of a PBX has that Call-ID, so that the Call-ID names no single call.
    pub fn is_shared(&self, sip_call_id: &str, pbx: &str) -> bool {
        self.lock().is_shared(sip_call_id, pbx)
    }

    /// The calls that are up, oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<CallView> {
        self.lock().list(self.now())
    }

    /// One call, by Sidetone's id or by SIP Call-ID.
    ///
    /// # Errors
    /// When there is none, or more than one has that Call-ID.
    pub fn find(&self, id: &str) -> Result<CallView, NotOne> {
        self.lock().find(self.now(), id)
    }

    /// The keys of all calls in the book.
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
        CallCounters { receipts_lost: self.carrier.receipts_lost(), ..self.lock().counters }
    }

    /// Notes the route of an INVITE from `source`; its call starts in a moment.
    pub fn routed(&self, sip_call_id: &str, source: SocketAddr, routed: RoutedTo) {
        self.lock().routed(sip_call_id, source, routed);
    }

    /// Takes what the SIP core has noticed, and what TLS has agreed on for the connection that the message came by.
    pub fn fact(&self, fact: CallFact, tls: Option<Tls>) {
        self.lock().fact(self.now(), fact, tls);
    }

    /// Takes what SDP has agreed on.
    pub fn plan(&self, now: Duration, change: PlanChange) {
        self.lock().plan(now, change);
    }

    /// A peer has answered that is not the call's first choice.
    pub fn answered_by(&self, key: CallKey, side: Side, peer: &str) {
        self.lock().answered_by(key, side, peer);
    }

    /// All facts of one SIP message have been told. Calls that it answered may get their announcement now: only now is
    /// the destination of their media known.
    pub fn settled(&self) {
        self.lock().settled();
    }

    /// The parties of a silent call have been asked. Returns whether the call is to be ended: one party has no such
    /// call any more, and no packet has come since.
    pub fn judged(&self, now: Duration, key: CallKey, judged: Judged) -> bool {
        self.lock().judged(now, key, judged)
    }

    /// Takes a notice of the media plane. Returns the calls that have fallen silent: the caller asks their parties
    /// whether the calls are still up, and reports with [`Self::judged`].
    pub fn notice(&self, now: Duration, notice: Notice) -> Vec<CallKey> {
        self.with(|book, _| book.notice(now, notice))
    }

    /// Takes what a worker has found out.
    pub fn outcome(&self, outcome: Outcome) {
        self.with(|book, now| book.outcome(now, outcome));
    }

    /// An announcement could not be made ready.
    pub fn announcement_failed(&self, key: CallKey, id: PlayId, failure: Failure) {
        self.with(|book, now| book.announcement_failed(now, key, id, failure));
    }

    /// Closes ended calls whose media or analysis never reported back.
    pub fn close_overdue(&self, now: Duration) {
        self.with(|book, _| book.close_overdue(now));
    }

    /// Fires the timeouts that calls' consent waits for.
    pub fn consent_timeouts(&self, now: Duration) {
        self.with(|book, _| book.consent_timeouts(now));
    }

    /// Files the receipts of calls whose last event will not be awaited any longer.
    pub fn file_all(&self) {
        self.with(Book::file_all);
    }

    /// Plays an announcement of the operator's own into any call that is up, unless one plays there.
    ///
    /// # Errors
    /// [`NotPlayed`]: nothing is heard then.
    pub fn play(
        &self,
        id: &str,
        name: &str,
        language: Option<&str>,
        toward: Vec<Side>,
    ) -> Result<(), NotPlayed> {
        self.with(|book, _| book.play(id, name, language, toward))
    }

    /// Takes what the API or the command line tells of a call. Returns the resulting consent state: a telling that is
    /// taken need not change anything.
    ///
    /// # Errors
    /// [`NotTaken`]: the telling had no effect.
    pub fn told(&self, id: &str, telling: &Telling, source: Source) -> Result<State, NotTaken> {
        self.with(|book, now| book.told(now, id, telling, source))
    }

    /// The cues that agents may be shown in calls that begin now; `None` if they are shown none.
    #[must_use]
    pub fn cues(&self) -> Option<Arc<CueSet>> {
        self.with(|book, _| book.cues.clone())
    }

    /// Takes an agent's answer to the cue that they are shown.
    ///
    /// # Errors
    /// [`NotAnswered`]: the answer had no effect.
    pub fn answer_cue(&self, id: &str, number: u32, answer: Answer) -> Result<(), NotAnswered> {
        self.with(|book, now| book.answer_cue(now, id, number, answer))
    }

    /// Takes what a PBX tells of one of its own calls, which it names by SIP Call-ID.
    ///
    /// Two of its calls may share that Call-ID. A telling that withdraws consent or stops analysis then holds for both:
    /// too little is inferred rather than too much. Any other telling is taken for neither, and counted.
    pub fn told_by_pbx(&self, pbx: &str, sip_call_id: &str, telling: &Telling, source: Source) {
        self.with(|book, now| book.told_by_pbx(now, pbx, sip_call_id, telling, source));
    }
}

#[cfg(test)]
mod tests;
