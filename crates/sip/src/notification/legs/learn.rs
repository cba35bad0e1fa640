//! The state of a leg as the messages of its dialog change it.

use std::time::Duration;

use sidetone_call::Side;

use super::super::dialog::{self, Dialog};
use super::super::{EventHeader, accepts};
use super::{
    LIFETIME, LINGER, Leg, LegId, Legs, MOST, MOST_OF_A_CALL, Numbering, Offer, Open, Outbox, RecvInfoSeen,
    SETUP, Stage,
};
use crate::message::{Edit, Message, Method, Name};
use crate::name_addr::NameAddr;
use crate::proxy::{ForwardContext, Neighbour, Requester};
use crate::scan;
use crate::uri::Uri;

/// Offers are swept this often.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// Longest Call-ID and tag, together, of an INVITE that is remembered, in bytes.
const LONGEST_NAME: usize = 1_024;

impl Legs {
    /// A request is about to be forwarded. What it says of requests by their numbers is translated in `edit`.
    pub(in super::super) fn request(&mut self, ctx: &ForwardContext, request: &Message, edit: &mut Edit) {
        let Some(method) = request.method() else { return };
        let Some(to_tag) = request.to_tag() else {
            match ctx.from {
                Side::Pbx if method == Method::INVITE => self.offer(ctx, request),
                Side::Trunk if method == Method::INVITE && is_signed(request) => {
                    self.signed(ctx, request);
                }
                Side::Pbx | Side::Trunk => {}
            }
            return;
        };
        let from_tag = request.from_tag().unwrap_or_default();
        let (trunk_tag, pbx_tag) = match ctx.from {
            Side::Trunk => (from_tag, to_tag),
            Side::Pbx => (to_tag, from_tag),
        };
        let known = self.by_name.get(&name(request.call_id(), trunk_tag, pbx_tag, ctx.caller)).copied();
        // A request may overtake the response that made its dialog.
        let found = known.or_else(|| {
            (ctx.from == Side::Trunk).then(|| self.adopt(ctx, request, Name::From, Name::To)).flatten()
        });
        let Some(id) = found else { return };
        let Some(leg) = self.legs.get_mut(&id) else { return };
        match ctx.from {
            Side::Trunk => {
                leg.translate_onward(request, method, edit);
                if let Some(cseq) = request.cseq().filter(|_| method == Method::ACK) {
                    leg.open.acknowledged(cseq.number);
                }
            }
            Side::Pbx => {
                leg.translate_back(request, method, edit);
                leg.hear_request(request, method);
            }
        }
        match method {
            Method::ACK if leg.stage == Stage::Answered => leg.stage = Stage::Up,
            Method::BYE => leg.stage = Stage::Ending,
            _ => {}
        }
        self.enqueue(id);
    }

    /// The number that a request of the trunk's side is to be sent on with, if not its own.
    pub(in super::super) fn number(&mut self, ctx: &ForwardContext, request: &Message) -> Option<u32> {
        if ctx.from != Side::Trunk {
            return None;
        }
        let name = name(request.call_id(), request.from_tag()?, request.to_tag()?, ctx.caller);
        let leg = self.by_name.get(&name).and_then(|id| self.legs.get_mut(id))?;
        let cseq = request.cseq()?;
        let number = match cseq.method {
            Method::ACK | Method::CANCEL => leg.numbering.sent_as(cseq.number),
            _ => {
                leg.open.asked(cseq.number);
                leg.numbering.pass(cseq.number)
            }
        };
        (number != cseq.number).then_some(number)
    }

    /// A response is about to be forwarded; it bears the number that its request came with.
    pub(in super::super) fn response(&mut self, ctx: &ForwardContext, response: &Message) {
        let (Some(status), Some(cseq)) = (response.status(), response.cseq()) else { return };
        // From and To are those of the request.
        let from_tag = response.from_tag().unwrap_or_default();
        let Some(to_tag) = response.to_tag() else { return };
        let (trunk_tag, pbx_tag) = match ctx.from {
            Side::Pbx => (from_tag, to_tag),
            Side::Trunk => (to_tag, from_tag),
        };
        let name = name(response.call_id(), trunk_tag, pbx_tag, ctx.caller);
        let mut found = self.by_name.get(&name).copied();
        if cseq.method == Method::INVITE && (101..300).contains(&status) && found.is_none() {
            found = match ctx.from {
                Side::Pbx => self.called(ctx, response, name),
                Side::Trunk => self.adopt(ctx, response, Name::To, Name::From),
            };
        }
        if cseq.method == Method::INVITE && status >= 300 {
            self.refused(response, trunk_tag, pbx_tag, ctx.caller);
        }
        let Some(id) = found else { return };
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if ctx.from == Side::Pbx && status < 300 {
            leg.hear_response(response, cseq.number, cseq.method, status);
        }
        if ctx.from == Side::Pbx && status >= 200 {
            leg.open.answered(cseq.number, cseq.method == Method::INVITE && status < 300);
        }
        match cseq.method {
            Method::INVITE if (200..300).contains(&status) && leg.stage == Stage::Early => {
                leg.stage = Stage::Answered;
                self.watch(id, ctx.now + LIFETIME);
            }
            // The session is refreshed: it lives (RFC 4028).
            Method::INVITE | Method::UPDATE if (200..300).contains(&status) && leg.stage == Stage::Up => {
                self.watch(id, ctx.now + LIFETIME);
            }
            Method::BYE if status >= 200 => self.parted(ctx.now, id, status),
            _ => {}
        }
        self.enqueue(id);
    }

