//! The response context of a request that is being forwarded (RFC 3261 §16.2).

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::Side;

use super::dialogs::Member;
use super::neighbours::Neighbour;
use super::output::Target;
use super::reply::ReplyPath;
use super::route::RoutePlan;
use super::table::Key;
use crate::Flow;
use crate::message::Message;
use crate::transaction::key::ServerKey;
use crate::transaction::{Server, earlier};

/// A request, the server transaction that it came by, and everything that is being tried for it.
#[derive(Debug)]
pub(super) struct ResponseContext {
    /// `None` for an ACK, which is forwarded without state as soon as its way is known.
    pub(super) server: Option<Server>,
    pub(super) id: Option<ServerKey>,
    /// The request as received; freed once a final response has been sent.
    pub(super) request: Option<Box<Message>>,
    pub(super) source: Flow,
    /// The peer that sent the request, by the configuration of that time.
    pub(super) peer: Option<Neighbour>,
    /// The number of transactions that the request counts as, and each of its attempts.
    pub(super) weight: usize,
    pub(super) reply: ReplyPath,
    /// The side that the request came from; the decision sets it.
    pub(super) from: Side,
    pub(super) stage: Stage,
    pub(super) plan: Option<Box<RoutePlan>>,
    pub(super) loops: u64,
    /// A mark proves that it belongs to a dialog which isn't held any more; whether its sender began that.
    pub(super) proven: Option<bool>,
    /// The peer that has begun the dialog it is in, or begins one with it.
    pub(super) caller: Option<Neighbour>,
    /// The set of dialogs that it is in, once it has been sent on.
    pub(super) member: Option<Member>,
    /// The filter has seen the request, and has to be told how it ends.
    pub(super) passed: bool,
    /// Still to be tried.
    pub(super) candidates: VecDeque<Candidate>,
    pub(super) attempts: Vec<Key>,
    /// Whether timer C has ended a target's ringing.
    pub(super) ring_timed_out: bool,
    /// The best failure so far, to be forwarded if nothing better comes.
    pub(super) best: Option<Box<Failure>>,
    /// Whether a target stayed silent.
    pub(super) timed_out: bool,
    /// Whether a client's own connection, by which alone it could be reached, was gone.
    pub(super) flow_failed: bool,
    /// Whether an INVITE's target was given up since it had not said a word.
    pub(super) unanswered: bool,
    /// The Reason lines of the CANCEL that ended it, if one did.
    pub(super) cancelled: Option<Vec<u8>>,
    /// The number in CSeq that it came with, if it is sent on with another.
    pub(super) renumbered: Option<u32>,
    /// The last response sent.
    pub(super) last: Option<Bytes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The shell has been asked for a route, and has to decide by then.
    Routing { until: Duration },
    /// The request has been forwarded.
    Forwarding,
    /// The request has had its final response, or will never have one.
    Settled,
}

/// A target yet to be tried.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) target: Target,
    /// UDP is used however large the request is: TCP has just failed.
    pub(super) udp_only: bool,
}

impl From<Target> for Candidate {
    fn from(target: Target) -> Self {
        Self { target, udp_only: false }
    }
}

/// A final response other than 2xx that wasn't forwarded yet.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) response: Message,
    pub(super) source: Flow,
}

impl Failure {
    /// The smaller, the rather it is forwarded (RFC 3261 §16.7 step 6).
    fn rank(&self) -> (u16, bool) {
        match self.response.status() {
            Some(600..) => (0, false),
            Some(status) => (status / 100, status == 503),
            None => (u16::MAX, true),
        }
    }
}

impl ResponseContext {
    /// Remembers a failure if it is the best so far; among equals the latest is.
    pub(super) fn offer(&mut self, failure: Failure) {
        if self.best.as_ref().is_none_or(|best| failure.rank() <= best.rank()) {
            self.best = Some(Box::new(failure));
        }
    }

    /// Whether a final response may still be sent.
    pub(super) fn is_pending(&self) -> bool {
        self.stage != Stage::Settled
    }

    /// No further target is tried, and what was kept for them goes.
    pub(super) fn settle(&mut self) -> Option<Box<Message>> {
        self.stage = Stage::Settled;
        self.candidates = VecDeque::new();
        self.best = None;
        self.plan = None;
        self.request.take()
    }

    /// Keeps a response for as long as it might have to be sent again.
    pub(super) fn keep(&mut self, status: u16, response: &Bytes) {
        let accepted = (200..300).contains(&status) && matches!(self.server, Some(Server::Invite(_)));
        // After a 2xx an INVITE is absorbed in silence; the 2xx comes again from the far end. Over TCP it may have to
        // go another way, or be known when its connection is gone.
        let wanted = !accepted || self.reply.to.transport.is_reliable();
        self.last = wanted.then(|| response.clone());
    }

    /// When something is next due.
    pub(super) fn next_timeout(&self) -> Option<Duration> {
        let routing = match self.stage {
            Stage::Routing { until } => Some(until),
            Stage::Forwarding | Stage::Settled => None,
        };
        earlier(routing, self.server.as_ref().and_then(Server::next_timeout))
    }
}
