//! The dialog state of a call's parties, by which a request of our own reaches them.

use crate::Flow;
use crate::message::{Message, Name};
use crate::notification::dialog;
use crate::proxy::{ForwardContext, Local};
use crate::uri::Uri;
use serde::{Deserialize, Serialize};

/// The dialog state of one party (RFC 3261 §12), as its messages and the hops before it have stated it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PartyState {
    /// Its own From or To, tag included.
    pub(super) name: String,
    /// The remote target: its Contact.
    pub(super) target: Option<Uri>,
    /// The route set from us to the party, the nearest hop first; `None` if Record-Route doesn't tell.
    pub(super) routes: Option<Vec<Uri>>,
    /// The flow that its messages come by.
    pub(super) source: Flow,
    /// The highest number in CSeq of its requests.
    pub(super) number: Option<u32>,
}

impl PartyState {
    /// State of the party that has sent an INVITE outside of a dialog.
    pub(super) fn of_inviter(ctx: &ForwardContext, invite: &Message) -> Option<Self> {
        Some(Self {
            name: invite.header(Name::From)?.text().into_owned(),
            target: dialog::contact(invite),
            routes: dialog::record_routes(invite),
            source: ctx.source,
            number: invite.cseq().map(|cseq| cseq.number),
        })
    }

    /// State of the party that has answered that INVITE.
    pub(super) fn of_invited(
        ctx: &ForwardContext,
        response: &Message,
        local: Option<&Local>,
    ) -> Option<Self> {
        Some(Self {
            name: response.header(Name::To)?.text().into_owned(),
            target: dialog::contact(response),
            routes: routes_below(response, local),
            source: ctx.source,
            number: None,
        })
    }
}

/// The hops from us to whoever has answered.
fn routes_below(response: &Message, local: Option<&Local>) -> Option<Vec<Uri>> {
    let mut routes = dialog::record_routes(response)?;
    let us = match local {
        Some(local) => routes.iter().position(|uri| local.is_our_uri(&uri.view()))?,
        // Without our own names the hops behind us can't be found, unless there are none at all.
        None => routes.is_empty().then_some(0)?,
    };
    routes.truncate(us);
    routes.reverse();
    Some(routes)
}
