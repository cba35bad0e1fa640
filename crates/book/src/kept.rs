//! Calls that outlive the process: what the book knows of one is written down, and read by the next process.

use std::collections::BTreeSet;
use std::time::Duration;

use sidetone_call::{CallKey, Cause};
use sidetone_consent::{Input, State};
use sidetone_hear::Work;

use crate::book::Book;
use crate::entry::{Entry, Inferred};

/// After so many further events a call is written down again: see [`Entry::live_on`].
const EVENTS: u64 = 400;

/// What stands between what the worker and what the book has to keep: no JSON on one line holds it.
const BETWEEN: u8 = b'\n';

/// What was inferred of a call, as one part of the journal: what its worker needs to go on, and what its view shows.
pub(crate) fn together(mut analysis: Vec<u8>, inferred: &Inferred) -> Option<Vec<u8>> {
    analysis.push(BETWEEN);
    serde_json::to_writer(&mut analysis, inferred).ok()?;
    Some(analysis)
}

fn apart(kept: &[u8]) -> Option<(Vec<u8>, Inferred)> {
    let between = kept.iter().position(|byte| *byte == BETWEEN)?;
    let (analysis, inferred) = (kept.get(..between)?, kept.get(between + 1..)?);
    Some((analysis.to_vec(), serde_json::from_slice(inferred).ok()?))
}

/// The calls that have changed since they were last written down; `None` if nobody writes them down.
pub(crate) type Touched = Option<BTreeSet<CallKey>>;

impl Book {
    /// Asks whoever listens for what they have inferred so far, to be written down; says of how many calls.
    pub(crate) fn ask_what_is_inferred(&mut self) -> usize {
        let Self { calls, effects, .. } = self;
        let heard = calls.iter().filter(|(_, entry)| entry.consent.machine.may_analyse());
        let heard = heard.filter(|(_, entry)| entry.worker().is_some());
        heard.map(|(key, entry)| effects.hear(entry.worker(), Work::Keep(*key, None))).count()
    }

    /// Lets all calls go: another process carries on those that are written down, and closes the others. Nothing more
    /// is told of them here.
    pub(crate) fn let_go(&mut self) {
        self.touched = None;
        self.calls.clear();
        self.answered.clear();
    }

    /// Whether there is nothing to carry out, nor to write down.
    pub(crate) fn is_settled(&self) -> bool {
        self.effects.is_empty() && self.touched.as_ref().is_none_or(BTreeSet::is_empty)
    }

    /// A call has changed.
    pub(crate) fn touch(&mut self, key: CallKey) {
        if let Some(touched) = &mut self.touched {
            touched.insert(key);
        }
    }

    /// Another event of a call was told, which changes nothing else about it.
    pub(crate) fn count_told(&mut self, key: CallKey) {
        if self.touched.is_some() && self.calls.get_mut(&key).is_some_and(|entry| entry.is_told_often(EVENTS))
        {
            self.touch(key);
        }
    }

    /// Each call counts as changed.
    pub(crate) fn touch_all(&mut self) {
        if let Some(touched) = &mut self.touched {
            touched.extend(self.calls.keys());
        }
    }

    /// What is to be written down of each call that has changed, as JSON; `None` for those that are gone, or not
    /// answered yet.
    pub(crate) fn take_kept(&mut self) -> Vec<(CallKey, Option<Vec<u8>>)> {
        let touched = self.touched.as_mut().map(std::mem::take).unwrap_or_default();
        let mut kept = |key: &CallKey| {
            let entry = self.calls.get_mut(key).filter(|entry| entry.was_answered())?;
            entry.note_kept();
            serde_json::to_vec(entry).ok()
        };
        touched.into_iter().map(|key| (key, kept(&key))).collect()
    }

    /// Carries on a call that an earlier process has written down; `since` is when that was last known to be alive.
    /// Its media follow: the SIP core tells them.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) fn take_up(
        &mut self,
        since: Duration,
        now: Duration,
        kept: &[u8],
        inferred: Option<&[u8]>,
    ) -> Result<(), serde_json::Error> {
        let mut entry: Entry = serde_json::from_slice(kept)?;
        let key = entry.key();
        entry.live_on(now);
        entry.consent.machine.resume(since, now);
        match (inferred.and_then(apart), entry.consent.machine.state()) {
            (Some((analysis, inferred)), State::Given) => {
                entry.inferred_before = Some(analysis);
                entry.infer_again(inferred);
            }
            // It may have been written down a moment before the customer objected.
            (_, State::OptedOut) => self.effects.keep(key, None),
            _ => {}
        }
        tracing::info!(call = %entry.call().id, sip_call_id = %entry.call().sip_call_id, "call carried on");
        self.enter(key, entry);
        self.touch(key);
        self.drive(key, now);
        Ok(())
    }

    /// Closes a call that an earlier process has written down and nobody carries on: its last event is told, and its
    /// receipt filed. `since` is when that process was last known to be alive, on its clock.
    ///
    /// # Errors
    /// When it can't be read.
    pub(crate) fn give_up(&mut self, since: Duration, kept: &[u8]) -> Result<(), serde_json::Error> {
        let mut entry: Entry = serde_json::from_slice(kept)?;
        let key = entry.key();
        entry.live_on(since);
        entry.media_closed(Vec::new());
        entry.consent.machine.cease(since);
        if !entry.is_over() {
            entry.end(since, None, None, Cause::Terminated, since);
        }
        self.enter(key, entry);
        self.drive(key, since);
        self.consent(key, since, Input::Ended);
        self.file(since, key);
        if let Some(entry) = self.strike(key) {
            self.close(since, entry);
        }
        Ok(())
    }
}
