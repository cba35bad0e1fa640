//! What happened in calls, kept to be asked about.
//!
//! A [`Store`] is a database: an SQLite file by default, a PostgreSQL by one line of configuration. A [`Feeder`] reads
//! the spool on a thread of its own and writes what each event says: the call's row, its timeline, its alerts. Pages,
//! reports and exports ask the store, and never the call path.
//!
//! # Guarantees
//!
//! - **Nothing is lost that the spool holds.** The store's position in the spool is written in the transaction that
//!   writes the events, and acknowledged to the spool afterwards. After a crash the same events come again and are
//!   recognised by call and number.
//! - **What a customer objects to is erased here too**, where it stands, when the spool's erasure entry comes.
//! - **What is too old is deleted** ([`StoreConfig::keep_calls_days`], [`StoreConfig::keep_timelines_days`]).
//! - **An older program leaves a newer store alone** ([`StoreError::Newer`]); a newer one brings an older store
//!   forward.
//! - Numbers are hashed before they come here.
//!
//! SQL is written once, in the part of it that both databases share; `database` hides what differs.

#![forbid(unsafe_code)]

mod access;
mod added;
mod audit;
mod config;
mod connection;
mod cues;
mod database;
mod error;
mod export;
mod feeder;
mod groups;
mod holdout;
mod identities;
mod invitations;
mod notes;
mod password;
mod people;
mod query;
mod readers;
mod retention;
mod schema;
mod scope;
mod store;
mod sums;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tls;
mod topics;
mod view;
mod write;

pub use access::{NewToken, Role, Token};
pub use added::{Added, CallOutcome, NotAdded, Survey};
pub use audit::{Access, AccessCursor};
pub use config::StoreConfig;
pub use connection::ConnectionFault;
pub use cues::{CueSum, KeptCue};
pub use error::StoreError;
pub use export::Table;
pub use feeder::{Counters, Feed, Feeder};
pub use groups::{FEWEST_AGENTS, SMALLEST_GROUP};
pub use holdout::HoldoutSum;
pub use identities::Identity;
pub use invitations::{Invitation, Invited, PATH as SURVEY_PATH};
pub use notes::{Moment, NewNote, Note, NoteKind, Noted, SelfNote};
pub use password::Password;
pub use people::Person;
pub use query::{
    Alert, Call, CallDetails, CallFilter, CallLength, CallPart, Cursor, Day, Grouping, Happened, NoCursor,
    Outcome, Point, REST,
};
pub use readers::Readers;
pub use retention::{Erased, Erasure};
pub use schema::Making;
pub use store::{BESIDE, FeedStatus, Status, Store};
pub use tls::CertificatesFault;
pub use topics::TopicSum;
pub use view::{KeptFilter, View};
