//! One call, as it can be played back.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::{Cause, Side, StreamPlan, Untappable};
use sidetone_rtp::RtpView;

use super::customer::{Customer, Known};
use super::doubt::Doubt;
use super::fates::{Fates, Protected, Sealed, StreamFate};
use super::hosts::{Host, MOST_HOSTS};

/// How a call became known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The signalling was captured.
    Sip {
        /// The call's Call-ID.
        call_id: String,
        /// User part of From: usually the caller's number.
        from: String,
        /// User part of To: usually the dialled number.
        to: String,
    },
    /// Only audio was captured.
    Rtp {
        /// Where the first audio came from.
        caller: SocketAddr,
        /// Where it went.
        callee: SocketAddr,
    },
}

/// One thing that happened in a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Happening<'a> {
    /// The plan of an m-line has changed.
    Plan {
        /// Index of the m-line.
        stream: usize,
        /// The new state.
        plan: &'a StreamPlan,
    },
    /// The callee's side is working on the call.
    Ringing,
    /// The call was answered; what came before is early media.
    Answered,
    /// The party on this side put the other one on hold.
    Held(Side),
    /// The party on this side took its hold back.
    Resumed(Side),
    /// An m-line can't be listened to.
    Untappable {
        /// Index of the m-line.
        stream: usize,
        /// The party whose audio it is; `None` if neither can be heard.
        side: Option<Side>,
        /// Why.
        reason: Untappable,
    },
    /// An RTP packet arrived.
    Packet {
        /// Index of the m-line.
        stream: usize,
        /// The side whose party sent it.
        side: Side,
        /// RTP, header and all.
        rtp: &'a [u8],
    },
    /// The call was ended. Missing where the capture ends before the call.
    Ended {
        /// The side of the party that ended it; `None` if neither did.
        by: Option<Side>,
        /// The final failure response, if that ended it.
        status: Option<u16>,
        /// How.
        cause: Cause,
    },
}

/// A call that was captured.
#[derive(Debug, Clone)]
pub struct Recording {
    origin: Origin,
    began: Duration,
    ended: Option<Duration>,
    entries: Vec<(Duration, Entry)>,
    plans: Vec<StreamPlan>,
    /// The voices of the party on the trunk's and on the PBX's side.
    voices: [Voice; 2],
    /// The host that has placed the call, if its first INVITE was captured.
    placer: Option<Host>,
    /// The hosts that have answered the call, one for each hop that it was seen at.
    called: Vec<Host>,
    /// Further addresses of the parties, from another leg of the conversation; as with `voices`.
    elsewhere: [Vec<SocketAddr>; 2],
    doubt: Option<Doubt>,
    customer: Known,
    /// The customer is the one who was called.
    turned: bool,
    /// What became of the packets of each m-line and party.
    fates: Fates,
}

/// A party's audio as a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Voice {
    /// Where it came from first.
    pub from: Option<SocketAddr>,
    /// RTP packets.
    pub packets: usize,
    /// Packets with the sequence number of the one before: of these, all but the first are taken for copies.
    pub standing: usize,
    last: Option<u16>,
}

/// A [`Happening`], with what it borrows kept elsewhere.
#[derive(Debug, Clone)]
enum Entry {
    Plan { stream: usize, plan: usize },
    Packet { stream: u16, side: Side, rtp: Bytes },
    Fact(Happening<'static>),
}

impl Recording {
    /// A call of which nothing has been heard. Until [`Recording::settle`], the caller is on the trunk's side.
    pub(super) fn begun(origin: Origin, began: Duration, placer: Option<Host>) -> Self {
        Self {
            origin,
            began,
            ended: None,
            entries: Vec::new(),
            plans: Vec::new(),
            voices: <[Voice; 2]>::default(),
            placer,
            called: Vec::new(),
            elsewhere: <[Vec<SocketAddr>; 2]>::default(),
            doubt: None,
            customer: Known::No,
            turned: false,
            fates: Fates::default(),
        }
    }

    pub(super) fn plan(&mut self, at: Duration, stream: usize, plan: StreamPlan) {
        self.entries.push((at, Entry::Plan { stream, plan: self.plans.len() }));
        self.plans.push(plan);
    }

