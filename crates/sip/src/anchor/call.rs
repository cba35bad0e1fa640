//! One call: its dialogs, its ports, and the stream plans that the media plane was last told.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sidetone_call::{
    CallKey, Cause, Exhausted, IpFamily, MediaKind, MediaPlane, Side, StreamPlan, Untappable,
};

use super::counters::Counters;
use super::dialog::{Dialog, Kind, Party, Role, Tx, View};
use super::dialog_state::PartyState;
use super::fact::{self, CallFact};
use super::plan;
use super::ports::Ports;
use super::security::Security;
use super::settings::Settings;
use super::terms::{Dressed, Said, Terms};
use crate::Flow;
use crate::proxy::Neighbour;
use crate::sdp::{Dress, Place, Stream};

/// How far the setup of a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// The INVITE has no final response yet.
    Setup,
    /// The INVITE was challenged with this status: another INVITE is due.
    Challenged(u16),
    /// A 2xx was seen.
    Answered,
}

/// The INVITE that began the call.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Initial {
    pub(super) cseq: u32,
    pub(super) offer: Option<Arc<Party>>,
    /// The dialog state that the caller has stated in it.
    pub(super) caller: Option<PartyState>,
    /// Branches of the caller's side that wait for a final response: several if the call was forked before
    /// it came here.
    pub(super) branches: Vec<String>,
}

/// The anchor's parts that a call works with but doesn't own.
pub(super) struct Tools<'a, M> {
    pub(super) media: &'a mut M,
    pub(super) settings: &'a Settings,
    pub(super) security: &'a Security,
    pub(super) counters: &'a mut Counters,
    pub(super) facts: &'a mut VecDeque<CallFact>,
}

impl<M> Tools<'_, M> {
    fn tell(&mut self, fact: CallFact) {
        fact::tell(self.facts, self.counters, self.settings, fact);
    }
}

/// One call.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) key: CallKey,
    pub(super) name: String,
    pub(super) caller_side: Side,
    /// The peer that has begun it.
    pub(super) caller: Option<Neighbour>,
    pub(super) phase: Phase,
    pub(super) initial: Initial,
    pub(super) dialogs: Vec<Dialog>,
    /// Tag of the dialog that steers the media.
    pub(super) active: Option<String>,
    pub(super) deadline: Duration,
    /// The last offer is sealed: nothing is edited until the next.
    pub(super) sealed: bool,
    /// An early session's description has passed as it is: those that follow it do too.
    pub(super) early_apart: bool,
    ports: Ports,
    /// Where the protection of its media ends here.
    #[serde(default, skip_serializing_if = "Terms::is_plain")]
    pub(super) terms: Terms,
    #[serde(skip)]
    applied: Vec<Option<StreamPlan>>,
    reported: Vec<Option<Untappable>>,
    held: Vec<Side>,
    ringing: bool,
    /// Insecure media has been told.
    insecure: bool,
    /// Unreadable SDP has been told.
    unreadable: bool,
    /// An ACK to a 2xx to its INVITE has passed.
    pub(super) acknowledged: bool,
    /// The 2xx did not get to the caller, and is given up at the deadline unless an ACK passes.
    pub(super) undelivered: bool,
    /// Reasons why media may bypass us; told when the call is answered.
    bypasses: Vec<Untappable>,
    /// The family that each side's party uses for its media, once it has said so.
    families: [Option<IpFamily>; 2],
}

impl Call {
    pub(super) fn new(
        key: CallKey,
        name: String,
        (caller_side, caller): (Side, Option<Neighbour>),
        initial: Initial,
    ) -> Self {
        Self {
            key,
            name,
            caller_side,
            caller,
            phase: Phase::Setup,
            initial,
            dialogs: Vec::new(),
            active: None,
            deadline: Duration::ZERO,
            sealed: false,
            early_apart: false,
            ports: Ports::default(),
            terms: Terms::default(),
            applied: Vec::new(),
            reported: Vec::new(),
            held: Vec::new(),
            ringing: false,
            insecure: false,
            unreadable: false,
            acknowledged: false,
            undelivered: false,
            bypasses: Vec::new(),
            families: [None; 2],
        }
    }

