//! An upgrade without hanging up: the running process starts its successor, lets it prepare, gives it its sockets, and
//! ends once that is up. Calls themselves go by the call journal.
//!
//! ```text
//! running                                successor
//!    | starts it, with a channel for stdin   |
//!    |-------------------------------------->|
//!    |                                       | reads the configuration, loads models, tries them
//!    |            Prepared, or Unfit         |
//!    |<--------------------------------------|
//!    | stops reading its sockets,            |
//!    | writes down its calls, lets files go  |
//!    |   Sockets (SCM_RIGHTS), ..., Go       |
//!    |-------------------------------------->|
//!    |                                       | carries the calls on
//!    |                  Up                   |
//!    |<--------------------------------------|
//!    | ends                                  |
//! ```
//!
//! What comes in the meantime waits in the sockets, which are never closed. If no `Up` comes, the running process ends
//! its successor and executes itself anew, with the same sockets: [`go_back`].

mod channel;
mod inherited;
mod notify;
mod predecessor;
mod successor;

pub use channel::Trouble;
pub use inherited::{Inherited, doubled};
pub use notify::tell_service_manager;
pub use predecessor::Predecessor;
pub use successor::{Program, Successor, Unfit, go_back};
