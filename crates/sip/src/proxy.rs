//! A stateful, record-routing, dialog-transparent proxy core (RFC 3261 §16) without I/O.

pub mod passage;

pub use passage::{Passage, Passing, Refusal, Unobserved};
