//! Requests as they arrive: recognised, checked, and put to the shell for routing.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::Side;

use super::amplification_limit::AmplificationLimit;
use super::dialogs::{Names, Standing, Way};
use super::dropped::DropReason;
use super::filter::MessageFilter;
use super::output::{Output, RouteKey, RouteKind, RouteQuery};
use super::reply::ReplyPath;
use super::response_context::{ResponseContext, Stage};
use super::table::Key;
use super::validate::{self, Instead, Valid};
use super::{Proxy, held};
use crate::Flow;
use crate::framing::FrameFlaw;
use crate::message::{Message, Method, ParseError, ResponseBuilder};
use crate::transaction::key::{ServerKey, Source};
use crate::transaction::{InviteServer, NonInviteServer, OnRequest, Server};
use crate::uri::{Scheme, UriView};

/// Methods that this proxy passes on, as its answer to OPTIONS has them. It passes on any other too.
const ALLOW: &str = "ACK, BYE, CANCEL, INFO, INVITE, MESSAGE, NOTIFY, OPTIONS, PRACK, PUBLISH, REFER, REGISTER, SUBSCRIBE, UPDATE";

impl<F: MessageFilter> Proxy<F> {
    pub(super) fn on_malformed(&mut self, now: Duration, flow: &Flow, error: &ParseError) {
        match error.answerable().filter(|m| m.method() != Some(Method::ACK)) {
            Some(request) => {
                self.counters.malformed_answered += 1;
                self.answer(now, request, flow, error.status(), &error.reason(), &[]);
            }
            None => {
                self.counters.malformed_dropped += 1;
                self.drops.note(flow, DropReason::Malformed(error.flaw));
            }
        }
    }

    /// The head of a message in a stream that can't be followed any further: its sender is told why, since the
    /// connection is about to be closed.
    pub(super) fn on_broken(&mut self, now: Duration, flow: &Flow, head: Bytes, flaw: FrameFlaw) {
        let parsed = Message::parse(head);
        let view = match &parsed {
            Ok(message) => Some(message).filter(|message| message.is_request()),
            Err(error) => error.answerable(),
        };
        match view.filter(|message| message.method() != Some(Method::ACK)) {
            Some(request) => {
                self.counters.malformed_answered += 1;
                let (status, reason) = match flaw {
                    FrameFlaw::TooLarge => (513, "Message Too Large".to_owned()),
                    flaw => (400, format!("Bad Request ({flaw})")),
                };
                self.answer(now, request, flow, status, &reason, &[]);
            }
            None => {
                self.counters.malformed_dropped += 1;
                self.drops.note(flow, DropReason::Unframed(flaw));
            }
        }
    }

    pub(super) fn on_request(&mut self, now: Duration, flow: &Flow, request: Message) {
        let (Some(method), Some(via)) = (request.method(), request.top_via()) else { return };
        match method {
            Method::ACK => return self.on_ack(now, flow, request),
            Method::CANCEL => return self.on_cancel(now, flow, &request),
            _ => {}
        }
        let id = self.keying.server(&request, &via, method, self.source(flow));
        if let Some(&known) = self.by_id.get(&id) {
            self.counters.retransmissions_in += 1;
            return self.on_retransmission(known);
        }
        self.counters.requests.count(method);
        let valid = match self.check(&request, method, flow) {
            Ok(valid) => valid,
            Err(instead) => return self.do_instead(now, &request, flow, &instead),
        };
        let in_dialog = request.to_tag().is_some();
        if self.is_full(flow, in_dialog) {
            self.counters.overloaded += 1;
            let after = self.settings.retry_after.as_secs().to_string();
            return self.answer(now, &request, flow, 503, "Service Unavailable", &[("Retry-After", &after)]);
        }
        let server = match method {
            Method::INVITE => Server::Invite(InviteServer::start(now, flow.transport)),
            _ => Server::NonInvite(NonInviteServer::start(now, &self.settings.timers, flow.transport)),
        };
        self.ask_for_route(now, flow, request, valid, Some((server, id)));
    }

    /// The source by which the transactions of one sender are told from another's.
    pub(super) fn source(&self, flow: &Flow) -> Source {
        let peer = self.neighbours.of(flow.remote).map(|peer| peer.id);
        Source { ip: flow.remote.ip(), peer }
    }

    /// The checks of RFC 3261 §16.3.
    pub(super) fn check(&self, request: &Message, method: Method<'_>, flow: &Flow) -> Result<Valid, Instead> {
        validate::validate(request, method, flow, &self.local, &self.tokens)
    }