    pub(super) fn fact(&mut self, at: Duration, fact: Happening<'static>) {
        if matches!(fact, Happening::Ended { .. }) {
            self.ended = Some(at);
        }
        self.entries.push((at, Entry::Fact(fact)));
    }

    pub(super) fn packet(&mut self, at: Duration, stream: usize, side: Side, from: SocketAddr, rtp: Bytes) {
        let Ok(stream) = u16::try_from(stream) else { return };
        let sequence = RtpView::parse(&rtp).map(|rtp| rtp.sequence()).ok();
        let [trunk, pbx] = &mut self.voices;
        let voice = if side == Side::Trunk { trunk } else { pbx };
        voice.from.get_or_insert(from);
        voice.packets += 1;
        voice.standing += usize::from(voice.last == sequence);
        voice.last = sequence;
        self.fates.heard(usize::from(stream), side);
        self.entries.push((at, Entry::Packet { stream, side, rtp }));
    }

    /// The packet that comes next was opened.
    pub(super) fn opened(&mut self, stream: usize, side: Side) {
        self.fates.opened(stream, side);
    }

    /// A packet came that no key opens.
    pub(super) fn sealed(
        &mut self,
        at: Duration,
        stream: usize,
        side: Side,
        from: SocketAddr,
        why: Untappable,
    ) {
        let [trunk, pbx] = &mut self.voices;
        let voice = if side == Side::Trunk { trunk } else { pbx };
        voice.from.get_or_insert(from);
        self.fates.sealed(stream, side, (at, why));
    }

    /// What became of a party's protected packets.
    #[must_use]
    pub fn protected(&self, side: Side) -> Protected {
        self.fates.protected(side)
    }

    /// Says of m-lines whose packets are protected whether they can be heard, by what became of the packets: by the
    /// signalling alone, none can.
    pub(super) fn settle_protection(&mut self) {
        for fate in self.fates.streams() {
            let is_told = self.settle_plans(&fate);
            let unheard = fate.unheard.iter().map(|(side, sealed)| (Some(*side), *sealed));
            if fate.is_heard {
                unheard.for_each(|(side, sealed)| self.tell_sealed(fate.stream, side, sealed));
            } else if let Some(sealed) = fate.first.filter(|_| !is_told) {
                self.tell_sealed(fate.stream, None, sealed);
            }
        }
    }

    /// Corrects the plans of an m-line, and takes back that it can't be heard if it is; gives whether it says so.
    fn settle_plans(&mut self, fate: &StreamFate) -> bool {
        const SEALS: [Untappable; 2] = [Untappable::Srtp, Untappable::Dtls];
        let plans = &mut self.plans;
        let mut is_told = false;
        self.entries.retain(|(_, entry)| match entry {
            Entry::Plan { stream, plan } if *stream == fate.stream => {
                let plan = plans.get_mut(*plan).map(|plan| &mut plan.tappable);
                match (plan, fate.first) {
                    (Some(plan), _) if fate.is_heard && plan.is_err_and(|why| SEALS.contains(&why)) => {
                        *plan = Ok(());
                    }
                    (Some(plan), Some((_, why))) if !fate.is_heard && plan.is_ok() => *plan = Err(why),
                    _ => {}
                }
                true
            }
            Entry::Fact(Happening::Untappable { stream, reason, .. })
                if *stream == fate.stream && SEALS.contains(reason) =>
            {
                is_told = true;
                !fate.is_heard
            }
            _ => true,
        });
        is_told
    }

    fn tell_sealed(&mut self, stream: usize, side: Option<Side>, (at, reason): Sealed) {
        let place = self.entries.partition_point(|(then, _)| *then <= at);
        self.entries.insert(place, (at, Entry::Fact(Happening::Untappable { stream, side, reason })));
    }

