//! The filter through which a user of the proxy sees, edits and refuses the messages that are forwarded.

use std::net::SocketAddr;
use std::time::Duration;

use sidetone_call::Side;

use super::neighbours::Neighbour;
use crate::Flow;
use crate::message::{Edit, Message};

/// Where a message that is about to be forwarded came from, and its next hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ForwardContext {
    /// Time since the caller's epoch.
    pub now: Duration,
    /// The side the message came in by. For a response: the side of the party that answers.
    pub from: Side,
    /// The flow the message itself arrived on.
    pub source: Flow,
    /// The address that the message is about to be sent to: the next hop of a request; for a response, the
    /// neighbour that the request came from. Its family is the one that SDP towards it should use.
    pub toward: SocketAddr,
    /// Whether it is sent there by WebSocket: to a browser, which speaks DTLS-SRTP and nothing else (RFC 8827 §6.5).
    pub to_browser: bool,
    /// The peer that the message itself came from, as far as addresses tell.
    pub sender: Option<Neighbour>,
    /// The peer whose request has begun the dialog that the message is in, or begins one. A call is told by it as much
    /// as by its names, which anybody may write.
    pub caller: Option<Neighbour>,
}

impl ForwardContext {
    /// The sender of the request, where the message is one.
    #[must_use]
    pub const fn requester(&self) -> Requester {
        Requester { from: self.from, caller: self.caller }
    }

    /// The sender of the request that the message, a response, answers.
    #[must_use]
    pub const fn answered(&self) -> Requester {
        Requester { from: self.from.other(), caller: self.caller }
    }
}

/// The sender of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requester {
    /// The side that the request came in by.
    pub from: Side,
    /// The same as [`ForwardContext::caller`].
    pub caller: Option<Neighbour>,
}

/// A request that [`MessageFilter::request`] will not let through: answered with this final response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Final status, 300 to 699.
    pub status: u16,
    /// Reason phrase of the status line.
    pub reason: String,
}

/// A filter sees each message that is forwarded, and may edit it.
///
/// Every method must be idempotent: a retransmitted 2xx and its ACK pass again, and a request passes again when
/// failover tries another target (which may be of the other IP family). What is not edited leaves byte for byte.
/// Via, Max-Forwards, Route and Record-Route belong to the proxy and are not for the filter to edit.
pub trait MessageFilter {
    /// A request, ACK and in-dialog requests included, is about to be forwarded.
    ///
    /// # Errors
    /// A [`Refusal`] is sent back to the requester in place of forwarding (an ACK is dropped, as nothing may
    /// answer an ACK).
    fn request(&mut self, ctx: &ForwardContext, request: &Message, edit: &mut Edit) -> Result<(), Refusal>;

    /// The number that the request's CSeq shall have when it is forwarded, if not the one that it came with.
    /// RequestNames after [`MessageFilter::request`]; for one request the answer is always the same. Its responses bear
    /// the number that it came with again before [`MessageFilter::response`] sees them.
    fn number(&mut self, _: &ForwardContext, _: &Message) -> Option<u32> {
        None
    }

    /// A response, provisional or final, is about to be forwarded upstream.
    fn response(&mut self, ctx: &ForwardContext, response: &Message, edit: &mut Edit);

    /// The proxy itself ended `request` (as it was received) with a final response of its own making: 408, 487,
    /// 503, ... Called only if [`MessageFilter::request`] saw the request, and not for responses that
    /// [`MessageFilter::response`] saw.
    fn concluded(&mut self, now: Duration, requester: Requester, request: &Message, status: u16);

    /// A 2xx to an INVITE of `requester`'s, as it was sent on, did not get there, as far as can be told: its connection
    /// is gone, and no other could be made. Returns whether its sender is still without it: it may have been
    /// acknowledged before.
    fn undelivered(&mut self, _now: Duration, _requester: Requester, _response: &Message) -> bool {
        true
    }
}

/// A filter that lets every message through unseen.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFilter;

impl MessageFilter for NoFilter {
    fn request(&mut self, _: &ForwardContext, _: &Message, _: &mut Edit) -> Result<(), Refusal> {
        Ok(())
    }

    fn response(&mut self, _: &ForwardContext, _: &Message, _: &mut Edit) {}

    fn concluded(&mut self, _: Duration, _: Requester, _: &Message, _: u16) {}
}
