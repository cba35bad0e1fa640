//! Responses as they arrive, and on their way back (RFC 3261 §16.7).

use std::time::Duration;

use super::Proxy;
use super::attempt::{Attempt, Cancel, Owner};
use super::dialogs::Names;
use super::dropped::DropReason;
use super::filter::{ForwardContext, MessageFilter};
use super::output::{Answer, Output, ProbeKey};
use super::response_context::{Failure, ResponseContext};
use super::table::Key;
use super::token::Branch;
use crate::Flow;
use crate::message::{self, Edit, Message, Method, Name};
use crate::scan;
use crate::transaction::{Client, OnResponse, Server};
use crate::via::Via;

impl<F: MessageFilter> Proxy<F> {
    pub(super) fn on_response(&mut self, now: Duration, flow: &Flow, response: Message) {
        let (Some(status), Some(via), Some(cseq)) = (response.status(), response.top_via(), response.cseq())
        else {
            return;
        };
        self.counters.responses_in.count(status);
        let Some(key) = self.attempt_of(flow, &via) else { return };
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        if let (Method::CANCEL, Cancel::Sent { client, .. }) = (cseq.method, &mut attempt.cancel) {
            client.response(now, &self.settings.timers, status);
            return self.tidy_attempt(key);
        }
        if !attempt.is_of(cseq.method) {
            self.counters.stray_responses += 1;
            self.drops.note(flow, DropReason::OtherMethod);
            return;
        }
        // A response has to bear its request's names: with others, it would change the state of another call.
        if attempt.names.is_some_and(|names| !names.fits(self.dialogs.request_names(Names::of(&response)))) {
            self.counters.stray_responses += 1;
            self.drops.note(flow, DropReason::OtherNames);
            return;
        }
        match attempt.client.response(now, &self.settings.timers, status) {
            OnResponse::Absorb => return self.tidy_attempt(key),
            OnResponse::Ack => {
                let again = attempt.ack.clone().map(|ack| (ack, attempt.to));
                if let Some((ack, to)) = again {
                    self.send(ack, to, true);
                }
                return self.tidy_attempt(key);
            }
            OnResponse::PassAndAck => self.acknowledge(key, &response),
            OnResponse::Pass => {}
        }
        self.hand_over(now, flow, key, response, status);
    }

    /// The attempt that a response answers, by the branch of its topmost Via. A response that answers none is counted.
    fn attempt_of(&mut self, flow: &Flow, via: &Via<'_>) -> Option<Key> {
        let branch = via.branch().and_then(Branch::parse);
        let Some(branch) = branch.filter(|_| self.local.is_us(via.host, via.port)) else {
            self.counters.misdirected_responses += 1;
            self.drops.note(flow, DropReason::Misdirected);
            return None;
        };
        let found = self.attempts.key_at(branch.slot).and_then(|key| Some((key, self.attempts.get(key)?)));
        let Some((key, attempt)) = found.filter(|(_, attempt)| attempt.nonce == branch.nonce) else {
            self.counters.stray_responses += 1;
            self.drops.note(flow, DropReason::Stray);
            return None;
        };
        // Only the peer that was asked may answer.
        if !self.neighbours.are_one(attempt.to.remote, flow.remote) {
            self.counters.foreign_responses += 1;
            self.drops.note(flow, DropReason::Foreign);
            return None;
        }
        Some(key)
    }

    /// Gives a response that the client transaction lets pass to the attempt's owner.
    fn hand_over(&mut self, now: Duration, flow: &Flow, key: Key, response: Message, status: u16) {
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        attempt.silent_until = None;
        if status >= 200 {
            attempt.settle();
        }
        match attempt.owner {
            Owner::Probe(probe) => {
                if status >= 200 {
                    self.outputs.push_back(Output::Probed { key: probe, status: Some(status) });
                }
                self.tidy_attempt(key);
            }
            Owner::Originated(originated) => {
                if status >= 200 {
                    let retry_after = retry_after(&response);
                    self.originated_ended(originated, Answer::Final { status, retry_after });
                }
                self.tidy_attempt(key);
            }
            Owner::Context(context) => {
                let Some(response) = self.with_original_cseq(context, response) else {
                    self.counters.stray_responses += 1;
                    self.drops.note(flow, DropReason::Stray);
                    return self.tidy_attempt(key);
                };
                if self.attempts.get_mut(key).is_some_and(|attempt| std::mem::take(&mut attempt.switched)) {
                    self.drop_udp_fallback(context);
                }
                match status {
                    ..200 => self.on_provisional(now, flow, key, context, &response),
                    200..300 => self.on_success(now, flow, context, &response),
                    300.. => self.on_failure(now, flow, key, context, response),
                }
                self.tidy_attempt(key);
                self.tidy_context(context);
            }
        }
    }