    /// Whether the transaction is that of the INVITE which began the call.
    pub(super) fn is_initial(&self, tx: Tx) -> bool {
        tx == Tx { by: Role::Caller, kind: Kind::Invite, cseq: self.initial.cseq }
    }

    pub(super) const fn side(&self, role: Role) -> Side {
        match role {
            Role::Caller => self.caller_side,
            Role::Callee => self.caller_side.other(),
        }
    }

    pub(super) fn dialog(&mut self, tag: &str) -> Option<&mut Dialog> {
        self.dialogs.iter_mut().find(|d| d.tag == tag)
    }

    /// The dialog of that callee's tag, begun now if it is new; `None` when there are too many.
    pub(super) fn dialog_or_begin(&mut self, tag: &str, most: usize) -> Option<&mut Dialog> {
        if !self.dialogs.iter().any(|d| d.tag == tag) {
            if self.dialogs.len() >= most {
                let active = self.active.as_deref();
                let oldest =
                    self.dialogs.iter().position(|d| !d.confirmed && Some(d.tag.as_str()) != active)?;
                self.dialogs.remove(oldest);
            }
            let offer = self.initial.offer.clone();
            self.dialogs.push(Dialog::begun(tag.to_owned(), self.initial.cseq, offer));
        }
        self.dialog(tag)
    }

    /// The caller tries again: after a challenge, with more to say.
    pub(super) fn restart(&mut self, cseq: u32) {
        self.phase = Phase::Setup;
        self.initial = Initial { cseq, offer: None, caller: None, branches: Vec::new() };
        self.ringing = false;
        self.forget_target();
    }

    /// Forgets the answers of the last target and its IP family: neither says anything about the next.
    pub(super) fn forget_target(&mut self) {
        self.dialogs.clear();
        self.active = None;
        let callee = self.caller_side.other();
        *self.family_mut(callee) = None;
        self.terms.forget(callee);
    }

    const fn family_mut(&mut self, side: Side) -> &mut Option<IpFamily> {
        let [trunk, pbx] = &mut self.families;
        match side {
            Side::Trunk => trunk,
            Side::Pbx => pbx,
        }
    }

    /// Makes that dialog steer the media, unless one is confirmed already.
    pub(super) fn prefer(&mut self, tag: &str) {
        if !self.dialogs.iter().any(|d| d.confirmed && d.tag != tag) {
            self.active = Some(tag.to_owned());
        }
    }

    /// Takes a dialog away; the media goes to another confirmed one or, while the call is being set up,
    /// to the newest that has described its media.
    pub(super) fn drop_dialog(&mut self, tag: &str) {
        self.dialogs.retain(|d| d.tag != tag);
        if self.active.as_deref() == Some(tag) {
            let next = self
                .dialogs
                .iter()
                .find(|d| d.confirmed)
                .or_else(|| self.dialogs.iter().rfind(|d| self.phase == Phase::Setup && d.has_callee()));
            self.active = next.map(|d| d.tag.clone());
        }
    }

    pub(super) fn has_confirmed(&self) -> bool {
        self.dialogs.iter().any(|d| d.confirmed)
    }

    /// Makes the m-lines of a description ready for the side that it goes to, where the media's protection ends here.
    /// Those that policy forbids count as rejected from here on; the flag says that no other is left.
    pub(super) fn dress<M>(
        &mut self,
        tools: &Tools<'_, M>,
        said: Said,
        (from, to_browser): (Side, bool),
        streams: &mut [Stream],
    ) -> (Vec<Dressed>, bool) {
        if !tools.security.ends_here() {
            return (Vec::new(), false);
        }
        let wanted = streams.iter().filter(|stream| !stream.rejected).count();
        let most = tools.settings.max_streams;
        let known = streams.get(..most.min(streams.len())).unwrap_or_default();
        let mut dressed = self.terms.dress(tools.security, said, (from, to_browser), known);
        dressed.resize_with(streams.len(), || Dressed { dress: Some(Dress::default()), insecure: false });
        let mut refused = 0;
        for (stream, _) in streams.iter_mut().zip(&dressed).filter(|(_, dressed)| dressed.insecure) {
            refused += usize::from(!stream.rejected);
            (stream.rejected, stream.rtp, stream.rtcp) = (true, None, None);
        }
        (dressed, refused > 0 && refused == wanted)
    }

