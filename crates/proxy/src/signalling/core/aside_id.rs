//! Requests of our own that are under way: for whom.

use sidetone_call::{CallKey, Side};
use sidetone_sip::notification::{LegId, SubscriptionId};

/// Who has something to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum AsideId {
    /// A leg of a call, by INFO.
    Info(LegId),
    /// A subscriber, by NOTIFY.
    Notify(SubscriptionId),
    /// A party of a silent call, by OPTIONS: is it there?
    Question(CallKey, Side),
    /// A party of a call that we have ended, by BYE. What it says to that changes nothing.
    Farewell,
}
