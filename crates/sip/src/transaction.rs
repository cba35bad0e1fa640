//! Transactions (RFC 3261 §17, corrected by RFC 6026), told the time and what arrives.
//!
//! Each of the four machines is a few words of state: which state, and when its timers fire. It holds no
//! bytes and sends nothing; every input answers with what its owner has to do. An owner asks
//! `next_timeout` after each input and calls `timeout` when that time has come.
//!
//! | machine | figure |
//! | --- | --- |
//! | [`InviteClient`] | RFC 6026 §8.4, figure 5 of RFC 3261 with the Accepted state |
//! | [`NonInviteClient`] | RFC 3261 §17.1.2, figure 6 |
//! | [`InviteServer`] | RFC 6026 §8.5, figure 7 of RFC 3261 with the Accepted state |
//! | [`NonInviteServer`] | RFC 3261 §17.2.2, figure 8, with the 100 of RFC 4320 §4.1 |

use std::time::Duration;

mod invite_client;
mod invite_server;
pub(crate) mod key;
mod non_invite_client;
mod non_invite_server;
pub(crate) mod timer_queue;

pub use invite_client::InviteClient;
pub use invite_server::InviteServer;
pub use non_invite_client::NonInviteClient;
pub use non_invite_server::NonInviteServer;

/// Base values of the timers (RFC 3261 table 4); the others follow from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// Round-trip estimate: first retransmission interval. 500 ms.
    pub t1: Duration,
    /// Longest interval between retransmissions of non-INVITE requests and INVITE responses. 4 s.
    pub t2: Duration,
    /// How long a message may live in the network. 5 s.
    pub t4: Duration,
    /// INVITE client: without any response it ends after this. 64 × T1.
    pub b: Duration,
    /// INVITE through a proxy: after the last provisional response other than 100. More than 3 minutes.
    pub c: Duration,
    /// Non-INVITE client: without a final response it ends after this. 64 × T1.
    pub f: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            b: Duration::from_secs(32),
            c: Duration::from_secs(185),
            f: Duration::from_secs(32),
        }
    }
}

impl Timers {
    /// 64 × T1: timers H, J, L and M, and how long a cancelled INVITE may take to end (RFC 3261 §9.1).
    #[must_use]
    pub const fn long(&self) -> Duration {
        self.t1.saturating_mul(64)
    }

    /// Timer D: how long retransmitted final responses are acknowledged; at least 32 s over UDP.
    #[must_use]
    pub fn d(&self) -> Duration {
        self.long().max(Duration::from_secs(32))
    }

    /// How long timer E takes to reach T2: only then may a non-INVITE request get a 100 (RFC 4320 §4.1).
    #[must_use]
    pub fn e_reaches_t2(&self) -> Duration {
        let (mut elapsed, mut interval) = (Duration::ZERO, self.t1);
        while interval < self.t2 && !interval.is_zero() {
            elapsed = elapsed.saturating_add(interval);
            interval = interval.saturating_mul(2);
        }
        elapsed
    }
}

/// A client transaction's verdict on a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnResponse {
    /// Hand it to the transaction's user.
    Pass,
    /// Hand it to the user, and acknowledge it hop by hop.
    PassAndAck,
    /// A retransmission: acknowledge it again, and nothing more.
    Ack,
    /// Nothing.
    Absorb,
}

/// The action that a client transaction's timer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientTimeout {
    /// Nothing was due.
    Idle,
    /// Send the request again.
    Retransmit,
    /// No final response came in time: the transaction has ended, and its user has to know.
    TimedOut,
    /// The transaction has ended after its final response.
    Ended,
}

/// A server transaction's verdict on a request that is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnRequest {
    /// Send the last response again, if there was one.
    Resend,
    /// Hand it to the transaction's user: an ACK to a 2xx.
    Pass,
    /// Nothing.
    Absorb,
}

/// The action that a server transaction's timer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerTimeout {
    /// Nothing was due.
    Idle,
    /// No response was given yet: send 100 Trying.
    Trying,
    /// Send the last response again.
    Resend,
    /// The transaction has ended.
    Ended,
}

/// A client transaction of either kind.
#[derive(Debug, Clone)]
pub enum Client {
    /// For INVITE.
    Invite(InviteClient),
    /// For every other method but ACK.
    NonInvite(NonInviteClient),
}

