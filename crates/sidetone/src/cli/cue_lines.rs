//! What was told of cues, in lines for people or as JSON.

use std::time::Duration;

use serde_json::json;
use sidetone_events::Happening;
use sidetone_insight::cues::CueTold;

use super::output::{Output, say, say_json};
use super::view::clock;

/// Prints what was told of a cue.
pub(super) fn tell(at: Duration, told: &CueTold, output: Output) -> anyhow::Result<()> {
    let happening = match told.clone() {
        CueTold::Shown(cue) => Happening::CueShown(cue),
        CueTold::Withheld(cue) => Happening::CueWithheld(cue),
        CueTold::Cleared(cue) => Happening::CueCleared(cue),
        CueTold::Judged(cue) => Happening::CueJudged(cue),
    };
    if output.json {
        let mut event = serde_json::to_value(&happening)?;
        if let Some(event) = event.as_object_mut() {
            event.insert("at_ms".to_owned(), json!(at.as_millis()));
        }
        return say_json(&event);
    }
    match &happening {
        Happening::CueShown(cue) => {
            say(format_args!("{}  {} ({}): {}", clock(at), cue.cue, cue.priority, cue.line));
            for cause in &cue.because {
                let value = cause.value.map_or_else(String::new, |value| format!(": {value}"));
                say(format_args!("       because {}{value}", cause.condition));
            }
        }
        Happening::CueWithheld(cue) => say(format_args!("{}  {} withheld", clock(at), cue.cue)),
        Happening::CueCleared(cue) => say(format_args!(
            "{}  {} {} after {:.0} s",
            clock(at),
            cue.cue,
            cue.why.word(),
            cue.shown.as_secs_f32()
        )),
        Happening::CueJudged(cue) => {
            let word = |value: Option<bool>| match value {
                Some(true) => "yes",
                Some(false) => "no",
                None => "not known",
            };
            say(format_args!(
                "{}  {} followed: {}; customer calmer: {}",
                clock(at),
                cue.cue,
                word(cue.adopted),
                word(cue.recovered)
            ));
        }
        _ => {}
    }
    Ok(())
}
