//! What there is to draw of a call, and the measures of the drawing.

use std::time::Duration;

/// Pixels across.
pub(crate) const WIDTH: f32 = 1200.0;

/// Left of the plane, where the names of bands and lanes stand.
pub(crate) const GUTTER: f32 = 168.0;

/// Around everything.
pub(crate) const MARGIN: f32 = 24.0;

/// Everything that is drawn of one call. Times count from the call's beginning; what lies behind `duration` is drawn at
/// its end, what is no number is left out.
#[derive(Debug, Clone)]
pub struct CallChart {
    /// What call this is.
    pub title: String,
    /// More of it, in small letters: date, codec, source.
    pub subtitle: String,
    /// The names of the two parties, for the lanes of who speaks: by default customer and agent. An empty second name
    /// says that only one can be heard, and leaves its lane out.
    pub parties: [String; 2],
    /// How long the call was; of more than 100 hours, the first 100 are drawn.
    pub duration: Duration,
    /// The customer's affect over time, in order.
    pub customer: Vec<Point>,
    /// Where alerts for distress begin, in `[0, 1]`.
    pub threshold: Option<f32>,
    /// When the customer spoke.
    pub customer_speech: Vec<Span>,
    /// When the agent spoke. That is all that is drawn of the agent: conduct, no affect.
    pub agent_speech: Vec<Span>,
    /// When the call was on hold.
    pub holds: Vec<Span>,
    /// When an announcement was played.
    pub announcements: Vec<Span>,
    /// Keys that were pressed.
    pub dtmf: Vec<Keypress>,
    /// Alerts that were raised, in order.
    pub alerts: Vec<Alert>,
    /// The call in a few words.
    pub summary: Vec<Fact>,
}

impl Default for CallChart {
    fn default() -> Self {
        Self {
            title: String::new(),
            subtitle: String::new(),
            parties: ["Customer".to_owned(), "Agent".to_owned()],
            duration: Duration::ZERO,
            customer: Vec::new(),
            threshold: None,
            customer_speech: Vec::new(),
            agent_speech: Vec::new(),
            holds: Vec::new(),
            announcements: Vec::new(),
            dtmf: Vec::new(),
            alerts: Vec::new(),
            summary: Vec::new(),
        }
    }
}

/// One estimate of the customer's affect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When it was made.
    pub at: Duration,
    /// Unpleasant to pleasant, in `[-1, 1]`.
    pub valence: f32,
    /// Calm to excited, in `[-1, 1]`.
    pub arousal: f32,
    /// In `[0, 1]`.
    pub distress: f32,
    /// In `[0, 1]`: drawn as opacity.
    pub confidence: f32,
    /// Whether the model declined to say; the other values don't count then.
    pub abstained: bool,
}

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Its beginning.
    pub from: Duration,
    /// Its end.
    pub to: Duration,
}

/// A key pressed during the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keypress {
    /// When.
    pub at: Duration,
    /// Which.
    pub key: char,
}

/// Something that called for attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// When.
    pub at: Duration,
    /// Which way things went.
    pub kind: AlertKind,
    /// What it says, in a word or two.
    pub label: String,
}

/// Which way things went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertKind {
    /// Worse: a triangle upwards.
    Raised,
    /// Better again: a triangle downwards.
    Calmed,
    /// Neither: a dot.
    Notice,
}

/// One figure of the summary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fact {
    /// What it is.
    pub label: String,
    /// The figure, with its unit.
    pub value: String,
}
