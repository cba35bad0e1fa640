//! Responses of the proxy's own making, and which failure goes upstream in the end (RFC 3261 §16.7 step 6).

use std::time::Duration;

use super::Proxy;
use super::dropped::DropReason;
use super::filter::{MessageFilter, Requester};
use super::response_context::ResponseContext;
use super::table::Key;
use crate::message::{Message, ResponseBuilder, reason_phrase};
use crate::transaction::Server;

impl<F: MessageFilter> Proxy<F> {
    /// It could be forwarded to nobody: its sender may try again soon, or elsewhere at once.
    fn unavailable(&mut self, now: Duration, key: Key) {
        let after = self.settings.retry_after.as_secs().max(1).to_string();
        self.respond(now, key, 503, "Service Unavailable", &[("Retry-After", &after)]);
    }

    /// Nothing more is tried: the best failure goes upstream.
    pub(super) fn conclude(&mut self, now: Duration, key: Key) {
        let Some(context) = self.contexts.get_mut(key).filter(|e| e.is_pending()) else { return };
        if let Some(best) = context.best.take() {
            let invite = matches!(context.server, Some(Server::Invite(_)));
            let sent = self.forward_response(now, key, &best.response, &best.source);
            if invite && !sent {
                // The response lacks the requester's Vias, and the requester would wait for ever.
                let status = best.response.status().unwrap_or(502);
                return self.respond(now, key, status, reason_phrase(status), &[]);
            }
            let request = self.contexts.get_mut(key).and_then(ResponseContext::settle);
            if let Some(request) = request.filter(|_| !sent) {
                // A 408 to a non-INVITE stays here (RFC 4320 §4.2).
                let status = best.response.status().unwrap_or(408);
                self.concluded(now, key, &request, status);
            }
            self.cancel_attempts(now, key);
            self.tidy_context(key);
        } else if context.cancelled.is_some() {
            self.respond(now, key, 487, "Request Terminated", &[]);
        } else if context.flow_failed && !context.timed_out {
            // RFC 5626 §5.3.1: its registrar forgets the binding, and may have another.
            self.respond(now, key, 430, "Flow Failed", &[]);
        } else if context.unanswered && !context.ring_timed_out {
            // No target has answered, so that the caller's next choice may be tried at once (RFC 3261 §21.5.4).
            self.counters.unanswered += 1;
            self.unavailable(now, key);
        } else if context.timed_out {
            self.respond(now, key, 408, "Request Timeout", &[]);
        } else {
            self.unavailable(now, key);
        }
    }

    /// A final response of our own. Where the RFC wants none (a 408 to a non-INVITE), the request ends without.
    pub(super) fn respond(
        &mut self,
        now: Duration,
        key: Key,
        status: u16,
        reason: &str,
        headers: &[(&str, &str)],
    ) {
        let Some(context) = self.contexts.get_mut(key).filter(|e| e.is_pending()) else { return };
        let Some(request) = context.settle() else { return };
        let Some(server) = &mut context.server else {
            self.counters.acks_absorbed += 1;
            self.drops.note(&context.source, DropReason::Ack);
            return self.tidy_context(key);
        };
        if server.respond(now, &self.settings.timers, status) {
            let tag = self.tokens.to_tag(&request);
            let mut response = ResponseBuilder::new(&request, status)
                .reason(reason)
                .to_tag(&tag)
                .source(context.source.remote);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            let bytes = response.build();
            context.keep(status, &bytes);
            let reply = context.reply;
            self.counters.responses_made += 1;
            self.counters.responses_out.count(status);
            self.send(bytes, reply.to, reply.connect);
        }
        self.concluded(now, key, &request, status);
        self.cancel_attempts(now, key);
        self.tidy_context(key);
    }

    /// Tells the end of a forwarded request to the dialogs and the filter. A request that was never forwarded is
    /// unknown to both: an entry under the same names there is another request's.
    pub(super) fn concluded(&mut self, now: Duration, key: Key, request: &Message, status: u16) {
        let Some(context) = self.contexts.get(key).filter(|context| context.passed) else { return };
        if let Some(member) = context.member {
            self.dialogs.concluded(now, member, request);
        }
        let requester = Requester { from: context.from, caller: context.caller };
        self.filter.concluded(now, requester, request, status);
    }

    /// 100 Trying, unless something has been said already.
    pub(super) fn send_trying(&mut self, now: Duration, key: Key) {
        let Some(context) = self.contexts.get_mut(key).filter(|e| e.last.is_none()) else { return };
        let (Some(request), Some(server)) = (&context.request, &mut context.server) else { return };
        if !Server::respond(server, now, &self.settings.timers, 100) {
            return;
        }
        let bytes = ResponseBuilder::new(request, 100).source(context.source.remote).build();
        context.keep(100, &bytes);
        let reply = context.reply;
        self.counters.responses_made += 1;
        self.counters.responses_out.count(100);
        self.send(bytes, reply.to, reply.connect);
    }
}