impl Client {
    /// A response with this status arrived.
    pub fn response(&mut self, now: Duration, timers: &Timers, status: u16) -> OnResponse {
        match self {
            Self::Invite(machine) => machine.response(now, timers, status),
            Self::NonInvite(machine) => machine.response(now, timers, status),
        }
    }

    /// Acts on what is due.
    pub fn timeout(&mut self, now: Duration, timers: &Timers) -> ClientTimeout {
        match self {
            Self::Invite(machine) => machine.timeout(now),
            Self::NonInvite(machine) => machine.timeout(now, timers),
        }
    }

    /// When `timeout` is next wanted.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        match self {
            Self::Invite(machine) => machine.next_timeout(),
            Self::NonInvite(machine) => machine.next_timeout(),
        }
    }

    /// Whether no response has come yet.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_calling(),
            Self::NonInvite(machine) => machine.is_trying(),
        }
    }

    /// Whether a final response is still awaited.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_calling() || machine.is_proceeding(),
            Self::NonInvite(machine) => machine.is_pending(),
        }
    }

    /// Whether the transaction has ended.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_terminated(),
            Self::NonInvite(machine) => machine.is_terminated(),
        }
    }

    /// Sends the request no more, but goes on listening for responses until it times out.
    pub fn stop_retransmitting(&mut self) {
        match self {
            Self::Invite(machine) => machine.stop_retransmitting(),
            Self::NonInvite(machine) => machine.stop_retransmitting(),
        }
    }

    /// The transport failed, or the user has lost interest: ends at once.
    pub fn terminate(&mut self) {
        match self {
            Self::Invite(machine) => machine.terminate(),
            Self::NonInvite(machine) => machine.terminate(),
        }
    }
}

/// A server transaction of either kind.
#[derive(Debug, Clone)]
pub enum Server {
    /// For INVITE.
    Invite(InviteServer),
    /// For every other method but ACK.
    NonInvite(NonInviteServer),
}

impl Server {
    /// The request arrived again.
    #[must_use]
    pub fn request(&self) -> OnRequest {
        match self {
            Self::Invite(machine) => machine.request(),
            Self::NonInvite(machine) => machine.request(),
        }
    }

    /// The user wants to send a response with this status. Returns whether the transaction lets it.
    #[must_use]
    pub fn respond(&mut self, now: Duration, timers: &Timers, status: u16) -> bool {
        match self {
            Self::Invite(machine) => machine.respond(now, timers, status),
            Self::NonInvite(machine) => machine.respond(now, timers, status),
        }
    }

    /// Acts on what is due.
    pub fn timeout(&mut self, now: Duration, timers: &Timers) -> ServerTimeout {
        match self {
            Self::Invite(machine) => machine.timeout(now, timers),
            Self::NonInvite(machine) => machine.timeout(now),
        }
    }

    /// When `timeout` is next wanted.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        match self {
            Self::Invite(machine) => machine.next_timeout(),
            Self::NonInvite(machine) => machine.next_timeout(),
        }
    }

    /// Whether no final response has been sent.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_proceeding(),
            Self::NonInvite(machine) => machine.is_pending(),
        }
    }

    /// Whether the transaction has ended.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        match self {
            Self::Invite(machine) => machine.is_terminated(),
            Self::NonInvite(machine) => machine.is_terminated(),
        }
    }

    /// Ends at once.
    pub fn terminate(&mut self) {
        match self {
            Self::Invite(machine) => machine.terminate(),
            Self::NonInvite(machine) => machine.terminate(),
        }
    }
}

/// The earlier of two optional times.
pub(crate) fn earlier(a: Option<Duration>, b: Option<Duration>) -> Option<Duration> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Whether that time has come.
pub(crate) fn is_due(at: Option<Duration>, now: Duration) -> bool {
    at.is_some_and(|at| at <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_timers() {
        let timers = Timers::default();
        assert_eq!(timers.long(), Duration::from_secs(32));
        assert_eq!(timers.e_reaches_t2(), Duration::from_millis(3500));
        let fast = Timers { t1: Duration::from_millis(10), ..timers };
        assert_eq!(fast.d(), Duration::from_secs(32));
        assert_eq!(Timers { t1: Duration::ZERO, ..timers }.e_reaches_t2(), Duration::ZERO);
    }
}
