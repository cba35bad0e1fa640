//! How the customer seems to feel: estimates in, smoothed state and alerts out.

mod alert;
mod edges;
mod sample;
mod smooth;
mod track;
mod update;

pub use alert::{Alert, AlertKind, Phase};
pub use update::{AffectUpdate, Relative, State, Trend};

pub(crate) use track::AffectTrack;