    /// Decides which party is the customer, and puts it on the trunk's side.
    pub(super) fn settle(&mut self, customer: Option<Customer>) {
        let callee = match customer {
            None => {
                let shows = self.placer.is_some() && self.doubt.is_none();
                self.customer = if shows { Known::Signalled } else { Known::No };
                return;
            }
            // Each party was called in one leg and, as it seems, calls in the other.
            Some(Customer::Caller | Customer::Callee) if self.doubt == Some(Doubt::LegsContradict) => None,
            Some(Customer::Caller) => Some(false),
            Some(Customer::Callee) => Some(true),
            Some(Customer::At(place)) => {
                let is_there = |side| self.addresses(side).any(|address| place.is(address));
                match [Side::Trunk, Side::Pbx].map(is_there) {
                    [true, false] => Some(false),
                    [false, true] => Some(true),
                    // Neither, or both: a machine that talks to itself.
                    _ => None,
                }
            }
        };
        self.customer = if callee.is_some() { Known::Named } else { Known::No };
        if callee == Some(true) {
            self.turn();
        }
    }

    /// Addresses that a party has sent from, and wanted its audio at.
    fn addresses(&self, side: Side) -> impl Iterator<Item = SocketAddr> {
        let planned = self.plans.last().and_then(|plan| plan.end(side).remote_rtp);
        let [trunk, pbx] = &self.elsewhere;
        let elsewhere = if side == Side::Trunk { trunk } else { pbx };
        self.voice(side).from.into_iter().chain(planned).chain(elsewhere.iter().copied())
    }

    /// The address that tells a party from the other one, if audio of it was captured: its own rather than that of a
    /// host which relays both.
    #[must_use]
    pub fn address(&self, side: Side) -> Option<SocketAddr> {
        let first = self.voice(side).from?;
        let is_shared =
            |address: &SocketAddr| self.addresses(side.other()).any(|other| other.ip() == address.ip());
        Some(self.addresses(side).find(|address| !is_shared(address)).unwrap_or(first))
    }

    /// Takes from another view of the conversation, which is to be left out, what only that shows. `crossed` says that
    /// the caller there is the one called here.
    pub(super) fn absorb(&mut self, view: &Self, crossed: bool) {
        if let Some(doubt) = view.doubt {
            self.doubt_that(doubt);
        }
        for host in &view.called {
            self.answered_by(*host);
        }
        // Where both parties were called, each is known by the address of its own leg.
        if crossed && self.doubt == Some(Doubt::LegsContradict) {
            let [trunk, pbx] = &mut self.elsewhere;
            for (ours, theirs) in [(trunk, Side::Pbx), (pbx, Side::Trunk)] {
                let room = MOST_HOSTS.saturating_sub(ours.len());
                ours.extend(view.addresses(theirs).take(room));
            }
        }
    }

    /// Something speaks against taking the caller for the customer; what was said first stays, but where the legs of
    /// the conversation contradict each other.
    pub(super) fn doubt_that(&mut self, doubt: Doubt) {
        if doubt == Doubt::LegsContradict || self.doubt.is_none() {
            self.doubt = Some(doubt);
        }
    }

    /// A host has answered the call. The one who placed the conversation is not called in it: a PBX that hands a call
    /// back to where it came from, by a proxy for both sides, calls the agent there.
    pub(super) fn answered_by(&mut self, host: Host) {
        let is_news = self.placer != Some(host) && !self.called.contains(&host);
        if is_news && self.called.len() < MOST_HOSTS {
            self.called.push(host);
        }
    }

    /// The host that has placed the call, if that was captured.
    pub(super) fn placer(&self) -> Option<Host> {
        self.placer
    }

    /// The hosts that have answered the call.
    pub(super) fn called(&self) -> &[Host] {
        &self.called
    }

    /// From the answer to the end, since the Unix epoch, if it was answered.
    pub(super) fn talk(&self) -> Option<(Duration, Duration)> {
        let is_answer = |entry: &Entry| matches!(entry, Entry::Fact(Happening::Answered));
        let (answered, _) = self.entries.iter().find(|(_, entry)| is_answer(entry))?;
        Some((self.began + *answered, self.began + self.duration()))
    }

