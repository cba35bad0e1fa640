//! Disclosure and consent: whether the customer of a call may be listened to, and the proof of it.
//!
//! Pure: no sockets, no clocks. Times are told. Only the list of numbers and the log of receipts touch files.

#![forbid(unsafe_code)]

pub mod machine;
pub mod numbering;
pub mod policy;
mod words;

pub use machine::{Action, Failure, Input, Machine, Record, Recording, Terms};
pub use words::{Medium, Party, Policy, Say, Source, State, Telling, UnknownTelling};
