//! Offer and answer within one dialog (RFC 3264; which message carries which: RFC 6337 §2).

use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use sidetone_call::Side;

use super::dialog_state::PartyState;
use super::terms::Said;
use crate::sdp::Stream;

/// The role of a party: the caller sent the call's first INVITE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) enum Role {
    Caller,
    Callee,
}

impl Role {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Callee,
            Self::Callee => Self::Caller,
        }
    }
}

/// A party's description, and where its signalling came from.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Party {
    pub(super) streams: Vec<Stream>,
    pub(super) signalled_from: IpAddr,
    /// None of its m-lines can be had on the terms of our policy; it came in a message that can't be refused.
    pub(super) insecure: bool,
}

/// A request that can carry SDP, in a transaction of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    Invite,
    Update,
    Prack,
}

/// A transaction within the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tx {
    /// The party that sent the request.
    pub(super) by: Role,
    pub(super) kind: Kind,
    pub(super) cseq: u32,
}

/// Both descriptions, as far as they are known, and who holds which stream.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct View {
    pub(super) caller: Option<Arc<Party>>,
    pub(super) callee: Option<Arc<Party>>,
    caller_holds: Vec<bool>,
    callee_holds: Vec<bool>,
    /// Descriptions that caller and callee have offered, and that are not answered yet.
    offered: [Option<Arc<Party>>; 2],
}

impl View {
    /// One description without its answer.
    pub(super) fn half(by: Role, party: Arc<Party>) -> Self {
        let mut view = Self::default();
        *view.party_mut(by) = Some(party);
        view
    }

    pub(super) const fn party(&self, role: Role) -> Option<&Arc<Party>> {
        match role {
            Role::Caller => self.caller.as_ref(),
            Role::Callee => self.callee.as_ref(),
        }
    }

    /// What that party has offered, while it is not answered.
    pub(super) fn offered(&self, role: Role) -> Option<&Party> {
        let [caller, callee] = &self.offered;
        match role {
            Role::Caller => caller.as_deref(),
            Role::Callee => callee.as_deref(),
        }
    }

    const fn party_mut(&mut self, role: Role) -> &mut Option<Arc<Party>> {
        match role {
            Role::Caller => &mut self.caller,
            Role::Callee => &mut self.callee,
        }
    }

    /// Whether that party holds m-line `index`.
    pub(super) fn holds(&self, role: Role, index: usize) -> bool {
        let holds = match role {
            Role::Caller => &self.caller_holds,
            Role::Callee => &self.callee_holds,
        };
        holds.get(index).copied().unwrap_or(false)
    }

    /// The number of m-lines.
    pub(super) fn len(&self) -> usize {
        let count = |party: &Option<Arc<Party>>| party.as_ref().map_or(0, |p| p.streams.len());
        count(&self.caller).max(count(&self.callee))
    }

    const fn is_empty(&self) -> bool {
        self.caller.is_none() && self.callee.is_none()
    }

    /// The view after `answer` to the offer that `by` made. A party that wants no media holds; but an answer to an
    /// offer that sends none doesn't say whether its author holds.
    fn agree(&self, by: Role, offer: &Arc<Party>, answer: &Arc<Party>) -> Self {
        let before = |role, i| self.holds(role, i);
        let count = offer.streams.len().max(answer.streams.len());
        let of = |party: &Party, i: usize| party.streams.get(i).map(|s| (s.receives(), s.direction.sends()));
        let offerer_holds = (0..count).map(|i| of(offer, i).is_some_and(|(receives, _)| !receives)).collect();
        let answerer_holds = (0..count)
            .map(|i| match (of(offer, i), of(answer, i)) {
                (Some((_, true)), Some((receives, _))) => !receives,
                _ => before(by.other(), i),
            })
            .collect();
        match by {
            Role::Caller => Self {
                caller: Some(Arc::clone(offer)),
                callee: Some(Arc::clone(answer)),
                caller_holds: offerer_holds,
                callee_holds: answerer_holds,
                offered: [None, None],
            },
            Role::Callee => Self {
                caller: Some(Arc::clone(answer)),
                callee: Some(Arc::clone(offer)),
                caller_holds: answerer_holds,
                callee_holds: offerer_holds,
                offered: [None, None],
            },
        }
    }
}

/// An offer that isn't answered.
#[derive(Debug, Serialize, Deserialize)]
struct Offer {
    by: Role,
    tx: Tx,
    party: Arc<Party>,
}