    /// The proxy itself ended a request.
    pub(in super::super) fn concluded(
        &mut self,
        now: Duration,
        requester: Requester,
        request: &Message,
        status: u16,
    ) {
        let caller = requester.caller;
        let (Some(method), Some(from_tag)) = (request.method(), request.from_tag()) else { return };
        if let (Some(cseq), Some(to_tag)) = (request.cseq(), request.to_tag())
            && let Some(&id) = self.by_name.get(&name(request.call_id(), from_tag, to_tag, caller))
            && let Some(leg) = self.legs.get_mut(&id)
        {
            leg.open.answered(cseq.number, false);
            self.enqueue(id);
        }
        match (method, request.to_tag()) {
            // The side isn't told: it is one or the other.
            (Method::INVITE, None) => {
                self.refused(request, from_tag, "", caller);
                self.refused(request, "", from_tag, caller);
            }
            (Method::BYE, Some(to_tag)) => {
                for (trunk_tag, pbx_tag) in [(from_tag, to_tag), (to_tag, from_tag)] {
                    let names = name(request.call_id(), trunk_tag, pbx_tag, caller);
                    let found = self.by_name.get(&names).copied();
                    if let Some(id) = found {
                        self.parted(now, id, status);
                    }
                }
            }
            _ => {}
        }
    }

