//! BYE and its answer: the dialog is over, and so is the call with its last confirmed dialog.

use std::time::Duration;

use sidetone_call::{CallKey, Cause, MediaPlane};

use super::Anchor;
use super::call::Phase;
use super::position::callee_tag;
use crate::message::Message;
use crate::proxy::{ForwardContext, Requester};

impl<M: MediaPlane> Anchor<M> {
    pub(super) fn bye(&mut self, ctx: &ForwardContext, request: &Message) {
        let Some(position) = self.find(request, ctx.requester()) else { return };
        let tag = callee_tag(position.requester, request);
        let Some(call) = self.calls.get_mut(&position.key) else { return };
        if let Some(dialog) = call.dialog(tag)
            && dialog.bye.is_none()
        {
            dialog.bye = Some((ctx.from, ctx.now));
            self.set_deadline(position.key, ctx.now + self.settings.bye_timeout);
        }
    }

    pub(super) fn bye_answered(
        &mut self,
        now: Duration,
        message: &Message,
        requester: Requester,
        status: u16,
    ) {
        if matches!(status, 401 | 407) {
            return;
        }
        let Some(position) = self.find(message, requester) else { return };
        let tag = callee_tag(position.requester, message);
        self.hang_up(now, position.key, tag);
    }

    /// Ends a dialog, and the call with it if no confirmed one is left.
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
        let (by, at) = bye.map_or((None, now), |(side, at)| (Some(side), at));
        self.end(key, by, None, Cause::Hangup, at);
    }
}
