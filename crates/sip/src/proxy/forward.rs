//! Requests on their way out (RFC 3261 §16.6).

use std::time::Duration;

use bytes::Bytes;
use sidetone_call::Side;

use super::attempt::{Attempt, Owner};
use super::destination::Destination;
use super::dialogs::{Names, NoRoom, Passed};
use super::dropped::DropReason;
use super::filter::{ForwardContext, MessageFilter, Refusal};
use super::flows::FlowToken;
use super::local::{Local, Place};
use super::output::{Decision, MAX_TARGETS, RouteKey, Target};
use super::response_context::{Candidate, ResponseContext, Stage};
use super::stamp::Bound;
use super::table::Key;
use super::{Proxy, token};
use crate::message::{Edit, Message, Method, Name, reason_phrase};
use crate::transaction::{Client, InviteClient, NonInviteClient, Server};
use crate::uri::{Scheme, UriView};
use crate::{Flow, Transport};

/// Max-Forwards for a request that has none (RFC 3261 §16.6 step 3).
const MAX_FORWARDS: u8 = 70;

/// Why a request could not be put together for a target.
enum Obstacle {
    Refused(Refusal),
    /// No listener speaks the target's transport and address family.
    NoListener,
}

impl<F: MessageFilter> Proxy<F> {
    /// The shell's answer to an [`super::Output::Route`]. Without effect if the request has ended meanwhile.
    pub fn decide(&mut self, now: Duration, key: RouteKey, decision: Decision) {
        let RouteKey(key) = key;
        let Some(context) = self.contexts.get_mut(key) else { return };
        if !matches!(context.stage, Stage::Routing { .. }) {
            return;
        }
        match decision {
            Decision::Forward { from, targets } => {
                context.from = from;
                context.stage = Stage::Forwarding;
                let any = !targets.is_empty();
                // No hop of a sips request may be readable on its way (RFC 5630 §5.3).
                let secured = context.request.as_deref().is_some_and(is_secured);
                let fit = |target: &Target| !secured || target.to.transport.is_secure();
                let targets = targets.into_iter().filter(fit).take(MAX_TARGETS);
                if context.server.is_none() {
                    let target = targets.into_iter().next();
                    return self.forward_ack(now, key, target);
                }
                context.candidates = targets.map(Candidate::from).collect();
                if context.candidates.is_empty() && any {
                    let warning = self.sips_not_allowed(key);
                    let headers = [("Warning", warning.as_str())];
                    return self.respond(now, key, 480, "Temporarily Unavailable", &headers);
                }
                if context.candidates.is_empty() {
                    return self.respond(now, key, 480, "Temporarily Unavailable", &[]);
                }
                if matches!(context.server, Some(Server::Invite(_))) {
                    self.send_trying(now, key);
                }
                self.try_next(now, key);
            }
            Decision::Reject { status, reason, headers } => {
                self.counters.unrouted += 1;
                if let (None, Some(Server::Invite(server))) = (&context.last, &mut context.server) {
                    server.answer_quietly();
                }
                let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                self.respond(now, key, status.clamp(300, 699), &reason, &headers);
            }
            Decision::Accept { status, headers } => {
                let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                let status = status.clamp(200, 299);
                self.respond(now, key, status, reason_phrase(status), &headers);
            }
            Decision::Drop => {
                self.counters.unrouted += 1;
                if context.server.is_none() {
                    self.drops.note(&context.source, DropReason::Ack);
                }
                self.forget(key);
            }
        }
    }

    /// The Warning of RFC 5630 §6.1: the next hop can't be reached by TLS.
    fn sips_not_allowed(&self, key: Key) -> String {
        let source = self.contexts.get(key).map(|context| context.source);
        let place = source.and_then(|source| self.local.place(source.transport, source.local));
        let us = place.map_or("sidetone", |place| &place.advertised);
        format!("380 {us} \"SIPS Not Allowed\"")
    }

    /// Ends a request without a response.
    pub(super) fn forget(&mut self, key: Key) {
        let Some(context) = self.contexts.get_mut(key) else { return };
        context.settle();
        if let Some(server) = &mut context.server {
            server.terminate();
        }
        self.tidy_context(key);
    }

