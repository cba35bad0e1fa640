//! Non-INVITE server transaction (RFC 3261 §17.2.2, RFC 4320 §4).

use std::time::Duration;

use super::{OnRequest, ServerTimeout, Timers, earlier, is_due};
use crate::Transport;

/// Absorbs retransmitted requests, and repeats the response when one arrives after it.
///
/// In RFC 3261 a server transaction without a response has no end. Here it ends when its client's timer F must
/// have fired, since a response after that does harm (RFC 4320 §3).
#[derive(Debug, Clone)]
pub struct NonInviteServer {
    state: State,
    reliable: bool,
    /// When 100 is due.
    trying_at: Option<Duration>,
    /// The end of the client's patience, or timer J.
    expires_at: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

impl NonInviteServer {
    /// A request has just arrived.
    #[must_use]
    pub fn start(now: Duration, timers: &Timers, transport: Transport) -> Self {
        Self {
            state: State::Trying,
            reliable: transport.is_reliable(),
            trying_at: Some(now + timers.e_reaches_t2()),
            expires_at: Some(now + timers.f.max(timers.long())),
        }
    }

    /// The request arrived again.
    #[must_use]
    pub fn request(&self) -> OnRequest {
        match self.state {
            State::Proceeding | State::Completed => OnRequest::Resend,
            State::Trying | State::Terminated => OnRequest::Absorb,
        }
    }

    /// The user wants to send a response with this status. Returns whether the transaction lets it.
    ///
    /// Lets through neither a provisional response other than 100 (RFC 4320 §4.1) nor a 408 (§4.2).
    #[must_use]
    pub fn respond(&mut self, now: Duration, timers: &Timers, status: u16) -> bool {
        match (self.state, status) {
            (State::Trying, 100) => {
                self.state = State::Proceeding;
                self.trying_at = None;
                true
            }
            (State::Trying | State::Proceeding, 408) => false,
            (State::Trying | State::Proceeding, 200..) => {
                self.trying_at = None;
                if self.reliable {
                    self.terminate();
                } else {
                    self.state = State::Completed;
                    self.expires_at = Some(now + timers.long());
                }
                true
            }
            _ => false,
        }
    }

    /// Acts on what is due.
    pub fn timeout(&mut self, now: Duration) -> ServerTimeout {
        if is_due(self.expires_at, now) {
            self.terminate();
            return ServerTimeout::Ended;
        }
        if is_due(self.trying_at, now) {
            self.trying_at = None;
            return ServerTimeout::Trying;
        }
        ServerTimeout::Idle
    }

    /// When [`timeout`](Self::timeout) is next wanted.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        earlier(self.trying_at, self.expires_at)
    }

    /// Ends at once.
    pub fn terminate(&mut self) {
        self.state = State::Terminated;
        self.trying_at = None;
        self.expires_at = None;
    }

    /// Whether no final response has been sent.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Trying | State::Proceeding)
    }

    /// Whether the transaction has ended.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }
}
