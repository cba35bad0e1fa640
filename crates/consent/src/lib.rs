//! Disclosure and consent: whether the customer of a call may be listened to, and the proof of it.
//!
//! Pure: no sockets, no clocks. Times are told.

#![forbid(unsafe_code)]

mod words;

pub use words::{Medium, Party, Policy, Say, Source, State, Telling, UnknownTelling};