    /// The places of the m-lines of a description that passes from `from` to the other side. `hint` is the IP family to
    /// use for a party that hasn't said which it uses. The ports that the answer will need are reserved too.
    ///
    /// # Errors
    /// When ports are wanting, if `strict`; else such m-lines are rejected.
    pub(super) fn places<M: MediaPlane>(
        &mut self,
        tools: &mut Tools<'_, M>,
        streams: &mut [Stream],
        from: Side,
        hint: IpFamily,
        strict: bool,
    ) -> Result<Vec<Place>, Exhausted> {
        if let Some(family) = streams.iter().filter(|s| s.is_relayed()).find_map(|s| s.family) {
            *self.family_mut(from) = Some(family);
        }
        let toward = from.other();
        let there = self.family_mut(toward).unwrap_or(hint);
        let here = self.family_mut(from).unwrap_or(hint);
        let mut places = Vec::with_capacity(streams.len());
        for (i, stream) in streams.iter_mut().enumerate() {
            if stream.unreadable {
                places.push(Place::Rejected);
                continue;
            }
            if !stream.is_relayed() {
                places.push(Place::Untouched);
                continue;
            }
            let pair = if i < tools.settings.max_streams {
                let media = &mut *tools.media;
                self.ports
                    .get(media, self.key, i, from, here)
                    .and_then(|_| self.ports.get(media, self.key, i, toward, there))
            } else {
                Err(Exhausted)
            };
            match pair {
                Ok(local) => places.push(Place::Local(local)),
                Err(exhausted) if strict => return Err(exhausted),
                Err(_) => {
                    tools.counters.streams_dropped += 1;
                    stream.rejected = true;
                    stream.rtp = None;
                    stream.rtcp = None;
                    places.push(Place::Rejected);
                }
            }
        }
        Ok(places)
    }

    /// Reserves one stream's ports ahead of an offer that will come in a response, which can't be refused.
    pub(super) fn reserve_ahead<M: MediaPlane>(
        &mut self,
        tools: &mut Tools<'_, M>,
        from: (Side, IpFamily),
        toward: (Side, IpFamily),
    ) -> Result<(), Exhausted> {
        for (side, hint) in [from, toward] {
            let family = self.family_mut(side).unwrap_or(hint);
            self.ports.get(tools.media, self.key, 0, side, family)?;
        }
        Ok(())
    }

    /// Takes the ports that it had in an earlier process.
    ///
    /// # Errors
    /// When one of them can't be had.
    pub(super) fn reclaim<M: MediaPlane>(&self, media: &mut M) -> Result<(), Exhausted> {
        self.ports.reclaim(media, self.key)
    }

    fn view(&self) -> View {
        let active = self.active.as_deref().and_then(|tag| self.dialogs.iter().find(|d| d.tag == tag));
        match (active, &self.initial.offer) {
            (Some(dialog), _) => dialog.view(),
            (None, Some(offer)) => View::half(Role::Caller, Arc::clone(offer)),
            (None, None) => View::default(),
        }
    }

    /// Tells the media plane the stream plans that have changed, and the facts that follow from them.
    pub(super) fn refresh<M: MediaPlane>(&mut self, tools: &mut Tools<'_, M>, now: Duration) {
        let view = self.view();
        let answered = self.phase == Phase::Answered;
        let count = view.len().min(tools.settings.max_streams);
        self.applied.resize(count.max(self.applied.len()), None);
        self.reported.resize(count.max(self.reported.len()), None);
        for (i, (applied, reported)) in self.applied.iter_mut().zip(&mut self.reported).enumerate() {
            let Some(plan) = plan::plan(&view, i, self.caller_side, answered, (&self.terms, tools.security))
            else {
                continue;
            };
            if let Err(reason) = plan.tappable
                && answered
                && plan.is_agreed()
                && *reported != Some(reason)
                && plan.trunk.remote_rtp.or(plan.pbx.remote_rtp).is_some()
            {
                *reported = Some(reason);
                tools.tell(CallFact::Untappable { key: self.key, stream: i, reason });
            }
            if self.ports.has(i) && applied.as_ref() != Some(&plan) {
                tools.media.apply(self.key, i, &plan);
                *applied = Some(plan);
            }
        }
        if answered {
            for role in [Role::Caller, Role::Callee] {
                self.tell_hold(tools, &view, role, now);
                self.tell_insecure(tools, &view, role);
            }
        }
    }

