//! INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §8.4).

use std::time::Duration;

use super::{ClientTimeout, OnResponse, Timers, earlier, is_due};
use crate::Transport;

/// Sends INVITE until something answers, acknowledges failures hop by hop, and lets every 2xx through.
#[derive(Debug, Clone)]
pub struct InviteClient {
    state: State,
    reliable: bool,
    /// Timer A.
    retransmit_at: Option<Duration>,
    interval: Duration,
    /// Timer B, D or M, as the state has it; or the end of waiting after CANCEL.
    expires_at: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Calling,
    Proceeding,
    Completed,
    Accepted,
    Terminated,
}

impl InviteClient {
    /// The INVITE has just been sent.
    #[must_use]
    pub fn start(now: Duration, timers: &Timers, transport: Transport) -> Self {
        let reliable = transport.is_reliable();
        Self {
            state: State::Calling,
            reliable,
            retransmit_at: (!reliable).then(|| now + timers.t1),
            interval: timers.t1,
            expires_at: Some(now + timers.b),
        }
    }

    /// A response with this status arrived.
    pub fn response(&mut self, now: Duration, timers: &Timers, status: u16) -> OnResponse {
        match (self.state, status) {
            (State::Calling, 100..=199) => {
                self.enter(State::Proceeding, None);
                OnResponse::Pass
            }
            (State::Proceeding, 100..=199) => OnResponse::Pass,
            (State::Calling | State::Proceeding, 200..=299) => {
                // Timer M: other forks may accept too, and each 2xx comes again until its ACK arrives.
                self.enter(State::Accepted, Some(now + timers.long()));
                OnResponse::Pass
            }
            (State::Accepted, 200..=299) => OnResponse::Pass,
            (State::Calling | State::Proceeding, 300..) => {
                if self.reliable {
                    self.enter(State::Terminated, None);
                } else {
                    self.enter(State::Completed, Some(now + timers.d()));
                }
                OnResponse::PassAndAck
            }
            (State::Completed, 300..) => OnResponse::Ack,
            _ => OnResponse::Absorb,
        }
    }

    /// Acts on what is due.
    pub fn timeout(&mut self, now: Duration) -> ClientTimeout {
        if is_due(self.expires_at, now) {
            let pending = self.is_calling() || self.is_proceeding();
            self.terminate();
            return if pending { ClientTimeout::TimedOut } else { ClientTimeout::Ended };
        }
        if is_due(self.retransmit_at, now) {
            self.interval = self.interval.saturating_mul(2);
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

    /// CANCEL has been sent: without a final response the transaction times out then (RFC 3261 §9.1).
    pub fn expire_at(&mut self, at: Duration) {
        if self.is_calling() || self.is_proceeding() {
            self.expires_at = Some(at);
        }
    }

    /// Sends the request no more, but goes on listening until timer B.
    pub fn stop_retransmitting(&mut self) {
        self.retransmit_at = None;
    }

    /// Ends at once.
    pub fn terminate(&mut self) {
        self.enter(State::Terminated, None);
    }

    /// Whether no response has come yet.
    #[must_use]
    pub fn is_calling(&self) -> bool {
        self.state == State::Calling
    }

    /// Whether there was a provisional response but no final one.
    #[must_use]
    pub fn is_proceeding(&self) -> bool {
        self.state == State::Proceeding
    }

    /// Whether the transaction has ended.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    fn enter(&mut self, state: State, expires_at: Option<Duration>) {
        self.state = state;
        self.retransmit_at = None;
        self.expires_at = expires_at;
    }
}
