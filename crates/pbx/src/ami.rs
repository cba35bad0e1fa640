//! Asterisk's manager interface (AMI): lines over TCP.
//!
//! Channels are identified by their unique ids, which survive a rename. The manager user needs `read =
//! call,dialplan,user` and `write = call,user,reporting`.

mod message;
mod session;

#[cfg(feature = "fuzz")]
pub(crate) use message::{Action, Reader, unescape};
pub(crate) use session::AmiSession;
