//! Facts that a message signals to Sidetone: X-Sidetone headers, and DTMF in INFO or NOTIFY.

use sidetone_call::{CallKey, MediaPlane};

use super::dtmf_body::keys;
use super::position::callee_tag;
use super::{Anchor, CallFact};
use crate::message::{Message, Method, Name};
use crate::proxy::{ForwardContext, Requester};

/// Prefix of the names of Sidetone's own headers. They pass on like any other header.
pub const HEADER_PREFIX: &str = "X-Sidetone-";
/// The most such headers of a message that are told.
const MOST_HEADERS: usize = 16;
/// The longest value that is told, in characters.
const LONGEST_VALUE: usize = 200;

impl<M: MediaPlane> Anchor<M> {
    /// Tells the facts that a message of a call signals. `requester` has sent the request that it is, or answers.
    pub(super) fn tell_signalled(&mut self, ctx: &ForwardContext, message: &Message, requester: Requester) {
        let Some(position) = self.find(message, requester) else { return };
        let key = position.key;
        // The names of a call can be written into any request. Only the INVITE that begins it and what is sent in one
        // of its dialogs, or answered there, is part of it.
        let method = message.method().or_else(|| Some(message.cseq()?.method));
        let tag = callee_tag(position.requester, message);
        let within = message.to_tag().is_some()
            && self.calls.get(&key).is_some_and(|call| call.dialogs.iter().any(|dialog| dialog.tag == tag));
        if !within && method != Some(Method::INVITE) {
            return;
        }
        let headers: Vec<(String, String)> = message
            .headers()
            .filter_map(|header| {
                let (prefix, rest) = header.name_text.split_at_checked(HEADER_PREFIX.len())?;
                let ours = prefix.eq_ignore_ascii_case(HEADER_PREFIX);
                ours.then(|| (rest.to_owned(), header.text().chars().take(LONGEST_VALUE).collect()))
            })
            .take(MOST_HEADERS)
            .collect();
        for (name, value) in headers {
            self.tell(CallFact::Header { key, by: ctx.from, name, value, at: ctx.now });
        }
        // KPML and some senders of telephone-events report by NOTIFY.
        if matches!(message.method(), Some(Method::INFO | Method::NOTIFY)) {
            self.tell_digits(ctx, key, message);
        }
    }

    fn tell_digits(&mut self, ctx: &ForwardContext, key: CallKey, message: &Message) {
        let kind =
            message.header(Name::ContentType).map(|header| header.text().into_owned()).unwrap_or_default();
        for digit in keys(&kind, message.body()) {
            self.tell(CallFact::Digit { key, by: ctx.from, digit, at: ctx.now });
        }
    }
}
