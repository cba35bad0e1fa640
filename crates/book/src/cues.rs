//! Agents' answers to cues, and cues that go with the customer's consent.

use std::time::Duration;

use sidetone_call::CallKey;
use sidetone_events::{CueAcknowledged, CueDismissed};
use sidetone_hear::Work;
use sidetone_insight::cues::{Answer, Cleared, CueCleared};

use crate::book::Book;
use crate::effect::Effects;
use crate::entry::Entry;
use crate::lookup::NotOne;

/// Why an answer to a cue is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnswered {
    /// The call could not be found.
    #[error(transparent)]
    NotOne(#[from] NotOne),
    /// That cue is not shown.
    #[error("cue {0} of this call is not shown, or no longer")]
    NotShown(u32),
}

impl Book {
    /// Takes an agent's answer to the cue that they are shown. A second acknowledgement changes nothing.
    ///
    /// # Errors
    /// [`NotAnswered`]: the answer had no effect.
    pub(crate) fn answer_cue(
        &mut self,
        now: Duration,
        id: &str,
        number: u32,
        answer: Answer,
    ) -> Result<(), NotAnswered> {
        let key: CallKey = self.locate(id)?;
        let Self { calls, effects, .. } = self;
        let not_shown = NotAnswered::NotShown(number);
        let Some(entry) = calls.get_mut(&key).filter(|entry| !entry.is_over()) else { return Err(not_shown) };
        let entry_origin = entry.origin();
        let Some(view) = entry.cue.as_mut().filter(|view| view.cue.number == number) else {
            return Err(not_shown);
        };
        let cue = view.cue.cue.clone();
        let shown_at = Duration::from_millis(view.shown_at_ms);
        let after = whole(now.saturating_sub(entry_origin).saturating_sub(shown_at));
        match answer {
            Answer::Acknowledged if std::mem::replace(&mut view.acknowledged, true) => return Ok(()),
            Answer::Acknowledged => {
                effects.publish(entry.tell(now, CueAcknowledged { cue, number, after }));
            }
            Answer::Dismissed => {
                // At once: the worker tells in a moment that it was cleared.
                entry.cue = None;
                effects.publish(entry.tell(now, CueDismissed { cue, number, shown: after }));
            }
        }
        effects.hear(entry.worker(), Work::Answer(key, now, number, answer));
        Ok(())
    }
}

/// Nobody is listened to any more, or for now: the cue that is shown goes, for this reason.
pub(crate) fn hush(effects: &mut Effects, entry: &mut Entry, now: Duration, why: Cleared) {
    let Some(view) = entry.cue.take() else { return };
    let at = now.saturating_sub(entry.origin());
    let shown = at.saturating_sub(Duration::from_millis(view.shown_at_ms));
    let shown = whole(shown);
    let cleared = CueCleared { cue: view.cue.cue, number: view.cue.number, why, shown };
    effects.publish(entry.tell(now, cleared));
}

/// Whole milliseconds, as events have them.
fn whole(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}