/// The latest INVITE of one party.
#[derive(Debug, Serialize, Deserialize)]
struct Invite {
    tx: Tx,
    /// The INVITE's offer/answer exchange is complete; SDP in further responses says nothing new (RFC 3261 §13.2.1).
    settled: bool,
    /// A 2xx was seen: another is a retransmission.
    accepted: bool,
    /// The session before the INVITE, for one that fails after a reliable 18x has settled it (RFC 6141 §3.4).
    before: View,
}

/// One dialog.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Dialog {
    /// The callee's tag.
    pub(super) tag: String,
    /// A 2xx to the call's INVITE was seen.
    pub(super) confirmed: bool,
    /// The side that has sent a BYE, and when.
    pub(super) bye: Option<(Side, Duration)>,
    /// The dialog state of caller and callee.
    pub(super) parties: [Option<PartyState>; 2],
    agreed: View,
    /// The session by an unreliable 18x: in force, but not settled.
    preview: Option<View>,
    offers: Vec<Offer>,
    /// The latest requests that could carry SDP, and what theirs said; `None` if they had none.
    said: Vec<(Tx, Option<Said>)>,
    invites: Vec<Invite>,
}

impl Dialog {
    /// A dialog that a response to the call's INVITE has begun.
    pub(super) fn begun(tag: String, cseq: u32, offer: Option<Arc<Party>>) -> Self {
        let mut dialog = Self {
            tag,
            confirmed: false,
            bye: None,
            parties: [None, None],
            agreed: View::default(),
            preview: None,
            offers: Vec::new(),
            said: Vec::new(),
            invites: Vec::new(),
        };
        dialog.request(Tx { by: Role::Caller, kind: Kind::Invite, cseq }, offer);
        dialog
    }

    /// That party's dialog state.
    pub(super) const fn party_mut(&mut self, role: Role) -> Option<&mut PartyState> {
        let [caller, callee] = &mut self.parties;
        match role {
            Role::Caller => caller.as_mut(),
            Role::Callee => callee.as_mut(),
        }
    }

    /// The descriptions that are in force.
    pub(super) fn view(&self) -> View {
        let mut view = match &self.preview {
            Some(preview) => preview.clone(),
            None if !self.agreed.is_empty() => self.agreed.clone(),
            None => {
                let offer = self.offers.last();
                return offer.map_or_else(View::default, |o| View::half(o.by, Arc::clone(&o.party)));
            }
        };
        for offer in &self.offers {
            let [caller, callee] = &mut view.offered;
            let place = if offer.by == Role::Caller { caller } else { callee };
            *place = Some(Arc::clone(&offer.party));
        }
        view
    }

    /// Whether the callee has described its media.
    pub(super) fn has_callee(&self) -> bool {
        self.view().callee.is_some()
    }

    fn offer(&mut self, by: Role, tx: Tx, party: Arc<Party>) {
        self.offers.retain(|o| o.tx != tx);
        // One is the rule, two is glare; more is somebody's mistake and is forgotten.
        if self.offers.len() >= 4 {
            self.offers.remove(0);
        }
        self.offers.push(Offer { by, tx, party });
    }

    fn take_offer(&mut self, by: Role, tx: Tx) -> Option<Offer> {
        let at = self.offers.iter().position(|o| o.by == by && o.tx == tx)?;
        Some(self.offers.remove(at))
    }

    fn settle(&mut self, offer: &Offer, answer: &Arc<Party>) {
        self.agreed = self.agreed.agree(offer.by, &offer.party, answer);
        self.preview = None;
        if let Some(invite) = self.invites.iter_mut().find(|i| i.tx == offer.tx) {
            invite.settled = true;
        }
    }

    /// What a description in that request says: an offer, but in the PRACK to a reliable 18x that made one an answer
    /// (RFC 3262 §5). A request that comes again says what it said at first.
    pub(super) fn said_by(&self, tx: Tx) -> Said {
        if let Some((_, Some(said))) = self.said.iter().find(|(known, _)| *known == tx) {
            return *said;
        }
        let invited =
            |offer: &Offer| offer.by != tx.by && offer.tx.kind == Kind::Invite && offer.tx.by == tx.by;
        let answers = tx.kind == Kind::Prack && self.offers.iter().any(invited);
        if answers { Said::Answer } else { Said::Offer }
    }

    /// Whether that request had an offer.
    pub(super) fn has_offered(&self, tx: Tx) -> bool {
        self.said.iter().any(|(known, said)| *known == tx && *said == Some(Said::Offer))
    }

