//! BYE, and what is left after it.

use std::time::Duration;

use super::Anchor;
use super::call::Phase;
use super::dialog::Role;
use super::position::{Position, callee_tag};
use crate::message::Message;
use crate::proxy::{Passing, Requester};
use sidetone_call::{CallKey, Cause, MediaPlane};

/// How long an answer waits for its ACK, 64 × T1.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(32);

impl<M: MediaPlane> Anchor<M> {
    pub(super) fn bye(&mut self, ctx: &Passing, request: &Message) {
        let Some(position) = self.find(request, ctx.requester()) else { return };
        let tag = callee_tag(position.requester, request);
        let Some(call) = self.calls.get_mut(&position.key) else { return };
        if let Some(dialog) = call.dialog(tag)
            && dialog.bye.is_none()
        {
            dialog.bye = Some((ctx.from, ctx.now));
            self.set_deadline(position.key, ctx.now + self.settings.farewell);
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

    /// The call's 2xx did not get to its caller. Whoever sent it repeats it for 64 × T1, and should then give up by
    /// itself (RFC 3261 §13.3.1.4); if no ACK passes by then, that is told. Returns whether the ACK is still missing.
    pub(super) fn answer_undelivered(
        &mut self,
        now: Duration,
        requester: Requester,
        response: &Message,
    ) -> bool {
        let (Some(position), Some(cseq)) = (self.find(response, requester), response.cseq()) else {
            return true;
        };
        let Some(call) = self.calls.get_mut(&position.key) else { return true };
        let first = position.requester == Role::Caller && cseq.number == call.initial.cseq;
        if !first || call.phase != Phase::Answered {
            return true;
        }
        if !call.acknowledged && !call.undelivered {
            call.undelivered = true;
            self.set_deadline(position.key, now + ACKNOWLEDGED_WITHIN);
        }
        self.calls.get(&position.key).is_some_and(|call| !call.acknowledged)
    }

    /// An ACK passes.
    pub(super) fn acknowledged(&mut self, now: Duration, position: Position) {
        let Some(call) = self.calls.get_mut(&position.key) else { return };
        if position.requester != Role::Caller {
            return;
        }
        call.acknowledged = true;
        if std::mem::take(&mut call.undelivered) {
            let at = call.lifetime(&self.settings, now);
            self.set_deadline(position.key, at);
        }
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
        let (by, at) = bye.map_or((None, now), |(side, at)| (Some(side), at));
        self.end(key, by, None, Cause::Hangup, at);
    }
}
