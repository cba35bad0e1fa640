//! The demo where no panel can be drawn: a line for each notable event.

use std::time::Duration;

use sidetone_events::{Event, Happening};
use sidetone_insight::{Alert, Phase};

use crate::cli::output::say;
use crate::cli::view::{Paint, clock, kind_word, still_up};

/// Prints a notable event where no panel can be drawn.
pub(super) fn plain(event: &Event, alerts: &mut Vec<(Duration, Alert)>, paint: Paint) {
    let at = clock(event.at);
    match &event.happening {
        Happening::AffectAlert(alert) => {
            alerts.push((event.at, alert.clone()));
            let kind = kind_word(alert.alert);
            say(match (alert.phase, still_up(alerts)) {
                (Phase::Rising, _) => paint.red(format!("{at}  alert   {kind} rising")),
                // The other alert is still up: "calmed" would be true of this alert and false of the caller.
                (Phase::Calmed, Some((_, other))) => {
                    paint.red(format!("{at}  alert   {kind} has become {}", kind_word(other.alert)))
                }
                (Phase::Calmed, None) => paint.green(format!("{at}  alert   {kind} calmed")),
            });
        }
        Happening::CueShown(cue) => say(paint.bold(format!("{at}  cue     {}", cue.line))),
        Happening::WordsFinal(words) => say(format!("{at}  heard   {}", words.text)),
        Happening::WordsTopic(topic) => {
            say(paint.bold(format!("{at}  topic   {}: {}", topic.topic.name(), topic.phrase)));
        }
        Happening::AffectUpdate(update) if update.modality.is_voice() => say(paint.dim(format!(
            "{at}  affect  valence {:+.2}  arousal {:+.2}  upset {:.2}  {:?}",
            update.valence, update.arousal, update.distress, update.state
        ))),
        _ => {}
    }
}