    /// Sends the request to the next candidate that it can be sent to.
    pub(super) fn try_next(&mut self, now: Duration, key: Key) {
        while let Some(candidate) = self.contexts.get_mut(key).and_then(|e| e.candidates.pop_front()) {
            match self.launch(now, key, candidate) {
                Ok(()) => return self.tidy_context(key),
                Err(Obstacle::Refused(Refusal { status, reason })) => {
                    self.counters.filter_refusals += 1;
                    let after = self.settings.retry_after.as_secs().max(1).to_string();
                    // What it lacks may be there soon.
                    let again: &[(&str, &str)] = if status == 503 { &[("Retry-After", &after)] } else { &[] };
                    return self.respond(now, key, status.clamp(300, 699), &reason, again);
                }
                Err(Obstacle::NoListener) => self.counters.transport_failures += 1,
            }
        }
        self.conclude(now, key);
    }

    /// Begins an attempt: composes the request for the candidate and sends it.
    fn launch(&mut self, now: Duration, key: Key, candidate: Candidate) -> Result<(), Obstacle> {
        let timers = self.settings.timers;
        let Some(context) = self.contexts.get(key) else { return Ok(()) };
        let (loops, peer, weight) = (context.loops, context.peer, context.weight);
        let invite = matches!(context.server, Some(Server::Invite(_)));
        let start = |transport| {
            if invite {
                Client::Invite(InviteClient::start(now, &timers, transport))
            } else {
                Client::NonInvite(NonInviteClient::start(now, &timers, transport))
            }
        };
        let Candidate { mut target, udp_only } = candidate;
        let attempt = Attempt::new(Owner::Context(key), start(target.to.transport), target.to);
        let slot = self.attempts.insert(|_| attempt);
        self.held.add(peer, weight);
        let branch = self.tokens.branch(slot, loops);
        let composed = self.compose_to_fit(now, key, &mut target, branch, udp_only);
        if let Some(context) = self.contexts.get_mut(key) {
            context.passed |= !matches!(composed, Err(Obstacle::NoListener));
        }
        let (bytes, switched_from) = match composed {
            Ok(composed) => composed,
            Err(obstacle) => {
                self.attempts.remove(slot);
                self.held.release(peer, weight);
                return Err(obstacle);
            }
        };
        let Some(context) = self.contexts.get_mut(key) else { return Ok(()) };
        if let Some(udp) = switched_from {
            self.counters.tcp_switches += 1;
            let target = Target { to: udp, ..target.clone() };
            context.candidates.push_front(Candidate { target, udp_only: true });
        }
        context.attempts.push(slot);
        let more = !context.candidates.is_empty();
        // A caller isn't left in silence for the half minute that timer B takes. A re-INVITE has that time: ending it
        // early would end the call.
        let begins = invite && context.request.as_ref().is_some_and(|request| request.to_tag().is_none());
        let patience = target.patience.unwrap_or(self.settings.failover_after);
        let names = context.request.as_deref().map(|request| self.dialogs.request_names(Names::of(request)));
        if let Some(attempt) = self.attempts.get_mut(slot) {
            attempt.client = start(target.to.transport);
            attempt.nonce = branch.nonce;
            attempt.to = target.to;
            attempt.sent = bytes.clone();
            attempt.names = names;
            attempt.silent_until = (more || begins).then(|| now + patience);
            attempt.timer_c_at = invite.then(|| now + self.settings.timers.c);
            attempt.switched = switched_from.is_some();
        }
        self.counters.requests_forwarded += 1;
        self.send(bytes, target.to, true);
        self.tidy_attempt(slot);
        Ok(())
    }

    /// The TCP destination for a request that is too large for UDP (RFC 3261 §18.1.1).
    pub(super) fn tcp_instead(
        &self,
        now: Duration,
        to: &Destination,
        size: usize,
        udp_only: bool,
    ) -> Option<Destination> {
        if to.transport != Transport::Udp || size <= self.settings.udp_limit || udp_only {
            return None;
        }
        if self.tcp_refusals.lately(now, to.remote) {
            return None;
        }
        let place = self.local.tcp_beside(to.local)?;
        Some(Destination { transport: Transport::Tcp, local: place.addr, remote: to.remote })
    }

