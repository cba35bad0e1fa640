//! A 2xx to the call's INVITE that could not be delivered, and the ACK that shows otherwise.

use std::time::Duration;

use sidetone_call::MediaPlane;

use super::Anchor;
use super::call::Phase;
use super::dialog::Role;
use super::position::Position;
use crate::message::Message;
use crate::proxy::Requester;

/// How long an undelivered 2xx waits for its ACK: 64 × T1.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(32);

impl<M: MediaPlane> Anchor<M> {
    /// The call's 2xx could not be delivered to its caller. The callee repeats it for 64 × T1, and should then hang up
    /// by itself (RFC 3261 §13.3.1.4); if no ACK passes by then, [`CallFact::Unacknowledged`](super::CallFact) follows.
    /// Returns whether the ACK is still missing.
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

    /// An ACK of the caller's shows that the 2xx was delivered after all.
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
}
