//! The call book: what is known of every call that is up, and what follows from it for listeners, announcements, receipts
//! and whoever is told.
#![forbid(unsafe_code)]

mod calls;
mod consent;
mod counters;
mod decisions;
mod entry;
mod lookup;
mod quality;
mod receipts;
mod transfer;
mod view;
mod words;

pub use calls::{Calls, Judged, Numbers, OnList, RoutedTo, Rules};
pub use counters::CallCounters;
pub use entry::Phase;
pub use lookup::{NotOne, NotTaken};
pub use receipts::Receipts;
pub use view::{CallView, LegView, StreamView};

/// The running build.
pub const BUILD: &str = concat!("sidetone ", env!("CARGO_PKG_VERSION"));
