//! The INVITE that begins a call: passed once, passed again, or failed.

use std::time::Duration;

use sidetone_call::{CallKey, Cause, MediaPlane, Side};

use super::call::{Call, Initial, Phase};
use super::dialog::Kind;
use super::position::{branch, call_name};
use super::terms::Said;
use super::{Anchor, CallFact, Claims};
use crate::message::{Edit, Message, Name};
use crate::name_addr;
use crate::proxy::{ForwardContext, Refusal};
use crate::uri::UriView;

/// Longest user part in a fact, in characters.
const MAX_USER: usize = 128;
/// Most branches of one INVITE that are told apart.
const MAX_BRANCHES: usize = 16;

impl<M: MediaPlane> Anchor<M> {
    pub(super) fn invite(
        &mut self,
        ctx: &ForwardContext,
        request: &Message,
        edit: &mut Edit,
    ) -> Result<(), Refusal> {
        match self.find(request, ctx.requester()) {
            Some(_) if request.to_tag().is_some() => self.in_dialog_request(ctx, request, edit, Kind::Invite),
            Some(position) => self.invite_again(ctx, position.key, request, edit),
            None => self.new_call(ctx, request, edit),
        }
    }

    fn new_call(&mut self, ctx: &ForwardContext, request: &Message, edit: &mut Edit) -> Result<(), Refusal> {
        if self.calls.len() >= self.settings.max_calls {
            self.counters.refused_full += 1;
            return Err(Refusal { status: 503, reason: "Too Many Calls".to_owned() });
        }
        let Some(cseq) = request.cseq() else { return Ok(()) };
        let key = CallKey(self.next_key);
        self.next_key += 1;
        let name = call_name(request.call_id(), request.from_tag().unwrap_or_default(), ctx.from);
        let initial = Initial { cseq: cseq.number, offer: None, caller: None, branches: Vec::new() };
        self.names.entry(name.clone()).or_default().push((ctx.caller, key));
        self.calls.insert(key, Call::new(key, name, (ctx.from, ctx.caller), initial));
        self.set_deadline(key, ctx.now + self.settings.setup);
        self.counters.calls += 1;
        // However odd the header is: numbers that must not be analysed are looked for in it.
        let user = |name| {
            let uri = request.header(name).and_then(|header| name_addr::uri(header.value));
            let uri = uri.and_then(|uri| UriView::parse(uri).ok());
            let user = uri.and_then(|u| u.user_unescaped()).unwrap_or_default();
            user.chars().take(MAX_USER).collect::<String>()
        };
        self.tell(CallFact::Started {
            key,
            call_id: request.call_id().to_owned(),
            from_side: ctx.from,
            source: ctx.source,
            from: user(Name::From),
            to: user(Name::To),
            claims: Claims::of(request, ctx.from),
            at: ctx.now,
        });
        self.offer_initial(ctx, key, request, edit)
    }

    /// The call's INVITE passes again: to another target, by another branch, or after a challenge.
    fn invite_again(
        &mut self,
        ctx: &ForwardContext,
        key: CallKey,
        request: &Message,
        edit: &mut Edit,
    ) -> Result<(), Refusal> {
        let (Some(call), Some(cseq)) = (self.calls.get_mut(&key), request.cseq()) else { return Ok(()) };
        if cseq.number > call.initial.cseq && call.phase != Phase::Answered {
            call.restart(cseq.number);
        } else if call.phase == Phase::Setup && call.initial.branches.iter().any(|b| b == branch(request)) {
            call.forget_target();
        }
        if call.phase == Phase::Setup {
            self.set_deadline(key, ctx.now + self.settings.setup);
        }
        self.offer_initial(ctx, key, request, edit)
    }

    fn offer_initial(
        &mut self,
        ctx: &ForwardContext,
        key: CallKey,
        request: &Message,
        edit: &mut Edit,
    ) -> Result<(), Refusal> {
        let branch = branch(request);
        if let Some(call) = self.calls.get_mut(&key)
            && call.initial.branches.len() < MAX_BRANCHES
            && !call.initial.branches.iter().any(|b| b == branch)
        {
            call.initial.branches.push(branch.to_owned());
        }
        let new_call = self.calls.get(&key).is_some_and(|call| call.phase == Phase::Setup);
        let party = self.offer(ctx, key, request, edit, Said::Offer).map_err(|error| {
            let refusal = self.refuse(error, new_call);
            self.invite_failed(ctx.now, key, refusal.status, branch, None, false);
            refusal
        })?;
        let cseq = request.cseq().map(|cseq| cseq.number);
        let (mut tools, calls) = self.tools();
        let current = |call: &&mut Call| call.phase == Phase::Setup && Some(call.initial.cseq) == cseq;
        if let Some(call) = calls.get_mut(&key).filter(current) {
            call.initial.offer = party;
            call.refresh(&mut tools, ctx.now);
        }
        Ok(())
    }

    /// The call's INVITE has failed on that branch. `by`: the side that refused it; `None` if we did. `was_sent`:
    /// whether the INVITE had been forwarded, so that somebody might have answered.
    pub(super) fn invite_failed(
        &mut self,
        now: Duration,
        key: CallKey,
        status: u16,
        branch: &str,
        by: Option<Side>,
        was_sent: bool,
    ) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let branches = &mut call.initial.branches;
        let Some(at) = branches.iter().position(|b| b == branch) else { return };
        branches.remove(at);
        if !branches.is_empty() || call.phase == Phase::Answered {
            return;
        }
        if by.is_some() && is_challenge(status) {
            call.phase = Phase::Challenged(status);
            return self.set_deadline(key, now + self.settings.challenge);
        }
        let caller = call.caller_side;
        let (by, cause) = match (status, by) {
            (487, _) => (Some(caller), Cause::Cancelled),
            (_, Some(side)) => (Some(side), Cause::Rejected),
            (408 | 503 | 504, None) if was_sent => (None, Cause::NoAnswer),
            (_, None) => (None, Cause::Rejected),
        };
        self.end(key, by, Some(status), cause, now);
    }
}

/// Statuses after which the caller is expected to try again with more to say.
const fn is_challenge(status: u16) -> bool {
    matches!(status, 401 | 407 | 420 | 421 | 422 | 428 | 494)
}
