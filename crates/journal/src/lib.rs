//! The call journal: what calls need to outlive the process that carries them.
//!
//! Whoever knows a part of a call writes it down whenever it has changed, by a [`Pen`], which never waits. A thread
//! brings the newest state of each part to an SQLite file; what is superseded is overwritten. The next process reads
//! the file once, at its start ([`Journal::open`]), and its clock goes on where the one before had it, so that every
//! time that was written down means the same to both.
//!
//! What was written survives the end of the process, however it ends. It does not survive that of the machine, nor need
//! it: calls don't either.
//!
//! The file holds numbers and addresses of the parties, as their messages have them. It is readable for its owner
//! alone. Keys stand in it sealed, by a secret of another file.

mod clock;
mod config;
mod error;
mod file;
mod part;
mod seal;
mod writer;

pub use config::JournalConfig;
pub use error::JournalError;
pub use file::{BESIDE, FORMAT, Life, Parts, Standing, examine};
pub use part::Part;
pub use seal::Seal;
pub use writer::{Counters, Journal, Pen};