    /// Whether there is no room for a request that came by `flow`: in all, or in its peer's share. Requests in dialogs
    /// are let in a little longer: what can't end stays.
    pub(super) fn is_full(&self, flow: &Flow, in_dialog: bool) -> bool {
        let most = self.settings.max_transactions;
        let max = if in_dialog { most.saturating_add(most / 4) } else { most };
        let theirs = self.held.of(self.neighbours.of(flow.remote));
        self.transactions().max(self.held.total()) >= max || theirs >= held::share(most, in_dialog)
    }

    fn do_instead(&mut self, now: Duration, request: &Message, flow: &Flow, instead: &Instead) {
        match instead {
            Instead::Answer => self.answer(now, request, flow, 200, "OK", &[("Allow", ALLOW)]),
            Instead::Refuse { status, reason, unsupported } => {
                match status {
                    400 => self.counters.malformed_answered += 1,
                    482 => {
                        self.counters.loops += 1;
                        self.counters.refused += 1;
                    }
                    _ => self.counters.refused += 1,
                }
                let header = unsupported.as_deref().map(|options| ("Unsupported", options));
                self.answer(now, request, flow, *status, reason, header.as_slice());
            }
        }
    }

    /// A final response for which nothing is remembered: if it is lost, the request comes again and so does this. Over
    /// UDP the source may be forged, so what it draws is bounded in number and size.
    pub(super) fn answer(
        &mut self,
        now: Duration,
        request: &Message,
        flow: &Flow,
        status: u16,
        reason: &str,
        headers: &[(&str, &str)],
    ) {
        let reliable = flow.transport.is_reliable();
        if !reliable && !self.amplification_limit.take(now, flow.remote.ip()) {
            self.counters.answers_withheld += 1;
            self.drops.note(flow, DropReason::Withheld);
            return;
        }
        self.answer_freely(request, flow, status, reason, headers);
    }

    /// The same, where the request belongs to one that was taken already.
    pub(super) fn answer_freely(
        &mut self,
        request: &Message,
        flow: &Flow,
        status: u16,
        reason: &str,
        headers: &[(&str, &str)],
    ) {
        let reply =
            request.top_via().map_or_else(|| ReplyPath::to_source(flow), |via| ReplyPath::of(flow, &via));
        let tag = self.tokens.to_tag(request);
        let mut response =
            ResponseBuilder::new(request, status).reason(reason).to_tag(&tag).source(flow.remote);
        for (name, value) in headers {
            response = response.header(name, value);
        }
        let bytes = response.build();
        if !flow.transport.is_reliable() && !AmplificationLimit::fits(request.as_bytes().len(), bytes.len()) {
            self.counters.answers_withheld += 1;
            self.drops.note(flow, DropReason::Withheld);
            return;
        }
        self.counters.responses_out.count(status);
        self.counters.responses_made += 1;
        self.send(bytes, reply.to, reply.connect);
    }

    /// Puts a request aside until the shell has said where it goes.
    pub(super) fn ask_for_route(
        &mut self,
        now: Duration,
        flow: &Flow,
        request: Message,
        valid: Valid,
        transaction: Option<(Server, ServerKey)>,
    ) {
        let Some(via) = request.top_via() else { return };
        let reply = ReplyPath::of(flow, &via);
        let (server, id) = transaction.unzip();
        let until = now + self.settings.route_within;
        let peer = self.neighbours.of(flow.remote);
        let weight = held::weight(request.as_bytes().len());
        self.held.add(peer, weight);
        let key = self.contexts.insert(|_| ResponseContext {
            server,
            id,
            source: *flow,
            peer,
            weight,
            reply,
            from: Side::Trunk,
            stage: Stage::Routing { until },
            plan: Some(Box::new(valid.plan)),
            loops: valid.loops,
            proven: None,
            caller: peer,
            member: None,
            passed: false,
            candidates: VecDeque::new(),
            attempts: Vec::new(),
            best: None,
            timed_out: false,
            flow_failed: false,
            unanswered: false,
            ring_timed_out: false,
            cancelled: None,
            renumbered: None,
            last: None,
            request: Some(Box::new(request)),
        });
        if let Some(id) = id {
            self.by_id.insert(id, key);
        }
        self.wake_context(key);
        let asked = self.contexts.get(key).and_then(|context| self.route_query(now, key, context));
        let Some((query, proven)) = asked else { return };
        if let Some(context) = self.contexts.get_mut(key) {
            context.proven = proven;
            if let Standing::Within(way) = &query.standing {
                context.caller = way.caller;
            }
        }
        self.outputs.push_back(Output::Route(query));
    }

