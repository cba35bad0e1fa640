//! Calls that go on as other calls: a party is referred elsewhere (RFC 3515), or an INVITE takes another call's place
//! (RFC 3891).

use super::{Anchor, CallFact};
use crate::message::{Message, Method, Name};
use crate::name_addr::NameAddr;
use crate::proxy::Passing;
use crate::uri::unescape;
use sidetone_call::MediaPlane;

/// The longest name of a call, or of whom to call, that is told, in characters.
const LONGEST: usize = 256;

impl<M: MediaPlane> Anchor<M> {
    /// Takes notice of a request that moves a conversation to another call.
    pub(super) fn notice_transfer(&mut self, ctx: &Passing, request: &Message) {
        let moves = match request.method() {
            // Outside of the call's dialogs it moves nobody, whatever names it bears.
            Some(Method::REFER) => request.to_tag().is_some(),
            Some(Method::INVITE) => request.to_tag().is_none(),
            _ => false,
        };
        let Some(position) = moves.then(|| self.find(request, ctx.requester())).flatten() else { return };
        let (key, at) = (position.key, ctx.now);
        if request.method() == Some(Method::INVITE) {
            if let Some(replaces) = request.header(Name::Replaces) {
                let call_id = call_id(&replaces.text());
                self.tell(CallFact::Replaces { key, call_id, at });
            }
            return;
        }
        let refer_to = request.first_value(Name::ReferTo).and_then(|value| NameAddr::parse(value).ok());
        let Some(uri) = refer_to.as_ref().and_then(|refer_to| refer_to.uri().ok()) else { return };
        let user = uri.user_unescaped().unwrap_or_default().chars().take(LONGEST).collect();
        let replaces = uri.headers().split('&').find_map(|header| {
            let (name, value) = header.split_once('=')?;
            name.eq_ignore_ascii_case("Replaces").then(|| call_id(&unescape(value)))
        });
        self.tell(CallFact::Referred { key, by: ctx.from, user, replaces, at });
    }
}

/// The Call-ID in a value of Replaces.
fn call_id(replaces: &str) -> String {
    replaces.split(';').next().unwrap_or_default().trim().chars().take(LONGEST).collect()
}
