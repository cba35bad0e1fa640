//! Calls without media: is anybody still there?
//!
//! Silence on both sides is no proof that a call is over: both may suppress silence, or one holds without saying so.
//! Nor may a call that *is* over keep its ports, and a PBX its channel, indefinitely. So both parties are asked, each
//! by an OPTIONS that seems to be its peer's, with a number in CSeq that uses none up (see
//! `sidetone_sip::anchor::Reach`).
//!
//! | a party's answer | the party counts as |
//! | --- | --- |
//! | any final response but the next two, 500 for the number in CSeq included | alive |
//! | 481 (it knows no such call), 408 (a hop beyond can't reach it) | gone |
//! | silence, or the request can't be sent; its host answers an OPTIONS outside of calls | alive: not the call's own word, but none against it |
//! | silence, or the request can't be sent; its host is silent too | gone |
//!
//! If one party is gone, both are sent BYE and the call's media is released. If neither is, the call goes on as it was,
//! and both are asked again after the next `media.timeout`.

use std::time::Duration;

use bytes::Bytes;
use sidetone_call::{CallKey, Cause, Side};
use sidetone_sip::Method;
use sidetone_sip::anchor::{Anchor, Reach};
use sidetone_sip::notification::InfoFilter;
use sidetone_sip::proxy::{Answer, Destination, Proxy};

use super::Core;
use super::asked::{Asked, Heard, Word};
use super::originated::Originator;
use crate::routing::{HostAddress, Resolver};
use sidetone_relay::Engine;

/// The highest number in CSeq (RFC 3261 §8.1.1.5).
const LAST_NUMBER: u32 = (1 << 31) - 1;

impl Core {
    /// Asks both parties of a call whether it is still up.
    pub fn ask(&mut self, now: Duration, call: CallKey) {
        if self.asked.contains_key(&call) {
            return;
        }
        let mut asked = Asked::default();
        for side in [Side::Trunk, Side::Pbx] {
            let Some((reach, to)) = self.way_to(now, call, side) else { continue };
            let number = self.latest_number(&reach, side);
            let Some(head) = reach.request(Method::OPTIONS, number) else { continue };
            let key = self.proxy.originate(now, to, head, Bytes::new());
            self.own.insert(key, Originator::Question(call, side));
            let key = self.proxy.probe(now, to, &format!("sip:{}", to.remote));
            self.hosts_asked.insert(key, (call, side));
            *asked.of(side) = Heard { dialog: Word::Awaited, host: Word::Awaited };
        }
        self.asked.insert(call, asked);
        self.judge(now, call);
    }

    /// Takes a party's answer, or its absence.
    pub(crate) fn party_answered(&mut self, now: Duration, call: CallKey, side: Side, answer: Answer) {
        let word = match answer {
            Answer::Final { status: status @ (408 | 481), .. } => Word::Gone(status),
            Answer::Final { .. } => Word::Lives,
            Answer::Silence | Answer::Unsent | Answer::Recalled => Word::Silence,
        };
        if let Some(asked) = self.asked.get_mut(&call) {
            asked.of(side).dialog = word;
        }
        self.judge(now, call);
    }

    /// Takes the answer of a party's host.
    pub(crate) fn host_answered(&mut self, now: Duration, call: CallKey, side: Side, status: Option<u16>) {
        if let Some(asked) = self.asked.get_mut(&call) {
            asked.of(side).host = status.map_or(Word::Silence, |_| Word::Lives);
        }
        self.judge(now, call);
    }

    fn judge(&mut self, now: Duration, call: CallKey) {
        let Some(judged) = self.asked.get(&call).and_then(Asked::judged) else { return };
        self.asked.remove(&call);
        // Media that has come back in the meantime outweighs every answer.
        if self.calls.judged(now, call, judged) {
            self.hang_up(now, call, Cause::MediaTimeout);
        }
    }

    /// Ends a call toward both parties: each is sent a BYE that seems to be its peer's, and the media is released.
    pub fn hang_up(&mut self, now: Duration, call: CallKey, cause: Cause) -> bool {
        let reach = |side| self.anchor_ref().reach(call, side);
        if let (Some(trunk), Some(pbx)) = (reach(Side::Trunk), reach(Side::Pbx)) {
            let [call_id, trunk_tag, pbx_tag] = &trunk.names;
            self.proxy.hung_up(
                now,
                call_id,
                [(trunk_tag, trunk.source.remote), (pbx_tag, pbx.source.remote)],
            );
        }
        for side in [Side::Trunk, Side::Pbx] {
            let Some((reach, to)) = self.way_to(now, call, side) else { continue };
            let next = (reach.number < LAST_NUMBER).then_some(reach.number + 1);
            let number = match side {
                Side::Trunk => next,
                Side::Pbx => {
                    self.proxy.filter().legs().end_with_bye(now, &reach.names, reach.caller).or(next)
                }
            };
            let Some(head) = number.and_then(|number| reach.request(Method::BYE, number)) else { continue };
            let key = self.proxy.originate(now, to, head, Bytes::new());
            self.own.insert(key, Originator::Farewell);
        }
        self.terminate(now, call, cause)
    }

    /// BYEs of ours without an answer so far, and INVITEs given up whose end has not been confirmed.
    pub fn unconfirmed(&self) -> usize {
        let farewells = self.own.values().filter(|id| matches!(id, Originator::Farewell)).count();
        farewells + self.proxy.abandoned()
    }

    /// A party's dialog state and destination: the addresses are those that a request of its peer may go to, else the
    /// source of its own messages. A destination that belongs to no peer is refused.
    fn way_to(&mut self, now: Duration, call: CallKey, side: Side) -> Option<(Reach, Destination)> {
        let reach = self.anchor_ref().reach(call, side)?;
        let heard = Destination::from(reach.source);
        self.table.who(heard.remote).filter(|peer| peer.side == side)?;
        if heard.transport.is_websocket() {
            return Some((reach, heard));
        }
        let by_book = HostAddress::of(&reach.hop.view()).and_then(|hop| Resolver::literal(&hop));
        let by_book = by_book.filter(|place| self.may_reach_party(&heard, true, *place, None));
        let (transport, remote) = by_book.unwrap_or((heard.transport, heard.remote));
        let local = self.local_toward(now, transport, remote)?;
        Some((reach, Destination { transport, local, remote }))
    }

    /// The highest number that a party has seen in the dialog, our own INFO included.
    fn latest_number(&self, reach: &Reach, side: Side) -> u32 {
        let proxy: &Proxy<InfoFilter<Anchor<Engine>>> = &self.proxy;
        let ours = match side {
            Side::Trunk => None,
            Side::Pbx => proxy.filter_ref().legs_ref().latest(&reach.names, reach.caller),
        };
        ours.unwrap_or(reach.number)
    }
}
