//! A call in one page.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::affect::AlertKind;
use crate::conduct::Conduct;
use crate::millis;
use crate::words::WordsSummary;
use sidetone_call::Abstention;

/// A call in one page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Since the INVITE was seen.
    #[serde(rename = "duration_ms", with = "millis")]
    pub duration: Duration,
    /// How the customer sounded at the start and at the end; `None` with less than two seconds of judged speech.
    pub sentiment: Option<Sentiment>,
    /// The alerts of the call.
    pub alerts: Alerts,
    /// How both talked.
    pub conduct: Conduct,
    /// What the above about the customer rests on.
    pub analysis: Analysis,
    /// What was said; left out where words were not recognised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<WordsSummary>,
}

/// The customer's valence over a call, by the smoothed line that its updates tell. `start` and `end` are means over the
/// first and the last ten seconds of judged speech (over its halves when there is less than twenty); they lie between
/// `lowest` and `highest`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sentiment {
    /// `[-1, 1]`.
    pub start: f32,
    /// `[-1, 1]`.
    pub end: f32,
    /// `end - start`, `[-2, 2]`: above 0, the caller left happier than they came.
    pub shift: f32,
    /// The update with the lowest valence.
    pub lowest: Moment,
    /// The update with the highest valence.
    pub highest: Moment,
}

/// A point of the call.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moment {
    /// Since the INVITE was seen.
    #[serde(rename = "at_ms", with = "millis")]
    pub at: Duration,
    /// Smoothed valence there, `[-1, 1]`.
    pub valence: f32,
}

/// The alerts of a call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    /// How many of frustration.
    pub frustration: u32,
    /// How many of distress.
    pub distress: u32,
    /// The first 32 of them, in order.
    pub spans: Vec<AlertSpan>,
}

/// From when to when an alert was up.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertSpan {
    /// Of what kind.
    pub alert: AlertKind,
    /// It rose.
    #[serde(rename = "from_ms", with = "millis")]
    pub from: Duration,
    /// It calmed; `None` if the call ended first.
    #[serde(rename = "to_ms", with = "millis::option")]
    pub to: Option<Duration>,
}

/// What is said about the customer's affect rests on this much.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Analysis {
    /// The customer's speech, judged or not.
    #[serde(rename = "speech_ms", with = "millis")]
    pub speech: Duration,
    /// The customer's speech that estimates stand for.
    #[serde(rename = "judged_ms", with = "millis")]
    pub judged: Duration,
    /// Estimates used.
    pub estimates: u32,
    /// Estimates declined.
    pub abstained: u32,
    /// Declined among all, `[0, 1]`; `None` if none was asked for.
    pub abstained_share: Option<f32>,
    /// Declined, by reason.
    pub reasons: BTreeMap<Abstention, u32>,
    /// The customer objected: whatever had been inferred was erased.
    pub erased: bool,
}
