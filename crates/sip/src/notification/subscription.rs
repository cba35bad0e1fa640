//! One subscription of a PBX to one call (RFC 6665 §4.2).

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::dialog::Dialog;
use super::outbox::Outbox;
use super::{Draft, PACKAGE, Parcel};
use crate::message::Method;

/// Why a subscription ends: the `reason` of its last NOTIFY (RFC 6665 §4.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The subscription ran out, or its subscriber has ended it.
    Timeout,
    /// The call is over.
    NoResource,
    /// We are shutting down; whoever wants to go on may subscribe anew.
    Deactivated,
}

impl Ending {
    const fn word(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::NoResource => "noresource",
            Self::Deactivated => "deactivated",
        }
    }
}

/// A subscription, seen from the notifier.
#[derive(Debug)]
pub(super) struct Subscription {
    /// The name that it is found by: Call-ID and tags of its own dialog.
    pub(super) name: String,
    /// The PBX that has subscribed.
    pub(super) pbx: Arc<str>,
    /// The Call-ID of the call that it is about.
    pub(super) call: String,
    pub(super) dialog: Dialog,
    /// `;id=…` of its Event, to be given back in each NOTIFY.
    pub(super) id: Option<String>,
    pub(super) contact: String,
    /// The remote sequence number: the last CSeq number of the subscriber.
    pub(super) remote_cseq: u32,
    /// The local sequence number: that of our last NOTIFY.
    pub(super) local_cseq: u32,
    pub(super) expires: Duration,
    /// The time of its next timer.
    pub(super) wakes: Duration,
    pub(super) outbox: Outbox,
    /// A NOTIFY is due whether there is something new or not.
    pub(super) owes_state: bool,
    pub(super) ending: Option<Ending>,
    /// A NOTIFY is under way, or about to be.
    pub(super) busy: bool,
    /// The NOTIFY under way bears a parcel.
    pub(super) carries_parcel: bool,
    /// The NOTIFY under way tells the state that was owed.
    pub(super) tells_state: bool,
    /// The NOTIFY under way tells how the customer feels.
    pub(super) tells_affect: bool,
    /// The NOTIFY under way is the last.
    pub(super) last: bool,
    /// The subscriber has asked to be left alone until then.
    pub(super) paused_until: Option<Duration>,
    /// The subscription stands in the queue of those with a NOTIFY to send.
    pub(super) queued: bool,
}

impl Subscription {
    /// Whether a NOTIFY should be sent.
    pub(super) fn has_something(&self) -> bool {
        !self.busy
            && self.paused_until.is_none()
            && (self.owes_state || self.ending.is_some() || !self.outbox.is_empty())
    }

    /// Whether it is that PBX's, and about that call.
    pub(super) fn is_about(&self, pbx: &Arc<str>, call: &str) -> bool {
        self.call == call && self.pbx == *pbx
    }

    /// When something is next due.
    pub(super) fn due(&self) -> Duration {
        self.paused_until.map_or(self.expires, |until| until.min(self.expires))
    }

    /// Writes the next NOTIFY. `state` is what holds for the call now, for a NOTIFY that owes it.
    pub(super) fn write(&mut self, now: Duration, state: Option<Parcel>) -> Option<Draft> {
        let waiting = self.outbox.take();
        if waiting.is_some() && self.ending.is_some() {
            self.owes_state = false;
        }
        // The state is newer than all that waits, and is told after it.
        self.tells_state = waiting.is_none() && std::mem::take(&mut self.owes_state);
        let parcel = if self.tells_state { state } else { waiting };
        self.local_cseq += 1;
        let event = match &self.id {
            Some(id) => format!("{PACKAGE};id={id}"),
            None => PACKAGE.to_owned(),
        };
        // The last word comes after everything else has been said.
        let ending = self.ending.filter(|_| self.outbox.is_empty() && !self.owes_state);
        self.last = ending.is_some();
        let state = match ending {
            Some(ending) => format!("terminated;reason={}", ending.word()),
            None => format!("active;expires={}", self.expires.saturating_sub(now).as_secs()),
        };
        let mut head = self
            .dialog
            .request(Method::NOTIFY, self.local_cseq)?
            .header("Contact", &self.contact)
            .header("Event", &event)
            .header("Subscription-State", &state);
        self.carries_parcel = parcel.is_some();
        self.tells_affect = parcel.as_ref().is_some_and(|parcel| parcel.nature.is_affect());
        let body = match parcel {
            Some(parcel) => {
                head = head.header("Content-Type", parcel.content_type);
                parcel.body
            }
            None => Bytes::new(),
        };
        Some(Draft { head, body })
    }
}
