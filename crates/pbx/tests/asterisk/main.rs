//! The links to Asterisk, against Asterisk 22 with the configuration in `deploy/asterisk`. Takes root, and SIPp.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // a failure is the message
#![allow(clippy::needless_pass_by_value)] // reads better where it is called

#[path = "../common/mod.rs"]
mod common;
mod dialplans;
mod events;
mod links;
mod office;
