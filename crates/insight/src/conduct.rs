//! How both parties talk: shares, overlap, silence, pace. Nothing here says how anyone feels.

mod meter;
mod pace;
mod spans;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::millis;

pub(crate) use meter::{Meter, Stretch};

/// How both parties have talked so far. Time on hold counts as hold and as nothing else: what is heard then is music.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conduct {
    /// Whether this covers the whole call.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// The customer.
    pub customer: LegConduct,
    /// The agent.
    pub agent: LegConduct,
    /// Both talked at once for so long, in all.
    #[serde(rename = "overlap_ms", with = "millis")]
    pub overlap: Duration,
    /// Overlaps long enough to be noticed.
    pub overlaps: u32,
    /// Neither talked for so long, in all, counted from the first word; 0 of a recording that has one leg only.
    #[serde(rename = "silence_ms", with = "millis")]
    pub silence: Duration,
    /// The longest of these silences.
    #[serde(rename = "longest_silence_ms", with = "millis")]
    pub longest_silence: Duration,
    /// On hold for so long, in all.
    #[serde(rename = "hold_ms", with = "millis")]
    pub hold: Duration,
    /// Times the call was put on hold.
    pub holds: u32,
}

/// How one party has talked so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegConduct {
    /// Talked for so long.
    #[serde(rename = "talk_ms", with = "millis")]
    pub talk: Duration,
    /// Their part of all talk, `[0, 1]`; the two parts add up to 1. `None` before the first word, and in a recording
    /// that has one leg only.
    pub talk_share: Option<f32>,
    /// Times they took the floor.
    pub turns: u32,
    /// Overlaps that they began, by talking while the other one was.
    pub overlaps_begun: u32,
    /// How long they leave the other waiting for an answer; `None` before the first one.
    pub response: Option<Response>,
    /// How fast they talk; `None` before there is enough speech to tell.
    pub pace: Option<Pace>,
}

/// Gaps between the other's last word and this party's first. Answers that begin before the other has ended have no
/// gap and are not among these.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// How many.
    pub count: u32,
    /// Their mean.
    #[serde(rename = "mean_ms", with = "millis")]
    pub mean: Duration,
    /// The longest.
    #[serde(rename = "longest_ms", with = "millis")]
    pub longest: Duration,
}

/// Speech rate: syllable nuclei (de Jong and Wempe, 2009) over detected speech, so pauses between phrases don't count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// Over the call.
    pub syllables_per_second: f32,
    /// Over roughly the last twenty seconds of their speech.
    pub recent_syllables_per_second: f32,
    /// The recent rate in words: an estimate that takes words to have
    /// [`syllables_per_word`](crate::ConductThresholds::syllables_per_word) syllables.
    pub words_per_minute: f32,
}
