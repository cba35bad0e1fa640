//! Disclosure and consent: whether the customer of a call may be listened to, and the proof of it.
//!
//! No sockets, no clocks: the time is an input. Only the list of numbers and the log of receipts touch files.

#![forbid(unsafe_code)]

#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod hex;
mod html;
mod language;
pub mod list;
pub mod log;
pub mod machine;
mod moment;
pub mod numbering;
pub mod page;
pub mod permit;
pub mod policy;
pub mod receipt;
mod replace;
pub mod report;
mod words;

pub use list::List;
pub use log::{Entry, Log};
pub use machine::{Action, Failure, Input, Machine, Record, Recording, Terms};
pub use moment::Moment;
pub use permit::{ListeningPermit, RecordingPermit};
pub use receipt::{HashedNumber, Receipt};
pub use words::{Medium, Party, Policy, Say, Source, State, Telling, UnknownTelling};