    /// The response with the CSeq of the request as it came.
    fn with_original_cseq(&self, context: Key, response: Message) -> Option<Message> {
        let Some(number) = self.contexts.get(context).and_then(|context| context.renumbered) else {
            return Some(response);
        };
        let (header, cseq) = (response.header(Name::CSeq)?, response.cseq()?);
        let mut edit = Edit::new();
        edit.replace_value(&header, &format!("{number} {}", cseq.method));
        Message::parse(edit.apply(&response)).ok()
    }

    /// TCP works, so UDP need not be tried.
    fn drop_udp_fallback(&mut self, key: Key) {
        let Some(context) = self.contexts.get_mut(key) else { return };
        if context.candidates.front().is_some_and(|c| c.udp_only) {
            context.candidates.pop_front();
        }
    }

    fn acknowledge(&mut self, key: Key, response: &Message) {
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        let sent = Message::parse(attempt.sent.clone()).ok();
        let Some(ack) = sent.and_then(|sent| message::ack_to_failure(&sent, response)) else { return };
        attempt.ack = (!attempt.client.is_terminated()).then(|| ack.clone());
        let to = attempt.to;
        self.send(ack, to, true);
    }

    fn on_provisional(&mut self, now: Duration, flow: &Flow, key: Key, context: Key, response: &Message) {
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        let trying = response.status() == Some(100);
        let invite = matches!(attempt.client, Client::Invite(_));
        if invite && !trying && !attempt.timer_c_fired {
            attempt.timer_c_at = Some(now + self.settings.timers.c);
        }
        let superseded = attempt.superseded;
        if matches!(attempt.cancel, Cancel::WhenAnswered) {
            self.cancel_attempt(now, key);
        }
        if !trying && !superseded {
            self.forward_response(now, context, response, flow);
        }
    }

    fn on_success(&mut self, now: Duration, flow: &Flow, key: Key, response: &Message) {
        let sent = self.forward_response(now, key, response, flow);
        let over = self.contexts.get(key).is_none_or(|context| !context.is_pending());
        if !sent && over && response.values(Name::Via).nth(1).is_some() {
            self.counters.stray_responses += 1;
            self.drops.note(flow, DropReason::TooLate);
        }
        if let Some(context) = self.contexts.get_mut(key).filter(|e| e.is_pending()) {
            if !sent && matches!(context.server, Some(Server::Invite(_))) {
                // The 2xx lacks the requester's Vias, and the requester would wait for ever.
                return self.respond(now, key, 502, "Bad Gateway", &[]);
            }
            context.settle();
            self.cancel_attempts(now, key);
        }
    }

    fn on_failure(&mut self, now: Duration, flow: &Flow, key: Key, context_key: Key, response: Message) {
        let Some(attempt) = self.attempts.get(key) else { return };
        let (timer_c_fired, superseded) = (attempt.timer_c_fired, attempt.superseded);
        let Some(context) = self.contexts.get_mut(context_key) else { return };
        if !context.is_pending() {
            // A target that lost to another, or was cancelled, has nothing to add. One that was given up for its
            // silence has.
            if context.unanswered && response.status() != Some(487) {
                self.counters.stray_responses += 1;
                self.drops.note(flow, DropReason::TooLate);
            }
            return;
        }
        let unavailable = response.status() == Some(503);
        if timer_c_fired {
            context.timed_out = true;
            context.ring_timed_out = true;
        } else {
            context.offer(Failure { response, source: *flow });
        }
        if !superseded {
            self.advance(now, context_key, unavailable);
        }
    }

