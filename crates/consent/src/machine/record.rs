//! The record of a call's consent, for its receipt.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Failure;
use crate::{Policy, Source, State};

/// Most entries of each kind that are kept; constantly changing facts must not fill the memory.
const MOST: usize = 32;

/// The course of a call's consent. Times are milliseconds since the call began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The policy in force at the end.
    pub policy: Policy,
    /// The state at the end.
    pub outcome: State,
    /// The source of that state.
    pub by: Source,
    /// The announcements.
    pub announcements: Vec<Announcement>,
    /// Each change of state.
    pub changes: Vec<Change>,
    /// When the customer was listened to: from the first sound heard to the end of listening.
    pub analysed: Vec<Span>,
    /// Whether the inferences have been erased.
    pub erased: bool,
    /// Whether the media could not be listened to.
    pub untappable: bool,
    /// Number of entries beyond those kept.
    pub left_out: u32,
}

/// One attempt to tell the customer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// The recording that was played.
    pub recording: Option<Recording>,
    /// When the announcement was requested.
    pub requested_ms: u64,
    /// When its first sample left.
    pub began_ms: Option<u64>,
    /// When its last sample left, or it was given up.
    pub ended_ms: Option<u64>,
    /// Whether all of it was played.
    pub whole: bool,
    /// Why it was not played to its end.
    pub failure: Option<Failure>,
}

/// A recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recording {
    /// The recording's name.
    pub name: String,
    /// The recording's language, as an RFC 5646 tag.
    pub language: String,
    /// SHA-256 of the audio, in hexadecimal.
    pub sha256: String,
}

/// A change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// The time.
    pub at_ms: u64,
    /// The new state.
    pub state: State,
    /// The source of the decision.
    pub by: Source,
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The beginning.
    pub from_ms: u64,
    /// The end; `None` while it lasts.
    pub to_ms: Option<u64>,
}

impl Record {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            policy,
            outcome: State::Pending,
            by: Source::Policy,
            announcements: Vec::new(),
            changes: Vec::new(),
            analysed: Vec::new(),
            erased: false,
            untappable: false,
            left_out: 0,
        }
    }

    pub(super) fn was_analysed(&self) -> bool {
        !self.analysed.is_empty()
    }

    pub(super) fn change(&mut self, at_ms: u64, state: State, by: Source, erased: bool) {
        self.outcome = state;
        self.by = by;
        self.erased |= erased;
        keep(&mut self.changes, Change { at_ms, state, by }, &mut self.left_out);
    }

    pub(super) fn announcement_requested(&mut self, requested_ms: u64) {
        let announcement = Announcement { requested_ms, ..Announcement::default() };
        keep(&mut self.announcements, announcement, &mut self.left_out);
    }

    pub(super) fn recording(&mut self, recording: Recording) {
        if let Some(last) = self.announcements.last_mut()
            && last.recording.is_none()
        {
            last.recording = Some(recording);
        }
    }

    pub(super) fn announcement_began(&mut self, at_ms: u64) {
        if let Some(last) = self.announcements.last_mut() {
            last.began_ms = Some(at_ms);
        }
    }

    pub(super) fn announcement_ended(&mut self, at_ms: u64, whole: bool) {
        if let Some(last) = self.announcements.last_mut()
            && last.ended_ms.is_none()
        {
            last.ended_ms = Some(at_ms);
            last.whole = whole;
        }
    }

    pub(super) fn announcement_failed(&mut self, at_ms: u64, failure: Failure) {
        self.announcement_ended(at_ms, false);
        if let Some(last) = self.announcements.last_mut() {
            last.failure = last.failure.or(Some(failure));
        }
    }

    pub(super) fn analysis_began(&mut self, from_ms: u64) {
        keep(&mut self.analysed, Span { from_ms, to_ms: None }, &mut self.left_out);
    }

    /// Consent without sound is no listening: keeps the spans with sound, from their first sound on.
    /// The first spans, `settled` in number, stay as they are: another process has heard in them, and can't say what.
    pub(super) fn heard(&mut self, heard: &[(Duration, Duration)], settled: usize) {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut place = 0;
        self.analysed.retain_mut(|span| {
            place += 1;
            if place <= settled {
                return true;
            }
            let to = span.to_ms.unwrap_or(u64::MAX);
            let inside = heard.iter().map(|(first, last)| (millis(*first), millis(*last)));
            let first =
                inside.filter(|(first, last)| *last >= span.from_ms && *first <= to).map(|(first, _)| first);
            let Some(first) = first.min() else { return false };
            span.from_ms = span.from_ms.max(first);
            true
        });
    }

    /// How many spans of listening there are that another one does not replace.
    pub(super) fn spans(&self) -> usize {
        self.analysed.len().min(MOST - 1)
    }

    pub(super) fn analysis_stopped(&mut self, at_ms: u64) {
        if let Some(last) = self.analysed.last_mut() {
            last.to_ms = Some(at_ms);
        }
    }
}

/// Keeps the first entries and the newest one: the beginning and the present state.
fn keep<T>(list: &mut Vec<T>, entry: T, left_out: &mut u32) {
    if list.len() >= MOST {
        list.pop();
        *left_out = left_out.saturating_add(1);
    }
    list.push(entry);
}
