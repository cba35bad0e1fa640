//! A request of our own to one party of a call, which the party must take for its peer's.
//!
//! A proxy has no dialog to send in. What it can do is write as the peer would: with the peer's From, to the party's
//! Contact, along the hops between (RFC 3261 §12.2.1.1). That leaves the numbers in CSeq, which belong to the peer:
//! were one of them used up, the peer's next request would come with a number that the party has seen, and be refused.
//! So
//! - a question (OPTIONS) bears the number of the peer's *latest* request. Numbers may stay, they must not fall
//!   (§12.2.2), and no state changes: whoever holds the dialog answers 200, or 500 where it wants them to rise; whoever
//!   does not, 481. Where the peer has not sent a request yet, the number is 0, below any that it may begin with.
//! - a BYE bears the next number. No request follows it.

use sidetone_call::{CallKey, MediaPlane, Side};

use super::Anchor;
use super::dialog::Role;
use super::dialog_state::PartyState;
use super::position::callee_tag;
use crate::Flow;
use crate::message::{Message, Method, RequestBuilder};
use crate::notification::dialog::{self, Dialog as Writing};
use crate::proxy::{ForwardContext, Local, Neighbour};
use crate::uri::Uri;

/// The dialog state by which a request of our own reaches one party of a call.
#[derive(Clone, Debug)]
pub struct Reach {
    /// Call-ID, and the tags of the party on the trunk's and on the PBX's side.
    pub names: [String; 3],
    /// The peer that has begun the call.
    pub caller: Option<Neighbour>,
    /// The next hop of a request to the party (RFC 3261 §12.2.1.1).
    pub hop: Uri,
    /// The flow that its own messages come by, for a party whose Contact can't be reached from here.
    pub source: Flow,
    /// The highest number in CSeq of the requests that its peer has sent it; 0 if there were none.
    pub number: u32,
    writing: Writing,
}

impl Reach {
    /// The head of a request with that number.
    #[must_use]
    pub fn request(&self, method: Method<'_>, number: u32) -> Option<RequestBuilder> {
        self.writing.request(method, number)
    }
}

impl<M: MediaPlane> Anchor<M> {
    /// Tells the anchor by which names and addresses we stand in Record-Route.
    #[must_use]
    pub fn standing_at(mut self, settings: &crate::proxy::Settings) -> Self {
        self.local = Some(Local::new(settings));
        self
    }

    /// How the party of a call on a side is reached; `None` if the call is not answered, or that is not known.
    #[must_use]
    pub fn reach(&self, key: CallKey, side: Side) -> Option<Reach> {
        let call = self.calls.get(&key)?;
        let tag = call.active.as_deref()?;
        let dialog = call.dialogs.iter().find(|dialog| dialog.tag == tag && dialog.confirmed)?;
        let [caller, callee] = &dialog.parties;
        let (caller, callee) = (caller.as_ref()?, callee.as_ref()?);
        let role = if side == call.caller_side { Role::Caller } else { Role::Callee };
        let (party, peer) = match role {
            Role::Caller => (caller, callee),
            Role::Callee => (callee, caller),
        };
        let mut parts = call.name.split('\n');
        let (call_id, caller_tag) = (parts.next()?, parts.next()?);
        let mut writing = Writing::new(call_id, &peer.name, &party.name)?;
        (writing.target, writing.routes) = (party.target.clone(), party.routes.clone()?);
        let (trunk_tag, pbx_tag) = match call.caller_side {
            Side::Trunk => (caller_tag, tag),
            Side::Pbx => (tag, caller_tag),
        };
        Some(Reach {
            names: [call_id, trunk_tag, pbx_tag].map(str::to_owned),
            caller: call.caller,
            hop: writing.next_hop()?,
            source: party.source,
            number: peer.number.unwrap_or(0),
            writing,
        })
    }

    /// Takes the sender's dialog state from a request that passes in a dialog.
    pub(super) fn note_sender(&mut self, ctx: &ForwardContext, request: &Message) {
        let (Some(position), Some(cseq)) = (self.find(request, ctx.requester()), request.cseq()) else {
            return;
        };
        let tag = callee_tag(position.requester, request);
        let Some(call) = self.calls.get_mut(&position.key) else { return };
        let invite = position.requester == Role::Caller && cseq.method == Method::INVITE;
        // An INVITE with a To tag has made the call known after a restart of ours.
        let initial = invite && (request.to_tag().is_none() || call.initial.caller.is_none());
        if initial && cseq.number == call.initial.cseq {
            call.initial.caller = PartyState::of_inviter(ctx, request);
            return;
        }
        let Some(dialog) = call.dialog(tag) else { return };
        let Some(party) = dialog.party_mut(position.requester) else { return };
        party.source = ctx.source;
        if !matches!(cseq.method, Method::ACK | Method::CANCEL) {
            party.number = party.number.max(Some(cseq.number));
        }
        if matches!(cseq.method, Method::INVITE | Method::UPDATE) {
            party.target = dialog::contact(request).or(party.target.take());
        }
    }

    /// Takes the answerer's dialog state from a response to an INVITE or UPDATE that is no failure.
    pub(super) fn note_answerer(&mut self, ctx: &ForwardContext, response: &Message) {
        let (Some(position), Some(cseq)) = (self.find(response, ctx.answered()), response.cseq()) else {
            return;
        };
        let tag = callee_tag(position.requester, response);
        let known = PartyState::of_invited(ctx, response, self.local.as_ref());
        let Some(call) = self.calls.get_mut(&position.key) else { return };
        let initial = position.requester == Role::Caller && cseq.number == call.initial.cseq;
        let caller = call.initial.caller.clone();
        let Some(dialog) = call.dialog(tag) else { return };
        if initial && cseq.method == Method::INVITE {
            let [from, to] = &mut dialog.parties;
            *from = from.take().or(caller);
            // The answer may pass again, and the callee may have sent requests meanwhile: its number stays known.
            let number = to.as_ref().and_then(|callee| callee.number);
            *to = known.map(|known| PartyState { number, ..known });
        } else if let Some(party) = dialog.party_mut(position.requester.other()) {
            party.source = ctx.source;
            party.target = dialog::contact(response).or(party.target.take());
        }
    }
}
