//! Events kept on the disk until their readers have had them.
//!
//! A sink of the event bus may drop what it has no room for. The spool is for readers that must not miss an event: a
//! store, a warehouse, a CRM. [`Spool`] takes the events of the call book on a thread of its own and writes them to a
//! [`SpoolFile`]; a reader takes [`Page`]s of [`Entry`]s from it, from its own place on, and acknowledges them when it
//! has kept them. A reader that was away, or that ends between the two, gets the same entries again and knows them by
//! their event id.
//!
//! # What is promised
//!
//! - What has been written survives the end of the process and of the machine (SQLite's write-ahead log, `synchronous =
//!   FULL`).
//! - Places are given in order. A place that is missing stands for an event that was lost, so that a reader knows how
//!   many it lacks: [`Page::lost`].
//! - The file is bounded ([`SpoolConfig::max_bytes`], [`SpoolConfig::keep_days`]). Entries that each reader has
//!   acknowledged go first; beyond the bound the oldest go, read or not, and are counted as lost.
//! - What a customer objects to is erased in the file, where it stands, and each reader is told to erase it too
//!   ([`Content::Erasure`]). The erasure is noted before anybody learns of it ([`sidetone_events::Owed`]), so that a
//!   crash in between is made good at the next start.
//! - Nobody waits for it. Events that find its queue full are lost and counted.

#![forbid(unsafe_code)]

mod config;
mod entry;
mod error;
mod file;
#[cfg(test)]
mod testing;
mod writer;

pub use config::SpoolConfig;
pub use entry::{Content, Entry, Page, Position};
pub use error::SpoolError;
pub use file::{Batch, ReaderName, ReaderState, SpoolFile, Status};
pub use writer::{Counters, Spool};