    /// Tells once that the session in force can't be had on our policy's terms. Of early dialogs that is not told:
    /// their session may still become another one, and they may give way to another fork.
    fn tell_insecure<M: MediaPlane>(&mut self, tools: &mut Tools<'_, M>, view: &View, role: Role) {
        let insecure = view.party(role).is_some_and(|party| party.insecure);
        if insecure && self.has_confirmed() && !std::mem::replace(&mut self.insecure, true) {
            tools.counters.insecure_answers += 1;
            tools.tell(CallFact::Insecure { key: self.key, by: self.side(role) });
        }
    }

    fn tell_hold<M: MediaPlane>(&mut self, tools: &mut Tools<'_, M>, view: &View, role: Role, now: Duration) {
        let Some(party) = view.party(role) else { return };
        let audio = |(_, s): &(usize, &Stream)| s.kind == MediaKind::Audio && !s.rejected;
        let mut audio = party.streams.iter().enumerate().filter(audio).peekable();
        if audio.peek().is_none() {
            return;
        }
        let holds = audio.all(|(i, _)| view.holds(role, i));
        let by = self.side(role);
        match (holds, self.held.contains(&by)) {
            (true, false) => {
                self.held.push(by);
                tools.tell(CallFact::Held { key: self.key, by, at: now });
            }
            (false, true) => {
                self.held.retain(|side| *side != by);
                tools.tell(CallFact::Resumed { key: self.key, by, at: now });
            }
            _ => {}
        }
    }

    /// An m-line, or all of a description, can't be read. Told once, and only where no audio that can be read stands
    /// beside it.
    pub(super) fn tell_unreadable<M>(&mut self, tools: &mut Tools<'_, M>, streams: &[Stream]) {
        tools.counters.unreadable += 1;
        let heard = streams.iter().any(|stream| stream.kind == MediaKind::Audio && !stream.unreadable);
        if heard || std::mem::replace(&mut self.unreadable, true) {
            return;
        }
        let stream = streams.iter().position(|stream| stream.unreadable).unwrap_or_default();
        tools.tell(CallFact::Untappable { key: self.key, stream, reason: Untappable::Unreadable });
    }

    /// Tells once that the callee's side is working on the call.
    pub(super) fn ring<M>(&mut self, tools: &mut Tools<'_, M>, now: Duration) {
        if !std::mem::replace(&mut self.ringing, true) {
            tools.tell(CallFact::Ringing { key: self.key, at: now });
        }
    }

    /// Marks the call as answered, by the first 2xx.
    pub(super) fn answer<M>(&mut self, tools: &mut Tools<'_, M>, now: Duration, by: Flow) {
        if self.phase != Phase::Answered {
            self.phase = Phase::Answered;
            tools.tell(CallFact::Answered { key: self.key, by, at: now });
            for &reason in &self.bypasses {
                tools.tell(CallFact::Untappable { key: self.key, stream: 0, reason });
            }
        }
    }

    /// Tells that a description passes as it is, so that media may bypass us. Each reason is told once, and not before
    /// the call is answered.
    pub(super) fn tell_bypass<M>(&mut self, tools: &mut Tools<'_, M>, reason: Untappable) {
        if self.bypasses.contains(&reason) {
            return;
        }
        self.bypasses.push(reason);
        if self.phase == Phase::Answered {
            tools.tell(CallFact::Untappable { key: self.key, stream: 0, reason });
        }
    }

    /// The time at which a confirmed call is ended at the latest.
    pub(super) fn lifetime(&self, settings: &Settings, now: Duration) -> Duration {
        now + settings.max_duration
    }

    /// The ending of a call whose time is over: side, status and cause.
    pub(super) const fn overdue(&self) -> (Option<Side>, Option<u16>, Cause) {
        match self.phase {
            Phase::Challenged(status) => (Some(self.caller_side.other()), Some(status), Cause::Rejected),
            Phase::Setup | Phase::Answered => (None, None, Cause::Failed),
        }
    }
}

/// The family of a SIP neighbour: what to use towards a party that hasn't said.
pub(super) fn family(addr: SocketAddr) -> IpFamily {
    IpFamily::of(addr.ip())
}
