//! Requests that were received in a call, and the party that ended it.

use bytes::Bytes;

/// The party that ended a call.
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
    /// The request's method.
    pub method: String,
    /// The whole message, as it came.
    pub message: Bytes,
}
