//! ACK: absorbed after a failure, passed on without state after a 2xx (RFC 3261 §16, RFC 6026 §8.5).

use std::time::Duration;

use super::Proxy;
use super::dropped::DropReason;
use super::filter::MessageFilter;
use crate::Flow;
use crate::message::{Message, Method};
use crate::transaction::{OnRequest, Server};

impl<F: MessageFilter> Proxy<F> {
    pub(super) fn on_ack(&mut self, now: Duration, flow: &Flow, request: Message) {
        let Some(via) = request.top_via() else { return };
        self.counters.requests.count(Method::ACK);
        let id = self.keying.server(&request, &via, Method::INVITE, self.source(flow));
        if let Some(&key) = self.by_id.get(&id) {
            let timers = &self.settings.timers;
            let server = self.contexts.get_mut(key).and_then(|e| e.server.as_mut());
            let verdict = match server {
                Some(Server::Invite(server)) => server.ack(now, timers),
                _ => OnRequest::Absorb,
            };
            self.tidy_context(key);
            if verdict != OnRequest::Pass {
                self.counters.acks_absorbed += 1;
                return;
            }
        } else if self.tokens.is_own_tag(&request) {
            self.counters.acks_absorbed += 1;
            return;
        }
        // Nothing may answer an ACK, so one that can't pass is dropped.
        match self.check(&request, Method::ACK, flow) {
            Ok(valid) if !self.is_full(flow, true) => self.ask_for_route(now, flow, request, valid, None),
            _ => {
                self.counters.acks_absorbed += 1;
                self.drops.note(flow, DropReason::Ack);
            }
        }
    }
}
