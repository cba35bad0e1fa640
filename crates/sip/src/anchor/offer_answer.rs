//! Offers and answers on their way, within a dialog or beginning one.

use std::time::Duration;

use sidetone_call::{CallKey, MediaPlane};

use super::Anchor;
use super::call::Phase;
use super::dialog::{Kind, Role, Tx};
use super::position::callee_tag;
use super::sdp_edit::OfferError;
use super::terms::Said;
use crate::message::{Edit, Message, Name};
use crate::proxy::{ForwardContext, Refusal};
use crate::via::Via;

impl<M: MediaPlane> Anchor<M> {
    /// A re-INVITE, UPDATE or PRACK.
    pub(super) fn in_dialog_request(
        &mut self,
        ctx: &ForwardContext,
        request: &Message,
        edit: &mut Edit,
        kind: Kind,
    ) -> Result<(), Refusal> {
        let (Some(position), Some(cseq)) = (self.find(request, ctx.requester()), request.cseq()) else {
            return if self.is_stray_that_must_not_pass(request) {
                Err(self.refuse(OfferError::Insecure, false))
            } else {
                Ok(())
            };
        };
        let tx = Tx { by: position.requester, kind, cseq: cseq.number };
        let tag = callee_tag(position.requester, request).to_owned();
        let dialog = self.calls.get_mut(&position.key).and_then(|call| call.dialog(&tag));
        let said = dialog.map_or(Said::Offer, |dialog| dialog.said_by(tx));
        let party =
            self.offer(ctx, position.key, request, edit, said).map_err(|error| self.refuse(error, false))?;
        let described = party.is_some();
        let (mut tools, calls) = self.tools();
        if let Some(call) = calls.get_mut(&position.key)
            && let Some(dialog) = call.dialog(&tag)
        {
            dialog.request(tx, party);
            if described && tx.by == Role::Callee {
                call.prefer(&tag);
            }
            call.refresh(&mut tools, ctx.now);
        }
        Ok(())
    }

    pub(super) fn ack(&mut self, ctx: &ForwardContext, request: &Message, edit: &mut Edit) {
        let (Some(position), Some(cseq)) = (self.find(request, ctx.requester()), request.cseq()) else {
            if self.is_stray_that_must_not_pass(request) {
                edit.set_body(request, "");
            }
            return;
        };
        self.acknowledged(ctx.now, position);
        let Some(party) = self.anchor_sdp_leniently(ctx, position.key, request, edit, Said::Answer) else {
            return;
        };
        let tag = callee_tag(position.requester, request).to_owned();
        let (mut tools, calls) = self.tools();
        if let Some(call) = calls.get_mut(&position.key) {
            if let Some(dialog) = call.dialog(&tag) {
                dialog.ack(position.requester, cseq.number, &party);
            }
            call.refresh(&mut tools, ctx.now);
        }
    }

    /// A response to an INVITE. Only one to the call's first INVITE may begin a dialog, set the call's deadline, or
    /// answer the call; a re-INVITE's changes the session alone.
    pub(super) fn invite_response(
        &mut self,
        ctx: &ForwardContext,
        key: CallKey,
        tx: Tx,
        status: u16,
        response: &Message,
        edit: &mut Edit,
    ) {
        let initial = self.calls.get(&key).is_some_and(|call| call.is_initial(tx));
        if status >= 300 {
            if initial {
                let via = response.values(Name::Via).nth(1).and_then(|value| Via::parse(value).ok());
                let branch = via.and_then(|via| via.branch()).unwrap_or_default();
                self.invite_failed(ctx.now, key, status, branch, Some(ctx.from), true);
            } else {
                self.failed(ctx.now, key, tx, response);
            }
            return;
        }
        let reliable = response.header(Name::RSeq).is_some() && response.lists(Name::Require, "100rel");
        // Sent reliably, an answer is final before the call is answered (RFC 3262 §5).
        let said = match self.said_in_response(key, tx, callee_tag(tx.by, response)) {
            Said::Answer if status < 200 && !reliable => Said::Preview,
            said => said,
        };
        let party = self.anchor_sdp_leniently(ctx, key, response, edit, said);
        let tag = callee_tag(tx.by, response);
        let (mut tools, calls) = self.tools();
        let Some(call) = calls.get_mut(&key) else { return };
        let most = tools.settings.max_forks;
        let dialog = if initial { call.dialog_or_begin(tag, most) } else { call.dialog(tag) };
        let Some(dialog) = dialog else { return };
        let described = party.is_some();
        dialog.response(tx, status, reliable, party);
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
                    call.answer(&mut tools, ctx.now, ctx.source);
                }
            }
        }
        call.refresh(&mut tools, ctx.now);
        if let Some(at) = deadline {
            self.set_deadline(key, at);
        }
    }

    /// Whether the description in a response offers or answers: it answers if the request had an offer.
    fn said_in_response(&mut self, key: CallKey, tx: Tx, tag: &str) -> Said {
        let Some(call) = self.calls.get_mut(&key) else { return Said::Answer };
        let offered = if call.is_initial(tx) {
            call.initial.offer.is_some()
        } else {
            call.dialog(tag).is_none_or(|dialog| dialog.has_offered(tx))
        };
        if offered { Said::Answer } else { Said::Offer }
    }

    /// A response to an UPDATE or a PRACK.
    pub(super) fn other_response(
        &mut self,
        ctx: &ForwardContext,
        key: CallKey,
        tx: Tx,
        status: u16,
        response: &Message,
        edit: &mut Edit,
    ) {
        if status >= 300 {
            return self.failed(ctx.now, key, tx, response);
        }
        let said = self.said_in_response(key, tx, callee_tag(tx.by, response));
        let party = self.anchor_sdp_leniently(ctx, key, response, edit, said);
        let tag = callee_tag(tx.by, response);
        let described = party.is_some();
        let (mut tools, calls) = self.tools();
        let Some(call) = calls.get_mut(&key) else { return };
        let Some(dialog) = call.dialog(tag) else { return };
        dialog.response(tx, status, false, party);
        if described {
            call.prefer(tag);
        }
        call.refresh(&mut tools, ctx.now);
    }

    /// A request within a dialog has failed.
    pub(super) fn failed(&mut self, now: Duration, key: CallKey, tx: Tx, message: &Message) {
        let tag = callee_tag(tx.by, message);
        let (mut tools, calls) = self.tools();
        let Some(call) = calls.get_mut(&key) else { return };
        if let Some(dialog) = call.dialog(tag) {
            dialog.failed(tx);
        }
        call.refresh(&mut tools, now);
    }
}
