//! A request that the proxy originates itself, as a user agent client would.

use bytes::Bytes;

use super::destination::Destination;
use super::table::Key;
use crate::message::RequestBuilder;

/// A request of our own, for as long as it may have to be sent another way.
#[derive(Debug)]
pub(super) struct Originated {
    pub(super) head: RequestBuilder,
    pub(super) body: Bytes,
    /// The UDP destination, if the request went over TCP for its size alone.
    pub(super) udp: Option<Destination>,
    /// The attempt that is under way.
    pub(super) attempt: Option<Key>,
}
