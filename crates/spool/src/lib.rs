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
//!   acknowledged go first; beyond the bound the oldest go, read or not, and are counted as lost.
//! - What a customer objects to is erased in the file, where it stands, and each reader is told to erase it too
//!   ([`Content::Erasure`]). The erasure is noted before anybody learns of it ([`sidetone_events::Owed`]), so that a
//!   crash in between is made good at the next start.
//! - A file that is deleted, cut short or damaged while it is written is noticed with the next event: a new one is
//!   begun, what is left of the old one is kept beside it, and readers learn how many events they lack.
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
pub use file::{BESIDE, Batch, Item, ReaderName, ReaderState, SpoolFile, Status};
pub use writer::{Counters, Spool};
