//! One try to get a request answered by one target: a client transaction and what surrounds it.

use std::time::Duration;

use bytes::Bytes;

use super::destination::Destination;
use super::dialogs::RequestNames;
use super::output::{OriginatedKey, ProbeKey};
use super::table::Key;
use crate::message::Method;
use crate::transaction::{Client, NonInviteClient, earlier};

#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) owner: Owner,
    /// The unguessable part of its branch.
    pub(super) nonce: u64,
    pub(super) client: Client,
    pub(super) to: Destination,
    /// The request as sent: for retransmission, and to make ACK and CANCEL from. Freed with the final response.
    pub(super) sent: Bytes,
    /// Call-ID and tags of the request, where its responses are sent on.
    pub(super) names: Option<RequestNames>,
    /// The ACK to a failure, for when that failure comes again.
    pub(super) ack: Option<Bytes>,
    pub(super) cancel: Cancel,
    /// The next target is tried if this one is silent until then.
    pub(super) silent_until: Option<Duration>,
    /// When timer C fires (RFC 3261 §16.8).
    pub(super) timer_c_at: Option<Duration>,
    /// Timer C has fired: whatever failure comes now stands for a timeout.
    pub(super) timer_c_fired: bool,
    /// Another target is being tried since this one was silent. It may still accept.
    pub(super) superseded: bool,
    /// Goes over TCP only for its size, and UDP is next in line if that fails.
    pub(super) switched: bool,
}

/// The owner of an attempt, which waits for its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Context(Key),
    Probe(ProbeKey),
    Originated(OriginatedKey),
}

/// Whether the request is being cancelled.
#[derive(Debug)]
pub(super) enum Cancel {
    No,
    /// A CANCEL may not be sent before the target has said anything (RFC 3261 §9.1).
    WhenAnswered,
    Sent {
        client: NonInviteClient,
        bytes: Bytes,
    },
}

impl Attempt {
    pub(super) fn new(owner: Owner, client: Client, to: Destination) -> Self {
        Self {
            owner,
            nonce: 0,
            client,
            to,
            sent: Bytes::new(),
            names: None,
            ack: None,
            cancel: Cancel::No,
            silent_until: None,
            timer_c_at: None,
            timer_c_fired: false,
            superseded: false,
            switched: false,
        }
    }

    /// Whether a response with this method in CSeq can be to its request (RFC 3261 §17.1.3).
    pub(super) fn is_of(&self, method: Method<'_>) -> bool {
        match &self.client {
            Client::Invite(_) => method == Method::INVITE,
            Client::NonInvite(_) => {
                self.sent.is_empty()
                    || self
                        .sent
                        .strip_prefix(method.as_str().as_bytes())
                        .is_some_and(|rest| rest.starts_with(b" "))
            }
        }
    }

    /// The request has its final response: only copies of that have to be dealt with.
    pub(super) fn settle(&mut self) {
        self.sent = Bytes::new();
        self.silent_until = None;
        self.timer_c_at = None;
        if matches!(self.cancel, Cancel::WhenAnswered) {
            self.cancel = Cancel::No;
        }
    }

    /// Whether nothing is left to be done.
    pub(super) fn is_over(&self) -> bool {
        let cancelling = match &self.cancel {
            Cancel::Sent { client, .. } => !client.is_terminated(),
            Cancel::No | Cancel::WhenAnswered => false,
        };
        self.client.is_terminated() && !cancelling
    }

    /// When something is next due.
    pub(super) fn next_timeout(&self) -> Option<Duration> {
        let cancel = match &self.cancel {
            Cancel::Sent { client, .. } => client.next_timeout(),
            Cancel::No | Cancel::WhenAnswered => None,
        };
        let mine = earlier(self.silent_until, self.timer_c_at);
        earlier(earlier(self.client.next_timeout(), cancel), mine)
    }
}
