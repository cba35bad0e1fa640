//! The proxy's requests to its shell, and the shell's decisions.

use std::time::Duration;

use bytes::Bytes;
use sidetone_call::Side;

use super::destination::Destination;
use super::dialogs::Standing;
use super::flows::Steered;
use super::table::Key;
use crate::Flow;
use crate::uri::Uri;

/// An action for the shell.
#[derive(Debug, Clone)]
// One is made a request, and moved twice: a box would cost more than it saves.
#[allow(clippy::large_enum_variant)]
pub enum Output {
    /// Send these bytes as one message.
    Send {
        /// A whole message.
        bytes: Bytes,
        /// Where to.
        to: Destination,
        /// For connections: whether one may be opened. If not and there is none, that is a failure to send:
        /// responses go back on the connection of their request, and the proxy knows what else to try.
        connect: bool,
    },
    /// Decide where a request goes, and say so to [`super::Proxy::decide`], now or later.
    Route(RouteQuery),
    /// A probe has its answer.
    Probed {
        /// What [`super::Proxy::probe`] returned.
        key: ProbeKey,
        /// Status of the final response; `None` when none came or the transport failed.
        status: Option<u16>,
    },
    /// A final response could not be sent, neither where its request came from nor where its Via says.
    Undelivered {
        /// The response as it would have been sent.
        response: Bytes,
        /// Where it was to go last.
        to: Destination,
    },
    /// A request of our own has come to its end.
    Answered {
        /// What [`super::Proxy::originate`] returned.
        key: OriginatedKey,
        /// How.
        answer: Answer,
    },
}

/// How a request of our own ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// With a final response.
    Final {
        /// 200 to 699.
        status: u16,
        /// Its Retry-After, if it has one that can be read.
        retry_after: Option<Duration>,
    },
    /// No final response came in time.
    Silence,
    /// The request could not be sent.
    Unsent,
    /// The request was taken back by [`super::Proxy::recall`]; whether it had arrived is not known.
    Recalled,
}

/// Names a request that waits for its [`Decision`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RouteKey(pub(super) Key);

/// Names a probe under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProbeKey(pub(super) u64);

/// Names a request of our own under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OriginatedKey(pub(super) u64);

/// A request in need of a destination.
#[derive(Debug, Clone)]
pub struct RouteQuery {
    /// To be given back with the decision.
    pub key: RouteKey,
    /// How its destination is to be found.
    pub kind: RouteKind,
    /// Whether it belongs to a dialog.
    pub standing: Standing,
    /// As written.
    pub method: String,
    /// As written; what a strict router had hidden in Route is back in place.
    pub request_uri: String,
    /// Where it came from.
    pub source: Flow,
    /// As written.
    pub call_id: String,
    /// From's tag.
    pub from_tag: String,
    /// To's tag: that of a request within a dialog, or of one that says so.
    pub to_tag: Option<String>,
}

/// How a request finds its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteKind {
    /// Out of dialog: by configuration.
    Initial,
    /// In-dialog, or steered by Route or Path: the next hop is given and only has to be resolved. Whether it may be
    /// sent there is the shell's to say.
    Onward {
        /// A sip URI.
        next_hop: Uri,
    },
    /// Steered by the token of a client's connection in our Path: to that connection, or nowhere.
    Flow {
        /// A sip URI: the client's Contact, or a proxy behind the same connection.
        next_hop: Uri,
        /// Where the token leads.
        to: Steered,
    },
    /// For [`super::Settings::service_user`], which is us: a SUBSCRIBE, or what comes in a dialog with it. Nothing to
    /// be sent on, but to be answered.
    Service {
        /// As it came.
        request: Bytes,
        /// The tag that its To gets in the answer, if it has none.
        tag: String,
        /// Our Contact, as its sender reaches us.
        contact: String,
    },
}

/// The shell's decision on a request.
#[derive(Debug, Clone)]
pub enum Decision {
    /// Send it on.
    Forward {
        /// The side that the request came from.
        from: Side,
        /// Tried one after the other: the next when one is silent, can't be reached, or answers 503. At most
        /// [`MAX_TARGETS`] are tried.
        targets: Vec<Target>,
    },
    /// Answer it.
    Reject {
        /// Final status, 300 to 699.
        status: u16,
        /// Reason phrase.
        reason: String,
        /// Further headers of the response, such as Retry-After.
        headers: Vec<(String, String)>,
    },
    /// Accept it, as far as it is [`RouteKind::Service`].
    Accept {
        /// Final status, 200 to 299.
        status: u16,
        /// Further headers of the response.
        headers: Vec<(String, String)>,
    },
    /// Send no response: the sender has no business here. It has not been sent a 100 either.
    Drop,
}

/// The most targets that one request tries.
pub const MAX_TARGETS: usize = 8;

/// One way to send a request on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where to.
    pub to: Destination,
    /// The Request-URI to send it with, when it isn't to stay as it came.
    pub rewrite_uri: Option<Uri>,
    /// How long it may stay entirely silent, where [`super::Settings::failover_after`] would be too long: a host that
    /// is believed to be down.
    pub patience: Option<Duration>,
}

impl From<Destination> for Target {
    fn from(to: Destination) -> Self {
        Self { to, rewrite_uri: None, patience: None }
    }
}