    /// The query to the shell, and whether a mark proves that the request's sender began its dialog.
    fn route_query(
        &self,
        now: Duration,
        key: Key,
        context: &ResponseContext,
    ) -> Option<(RouteQuery, Option<bool>)> {
        let (request, plan) = (context.request.as_ref()?, context.plan.as_ref()?);
        let uri = plan.request_uri.as_ref().map_or(request.request_uri()?, |uri| uri.as_str());
        let service = plan.ends_here().then(|| self.service_query(context, request, uri)).flatten();
        let kind = match (service, &plan.kind, plan.flow.as_deref()) {
            (Some(service), ..) => service,
            (None, RouteKind::Onward { next_hop }, Some(flow)) => {
                RouteKind::Flow { next_hop: next_hop.clone(), to: self.flows.steer(flow, context.peer) }
            }
            (None, kind, _) => kind.clone(),
        };
        let (standing, proven) = self.standing(now, context, request, &kind);
        let query = RouteQuery {
            key: RouteKey(key),
            kind,
            standing,
            method: request.method()?.as_str().to_owned(),
            request_uri: uri.to_owned(),
            source: context.source,
            call_id: request.call_id().to_owned(),
            from_tag: request.from_tag().unwrap_or_default().to_owned(),
            to_tag: request.to_tag().map(str::to_owned),
        };
        Some((query, proven))
    }

    /// Whether the request belongs to a dialog: one that is held, or else one that a mark of an earlier life proves.
    fn standing(
        &self,
        now: Duration,
        context: &ResponseContext,
        request: &Message,
        kind: &RouteKind,
    ) -> (Standing, Option<bool>) {
        let next = match kind {
            RouteKind::Onward { next_hop } | RouteKind::Flow { next_hop, .. } => next_hop.view().host_port(),
            RouteKind::Initial | RouteKind::Service { .. } => None,
        };
        let Some(method) = request.method() else { return (Standing::Unknown, None) };
        let (names, source) = (Names::of(request), &context.source);
        let standing = self.dialogs.standing(now, method, names, source, next.as_ref(), &self.neighbours);
        let proven = || {
            let mark = context.plan.as_ref()?.mark.as_deref()?;
            let from = self.neighbours.of(source.remote)?;
            let tags = (names.from_tag, names.to_tag?);
            self.stamps.as_ref()?.prove(mark, names.call_id, tags, from)
        };
        let from_caller = |by_caller: bool| context.peer.filter(|_| by_caller);
        match (standing, proven()) {
            (Standing::Unknown, Some(proven)) => {
                let caller = from_caller(proven.by_caller);
                let way = Way { hop: None, named: false, mark: Some(proven.far), caller };
                (Standing::Within(way), Some(proven.by_caller))
            }
            (standing, _) => (standing, None),
        }
    }

    /// The query for a request to our service user: a SUBSCRIBE, or a request in the dialog that one has made.
    fn service_query(&self, context: &ResponseContext, request: &Message, uri: &str) -> Option<RouteKind> {
        let user = self.settings.service_user.as_deref()?;
        let uri = UriView::parse(uri).ok()?;
        let may_be = request.method() == Some(Method::SUBSCRIBE) || request.to_tag().is_some();
        let meant = may_be && uri.user() == Some(user);
        if !meant || !self.local.is_our_uri(&uri) {
            return None;
        }
        let place = self.local.place(context.source.transport, context.source.local)?;
        Some(RouteKind::Service {
            request: request.bytes(),
            tag: self.tokens.to_tag(request),
            contact: place.contact(user, uri.scheme() == Scheme::Sips),
        })
    }

    fn on_retransmission(&mut self, key: Key) {
        let Some(context) = self.contexts.get(key) else { return };
        let resend = context.server.as_ref().map(Server::request) == Some(OnRequest::Resend);
        if let Some(last) = context.last.clone().filter(|_| resend) {
            let reply = context.reply;
            self.send(last, reply.to, reply.connect);
        }
    }

    /// Sets the response context's timer, or removes the context if nothing is left to be done.
    pub(super) fn tidy_context(&mut self, key: Key) {
        let Some(context) = self.contexts.get(key) else { return };
        let ended = context.server.as_ref().is_none_or(Server::is_terminated);
        if let Some(id) = context.id.filter(|id| ended && self.by_id.get(id) == Some(&key)) {
            self.by_id.remove(&id);
        }
        let routing = matches!(context.stage, Stage::Routing { .. });
        if ended && !routing && context.attempts.is_empty() {
            if let Some(context) = self.contexts.remove(key) {
                self.held.release(context.peer, context.weight);
            }
            self.timers.set(context_timer(key), None);
        } else {
            self.wake_context(key);
        }
    }

    fn wake_context(&mut self, key: Key) {
        let at = self.contexts.get(key).and_then(ResponseContext::next_timeout);
        self.timers.set(context_timer(key), at);
    }
}

/// Even timer ids belong to response contexts, odd ones to attempts.
fn context_timer(key: Key) -> u32 {
    key.slot.wrapping_mul(2)
}
