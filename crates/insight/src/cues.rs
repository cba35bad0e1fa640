//! Cues: one short line that the agent can act on, while the call goes on.
//!
//! A [`CueSet`] has the rules; a [`Coach`] decides for one call which cue is shown; a [`Situation`] gathers what is
//! told about the call, and gives the [`Moment`] that conditions are about. All of it is pure: the same call gives the
//! same cues, so a recording or a list of events can be replayed.
//!
//! One cue is shown at a time. It goes when what caused it has passed, or at the latest after its own time; a call is
//! shown few of them, with a gap between ([`CueSet::most`], [`CueSet::gap`]). What the agent is told about is what they
//! do, or how the customer seems; never how the agent feels.
//!
//! ```
//! use sidetone_insight::cues::{Coach, CueSet, CueTold, Situation};
//! use sidetone_call::Leg;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! let mut set = CueSet::default();
//! set.add(r#"
//!     [[cue]]
//!     id = "hold-check"
//!     when = ["hold > 45s"]
//!     line.en = "On hold for {hold}: let them know you are still there."
//! "#)?;
//! let (mut coach, mut situation) = (Coach::new(Arc::new(set)), Situation::default());
//! situation.hold(Leg::Agent, Duration::from_secs(10));
//! let told = coach.step(Duration::from_secs(60), &situation.moment(Duration::from_secs(60)));
//! let [CueTold::Shown(cue)] = told.as_slice() else { panic!("one cue") };
//! assert_eq!(cue.line, "On hold for 50 s: let them know you are still there.");
//! # Ok::<(), sidetone_insight::cues::CueSetError>(())
//! ```

mod coach;
mod condition;
mod example;
mod measure;
mod rule;
mod set;
mod situation;
#[cfg(test)]
mod tests;
mod told;
mod written;

pub(crate) use coach::CoachKept;
pub use coach::{Coach, CueTold};
pub use condition::{Condition, NotACondition};
pub use example::{Example, ExampleError};
pub use measure::{Aspect, Measure, Scale};
pub use rule::{Cue, CueFault, HIGHEST, Line};
pub use set::{CueSet, CueSetError};
pub use situation::{Moment, Running, Situation};
pub use told::{Answer, Cause, Cleared, CueCleared, CueJudged, CueShown, CueText, CueWithheld};
pub use written::Suggestion;
