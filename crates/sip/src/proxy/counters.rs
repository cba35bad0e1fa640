//! The counters of the proxy, for metrics.

use crate::message::Method;

/// Counts since the proxy was built. Each only ever grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// New requests taken in, by method; neither retransmissions nor malformed ones.
    pub requests: Requests,
    /// Responses that arrived, by class; retransmissions included.
    pub responses_in: Responses,
    /// Responses sent upstream for the first time, by class: forwarded or of the proxy's own making.
    pub responses_out: Responses,
    /// Of those, the ones of the proxy's own making, 100 Trying included.
    pub responses_made: u64,
    /// Requests that arrived again and were absorbed or answered from memory.
    pub retransmissions_in: u64,
    /// Requests and final responses that were sent again when a timer fired.
    pub retransmissions_out: u64,
    /// Requests sent to a target; more than one for a request that failed over.
    pub requests_forwarded: u64,
    /// Responses forwarded.
    pub responses_forwarded: u64,
    /// Times a further target was tried after one failed.
    pub failovers: u64,
    /// Times a large request went over TCP instead of UDP.
    pub tcp_switches: u64,
    /// Times it came back to UDP since TCP failed.
    pub tcp_fallbacks: u64,
    /// Transport failures that hit a message still in need of its transport.
    pub transport_failures: u64,
    /// Final responses whose sender's connection was gone, and to which none could be made.
    pub undelivered: u64,
    /// Client transactions that ended by timer B or F, or some time after CANCEL.
    pub timeouts: u64,
    /// Calls answered with 503 since no target said a word in time.
    pub unanswered: u64,
    /// INVITEs given up by timer C.
    pub timer_c: u64,
    /// Empty or blank messages: keep-alives.
    pub keep_alives: u64,
    /// Messages that were not SIP, or so broken that nobody could be answered.
    pub malformed_dropped: u64,
    /// Requests answered with 400, 505 or 513 for their form.
    pub malformed_answered: u64,
    /// Requests answered with 416, 420, 482 or 483 before routing.
    pub refused: u64,
    /// Requests that had passed here before: 482.
    pub loops: u64,
    /// Requests answered with 503 since the tables were full.
    pub overloaded: u64,
    /// Requests that the routing decision rejected or dropped.
    pub unrouted: u64,
    /// Requests refused by the message filter.
    pub filter_refusals: u64,
    /// Responses whose top Via isn't ours.
    pub misdirected_responses: u64,
    /// Responses to no transaction known here (RFC 6026 §7.3: not forwarded).
    pub stray_responses: u64,
    /// Responses from elsewhere than where the request was sent.
    pub foreign_responses: u64,
    /// Answers that were not sent, since they would have been more, or larger, than what a source that may be forged
    /// should draw.
    pub answers_withheld: u64,
    /// ACKs absorbed or dropped: to failures, to stateless refusals, or that couldn't be routed.
    pub acks_absorbed: u64,
    /// CANCELs that met an INVITE.
    pub cancels: u64,
    /// CANCELs that met none: 481.
    pub stray_cancels: u64,
}

/// Requests by method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)] // each is the RFC's own name
pub struct Requests {
    pub invite: u64,
    pub ack: u64,
    pub bye: u64,
    pub cancel: u64,
    pub options: u64,
    pub register: u64,
    pub prack: u64,
    pub update: u64,
    pub info: u64,
    pub refer: u64,
    pub notify: u64,
    pub subscribe: u64,
    pub publish: u64,
    pub message: u64,
    /// Any other method.
    pub other: u64,
}

impl Requests {
    pub(super) fn count(&mut self, method: Method<'_>) {
        let counter = match method {
            Method::INVITE => &mut self.invite,
            Method::ACK => &mut self.ack,
            Method::BYE => &mut self.bye,
            Method::CANCEL => &mut self.cancel,
            Method::OPTIONS => &mut self.options,
            Method::REGISTER => &mut self.register,
            Method::PRACK => &mut self.prack,
            Method::UPDATE => &mut self.update,
            Method::INFO => &mut self.info,
            Method::REFER => &mut self.refer,
            Method::NOTIFY => &mut self.notify,
            Method::SUBSCRIBE => &mut self.subscribe,
            Method::PUBLISH => &mut self.publish,
            Method::MESSAGE => &mut self.message,
            _ => &mut self.other,
        };
        *counter += 1;
    }

    /// With the method's name in lower case, for labels.
    #[must_use]
    pub fn by_name(&self) -> [(&'static str, u64); 15] {
        [
            ("invite", self.invite),
            ("ack", self.ack),
            ("bye", self.bye),
            ("cancel", self.cancel),
            ("options", self.options),
            ("register", self.register),
            ("prack", self.prack),
            ("update", self.update),
            ("info", self.info),
            ("refer", self.refer),
            ("notify", self.notify),
            ("subscribe", self.subscribe),
            ("publish", self.publish),
            ("message", self.message),
            ("other", self.other),
        ]
    }
}

/// Responses by class: index 0 counts 1xx, index 5 counts 6xx.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Responses(pub [u64; 6]);

impl Responses {
    pub(super) fn count(&mut self, status: u16) {
        let class = usize::from(status / 100).saturating_sub(1);
        if let Some(counter) = self.0.get_mut(class) {
            *counter += 1;
        }
    }
}