    /// A target has failed: on to the next if that may help, else the failure goes upstream.
    pub(super) fn advance(&mut self, now: Duration, key: Key, another_may_help: bool) {
        let Some(context) = self.contexts.get(key).filter(|e| e.is_pending()) else { return };
        let another = another_may_help && context.cancelled.is_none();
        match context.candidates.front() {
            Some(next) if another => {
                if next.udp_only {
                    self.counters.tcp_fallbacks += 1;
                } else {
                    self.counters.failovers += 1;
                }
                self.try_next(now, key);
            }
            _ => self.conclude(now, key),
        }
    }

    /// Sends a response upstream, if the server transaction lets it. Returns whether it did.
    pub(super) fn forward_response(
        &mut self,
        now: Duration,
        key: Key,
        response: &Message,
        source: &Flow,
    ) -> bool {
        let Some(context) = self.contexts.get_mut(key) else { return false };
        let (Some(server), Some(status)) = (&mut context.server, response.status()) else { return false };
        // A response that ends here would be one to a request of our own (§16.7 step 3).
        if response.values(Name::Via).nth(1).is_none() {
            self.counters.misdirected_responses += 1;
            self.drops.note(source, DropReason::Misdirected);
            return false;
        }
        if !server.respond(now, &self.settings.timers, status) {
            return false;
        }
        let mut edit = Edit::new();
        edit.pop_via(response);
        if context.reply.to.transport.is_reliable() {
            edit.state_content_length();
        }
        self.contacts.apply(response, source, &mut edit);
        let ctx = ForwardContext {
            now,
            from: context.far_side(),
            source: *source,
            toward: context.reply.to.remote,
            to_browser: context.reply.to.transport.is_websocket(),
            sender: self.neighbours.of(source.remote),
            caller: context.caller,
        };
        if let Some(member) = context.member {
            self.dialogs.response(now, member, response, source, &self.local, &self.neighbours);
        }
        let register =
            context.request.as_deref().filter(|request| request.method() == Some(Method::REGISTER));
        if let Some((register, peer)) = register.zip(context.peer)
            && (200..300).contains(&status)
        {
            let asked = (register, &context.source, peer);
            self.dialogs.registered(now, asked, (response, source.remote), &self.neighbours);
            if let Some(registrar) = self.neighbours.of(source.remote) {
                self.flows.registered(&context.source, registrar);
            }
        }
        self.filter.response(&ctx, response, &mut edit);
        let bytes = edit.apply(response);
        context.keep(status, &bytes);
        let reply = context.reply;
        self.counters.responses_forwarded += 1;
        self.counters.responses_out.count(status);
        self.send(bytes, reply.to, reply.connect);
        true
    }

    /// Sets the attempt's timer, or removes the attempt if nothing is left to be done.
    pub(super) fn tidy_attempt(&mut self, key: Key) {
        let Some(attempt) = self.attempts.get(key) else { return };
        let timer = key.slot.wrapping_mul(2).wrapping_add(1);
        if !attempt.is_over() {
            let at = attempt.next_timeout();
            return self.timers.set(timer, at);
        }
        let owner = attempt.owner;
        self.attempts.remove(key);
        self.timers.set(timer, None);
        if let Owner::Context(context) = owner {
            if let Some(context) = self.contexts.get_mut(context) {
                context.attempts.retain(|a| *a != key);
                self.held.release(context.peer, context.weight);
            }
            self.tidy_context(context);
        }
    }

    pub(super) fn context_of(&self, attempt: &Attempt) -> Option<&ResponseContext> {
        match attempt.owner {
            Owner::Context(key) => self.contexts.get(key),
            Owner::Probe(_) | Owner::Originated(_) => None,
        }
    }

    pub(super) fn probe_failed(&mut self, key: ProbeKey) {
        self.outputs.push_back(Output::Probed { key, status: None });
    }
}

/// Whole seconds; a comment and parameters may follow (RFC 3261 §20.33).
fn retry_after(response: &Message) -> Option<Duration> {
    let value = response.header(Name::RetryAfter)?.value;
    let digits = value.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(value.len());
    value.get(..digits).and_then(scan::decimal).map(Duration::from_secs)
}
