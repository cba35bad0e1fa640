//! Messages as they pass: which call they belong to, what their SDP means there, and the edit.

use std::sync::Arc;
use std::time::Duration;

use super::call::{Call, Initial, Phase, Tools, family};
use super::dialog::{Kind, Party, Side, Tx};
use super::ports::MediaPlane;
use super::{Anchor, CallFact, CallKey, Cause};
use crate::Face;
use crate::message::{Edit, Message, Method, Name};
use crate::name_addr::NameAddr;
use crate::proxy::{Passage, Passing, Refusal};
use crate::sdp::body::{self, Found, Located};
use crate::sdp::{self, Description, SdpError, Stream};
use crate::via::Via;

/// Longest user part in a fact, in characters.
const MAX_USER: usize = 128;
/// Most branches of one INVITE that are told apart.
const MAX_BRANCHES: usize = 16;

/// A description that passes.
struct Passed<'m> {
    located: Located,
    description: Description<'m>,
    streams: Vec<Stream>,
}

/// What a body holds.
enum Carried<'m> {
    Nothing,
    Sealed,
    Sdp(Passed<'m>),
}

impl<'m> Carried<'m> {
    fn read(message: &'m Message) -> Result<Self, SdpError> {
        match body::find(message) {
            Found::Nothing => Ok(Self::Nothing),
            Found::Sealed => Ok(Self::Sealed),
            Found::Sdp(located) => {
                let bytes = message.body().get(located.range.clone()).unwrap_or_default();
                let description = Description::parse(bytes)?;
                let streams = Stream::all(&description);
                Ok(Self::Sdp(Passed { located, description, streams }))
            }
        }
    }
}

/// Where a message stands in a call.
#[derive(Clone, Copy)]
struct Position {
    key: CallKey,
    /// Who sent the request, or the request that is answered.
    requester: Side,
}

