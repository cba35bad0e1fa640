//! How the customer seems to feel: estimates in, smoothed state and alerts out.

mod alert;
mod edges;
mod fusion;
mod sample;
mod smooth;
mod track;
mod update;

pub use alert::{Alert, AlertKind, Phase};
pub use fusion::Basis;
pub use update::{AffectUpdate, Relative, State, Trend};

pub(crate) use fusion::{Lift, Words};
pub(crate) use sample::Sound;
pub(crate) use smooth::Smooth;
pub(crate) use track::{AffectTrack, Outcome};
