//! What a call is like, from what was heard in it: pure functions over a timeline.
//!
//! A [`Call`] is told when each leg speaks, how the customer seems to feel, and when the call is on hold. It answers
//! with [`Insight`]s: an [`AffectUpdate`] for each second of the customer's speech that could be judged, an [`Alert`]
//! when the caller grows upset and another when they have calmed down, and the [`Conduct`] of both legs. At the end,
//! [`Call::summary`] tells the whole call in one page, and [`Call::timeline`] draws it.
//!
//! Nothing here asks a clock, a socket or a random number: time is a [`Duration`](std::time::Duration) since the
//! call's INVITE was seen, and the same input gives the same output, so that a replay of a call is the call.
//! Memory is bounded however long the call lasts.
//!
//! # Customers, not employees
//!
//! Inferring the emotions of people at work from their voice is prohibited in the European Union (Regulation
//! (EU) 2024/1689, Article 5(1)(f)). No type here can hold an agent's feelings: affect is told without naming a leg,
//! because there is one leg it can be about, and every result about feelings carries
//! [`CustomerOnly`](sidetone_call::CustomerOnly), which has one value. Of the agent only conduct is measured: talk
//! share, overlap, pace, latency.
//!
//! ```compile_fail
//! use sidetone_call::{Estimate, Leg};
//! use sidetone_insight::{Call, Thresholds};
//! use std::time::Duration;
//! let mut call = Call::new(Thresholds::default());
//! call.affect(Leg::Agent, Duration::ZERO, &Estimate::default()); // there is no such thing to say
//! ```
//!
//! ```
//! use sidetone_insight::AffectUpdate;
//! let agents = r#"{"leg": "agent", "valence": 0.5}"#;
//! let refused = serde_json::from_str::<AffectUpdate>(agents).unwrap_err().to_string();
//! assert!(refused.contains("affect is a customer's"));
//! ```
//!
//! # A call in small
//!
//! ```
//! use sidetone_call::{Estimate, Leg};
//! use sidetone_insight::{Call, Insight, Thresholds};
//! use std::time::Duration;
//!
//! let mut call = Call::new(Thresholds::default());
//! for half in 2..60 {
//!     let at = Duration::from_millis(half * 500);
//!     call.speech(Leg::Customer, at - Duration::from_millis(500), at);
//!     let distress = if half < 20 { 0.1 } else { 0.95 };
//!     let sample = Estimate { valence: -distress, arousal: distress, distress, confidence: 0.9, ..Default::default() };
//!     call.affect(at, &sample);
//!     call.advance(at);
//! }
//! let mut alerts = 0;
//! while let Some((_at, insight)) = call.poll() {
//!     alerts += u32::from(matches!(insight, Insight::Alert(_)));
//! }
//! assert_eq!(alerts, 1);
//! ```

#![forbid(unsafe_code)]

mod affect;
mod call;
mod conduct;
pub mod cues;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
pub mod millis;
mod number;
mod period;
mod spelling;
mod summary;
mod thresholds;
mod timeline;
mod words;

pub use affect::{AffectUpdate, Alert, AlertKind, Basis, Phase, Relative, State, Trend};
pub use call::{Call, CallKept, Insight};
pub use conduct::{Conduct, LegConduct, Pace, Response};
pub use period::Period;
pub use spelling::{did_you_mean, nearest};
pub use summary::{AlertSpan, Alerts, Analysis, Moment, Sentiment, Summary};
pub use thresholds::{
    AlertThresholds, ConductThresholds, FusionThresholds, SmoothingThresholds, Thresholds, ThresholdsError,
};
pub use timeline::TimelinePoint;
pub use words::{WordsFinal, WordsSummary, WordsTopic};
