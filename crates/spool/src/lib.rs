//! Events kept on the disk until their readers have had them.
//!
//! A sink of the event bus may drop events that it has no room for. The spool is for readers that must not miss an
//! event: a store, a warehouse, a CRM. [`Spool`] takes the events of the call book on a thread of its own and writes
//! them to a [`SpoolFile`]. A reader takes [`Page`]s of [`Entry`]s from there, from its own position on, and
//! acknowledges them when it has kept them. A reader that was away, or that ends between the two, gets the same entries
//! again and recognises them by their event id.
//!
//! # Guarantees
//!
//! - Written events survive the end of the process and of the machine (SQLite's write-ahead log, `synchronous = FULL`).
//! - Positions are assigned in order. A missing position stands for a lost event, so that a reader knows how many it
//!   lacks: [`Page::lost`].
//! - The file is bounded ([`SpoolConfig::max_bytes`], [`SpoolConfig::keep_days`]). Entries that each reader has
//!   acknowledged are deleted first; beyond the bound the oldest are deleted, read or not, and are counted as lost.
//! - Inferences that a customer objects to are erased in the file, in place, and each reader is told to erase them too
//!   ([`Content::Erasure`]). The erasure is noted before it is made known ([`sidetone_events::Owed`]), so that after a
//!   crash the next start completes it.
//! - No caller waits for the spool. Events that find its queue full are lost and counted.

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
