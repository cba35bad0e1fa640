//! The recipients of our own requests under way.

use sidetone_call::{CallKey, Side};
use sidetone_sip::notification::{LegId, SubscriptionId};

/// The recipient of a request of our own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Originator {
    /// A leg of a call, by INFO.
    Info(LegId),
    /// A subscriber, by NOTIFY.
    Notify(SubscriptionId),
    /// A party of a silent call, by OPTIONS: does it still have the call?
    Question(CallKey, Side),
    /// A party of a call that we have ended, by BYE. Its answer changes nothing.
    Farewell,
}