    /// A BYE has been answered; unless with a challenge, the dialog is over.
    fn parted(&mut self, now: Duration, id: LegId, status: u16) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        if matches!(status, 401 | 407) {
            leg.stage = Stage::Up;
            return self.enqueue(id);
        }
        let dropped = leg.outbox.clear();
        if let Some(pbx) = leg.pbx.clone() {
            self.ledger.dropped(&pbx, dropped);
        }
        // Without a dialog, or without an answer, its sender takes it to be over too (RFC 3261 §15.1.1).
        let over = matches!(status, ..300 | 408 | 481);
        self.watch(id, now + if over { LINGER } else { SETUP });
    }

    /// The INVITE has failed: of its dialogs, those that nobody has answered will never be.
    fn refused(&mut self, message: &Message, trunk_tag: &str, pbx_tag: &str, caller: Option<Neighbour>) {
        let call_id = message.call_id();
        self.offers.remove(&offer_name(call_id, pbx_tag, caller));
        let early = |id: &&LegId| {
            let leg = self.legs.get(id);
            leg.is_some_and(|leg| {
                leg.stage == Stage::Early && leg.caller == caller && leg.is_between(trunk_tag, pbx_tag)
            })
        };
        let gone: Vec<LegId> =
            self.by_call.get(call_id).map_or(&[][..], Vec::as_slice).iter().filter(early).copied().collect();
        for id in gone {
            self.remove(id);
        }
    }

    fn sweep(&mut self, now: Duration) {
        if now.saturating_sub(self.swept) >= SWEEP_EVERY {
            self.swept = now;
            self.offers.retain(|_, offer| offer.expires > now);
            self.signed.retain(|_, expires| *expires > now);
        }
    }

    /// The carrier calls, and has signed the number too.
    fn signed(&mut self, ctx: &ForwardContext, invite: &Message) {
        self.sweep(ctx.now);
        let name = offer_name(invite.call_id(), invite.from_tag().unwrap_or_default(), ctx.caller);
        if self.signed.len() < MOST && name.len() <= LONGEST_NAME {
            self.signed.insert(name, ctx.now + SETUP);
        }
    }

    /// The PBX calls.
    fn offer(&mut self, ctx: &ForwardContext, invite: &Message) {
        self.sweep(ctx.now);
        let Some(routes) = dialog::record_routes(invite) else { return };
        if self.offers.len() >= MOST || is_signed(invite) {
            return;
        }
        let offer = Offer {
            accepts: accepts(invite).unwrap_or(false),
            target: dialog::contact(invite),
            routes,
            expires: ctx.now + SETUP,
        };
        let name = offer_name(invite.call_id(), invite.from_tag().unwrap_or_default(), ctx.caller);
        if name.len() <= LONGEST_NAME {
            self.offers.insert(name, offer);
        }
    }

    /// A dialog of a call that the PBX makes: `message` has the trunk's side in the header `trunk`, and the PBX in
    /// `pbx`.
    fn adopt(&mut self, ctx: &ForwardContext, message: &Message, trunk: Name, pbx: Name) -> Option<LegId> {
        let tag = |name| NameAddr::parse(message.header(name)?.value).ok()?.tag();
        let (trunk_tag, pbx_tag) = (tag(trunk)?, tag(pbx)?);
        // The PBX's peer sends through us only if we stand in the route set.
        if message.status().is_some() && !self.routes_by_us(message)? {
            return None;
        }
        let offer = self.offers.get(&offer_name(message.call_id(), pbx_tag, ctx.caller))?;
        let (local, remote) = (message.header(trunk)?.text(), message.header(pbx)?.text());
        let mut dialog = Dialog::new(message.call_id(), &local, &remote)?;
        (dialog.target, dialog.routes) = (offer.target.clone(), offer.routes.clone());
        let accepts = offer.accepts;
        let name = name(message.call_id(), trunk_tag, pbx_tag, ctx.caller);
        // The PBX's own call.
        self.begin(ctx, ctx.caller, name, dialog, Numbering::new(), accepts)
    }

    /// A dialog of a call that the PBX takes.
    fn called(&mut self, ctx: &ForwardContext, response: &Message, name: String) -> Option<LegId> {
        let from_tag = response.from_tag().unwrap_or_default();
        let invite = offer_name(response.call_id(), from_tag, ctx.caller);
        if let Some(expires) = self.signed.get_mut(&invite) {
            *expires = ctx.now + SETUP;
            return None;
        }
        let routes = self.routes_below_us(response)?;
        let (from, to) = (response.header(Name::From)?.text(), response.header(Name::To)?.text());
        let mut dialog = Dialog::new(response.call_id(), &from, &to)?;
        (dialog.target, dialog.routes) = (dialog::contact(response), routes);
        let mut numbering = Numbering::new();
        numbering.pass(response.cseq()?.number);
        self.begin(ctx, ctx.sender, name, dialog, numbering, false)
    }

    /// Watches a dialog from now on, unless there are too many. `at` is the PBX in it.
    fn begin(
        &mut self,
        ctx: &ForwardContext,
        at: Option<Neighbour>,
        name: String,
        dialog: Dialog,
        numbering: Numbering,
        accepts: bool,
    ) -> Option<LegId> {
        let of_call = self.by_call.get(&dialog.call_id).map_or(0, Vec::len);
        if self.legs.len() >= MOST || of_call >= MOST_OF_A_CALL {
            return None;
        }
        self.last_id += 1;
        let id = LegId(self.last_id);
        let call = dialog.call_id.clone();
        self.by_name.insert(name.clone(), id);
        self.by_call.entry(call.clone()).or_default().push(id);
        self.legs.insert(
            id,
            Leg {
                name,
                call,
                caller: ctx.caller,
                at,
                dialog,
                numbering,
                open: Open::default(),
                accepts,
                recv_info_seen: RecvInfoSeen::default(),
                stage: Stage::Early,
                muted: false,
                failures: 0,
                outbox: Outbox::default(),
                pbx: None,
                busy: false,
                tells_affect: false,
                queued: false,
                expires: Duration::ZERO,
            },
        );
        self.watch(id, ctx.now + SETUP);
        Some(id)
    }

    pub(super) fn watch(&mut self, id: LegId, until: Duration) {
        let Some(leg) = self.legs.get_mut(&id) else { return };
        self.deadlines.remove(&(leg.expires, id));
        leg.expires = until;
        self.deadlines.insert((until, id));
    }

    fn routes_by_us(&self, message: &Message) -> Option<bool> {
        Some(dialog::record_routes(message)?.iter().any(|uri| self.local.is_our_uri(&uri.view())))
    }

    /// The hops from us to the PBX that has answered, the nearest first. `None` if we are no hop: then its peer's
    /// requests need not pass here, and can't be numbered.
    fn routes_below_us(&self, response: &Message) -> Option<Vec<Uri>> {
        let mut routes = dialog::record_routes(response)?;
        let us = routes.iter().position(|uri| self.local.is_our_uri(&uri.view()))?;
        routes.truncate(us);
        routes.reverse();
        Some(routes)
    }
}

impl Leg {
    /// Whether those are its tags, as far as they are given.
    fn is_between(&self, trunk_tag: &str, pbx_tag: &str) -> bool {
        // The caller's peer stands behind them.
        let mut tags = self.name.rsplit('\n').skip(1);
        let (pbx, trunk) = (tags.next(), tags.next());
        // A failed INVITE is known by its sender's tag alone: the other tag differs from dialog to dialog.
        trunk == Some(trunk_tag) || pbx == Some(pbx_tag)
    }

