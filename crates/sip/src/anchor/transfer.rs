//! Calls that go on as other calls: a party is referred elsewhere (RFC 3515), or an INVITE takes another call's place
//! (RFC 3891).

use sidetone_call::{CallKey, MediaPlane, Side};

use super::position::call_name;
use super::replaced::{LONGEST, Replaced};
use super::{Anchor, CallFact};
use crate::message::{Message, Method, Name};
use crate::name_addr::NameAddr;
use crate::proxy::ForwardContext;
use crate::uri::unescape;

impl<M: MediaPlane> Anchor<M> {
    /// Tells a request that moves a conversation to another call.
    pub(super) fn notice_transfer(&mut self, ctx: &ForwardContext, request: &Message) {
        let moves = match request.method() {
            // A REFER outside of the call's dialogs moves nobody, whatever names it bears.
            Some(Method::REFER) => request.to_tag().is_some(),
            Some(Method::INVITE) => request.to_tag().is_none(),
            _ => false,
        };
        let Some(position) = moves.then(|| self.find(request, ctx.requester())).flatten() else { return };
        let (key, at) = (position.key, ctx.now);
        if request.method() == Some(Method::INVITE) {
            if let Some(replaces) = request.header(Name::Replaces) {
                let replaced = Replaced::parse(&replaces.text());
                let before = self.bearing(&replaced).filter(|before| *before != key);
                self.tell(CallFact::Replaces { key, replaced, before, at });
            }
            return;
        }
        let refer_to = request.first_value(Name::ReferTo).and_then(|value| NameAddr::parse(value).ok());
        let Some(uri) = refer_to.as_ref().and_then(|refer_to| refer_to.uri().ok()) else { return };
        let user = uri.user_unescaped().unwrap_or_default().chars().take(LONGEST).collect();
        let replaces = uri.headers().split('&').find_map(|header| {
            let (name, value) = header.split_once('=')?;
            name.eq_ignore_ascii_case("Replaces").then(|| Replaced::parse(&unescape(value)))
        });
        self.tell(CallFact::Referred { key, by: ctx.from, user, replaces, at });
    }

    /// The call with a dialog of those names. Each of its parties has chosen one of the two tags, so that nobody else
    /// has a call that bears both.
    fn bearing(&self, replaced: &Replaced) -> Option<CallKey> {
        let [one, other] = &replaced.tags;
        let named = |caller_tag: &str, callee_tag: &str, side| {
            let calls = self.names.get(&call_name(&replaced.call_id, caller_tag, side))?;
            let has = |key: &CallKey| {
                self.calls.get(key).is_some_and(|call| call.dialogs.iter().any(|d| d.tag == callee_tag))
            };
            calls.iter().map(|(_, key)| *key).find(has)
        };
        [Side::Trunk, Side::Pbx]
            .into_iter()
            .find_map(|side| named(one, other, side).or_else(|| named(other, one, side)))
    }
}
