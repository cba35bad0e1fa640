//! The call, dialog and branch that a message belongs to.

use sidetone_call::{CallKey, Side};

use super::dialog::Role;
use crate::message::Message;

/// The call that a message belongs to, and its sender's role in it.
#[derive(Clone, Copy)]
pub(super) struct Position {
    pub(super) key: CallKey,
    /// The party that sent the request, or the request that is answered.
    pub(super) requester: Role,
}

/// The name that a call is found by: Call-ID, the caller's tag and its side. A tag can't hold a line end, so no two
/// share one.
pub(super) fn call_name(call_id: &str, tag: &str, caller_side: Side) -> String {
    let mut name = String::with_capacity(call_id.len() + tag.len() + 8);
    for part in [call_id, "\n", tag, "\n", caller_side.as_str()] {
        name.push_str(part);
    }
    name
}

/// The tag that tells the call's dialogs apart.
pub(super) fn callee_tag(requester: Role, message: &Message) -> &str {
    match requester {
        Role::Caller => message.to_tag(),
        Role::Callee => message.from_tag(),
    }
    .unwrap_or_default()
}

/// The branch by which the caller's side knows the request.
pub(super) fn branch(request: &Message) -> &str {
    request.top_via().and_then(|via| via.branch()).unwrap_or_default()
}