    /// A request of the PBX's.
    fn hear_request(&mut self, request: &Message, method: Method<'_>) {
        let Some(cseq) = request.cseq() else { return };
        if matches!(
            method,
            Method::INVITE | Method::UPDATE | Method::SUBSCRIBE | Method::NOTIFY | Method::REFER
        ) {
            self.dialog.refresh(request);
        }
        // A request that comes late says nothing new.
        if cseq.number > self.recv_info_seen.request
            && let Some(accepts) = accepts(request)
        {
            self.recv_info_seen.request = cseq.number;
            self.accepts = accepts;
        }
    }

    /// A response of the PBX's that is no refusal.
    fn hear_response(&mut self, response: &Message, number: u32, method: Method<'_>, status: u16) {
        if matches!(method, Method::INVITE | Method::UPDATE) {
            self.dialog.refresh(response);
        }
        if (number, status) > self.recv_info_seen.response
            && let Some(accepts) = accepts(response)
        {
            self.recv_info_seen.response = (number, status);
            self.accepts = accepts;
        }
    }

    /// Translates the mentions of earlier requests in a request of the peer's into the numbers that the PBX knows.
    fn translate_onward(&self, request: &Message, method: Method<'_>, edit: &mut Edit) {
        // RFC 3262 §7.2: `RAck: 1 4711 INVITE`; the second is the CSeq of the INVITE.
        if let Some(header) = request.header(Name::RAck)
            && let Some((before, number, after)) = rack(header.value)
        {
            let sent = self.numbering.sent_as(number);
            if sent != number {
                edit.replace_value(&header, &format!("{before} {sent} {after}"));
            }
        }
        // A SUBSCRIBE asks for reports on a REFER of the peer's own. A NOTIFY reports on a REFER of the PBX's.
        if method == Method::SUBSCRIBE {
            translate_refer_id(request, edit, |number| self.numbering.sent_as(number));
        }
    }

    /// Translates the mentions of the peer's requests in a request of the PBX's into the numbers that the peer knows.
    fn translate_back(&self, request: &Message, method: Method<'_>, edit: &mut Edit) {
        // A NOTIFY reports on a REFER of the peer's. A SUBSCRIBE asks for reports on a REFER of the PBX's own.
        if method == Method::NOTIFY {
            translate_refer_id(request, edit, |number| self.numbering.came_as(number));
        }
    }
}

/// `Event: refer;id=4711`: the id is the CSeq of the REFER (RFC 3515 §2.4.6).
fn translate_refer_id(request: &Message, edit: &mut Edit, translate: impl Fn(u32) -> u32) {
    let Some(header) = request.header(Name::Event) else { return };
    let Some(event) = EventHeader::parse(header.value).filter(|event| event.is("refer")) else { return };
    let Some((id, value)) = event.id().and_then(|id| Some((id.clone(), id.value?))) else { return };
    let Ok(number) = value.parse::<u32>() else { return };
    let other = translate(number);
    if other != number {
        let start = header.value_range().start;
        let end = start + id.span.end;
        edit.splice(end - value.len()..end, other.to_string());
    }
}

/// Takes a RAck apart: response number, CSeq number, method.
fn rack(value: &[u8]) -> Option<(&str, u32, &str)> {
    let mut words = scan::text(value)?.split_ascii_whitespace();
    let (response, number, method) = (words.next()?, words.next()?, words.next()?);
    words.next().is_none().then_some(())?;
    Some((response, number.parse().ok()?, method))
}

/// An Identity of RFC 4474's signs the CSeq; such a dialog is left alone. That of RFC 8224 doesn't.
fn is_signed(message: &Message) -> bool {
    message.headers_called("Identity-Info").next().is_some()
}

fn name(call_id: &str, trunk_tag: &str, pbx_tag: &str, caller: Option<Neighbour>) -> String {
    [call_id, trunk_tag, pbx_tag, &word(caller)].join("\n")
}

/// The same, of names that lie ready.
pub(super) fn named([call_id, trunk_tag, pbx_tag]: &[String; 3], caller: Option<Neighbour>) -> String {
    name(call_id, trunk_tag, pbx_tag, caller)
}

fn offer_name(call_id: &str, tag: &str, caller: Option<Neighbour>) -> String {
    [call_id, tag, &word(caller)].join("\n")
}

/// The text that stands for a peer in a name.
fn word(peer: Option<Neighbour>) -> String {
    peer.map(|peer| format!("{}:{:x}", peer.side.as_str(), peer.id)).unwrap_or_default()
}
