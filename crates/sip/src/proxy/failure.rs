//! Messages that could not be sent (RFC 3261 §16.9, §17.1.4, §18.4).

use std::time::Duration;

use super::Proxy;
use super::attempt::{Cancel, Owner};
use super::output::Destination;
use super::passage::Passage;
use super::table::Key;
use crate::Transport;

impl<P: Passage> Proxy<P> {
    /// What was last sent to `to` did not get there: an ICMP error, a refused or closed connection, or (see
    /// [`super::Output::Send`]) no connection. Requests that `to` hasn't said anything to yet go on to their next
    /// target, and responses to the address in Via. Once for several messages is enough: it looks through all
    /// transactions.
    pub fn send_failed(&mut self, now: Duration, to: &Destination) {
        if to.transport == Transport::Tcp {
            self.refusals.note(to.remote, now + self.settings.tcp_refused_for);
        }
        let attempts: Vec<Key> =
            self.attempts.iter().filter(|(_, a)| a.to == *to).map(|(key, _)| key).collect();
        for key in attempts {
            self.attempt_failed(now, key);
        }
        let exchanges: Vec<Key> = self
            .exchanges
            .iter()
            .filter(|(_, e)| e.reply.to == *to && e.reply.has_fallback() && e.last.is_some())
            .map(|(key, _)| key)
            .collect();
        for key in exchanges {
            self.reply_failed(key);
        }
    }

    fn attempt_failed(&mut self, now: Duration, key: Key) {
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        if let Cancel::Sent { client, .. } = &mut attempt.cancel {
            client.terminate();
        }
        if !attempt.client.is_unanswered() {
            return self.tidy_attempt(key);
        }
        self.counters.transport_failures += 1;
        attempt.client.terminate();
        attempt.settle();
        let (owner, disowned) = (attempt.owner, attempt.disowned);
        match owner {
            Owner::Probe(probe) => {
                self.probe_failed(probe);
                self.tidy_attempt(key);
            }
            Owner::Own(own) => {
                self.tidy_attempt(key);
                self.own_failed(now, own);
            }
            Owner::Exchange(exchange) => {
                self.tidy_attempt(key);
                if !disowned {
                    self.advance(now, exchange, true);
                }
            }
        }
    }

    fn reply_failed(&mut self, key: Key) {
        let Some(exchange) = self.exchanges.get_mut(key) else { return };
        self.counters.transport_failures += 1;
        if exchange.reply.fall_back() {
            let reply = exchange.reply;
            if let Some(last) = exchange.last.clone() {
                self.send(last, reply.to, reply.connect);
            }
        }
    }
}
