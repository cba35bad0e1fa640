//! INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §8.5).

use std::time::Duration;

use super::{OnRequest, ServerTimeout, Timers, earlier, is_due};
use crate::Transport;

/// RFC 3261 §17.2.1: a user that takes longer has to be covered by a 100.
const TRYING_WITHIN: Duration = Duration::from_millis(200);

/// Absorbs retransmitted INVITEs, repeats a failure until its ACK comes, and lets every 2xx through.
#[derive(Debug, Clone)]
pub struct InviteServer {
    state: State,
    reliable: bool,
    /// Before any response: when 100 is due. In Completed: timer G.
    send_at: Option<Duration>,
    interval: Duration,
    /// Timer H, I or L, as the state has it.
    expires_at: Option<Duration>,
    /// A failure is repeated only when the INVITE is.
    quiet: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Proceeding,
    Completed,
    Confirmed,
    Accepted,
    Terminated,
}

impl InviteServer {
    /// An INVITE has just arrived.
    #[must_use]
    pub fn start(now: Duration, transport: Transport) -> Self {
        Self {
            state: State::Proceeding,
            reliable: transport.is_reliable(),
            send_at: Some(now + TRYING_WITHIN),
            interval: Duration::ZERO,
            expires_at: None,
            quiet: false,
        }
    }

    /// From now on a failure goes out once for each copy of the INVITE, and not by timer G: nothing shows that the
    /// source address is not forged, and nobody shall be sent more than was asked in its name. If the failure is lost,
    /// the INVITE comes again; so this is not for INVITEs that have had a provisional response, after which they don't.
    pub fn answer_quietly(&mut self) {
        self.quiet = true;
    }

    /// The INVITE arrived again.
    #[must_use]
    pub fn request(&self) -> OnRequest {
        match self.state {
            State::Proceeding | State::Completed => OnRequest::Resend,
            State::Confirmed | State::Accepted | State::Terminated => OnRequest::Absorb,
        }
    }

    /// An ACK arrived that matches this transaction.
    pub fn ack(&mut self, now: Duration, timers: &Timers) -> OnRequest {
        match self.state {
            State::Completed if self.reliable => {
                self.terminate();
                OnRequest::Absorb
            }
            State::Completed => {
                // Timer I: further copies of this ACK.
                self.enter(State::Confirmed, Some(now + timers.t4));
                OnRequest::Absorb
            }
            State::Accepted => OnRequest::Pass,
            State::Proceeding | State::Confirmed | State::Terminated => OnRequest::Absorb,
        }
    }

    /// The user wants to send a response with this status. Returns whether the transaction lets it.
    ///
    /// A 2xx is let through even after another final response, as RFC 3261 §16.7 step 5 asks of a proxy.
    #[must_use]
    pub fn respond(&mut self, now: Duration, timers: &Timers, status: u16) -> bool {
        match (self.state, status) {
            (State::Proceeding, 100..=199) => {
                self.send_at = None;
                true
            }
            (State::Proceeding, 200..=299) => {
                // Timer L: INVITEs still under way are absorbed, later 2xx still pass.
                self.enter(State::Accepted, Some(now + timers.long()));
                true
            }
            (State::Proceeding, 300..) => {
                self.enter(State::Completed, Some(now + timers.long()));
                self.interval = timers.t1;
                self.send_at = (!self.reliable && !self.quiet).then(|| now + timers.t1);
                true
            }
            (State::Accepted | State::Completed | State::Confirmed, 200..=299) => true,
            _ => false,
        }
    }

    /// Acts on what is due.
    pub fn timeout(&mut self, now: Duration, timers: &Timers) -> ServerTimeout {
        if is_due(self.expires_at, now) {
            self.terminate();
            return ServerTimeout::Ended;
        }
        if !is_due(self.send_at, now) {
            return ServerTimeout::Idle;
        }
        if self.state == State::Proceeding {
            self.send_at = None;
            return ServerTimeout::Trying;
        }
        self.interval = self.interval.saturating_mul(2).min(timers.t2);
        self.send_at = Some(now + self.interval);
        ServerTimeout::Resend
    }

    /// When [`timeout`](Self::timeout) is next wanted.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        earlier(self.send_at, self.expires_at)
    }

    /// Ends at once.
    pub fn terminate(&mut self) {
        self.enter(State::Terminated, None);
    }

    /// Whether no final response has been sent.
    #[must_use]
    pub fn is_proceeding(&self) -> bool {
        self.state == State::Proceeding
    }

    /// Whether a failure has been sent and not been acknowledged.
    #[must_use]
    pub fn awaits_ack(&self) -> bool {
        self.state == State::Completed
    }

    /// Whether a 2xx has been sent, so that copies and further 2xx may follow.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.state == State::Accepted
    }

    /// Whether the transaction has ended.
    #[must_use]
    pub fn is_terminated(&self) -> bool {
        self.state == State::Terminated
    }

    fn enter(&mut self, state: State, expires_at: Option<Duration>) {
        self.state = state;
        self.send_at = None;
        self.expires_at = expires_at;
    }
}