impl<M: MediaPlane> Passage for Anchor<M> {
    fn request(&mut self, ctx: &Passing, request: &Message, edit: &mut Edit) -> Result<(), Refusal> {
        match request.method() {
            Some(Method::INVITE) => self.invite(ctx, request, edit),
            Some(Method::ACK) => {
                self.ack(ctx, request, edit);
                Ok(())
            }
            Some(Method::PRACK) => self.within(ctx, request, edit, Kind::Prack),
            Some(Method::UPDATE) => self.within(ctx, request, edit, Kind::Update),
            Some(Method::BYE) => {
                self.bye(ctx, request);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn response(&mut self, ctx: &Passing, response: &Message, edit: &mut Edit) {
        let (Some(status), Some(cseq)) = (response.status(), response.cseq()) else { return };
        let kind = match cseq.method {
            Method::INVITE => Kind::Invite,
            Method::PRACK => Kind::Prack,
            Method::UPDATE => Kind::Update,
            Method::BYE => {
                if status >= 200 {
                    self.bye_answered(ctx.now, response, ctx.from.other(), status);
                }
                return;
            }
            _ => return,
        };
        let Some(position) = self.find(response, ctx.from.other()) else {
            self.count_stray(response);
            return;
        };
        let tx = Tx { by: position.requester, kind, cseq: cseq.number };
        match kind {
            _ if status == 100 => {}
            Kind::Invite => self.invite_response(ctx, position.key, tx, status, response, edit),
            _ => self.other_response(ctx, position.key, tx, status, response, edit),
        }
    }

    fn concluded(&mut self, now: Duration, request: &Message, status: u16) {
        // The face isn't told; a call that passes here twice, by both faces, is told apart by its branch.
        let positions = [Face::Trunk, Face::Pbx].map(|face| self.find(request, face).map(|p| (p, face)));
        let branch = request.top_via().and_then(|via| via.branch());
        let known = |p: &(Position, Face)| {
            self.calls
                .get(&p.0.key)
                .is_some_and(|c| c.initial.branches.iter().any(|b| Some(b.as_str()) == branch))
        };
        let mut found = positions.iter().flatten();
        let Some(&(position, face)) = found.clone().find(|p| known(p)).or_else(|| found.next()) else {
            return;
        };
        let Some(cseq) = request.cseq() else { return };
        let kind = match cseq.method {
            Method::INVITE => Kind::Invite,
            Method::PRACK => Kind::Prack,
            Method::UPDATE => Kind::Update,
            Method::BYE => return self.bye_answered(now, request, face, status),
            _ => return,
        };
        let tx = Tx { by: position.requester, kind, cseq: cseq.number };
        let initial = self.calls.get(&position.key).is_some_and(|call| is_initial(call, tx));
        if initial {
            self.invite_failed(now, position.key, status, branch, None);
        } else {
            self.failed(now, position.key, tx, request);
        }
    }
}

impl<M: MediaPlane> Anchor<M> {
    fn tools(&mut self) -> (Tools<'_, M>, &mut std::collections::HashMap<CallKey, Call>) {
        let tools = Tools {
            media: &mut self.media,
            settings: &self.settings,
            counters: &mut self.counters,
            facts: &mut self.facts,
        };
        (tools, &mut self.calls)
    }

    /// The call of a message that belongs to a request which came from `requester`'s face.
    fn find(&self, message: &Message, requester: Face) -> Option<Position> {
        let call_id = message.call_id();
        let from = name(call_id, message.from_tag().unwrap_or_default(), requester);
        if let Some(&key) = self.names.get(&from) {
            return Some(Position { key, requester: Side::Caller });
        }
        let to = name(call_id, message.to_tag()?, requester.other());
        self.names.get(&to).map(|&key| Position { key, requester: Side::Callee })
    }

    fn count_stray(&mut self, message: &Message) {
        if body::find(message) != Found::Nothing {
            self.counters.strays += 1;
        }
    }

    fn refuse(&mut self, status: u16, reason: &str) -> Refusal {
        match status {
            503 => self.counters.refused_ports += 1,
            _ => self.counters.refused_sdp += 1,
        }
        Refusal { status, reason: reason.to_owned() }
    }

    fn invite(&mut self, ctx: &Passing, request: &Message, edit: &mut Edit) -> Result<(), Refusal> {
        match self.find(request, ctx.from) {
            Some(_) if request.to_tag().is_some() => self.within(ctx, request, edit, Kind::Invite),
            Some(position) => self.invite_again(ctx, position.key, request, edit),
            None => self.new_call(ctx, request, edit),
        }
    }

    fn new_call(&mut self, ctx: &Passing, request: &Message, edit: &mut Edit) -> Result<(), Refusal> {
        if self.calls.len() >= self.settings.max_calls {
            self.counters.refused_full += 1;
            return Err(Refusal { status: 503, reason: "Too Many Calls".to_owned() });
        }
        let Some(cseq) = request.cseq() else { return Ok(()) };
        let key = CallKey(self.next_key);
        self.next_key += 1;
        let name = name(request.call_id(), request.from_tag().unwrap_or_default(), ctx.from);
        let initial = Initial { cseq: cseq.number, offer: None, branches: Vec::new() };
        self.names.insert(name.clone(), key);
        self.calls.insert(key, Call::new(key, name, ctx.from, initial));
        self.set_deadline(key, ctx.now + self.settings.setup);
        self.counters.calls += 1;
        let user = |value: Option<NameAddr<'_>>| {
            let uri = value.and_then(|v| v.uri().ok());
            let user = uri.and_then(|u| u.user_unescaped()).unwrap_or_default();
            user.chars().take(MAX_USER).collect::<String>()
        };
        self.tell(CallFact::Started {
            key,
            call_id: request.call_id().to_owned(),
            from_face: ctx.from,
            from: user(request.from()),
            to: user(request.to()),
            at: ctx.now,
        });
        self.offer_initial(ctx, key, request, edit)
    }

    /// The call's INVITE passes again: to another target, by another branch, or after a challenge.
    fn invite_again(
        &mut self,
        ctx: &Passing,
        key: CallKey,
        request: &Message,
        edit: &mut Edit,
    ) -> Result<(), Refusal> {
        let (Some(call), Some(cseq)) = (self.calls.get_mut(&key), request.cseq()) else { return Ok(()) };
        if cseq.number > call.initial.cseq && call.phase != Phase::Answered {
            call.restart(cseq.number);
        } else if call.phase == Phase::Setup {
            // What an earlier target used says nothing about this one.
            call.forget_family(ctx.from.other());
        }
        if call.phase == Phase::Setup {
            self.set_deadline(key, ctx.now + self.settings.setup);
        }
        self.offer_initial(ctx, key, request, edit)
    }

    fn offer_initial(
        &mut self,
        ctx: &Passing,
        key: CallKey,
        request: &Message,
        edit: &mut Edit,
    ) -> Result<(), Refusal> {
        let branch = request.top_via().and_then(|via| via.branch()).unwrap_or_default();
        if let Some(call) = self.calls.get_mut(&key)
            && call.initial.branches.len() < MAX_BRANCHES
            && !call.initial.branches.iter().any(|b| b == branch)
        {
            call.initial.branches.push(branch.to_owned());
        }
        let party = self.offer(ctx, key, request, edit).map_err(|(status, reason)| {
            let refusal = self.refuse(status, reason);
            self.invite_failed(ctx.now, key, status, Some(branch), None);
            refusal
        })?;
        let (mut tools, calls) = self.tools();
        if let Some(call) = calls.get_mut(&key).filter(|call| call.phase == Phase::Setup) {
            call.initial.offer = party;
            call.refresh(&mut tools, ctx.now);
        }
        Ok(())
    }

    /// Edits the SDP of a request that may carry an offer, or makes ready for one in its response.
    fn offer(
        &mut self,
        ctx: &Passing,
        key: CallKey,
        request: &Message,
        edit: &mut Edit,
    ) -> Result<Option<Arc<Party>>, (u16, &'static str)> {
        let carried = Carried::read(request).map_err(|_| (400, "Malformed SDP"))?;
        let invite = request.method() == Some(Method::INVITE);
        let fresh = self.calls.get(&key).is_some_and(|call| call.phase == Phase::Setup);
        match carried {
            Carried::Sdp(passed) => {
                if passed.streams.len() > self.settings.max_streams {
                    return Err((488, "Too Many Streams"));
                }
                let short = if fresh && invite { (503, "No Media Port") } else { (488, "No Media Port") };
                self.lead(ctx, key, request, passed, edit, true).map_err(|_| short)
            }
            Carried::Sealed => {
                self.seal(key);
                Ok(None)
            }
            Carried::Nothing if invite => {
                let (mut tools, calls) = self.tools();
                let Some(call) = calls.get_mut(&key) else { return Ok(None) };
                let from = (ctx.from, family(ctx.source.remote));
                let toward = (ctx.from.other(), family(ctx.toward));
                call.reserve_ahead(&mut tools, from, toward).map_err(|_| (503, "No Media Port"))?;
                Ok(None)
            }
            Carried::Nothing => Ok(None),
        }
    }

    fn seal(&mut self, key: CallKey) {
        self.counters.sealed += 1;
        if let Some(call) = self.calls.get_mut(&key) {
            call.sealed = true;
        }
    }

    /// Leads a description's media through us. Gives what its author said of it.
    fn lead(
        &mut self,
        ctx: &Passing,
        key: CallKey,
        message: &Message,
        mut passed: Passed<'_>,
        edit: &mut Edit,
        strict: bool,
    ) -> Result<Option<Arc<Party>>, super::Exhausted> {
        let ice = self.settings.ice;
        let (mut tools, calls) = self.tools();
        let Some(call) = calls.get_mut(&key).filter(|call| !call.sealed) else { return Ok(None) };
        let hint = family(ctx.toward);
        let places = call.places(&mut tools, &mut passed.streams, ctx.from, hint, strict)?;
        let patches = sdp::rewrite(&passed.description, &passed.streams, &places, ice);
        write(message, edit, &passed.located, patches);
        let signalled_from = ctx.source.remote.ip().to_canonical();
        Ok(Some(Arc::new(Party { streams: passed.streams, signalled_from })))
    }

    /// As [`Self::lead`], where nothing can be refused.
    fn lead_leniently(
        &mut self,
        ctx: &Passing,
        key: CallKey,
        message: &Message,
        edit: &mut Edit,
    ) -> Option<Arc<Party>> {
        match Carried::read(message) {
            Ok(Carried::Sdp(passed)) => self.lead(ctx, key, message, passed, edit, false).ok().flatten(),
            Ok(Carried::Sealed) => {
                self.seal(key);
                None
            }
            Ok(Carried::Nothing) => None,
            Err(_) => {
                self.counters.unreadable += 1;
                None
            }
        }
    }

    /// A re-INVITE, UPDATE or PRACK.
    fn within(
        &mut self,
        ctx: &Passing,
        request: &Message,
        edit: &mut Edit,
        kind: Kind,
    ) -> Result<(), Refusal> {
        let (Some(position), Some(cseq)) = (self.find(request, ctx.from), request.cseq()) else {
            self.count_stray(request);
            return Ok(());
        };
        let party = self
            .offer(ctx, position.key, request, edit)
            .map_err(|(status, reason)| self.refuse(if status == 503 { 488 } else { status }, reason))?;
        let tx = Tx { by: position.requester, kind, cseq: cseq.number };
        let described = party.is_some();
        let tag = callee_tag(position.requester, request).to_owned();
        let (mut tools, calls) = self.tools();
        if let Some(call) = calls.get_mut(&position.key)
            && let Some(dialog) = call.dialog(&tag)
        {
            dialog.request(tx, party);
            if described && tx.by == Side::Callee {
                call.prefer(&tag);
            }
            call.refresh(&mut tools, ctx.now);
        }
        Ok(())
    }

    fn ack(&mut self, ctx: &Passing, request: &Message, edit: &mut Edit) {
        let (Some(position), Some(cseq)) = (self.find(request, ctx.from), request.cseq()) else {
            self.count_stray(request);
            return;
        };
        let Some(party) = self.lead_leniently(ctx, position.key, request, edit) else { return };
        let tag = callee_tag(position.requester, request).to_owned();
        let (mut tools, calls) = self.tools();
        if let Some(call) = calls.get_mut(&position.key) {
            if let Some(dialog) = call.dialog(&tag) {
                dialog.ack(position.requester, cseq.number, &party);
            }
            call.refresh(&mut tools, ctx.now);
        }
    }

    fn invite_response(
        &mut self,
        ctx: &Passing,
        key: CallKey,
        tx: Tx,
        status: u16,
        response: &Message,
        edit: &mut Edit,
    ) {
        let initial = self.calls.get(&key).is_some_and(|call| is_initial(call, tx));
        if status >= 300 {
            if initial {
                let branch = response.values(Name::Via).nth(1).and_then(|v| Via::parse(v).ok()?.branch());
                self.invite_failed(ctx.now, key, status, branch, Some(ctx.from));
            } else {
                self.failed(ctx.now, key, tx, response);
            }
            return;
        }
        let party = self.lead_leniently(ctx, key, response, edit);
        let rseq = response.header(Name::RSeq).and_then(|h| crate::scan::decimal(h.value));
        let rseq =
            rseq.and_then(|n| u32::try_from(n).ok()).filter(|_| response.lists(Name::Require, "100rel"));
        let tag = callee_tag(tx.by, response);
        let (mut tools, calls) = self.tools();
        let Some(call) = calls.get_mut(&key) else { return };
        let most = tools.settings.max_forks;
        let dialog = if initial { call.dialog_or_begin(tag, most) } else { call.dialog(tag) };
        let Some(dialog) = dialog else { return };
        let described = party.is_some();
        dialog.response(tx, status, rseq, party);
        let mut deadline = None;
        if initial {
            match status {
                199 => call.drop_dialog(tag),
                ..200 => {
                    if described {
                        call.prefer(tag);
                    }
                    if (180..184).contains(&status) && call.phase == Phase::Setup {
                        call.ring(&mut tools, ctx.now);
                    }
                    if call.phase == Phase::Setup {
                        deadline = Some(ctx.now + tools.settings.setup);
                    }
                }
                _ => {
                    call.prefer(tag);
                    if call.phase != Phase::Answered {
                        deadline = Some(call.lifetime(tools.settings, ctx.now));
                    }
                    call.answer(&mut tools, ctx.now);
                }
            }
        }
        call.refresh(&mut tools, ctx.now);
        if let Some(at) = deadline {
            self.set_deadline(key, at);
        }
    }

    /// A response to an UPDATE or a PRACK.
    fn other_response(
        &mut self,
        ctx: &Passing,
        key: CallKey,
        tx: Tx,
        status: u16,
        response: &Message,
        edit: &mut Edit,
    ) {
        if status >= 300 {
            return self.failed(ctx.now, key, tx, response);
        }
        let party = self.lead_leniently(ctx, key, response, edit);
        let tag = callee_tag(tx.by, response);
        let described = party.is_some();
        let (mut tools, calls) = self.tools();
        let Some(call) = calls.get_mut(&key) else { return };
        let Some(dialog) = call.dialog(tag) else { return };
        dialog.response(tx, status, None, party);
        if described {
            call.prefer(tag);
        }
        call.refresh(&mut tools, ctx.now);
    }

    /// A request within a dialog came to nothing.
    fn failed(&mut self, now: Duration, key: CallKey, tx: Tx, message: &Message) {
        let tag = callee_tag(tx.by, message);
        let (mut tools, calls) = self.tools();
        let Some(call) = calls.get_mut(&key) else { return };
        if let Some(dialog) = call.dialog(tag) {
            dialog.failed(tx);
        }
        call.refresh(&mut tools, now);
    }

    /// The call's INVITE came to nothing, on that branch. `by`: the face that said so, if it wasn't us.
    fn invite_failed(
        &mut self,
        now: Duration,
        key: CallKey,
        status: u16,
        branch: Option<&str>,
        by: Option<Face>,
    ) {
        let Some(call) = self.calls.get_mut(&key) else { return };
        let branches = &mut call.initial.branches;
        match branches.iter().position(|b| Some(b.as_str()) == branch) {
            Some(at) => {
                branches.remove(at);
            }
            None if branches.len() < 2 => branches.clear(),
            None => return,
        }
        if !branches.is_empty() || call.phase == Phase::Answered {
            return;
        }
        if by.is_some() && is_challenge(status) {
            call.phase = Phase::Challenged(status);
            return self.set_deadline(key, now + self.settings.challenge);
        }
        let caller = call.caller_face;
        let (by, cause) = match (status, by) {
            (487, _) => (Some(caller), Cause::Cancelled),
            (_, Some(face)) => (Some(face), Cause::Rejected),
            (_, None) => (None, Cause::Unreachable),
        };
        self.end(key, by, Some(status), cause, now);
    }

    fn bye(&mut self, ctx: &Passing, request: &Message) {
        let Some(position) = self.find(request, ctx.from) else { return };
        let tag = callee_tag(position.requester, request);
        let Some(call) = self.calls.get_mut(&position.key) else { return };
        if let Some(dialog) = call.dialog(tag)
            && dialog.bye.is_none()
        {
            dialog.bye = Some((ctx.from, ctx.now));
            self.set_deadline(position.key, ctx.now + self.settings.farewell);
        }
    }

    fn bye_answered(&mut self, now: Duration, message: &Message, requester: Face, status: u16) {
        if matches!(status, 401 | 407) {
            return;
        }
        let Some(position) = self.find(message, requester) else { return };
        let tag = callee_tag(position.requester, message);
        self.hang_up(now, position.key, tag);
    }

    /// A dialog is over. The call is, if it was the last that was confirmed.
    pub(super) fn hang_up(&mut self, now: Duration, key: CallKey, tag: &str) {
        let (mut tools, calls) = self.tools();
        let Some(call) = calls.get_mut(&key) else { return };
        let Some(bye) = call.dialog(tag).map(|dialog| dialog.bye) else { return };
        call.drop_dialog(tag);
        if call.has_confirmed() || call.phase != Phase::Answered {
            call.refresh(&mut tools, now);
            let at = match call.phase {
                Phase::Answered => call.lifetime(tools.settings, now),
                _ => now + tools.settings.setup,
            };
            return self.set_deadline(key, at);
        }
        let (by, at) = bye.map_or((None, now), |(face, at)| (Some(face), at));
        self.end(key, by, None, Cause::Bye, at);
    }
}

/// Whether the transaction is that of the INVITE which began the call.
fn is_initial(call: &Call, tx: Tx) -> bool {
    tx.by == Side::Caller && tx.kind == Kind::Invite && tx.cseq == call.initial.cseq
}

/// Statuses after which the caller is expected to try again with more to say.
const fn is_challenge(status: u16) -> bool {
    matches!(status, 401 | 407 | 420 | 421 | 422 | 428 | 494)
}

/// What a call is found by. Call-ID and tag can't hold a line end.
fn name(call_id: &str, tag: &str, caller_face: Face) -> String {
    let mut name = String::with_capacity(call_id.len() + tag.len() + 8);
    for part in [call_id, "\n", tag, "\n", caller_face.as_str()] {
        name.push_str(part);
    }
    name
}

/// The tag that tells the call's dialogs apart.
fn callee_tag(requester: Side, message: &Message) -> &str {
    match requester {
        Side::Caller => message.to_tag(),
        Side::Callee => message.from_tag(),
    }
    .unwrap_or_default()
}

/// Puts the patches into the message's edit, and keeps the length of a MIME part true.
fn write(message: &Message, edit: &mut Edit, located: &Located, patches: Vec<sdp::Patch>) {
    let base = located.range.start;
    let (mut added, mut removed) = (0, 0);
    for patch in patches {
        added += patch.with.len();
        removed += patch.at.len();
        edit.splice_body(message, base + patch.at.start..base + patch.at.end, patch.with);
    }
    if let Some(length) = located.length.clone().filter(|_| added != removed) {
        let now = (located.range.len() + added).saturating_sub(removed);
        edit.splice_body(message, length, now.to_string());
    }
}