    /// An INVITE, UPDATE or PRACK passes.
    pub(super) fn request(&mut self, tx: Tx, party: Option<Arc<Party>>) {
        let said = party.as_ref().map(|_| self.said_by(tx));
        self.said.retain(|(known, _)| *known != tx);
        // As many as may be under way at once, and some that come again.
        if self.said.len() >= 8 {
            self.said.remove(0);
        }
        self.said.push((tx, said));
        match tx.kind {
            Kind::Invite => {
                let known = self.invites.iter().find(|i| i.tx.by == tx.by).map(|i| i.tx.cseq);
                match known {
                    Some(cseq) if cseq > tx.cseq => return,
                    // The same INVITE goes to another target, with the same offer.
                    Some(cseq) if cseq == tx.cseq => {}
                    _ => {
                        self.invites.retain(|i| i.tx.by != tx.by);
                        self.offers.retain(|o| o.tx.kind != Kind::Invite || o.tx.by != tx.by);
                        let before = self.agreed.clone();
                        self.invites.push(Invite { tx, settled: false, accepted: false, before });
                    }
                }
                let settled = self.invites.iter().any(|i| i.tx == tx && i.settled);
                if let Some(party) = party.filter(|_| !settled) {
                    self.offer(tx.by, tx, party);
                }
            }
            Kind::Update => {
                if let Some(party) = party {
                    self.offer(tx.by, tx, party);
                }
            }
            Kind::Prack => {
                let Some(party) = party else { return };
                let invited = |o: &Offer| o.by != tx.by && o.tx.kind == Kind::Invite && o.tx.by == tx.by;
                let pending = self.offers.iter().find(|o| invited(o)).map(|o| o.tx);
                match pending.and_then(|tx| self.take_offer(tx.by.other(), tx)) {
                    Some(offer) => self.settle(&offer, &party),
                    None => self.offer(tx.by, tx, party),
                }
            }
        }
    }

    /// An ACK to a 2xx passes: its SDP answers the offer in the 2xx.
    pub(super) fn ack(&mut self, by: Role, cseq: u32, party: &Arc<Party>) {
        if let Some(offer) = self.take_offer(by.other(), Tx { by, kind: Kind::Invite, cseq }) {
            self.settle(&offer, party);
        }
    }

    /// A response passes; a `reliable` 18x is one after RFC 3262.
    pub(super) fn response(&mut self, tx: Tx, status: u16, reliable: bool, party: Option<Arc<Party>>) {
        if status >= 300 {
            return self.failed(tx);
        }
        if tx.kind != Kind::Invite {
            if status >= 200 {
                let offer = self.take_offer(tx.by, tx);
                if let Some((offer, party)) = offer.zip(party) {
                    self.settle(&offer, &party);
                }
            }
            return;
        }
        let Some(invite) = self.invites.iter_mut().find(|i| i.tx == tx) else { return };
        if invite.accepted {
            return;
        }
        if status >= 200 {
            invite.accepted = true;
            let settled = invite.settled;
            self.confirmed = true;
            if !settled {
                self.accepted(tx, party);
            }
            self.preview = None;
            return;
        }
        let settled = invite.settled;
        if let Some(party) = party.filter(|_| !settled) {
            self.provisional(tx, reliable, party);
        }
    }

    fn accepted(&mut self, tx: Tx, party: Option<Arc<Party>>) {
        match (self.take_offer(tx.by, tx), party) {
            (Some(offer), Some(answer)) => self.settle(&offer, &answer),
            // The answer came in an unreliable 18x only. RFC 3261 §13.2.1 wants it in the 2xx too; it is meant all the
            // same.
            (Some(_), None) => {
                if let Some(preview) = self.preview.take() {
                    self.agreed = preview;
                }
            }
            (None, Some(offer)) => self.offer(tx.by.other(), tx, offer),
            (None, None) => {}
        }
    }

    fn provisional(&mut self, tx: Tx, reliable: bool, party: Arc<Party>) {
        let Some(offer) = self.offers.iter().find(|o| o.by == tx.by && o.tx == tx) else {
            return self.offer(tx.by.other(), tx, party);
        };
        if reliable {
            if let Some(offer) = self.take_offer(tx.by, tx) {
                self.settle(&offer, &party);
            }
        } else {
            self.preview = Some(self.agreed.agree(offer.by, &offer.party, &party));
        }
    }

    /// A request has failed: the session that was agreed before it holds.
    pub(super) fn failed(&mut self, tx: Tx) {
        self.offers.retain(|o| o.tx != tx);
        if tx.kind != Kind::Invite {
            return;
        }
        if let Some(at) = self.invites.iter().position(|i| i.tx == tx && !i.accepted) {
            let invite = self.invites.remove(at);
            self.preview = None;
            if invite.settled {
                self.agreed = invite.before;
            }
        }
    }
}
