//! Who of a call's two parties sends a message.

use std::collections::HashSet;

use sidetone_call::Side;
use sidetone_sip::{Message, Method};

use crate::calls::options::MOST_CALLS;

/// Names of callers remembered.
const MOST_CALLERS: usize = MOST_CALLS * 4;
/// The side that callers are put on until it is decided who the customer is.
const CALLER: Side = Side::Trunk;

/// The parties that have placed calls.
#[derive(Debug, Default)]
pub(super) struct Callers {
    /// Call-ID and tag of those who have sent the first INVITE.
    known: HashSet<(String, String)>,
}

impl Callers {
    /// The side of the party that sent a message.
    pub(super) fn sender(&mut self, message: &Message) -> Side {
        let requester = self.requester(message);
        if message.is_request() { requester } else { requester.other() }
    }

    /// The side of whoever sent the request that a message is, or answers.
    pub(super) fn requester(&mut self, message: &Message) -> Side {
        let name = |tag: Option<&str>| (message.call_id().to_owned(), tag.unwrap_or_default().to_owned());
        let (from, to) = (name(message.from_tag()), name(message.to_tag()));
        if self.known.contains(&from) {
            return CALLER;
        }
        if message.to_tag().is_some() && self.known.contains(&to) {
            return CALLER.other();
        }
        if message.method() == Some(Method::INVITE) && self.known.len() < MOST_CALLERS {
            self.known.insert(from);
        }
        CALLER
    }
}
