//! The event schema for calls, and the sinks that events leave the process by.
//!
//! An [`Event`] is a versioned envelope (`sidetone.event.v1`) around one thing that happened: the call began, the
//! caller grows upset, the call ended with this summary. [`Narrator`] makes one call's events in order, [`Bus`] hands
//! them to every sink without ever waiting for one, and [`Sinks`] runs the configured sinks: JSON lines to standard
//! output or to a rotated file, signed webhooks, a live stream of server-sent events.
//!
//! The schema is [`SCHEMA`], JSON Schema draft 2020-12; the tests validate events of every kind against it.
//! `docs/EVENTS.md` explains the words.
//!
//! # No phone number gets out
//!
//! Numbers enter an event in one place, [`CallRef::new`], and only as [`HashedNumber`]s, which can be made from text
//! only by hashing it. No field holds free text that a caller can influence but the SIP Call-ID, and that is masked if
//! it contains the number of a party. Labels are the PBX's words: a carrier's headers make none.
//!
//! ```compile_fail
//! let number: sidetone_events::HashedNumber = "+493012345678".into();
//! ```

#![forbid(unsafe_code)]

mod bus;
mod call_ref;
pub mod config;
pub mod emotionml;
mod event;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod hex;
mod id;
mod narrator;
mod number;
mod secret;
mod sink;
mod time;

pub use bus::{Bus, Erasure, Owed, Published, SinkCounts, Subscription};
pub use call_ref::{CallRef, Direction, Parties, SipCallId};
pub use event::*;
pub use id::{CallId, EventId, IdError};
pub use narrator::Narrator;
pub use number::{HashedNumber, NumberHasher, NumberHasherError};
pub use secret::{Revealed, Secret, SecretError};
pub use sink::sse::{Hub, STREAM_PATH, StallGuard, StreamCounts};
pub use sink::webhook::signature;
pub use sink::{SinkError, Sinks};
pub use time::Timestamp;
