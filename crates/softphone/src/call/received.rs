//! What was received in a call, and who ended it.

use bytes::Bytes;

/// Who ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// This end.
    Us,
    /// The other end.
    Peer,
}

/// A request that came in the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// Its method.
    pub method: String,
    /// The whole message, as it came.
    pub message: Bytes,
}