    /// An ACK to a 2xx: sent on, and forgotten.
    fn forward_ack(&mut self, now: Duration, key: Key, target: Option<Target>) {
        let branch = self.contexts.get(key).and_then(|context| {
            context.request.as_ref().map(|request| self.tokens.stateless(request, context.loops))
        });
        let sent = match (target, branch) {
            // Should TCP fail, that is remembered, and the ACK to the next copy of the 2xx goes over UDP.
            (Some(mut target), Some(branch)) => {
                self.compose_to_fit(now, key, &mut target, branch, false).map(|(bytes, _)| (bytes, target.to))
            }
            _ => Err(Obstacle::NoListener),
        };
        match sent {
            Ok((bytes, to)) => {
                self.counters.requests_forwarded += 1;
                self.send(bytes, to, true);
            }
            Err(_) => {
                self.counters.acks_absorbed += 1;
                if let Some(context) = self.contexts.get(key) {
                    self.drops.note(&context.source, DropReason::Ack);
                }
            }
        }
        self.forget(key);
    }

    /// Composes the request, and turns the target to TCP if the request is too large for UDP; gives the UDP destination
    /// that the target had.
    fn compose_to_fit(
        &mut self,
        now: Duration,
        key: Key,
        target: &mut Target,
        branch: token::Branch,
        udp_only: bool,
    ) -> Result<(Bytes, Option<Destination>), Obstacle> {
        let bytes = self.compose(now, key, target, branch)?;
        let Some(tcp) = self.tcp_instead(now, &target.to, bytes.len(), udp_only) else {
            return Ok((bytes, None));
        };
        let udp = std::mem::replace(&mut target.to, tcp);
        Ok((self.compose(now, key, target, branch)?, Some(udp)))
    }

    fn compose(
        &mut self,
        now: Duration,
        key: Key,
        target: &Target,
        branch: token::Branch,
    ) -> Result<Bytes, Obstacle> {
        let context = self.contexts.get(key).ok_or(Obstacle::NoListener)?;
        let request = context.request.as_deref().ok_or(Obstacle::NoListener)?;
        let out = self.local.place(target.to.transport, target.to.local).ok_or(Obstacle::NoListener)?;
        let mut edit = Edit::new();
        // Before anything else: its own line goes on top of all that is inserted there.
        let mut via = String::with_capacity(out.via.len() + 64);
        via.push_str(&out.via);
        branch.write(&mut via);
        via.push_str(";rport");
        edit.push_via(request, &via);
        edit.fill_received(request, context.source.remote);
        // Zero was refused when the request came.
        let _ = edit.count_down_hops(request, MAX_FORWARDS);
        let mark = self.mark(request, &context.source, &target.to);
        let token = self.flows.token(&context.source);
        insert_record_route(context, request, (out, &self.local), (mark.as_deref(), token), &mut edit);
        if let Some(plan) = &context.plan {
            plan.apply(request, &mut edit);
            if let Some(uri) = target.rewrite_uri.as_ref().or(plan.request_uri.as_ref()) {
                edit.set_request_uri(request, uri.as_str());
            }
        }
        if target.to.transport.is_reliable() {
            edit.state_content_length();
        }
        self.contacts.apply(request, &context.source, &mut edit);
        // The callee's, in a dialog that only a mark proves: its caller is where the request goes.
        let caller = context.caller.or_else(|| self.neighbours.of(target.to.remote));
        let ctx = ForwardContext {
            now,
            from: context.from,
            source: context.source,
            toward: target.to.remote,
            to_browser: target.to.transport.is_websocket(),
            sender: context.peer,
            caller,
        };
        self.filter.request(&ctx, request, &mut edit).map_err(Obstacle::Refused)?;
        let passed = Passed { request, source: &context.source, to: target.to, proven: context.proven };
        let member = self.dialogs.request(now, passed, &self.neighbours).map_err(|NoRoom| {
            Obstacle::Refused(Refusal { status: 503, reason: "Too Many Dialogs".to_owned() })
        })?;
        let renumbered =
            self.filter.number(&ctx, request).and_then(|number| renumber(request, number, &mut edit));
        let bytes = edit.apply(request);
        if let Some(context) = self.contexts.get_mut(key) {
            context.renumbered = renumbered;
            (context.caller, context.member) = (caller, member);
        }
        Ok(bytes)
    }

