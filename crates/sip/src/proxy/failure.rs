//! Messages that could not be sent (RFC 3261 §16.9, §17.1.4, §18.4).

use std::time::Duration;

use bytes::Bytes;

use super::Proxy;
use super::attempt::{Cancel, Owner};
use super::destination::Destination;
use super::filter::{MessageFilter, Requester};
use super::output::Output;
use super::reply::ReplyPath;
use super::response_context::ResponseContext;
use super::table::Key;
use crate::Transport;
use crate::message::{Message, Method};

impl<F: MessageFilter> Proxy<F> {
    /// The last message to `to` did not get there: an ICMP error, a refused or closed connection, or (see
    /// [`super::Output::Send`]) no connection. Requests that `to` hasn't said anything to yet go on to their next
    /// target, and responses to the address in Via. Once for several messages is enough: it looks through all
    /// transactions.
    pub fn send_failed(&mut self, now: Duration, to: &Destination) {
        if to.transport == Transport::Tcp {
            self.tcp_refusals.note(to.remote, now + self.settings.tcp_refused_for);
        }
        let attempts: Vec<Key> =
            self.attempts.iter().filter(|(_, a)| a.to == *to).map(|(key, _)| key).collect();
        for key in attempts {
            self.attempt_failed(now, key);
        }
        let contexts: Vec<Key> = self
            .contexts
            .iter()
            .filter(|(_, e)| e.reply.to == *to && e.last.is_some())
            .map(|(key, _)| key)
            .collect();
        for key in contexts {
            self.reply_failed(now, key);
        }
    }

    /// These bytes, which were to be sent to `to`, did not even leave. Beside [`Self::send_failed`], for each message
    /// of which that is known: a final response that nobody else has sent another way goes to the address in its Via
    /// (RFC 3261 §18.2.2), and where that fails too, its end is told.
    pub fn unsent(&mut self, now: Duration, to: &Destination, bytes: &Bytes) {
        // Requests have their own timers and other targets, and a provisional response is followed by a final one.
        if !bytes.starts_with(b"SIP/2.0 ") || !to.transport.is_reliable() {
            return;
        }
        let Ok(response) = Message::parse(bytes.clone()) else { return };
        let Some(via) = response.top_via().filter(|_| response.status() >= Some(200)) else { return };
        let of = self.contexts.iter().find(|(_, e)| e.last.as_ref() == Some(bytes)).map(|(_, e)| e);
        if of.is_some_and(|context| context.reply.to != *to || context.reply.has_fallback()) {
            // The response is on its way there already, or is about to be sent.
            return;
        }
        if let Some(stated) = ReplyPath::stated(to, &via).filter(|_| of.is_none()) {
            return self.send(bytes.clone(), stated, true);
        }
        let requester = of.map(ResponseContext::requester);
        if self.is_missed(now, requester, &response) {
            self.counters.undelivered += 1;
            self.outputs.push_back(Output::Undelivered { response: bytes.clone(), to: *to });
        }
    }

    /// Whether the requester may still be without that response. The filter is told of a 2xx to an INVITE: no ACK will
    /// come, and the callee need not give up by itself (RFC 3261 §13.3.1.4).
    fn is_missed(&mut self, now: Duration, requester: Option<Requester>, response: &Message) -> bool {
        let accepts = matches!(response.status(), Some(200..300))
            && response.cseq().is_some_and(|cseq| cseq.method == Method::INVITE);
        match requester {
            Some(requester) if accepts => self.filter.undelivered(now, requester, response),
            _ => true,
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
        let (owner, superseded, to) = (attempt.owner, attempt.superseded, attempt.to);
        match owner {
            Owner::Probe(probe) => {
                self.probe_failed(probe);
                self.tidy_attempt(key);
            }
            Owner::Originated(originated) => {
                self.tidy_attempt(key);
                self.originated_failed(now, originated);
            }
            Owner::Context(context) => {
                self.tidy_attempt(key);
                if let Some(context) = self.contexts.get_mut(context) {
                    context.flow_failed |= to.transport.is_websocket();
                }
                if !superseded {
                    self.advance(now, context, true);
                }
            }
        }
    }

    fn reply_failed(&mut self, now: Duration, key: Key) {
        let Some(context) = self.contexts.get_mut(key) else { return };
        let Some(last) = context.last.clone() else { return };
        if context.reply.fall_back() {
            self.counters.transport_failures += 1;
            let reply = context.reply;
            return self.send(last, reply.to, reply.connect);
        }
        // The response may have been written before the connection broke: whether it arrived can't be known.
        let requester = context.requester();
        if to_wait_for(context)
            && let Ok(response) = Message::parse(last)
        {
            self.is_missed(now, Some(requester), &response);
        }
    }
}

/// Whether the last response is final, and went over a connection that can break.
fn to_wait_for(context: &ResponseContext) -> bool {
    !context.is_pending() && context.reply.to.transport.is_reliable()
}

impl ResponseContext {
    fn requester(&self) -> Requester {
        Requester { from: self.from, caller: self.caller }
    }
}
