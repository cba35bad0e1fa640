//! Notification of a PBX in dialogs of its own signalling, and never of the other side.
//!
//! There are two ways, both of which carry the same parcels:
//!
//! | way | module | whose dialog |
//! | --- | --- | --- |
//! | NOTIFY (RFC 6665) | [`notifier`] | the PBX's own, made by its SUBSCRIBE to us |
//! | INFO (RFC 6086) | [`legs`], [`filter`] | the call's, between carrier and PBX; we are a proxy in it |
//!
//! NOTIFY is the clean way: a dialog between two parties, each with its own CSeq. INFO is for PBXs that can't
//! subscribe. There the PBX must take our INFO for its peer's, so it has to fit between the peer's requests: it is
//! numbered above the last of them, and each later request of the peer's is numbered higher than it came
//! ([`numbering`]), with every mention of such a number translated on its way. Only dialogs into which an INFO was
//! slipped are translated, from that INFO on; and none is slipped in unless the PBX has listed our package in
//! Recv-Info.
//!
//! Both are told the time and hand out requests to be sent; neither resolves a name nor sends a byte. At most one
//! request of ours is under way in a dialog. Parcels that wait are bounded in number and age.

pub(crate) mod dialog;
mod event;
pub mod filter;
mod ledger;
pub mod legs;
pub mod notifier;
pub mod numbering;
mod outbox;
mod recv_info;
mod subscription;

use bytes::Bytes;
use sidetone_call::Nature;

pub use filter::InfoFilter;
pub use ledger::{Counts, Ledger};
pub use legs::{LegId, Legs};
pub use notifier::{Ask, Notifier, Reply, SubscriptionId};

pub(crate) use event::EventHeader;
pub(crate) use recv_info::accepts;

use crate::message::RequestBuilder;

/// The name of both: Info-Package (RFC 6086 §7) and event package (RFC 6665 §5.4.1). Neither is registered.
pub const PACKAGE: &str = "x-sidetone-affect";

/// The user part by which a PBX subscribes: `sip:sidetone@HOST`.
pub const SERVICE_USER: &str = "sidetone";

/// One event to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// Content-Type of the body.
    pub content_type: &'static str,
    /// One event.
    pub body: Bytes,
    /// How it may be treated while it waits.
    pub nature: Nature,
}

/// A request to be sent, without its Via.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Start line and headers.
    pub head: RequestBuilder,
    /// The body; its Content-Type stands in `head`.
    pub body: Bytes,
}