    /// The mark by which the dialogs that a request may make are recognised after a restart.
    fn mark(&self, request: &Message, source: &Flow, to: &Destination) -> Option<String> {
        let stamps = self.stamps.as_ref().filter(|_| request.to_tag().is_none())?;
        let (caller, callee) = (self.neighbours.of(source.remote)?, self.neighbours.of(to.remote)?);
        let caller_tag = request.from_tag().unwrap_or_default();
        let bound = Bound { call_id: request.call_id(), caller_tag, caller_side: caller.side };
        Some(stamps.mint(bound, caller, callee))
    }
}

/// Puts another number into CSeq; gives back the one that stood there.
fn renumber(request: &Message, number: u32, edit: &mut Edit) -> Option<u32> {
    let (header, cseq) = (request.header(Name::CSeq)?, request.cseq()?);
    edit.replace_value(&header, &format!("{number} {}", cseq.method));
    Some(cseq.number)
}

/// Record-Route or Path, by which later requests come through here; both ways if they are reached differently
/// (RFC 5658 §5.1). Path only where the one who registers supports it (RFC 3327 §5.2): a registrar that takes its
/// absence from Supported seriously answers 420 otherwise.
fn insert_record_route(
    context: &ResponseContext,
    request: &Message,
    (out, local): (&Place, &Local),
    (mark, token): (Option<&str>, Option<FlowToken>),
    edit: &mut Edit,
) {
    let Some(method) = request.method() else { return };
    let path = method == Method::REGISTER;
    let outbound = request.lists(Name::Supported, "outbound");
    if if path { !request.lists(Name::Supported, "path") } else { !makes_dialog(method, request) } {
        return;
    }
    let secure = is_secured(request);
    let name = if path { Name::Path } else { Name::RecordRoute };
    let came = local.place(context.source.transport, context.source.local);
    let apart = came.filter(|came| !came.reached_like(out));
    // The first to see a client's request says that it keeps the client's flow (RFC 5626 §5.1).
    let first_hop = request.values(Name::Via).nth(1).is_none();
    let flow = token.map(|token| (token, outbound && first_hop));
    let value = |place: &'_ Place, flow| {
        if path { place.path(flow, secure) } else { place.record_route(mark, secure) }
    };
    edit.push_first(request, name, &value(out, flow.filter(|_| apart.is_none())));
    if let Some(came) = apart {
        edit.push_first(request, name, &value(came, flow));
    }
}

/// Whether each hop of a request has to be encrypted (RFC 3261 §26.2.2).
fn is_secured(request: &Message) -> bool {
    let uri = request.request_uri().and_then(|uri| UriView::parse(uri).ok());
    uri.is_some_and(|uri| uri.scheme() == Scheme::Sips)
}

/// Whether the request may begin a dialog: by its method, and since it isn't in one. A NOTIFY may even so (RFC 6665
/// §4.4.1). Of methods not known here it is assumed.
fn makes_dialog(method: Method<'_>, request: &Message) -> bool {
    match method {
        Method::NOTIFY => true,
        Method::ACK
        | Method::BYE
        | Method::CANCEL
        | Method::INFO
        | Method::MESSAGE
        | Method::OPTIONS
        | Method::PRACK
        | Method::PUBLISH
        | Method::REGISTER
        | Method::UPDATE => false,
        _ => request.to_tag().is_none(),
    }
}

impl ResponseContext {
    /// The side that answers come from.
    pub(super) fn far_side(&self) -> Side {
        self.from.other()
    }
}
