//! Non-INVITE client transaction (RFC 3261 §17.1.2).

use std::time::Duration;

use super::{ClientTimeout, OnResponse, Timers, earlier, is_due};
use crate::Transport;

/// Sends a request until its final response comes, and absorbs that response's retransmissions.
#[derive(Debug, Clone)]
pub struct NonInviteClient {
    state: State,
    reliable: bool,
    /// Timer E.
    retransmit_at: Option<Duration>,
    interval: Duration,
    /// Timer F or K, as the state has it.
    expires_at: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Trying,
    Proceeding,
    Completed,
    Terminated,
}

impl NonInviteClient {
    /// The request has just been sent.
    #[must_use]
    pub fn start(now: Duration, timers: &Timers, transport: Transport) -> Self {
        let reliable = transport.is_reliable();
        Self {
            state: State::Trying,
            reliable,
            retransmit_at: (!reliable).then(|| now + timers.t1),
            interval: timers.t1,
            expires_at: Some(now + timers.f),
        }
    }

    /// A response with this status arrived.
    pub fn response(&mut self, now: Duration, timers: &Timers, status: u16) -> OnResponse {
        match (self.state, status) {
            (State::Trying | State::Proceeding, 100..=199) => {
                self.state = State::Proceeding;
                OnResponse::Pass
            }
            (State::Trying | State::Proceeding, 200..) => {
                if self.reliable {
                    self.terminate();
                } else {
                    self.state = State::Completed;
                    self.retransmit_at = None;
                    self.expires_at = Some(now + timers.t4);
                }
                OnResponse::Pass
            }
            _ => OnResponse::Absorb,
        }
    }

    /// Acts on what is due.
    pub fn timeout(&mut self, now: Duration, timers: &Timers) -> ClientTimeout {
        if is_due(self.expires_at, now) {
            let pending = self.is_pending();
            self.terminate();
            return if pending { ClientTimeout::TimedOut } else { ClientTimeout::Ended };
        }
        if is_due(self.retransmit_at, now) {
            self.interval = match self.state {
                State::Trying => self.interval.saturating_mul(2).min(timers.t2),
                _ => timers.t2,
            };
            self.retransmit_at = Some(now + self.interval);
            return ClientTimeout::Retransmit;
        }
        ClientTimeout::Idle
    }

    /// When [`timeout`](Self::timeout) is next wanted.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        earlier(self.retransmit_at, self.expires_at)
    }

    /// Gives up at another time than timer F.
    pub fn expire_at(&mut self, at: Duration) {
        if self.is_pending() {
            self.expires_at = Some(at);
        }
    }

    /// Sends the request no more, but goes on listening until timer F.
    pub fn stop_retransmitting(&mut self) {
        self.retransmit_at = None;
    }

    /// Ends at once.
    pub fn terminate(&mut self) {
        self.state = State::Terminated;
        self.retransmit_at = None;
        self.expires_at = None;
    }

    /// Whether no response has come yet.
    #[must_use]
    pub fn is_trying(&self) -> bool {
        self.state == State::Trying
    }

    /// Whether a final response is still awaited.
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
