//! The timers of transactions, of routing and of silent targets.

use std::time::Duration;

use super::Proxy;
use super::attempt::{Cancel, Owner};
use super::filter::MessageFilter;
use super::output::Answer;
use super::response_context::Stage;
use super::table::Key;
use crate::transaction::{Client, ClientTimeout, ServerTimeout, is_due};

impl<F: MessageFilter> Proxy<F> {
    /// Acts on everything that is due.
    pub fn timeout(&mut self, now: Duration) {
        self.dialogs.expire(now);
        while let Some(id) = self.timers.pop_due(now) {
            let slot = id / 2;
            if id % 2 == 0 {
                if let Some(key) = self.contexts.key_at(slot) {
                    self.context_timeout(now, key);
                    self.tidy_context(key);
                }
            } else if let Some(key) = self.attempts.key_at(slot) {
                self.attempt_timeout(now, key);
                self.tidy_attempt(key);
            }
        }
    }

    fn context_timeout(&mut self, now: Duration, key: Key) {
        let Some(context) = self.contexts.get_mut(key) else { return };
        if matches!(context.stage, Stage::Routing { until } if until <= now) {
            return self.respond(now, key, 503, "Service Unavailable", &[]);
        }
        let Some(server) = &mut context.server else { return };
        match server.timeout(now, &self.settings.timers) {
            ServerTimeout::Idle => {}
            ServerTimeout::Trying => self.send_trying(now, key),
            ServerTimeout::Resend => {
                let reply = context.reply;
                if let Some(last) = context.last.clone() {
                    self.counters.retransmissions_out += 1;
                    self.send(last, reply.to, reply.connect);
                }
            }
            // Either a final response was sent, or its time is over: nothing will be.
            ServerTimeout::Ended => {
                context.last = None;
                if let Some(request) = context.settle() {
                    self.concluded(now, key, &request, 408);
                }
            }
        }
    }

    fn attempt_timeout(&mut self, now: Duration, key: Key) {
        self.cancel_timeout(now, key);
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        match attempt.client.timeout(now, &self.settings.timers) {
            ClientTimeout::Idle | ClientTimeout::Ended => {}
            ClientTimeout::Retransmit => {
                self.counters.retransmissions_out += 1;
                let (sent, to) = (attempt.sent.clone(), attempt.to);
                self.send(sent, to, true);
            }
            ClientTimeout::TimedOut => return self.attempt_timed_out(now, key),
        }
        self.silent_target_timeout(now, key);
        self.timer_c_timeout(now, key);
    }

    fn cancel_timeout(&mut self, now: Duration, key: Key) {
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        let Cancel::Sent { client, bytes } = &mut attempt.cancel else { return };
        if client.timeout(now, &self.settings.timers) == ClientTimeout::Retransmit {
            let (bytes, to) = (bytes.clone(), attempt.to);
            self.counters.retransmissions_out += 1;
            self.send(bytes, to, true);
        }
    }

    /// No final response came (timers B and F, or 64 × T1 after CANCEL).
    fn attempt_timed_out(&mut self, now: Duration, key: Key) {
        self.counters.timeouts += 1;
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        attempt.settle();
        let (owner, superseded) = (attempt.owner, attempt.superseded);
        match owner {
            Owner::Probe(probe) => self.probe_failed(probe),
            Owner::Originated(originated) => {
                self.tidy_attempt(key);
                self.originated_ended(originated, Answer::Silence);
            }
            Owner::Context(context_key) => {
                self.tidy_attempt(key);
                let Some(context) = self.contexts.get_mut(context_key) else { return };
                context.timed_out = true;
                if !superseded {
                    self.advance(now, context_key, true);
                }
            }
        }
    }

    /// A target has been silent for as long as it may: another is tried, if there is one.
    fn silent_target_timeout(&mut self, now: Duration, key: Key) {
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        if let Owner::Originated(originated) = attempt.owner {
            return self.originated_is_silent(now, key, originated);
        }
        let Owner::Context(context_key) = attempt.owner else { return };
        if !is_due(attempt.silent_until, now) {
            return;
        }
        attempt.silent_until = None;
        if !attempt.client.is_unanswered() {
            return;
        }
        attempt.superseded = true;
        attempt.client.stop_retransmitting();
        let invite = matches!(attempt.client, Client::Invite(_));
        if invite {
            attempt.cancel = Cancel::WhenAnswered;
        }
        let switched = std::mem::take(&mut attempt.switched).then_some(attempt.to.remote);
        if let Some(remote) = switched {
            self.tcp_refusals.note(remote, now + self.settings.tcp_refused_for);
        }
        self.tidy_attempt(key);
        if let Some(context) = self.contexts.get_mut(context_key) {
            context.timed_out = true;
            context.unanswered |= invite;
        }
        self.advance(now, context_key, true);
    }

    /// Timer C (RFC 3261 §16.8).
    fn timer_c_timeout(&mut self, now: Duration, key: Key) {
        let Some(attempt) = self.attempts.get_mut(key).filter(|a| is_due(a.timer_c_at, now)) else {
            return;
        };
        attempt.timer_c_at = None;
        attempt.timer_c_fired = true;
        self.counters.timer_c += 1;
        self.cancel_attempt(now, key);
    }
}
