//! A message as it was on the wire.

use bytes::Bytes;
use sidetone_call::Side;
use sidetone_sip::Flow;
use std::time::Duration;

/// The direction of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From a peer to Sidetone.
    In,
    /// From Sidetone to a peer.
    Out,
}

/// One message, as it was on the wire.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) at: Duration,
    pub(crate) way: Way,
    pub(crate) flow: Flow,
    /// The peer at the other end, if the address belongs to one.
    pub(crate) peer: Option<(Side, String)>,
    pub(crate) bytes: Bytes,
}

/// The target by which the log's filter selects SIP messages.
pub(crate) const TARGET: &str = "sidetone::sip";
