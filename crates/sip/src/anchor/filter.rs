//! The anchor as a message filter of the proxy: each message goes to the part of offer/answer or call control that its
//! method belongs to.

use std::collections::HashMap;
use std::time::Duration;

use sidetone_call::{CallKey, MediaPlane};

use super::Anchor;
use super::call::{Call, Tools};
use super::dialog::{Kind, Role, Tx};
use super::position::{Position, branch, call_name};
use crate::message::{Edit, Message, Method};
use crate::proxy::{ForwardContext, MessageFilter, Refusal, Requester};
use crate::sdp::body;

impl<M: MediaPlane> MessageFilter for Anchor<M> {
    fn request(&mut self, ctx: &ForwardContext, request: &Message, edit: &mut Edit) -> Result<(), Refusal> {
        let passed = match request.method() {
            Some(Method::INVITE) => self.invite(ctx, request, edit),
            Some(Method::ACK) => {
                self.ack(ctx, request, edit);
                Ok(())
            }
            Some(Method::PRACK) => self.in_dialog_request(ctx, request, edit, Kind::Prack),
            Some(Method::UPDATE) => self.in_dialog_request(ctx, request, edit, Kind::Update),
            Some(Method::BYE) => {
                self.bye(ctx, request);
                Ok(())
            }
            _ => Ok(()),
        };
        // An INVITE that begins a call makes the call known, so the facts are looked for afterwards.
        if passed.is_ok() {
            self.note_sender(ctx, request);
            self.tell_signalled(ctx, request, ctx.requester());
            self.notice_transfer(ctx, request);
            self.note_message(request, ctx.requester());
        }
        passed
    }

    fn response(&mut self, ctx: &ForwardContext, response: &Message, edit: &mut Edit) {
        let (Some(status), Some(cseq)) = (response.status(), response.cseq()) else { return };
        let requester = ctx.answered();
        self.tell_signalled(ctx, response, requester);
        self.note_message(response, requester);
        if cseq.method == Method::BYE && status >= 200 {
            return self.bye_answered(ctx.now, response, requester, status);
        }
        let Some(kind) = kind(cseq.method) else { return };
        let Some(position) = self.find(response, requester) else {
            if self.is_stray_that_must_not_pass(response) {
                edit.set_body(response, "");
            }
            return;
        };
        let tx = Tx { by: position.requester, kind, cseq: cseq.number };
        match kind {
            _ if status == 100 => {}
            Kind::Invite => self.invite_response(ctx, position.key, tx, status, response, edit),
            _ => self.other_response(ctx, position.key, tx, status, response, edit),
        }
        if (101..300).contains(&status) && matches!(kind, Kind::Invite | Kind::Update) {
            self.note_answerer(ctx, response);
        }
    }

    fn concluded(&mut self, now: Duration, requester: Requester, request: &Message, status: u16) {
        let Some(position) = self.find(request, requester) else { return };
        self.note_change(position.key);
        let Some(cseq) = request.cseq() else { return };
        if cseq.method == Method::BYE {
            return self.bye_answered(now, request, requester, status);
        }
        let Some(kind) = kind(cseq.method) else { return };
        let tx = Tx { by: position.requester, kind, cseq: cseq.number };
        let initial = self.calls.get(&position.key).is_some_and(|call| call.is_initial(tx));
        if initial {
            self.invite_failed(now, position.key, status, branch(request), None, true);
        } else {
            self.failed(now, position.key, tx, request);
        }
    }

    fn undelivered(&mut self, now: Duration, requester: Requester, response: &Message) -> bool {
        self.answer_undelivered(now, requester, response)
    }
}

impl<M: MediaPlane> Anchor<M> {
    pub(super) fn tools(&mut self) -> (Tools<'_, M>, &mut HashMap<CallKey, Call>) {
        let tools = Tools {
            media: &mut self.media,
            settings: &self.settings,
            security: &self.security,
            counters: &mut self.counters,
            facts: &mut self.facts,
        };
        (tools, &mut self.calls)
    }

    /// A message of a call passes: whatever it changes is to be written down, if calls are.
    fn note_message(&mut self, message: &Message, requester: Requester) {
        if self.changed.is_some()
            && let Some(position) = self.find(message, requester)
        {
            self.note_change(position.key);
        }
    }

    /// The call of a message that belongs to a request of `requester`'s.
    pub(super) fn find(&self, message: &Message, requester: Requester) -> Option<Position> {
        let call_id = message.call_id();
        let named = |tag, side| {
            let calls = self.names.get(&call_name(call_id, tag, side))?;
            calls.iter().find(|(caller, _)| *caller == requester.caller).map(|(_, key)| *key)
        };
        if let Some(key) = named(message.from_tag().unwrap_or_default(), requester.from) {
            return Some(Position { key, requester: Role::Caller });
        }
        let key = named(message.to_tag()?, requester.from.other())?;
        Some(Position { key, requester: Role::Callee })
    }

    /// Counts a description of a call that nobody here knows; whether it has to be kept from passing, since nobody can
    /// see to its protection.
    pub(super) fn is_stray_that_must_not_pass(&mut self, message: &Message) -> bool {
        let stray = !body::find(message).is_nothing();
        self.counters.strays += u64::from(stray);
        stray && self.security.requires()
    }
}

/// The kind of a request that can carry an offer or an answer in a transaction of its own; `None` for other methods.
fn kind(method: Method<'_>) -> Option<Kind> {
    match method {
        Method::INVITE => Some(Kind::Invite),
        Method::PRACK => Some(Kind::Prack),
        Method::UPDATE => Some(Kind::Update),
        _ => None,
    }
}