    /// The parties change their sides.
    fn turn(&mut self) {
        self.turned = true;
        self.voices.swap(0, 1);
        self.elsewhere.swap(0, 1);
        self.fates.turn();
        for plan in &mut self.plans {
            std::mem::swap(&mut plan.trunk, &mut plan.pbx);
        }
        for (_, entry) in &mut self.entries {
            match entry {
                Entry::Packet { side, .. }
                | Entry::Fact(
                    Happening::Held(side)
                    | Happening::Resumed(side)
                    | Happening::Untappable { side: Some(side), .. }
                    | Happening::Ended { by: Some(side), .. },
                ) => *side = side.other(),
                Entry::Plan { .. } | Entry::Fact(_) => {}
            }
        }
    }

    /// Whether the capture shows who placed the call: its first INVITE.
    pub(super) fn caller_is_known(&self) -> bool {
        self.placer.is_some()
    }

    /// How the party on the trunk's side is known to be the customer.
    #[must_use]
    pub fn customer(&self) -> Known {
        self.customer
    }

    /// Why the capture does not show who the customer is, though it has the call's INVITE.
    #[must_use]
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    /// Whether the party on the trunk's side was called, as far as it is known who called.
    #[must_use]
    pub fn customer_was_called(&self) -> bool {
        self.turned
    }

    /// The audio of the party on `side` as a whole.
    #[must_use]
    pub fn voice(&self, side: Side) -> Voice {
        let [trunk, pbx] = self.voices;
        if side == Side::Trunk { trunk } else { pbx }
    }

    /// How the call became known.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The call's Call-ID, if signalling names it.
    pub(super) fn call_id(&self) -> Option<&str> {
        match &self.origin {
            Origin::Sip { call_id, .. } => Some(call_id),
            Origin::Rtp { .. } => None,
        }
    }

    /// When its INVITE, or its first packet, was captured: since the Unix epoch.
    #[must_use]
    pub fn began(&self) -> Duration {
        self.began
    }

    /// When it was ended, in the call's time; none if the capture doesn't show that.
    #[must_use]
    pub fn ended(&self) -> Option<Duration> {
        self.ended
    }

    /// From its beginning to its end or, where that was not captured, to the last that was heard of it.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.ended.or_else(|| self.entries.last().map(|(at, _)| *at)).unwrap_or_default()
    }

    /// Whether at `now` (since the Unix epoch) it had been over for longer than `grace`.
    pub(super) fn was_over(&self, now: Duration, grace: Duration) -> bool {
        self.ended.is_some_and(|ended| now.saturating_sub(self.began) > ended + grace)
    }

    /// How many RTP packets were heard.
    #[must_use]
    pub fn packets(&self) -> usize {
        self.voices.iter().map(|voice| voice.packets).sum()
    }

    /// All that happened, in order; times count from [`Recording::began`].
    pub fn replay(&self) -> impl Iterator<Item = (Duration, Happening<'_>)> {
        self.entries.iter().filter_map(|(at, entry)| {
            let happening = match entry {
                Entry::Fact(fact) => *fact,
                Entry::Plan { stream, plan } => {
                    Happening::Plan { stream: *stream, plan: self.plans.get(*plan)? }
                }
                Entry::Packet { stream, side, rtp } => {
                    Happening::Packet { stream: usize::from(*stream), side: *side, rtp }
                }
            };
            Some((*at, happening))
        })
    }

    /// Payload types that came and that nothing explains: for RTP without signalling, what [`super::format()`] is to
    /// be asked for.
    #[must_use]
    pub fn unknown_payload_types(&self) -> BTreeSet<u8> {
        let mut known: BTreeSet<u8> = BTreeSet::new();
        let mut unknown = BTreeSet::new();
        for (_, happening) in self.replay() {
            match happening {
                Happening::Plan { plan, .. } => {
                    let formats = plan.trunk.formats.iter().chain(&plan.pbx.formats);
                    known.extend(formats.filter(|f| !f.encoding.is_empty()).map(|f| f.payload_type));
                }
                Happening::Packet { rtp, .. } => {
                    let payload_type = RtpView::parse(rtp).map(|rtp| rtp.payload_type());
                    unknown.extend(payload_type.ok().filter(|payload_type| !known.contains(payload_type)));
                }
                _ => {}
            }
        }
        unknown
    }
}
