//! A set: whatever dialogs come of one request, and for how long they are held.

use std::time::Duration;

use crate::message::Method;
use crate::proxy::destination::Destination;
use crate::proxy::neighbours::Neighbour;

/// Dialogs of one set; beyond, the oldest that nobody has accepted makes room.
pub(super) const MOST_DIALOGS: usize = 32;
/// Addresses that one party has given of itself in a dialog: its Contacts and Record-Routes.
pub(super) const MOST_TARGETS: usize = 8;
/// How long a dialog is held that nobody has accepted: timer C ends its INVITE before.
pub(super) const SETUP: Duration = Duration::from_secs(300);
/// How long a session is held that nobody refreshes: as long as a call may last, and a little longer.
pub(super) const LIFETIME: Duration = Duration::from_secs(25 * 3_600);
/// How long a subscription or a registration is held that states no duration.
pub(super) const SUBSCRIPTION: Duration = Duration::from_secs(3_600);
/// The longest that a peer may bind a Contact or subscribe without saying so again.
pub(super) const LONGEST: Duration = Duration::from_secs(24 * 3_600);

/// The dialogs that one request may make.
#[derive(Debug)]
pub(super) struct Set {
    /// The peer whose share of the room it takes.
    pub(super) peer: Neighbour,
    /// The caller's peer, as it was called when the set was opened.
    pub(super) owner: Neighbour,
    pub(super) caller: End,
    /// The destinations that the request was sent to: the peer at each may begin a dialog.
    pub(super) tried: Vec<Destination>,
    pub(super) dialogs: Vec<Dialog>,
    /// The request's CSeq number, by which its responses are told from those of later requests.
    pub(super) cseq: u32,
    pub(super) invite: bool,
    /// The request was answered with a failure.
    pub(super) failed: bool,
    /// Further dialogs may come of the request until then. Without a final response, that is its deadline.
    pub(super) open_until: Duration,
    pub(super) until: Duration,
}

#[derive(Debug)]
pub(super) struct Dialog {
    /// The callee's tag.
    pub(super) tag: u64,
    pub(super) callee: End,
    /// Made by INVITE, or taken up after a restart.
    pub(super) session: bool,
    pub(super) accepted: bool,
    /// A BYE was answered: what is left is a subscription, and messages that cross.
    pub(super) over: bool,
    /// A subscription in this dialog lasts until then.
    pub(super) subscribed_until: Duration,
    pub(super) until: Duration,
}

/// One party of a dialog.
#[derive(Debug, Clone)]
pub(super) struct End {
    /// Where the party was last heard from, or sent to.
    pub(super) hop: Destination,
    /// Hosts that the party has named as its own, hashed; the newest last.
    pub(super) targets: Vec<u64>,
}

impl End {
    pub(super) fn learn(&mut self, target: u64) {
        self.targets.retain(|known| *known != target);
        if self.targets.len() >= MOST_TARGETS {
            self.targets.remove(0);
        }
        self.targets.push(target);
    }
}

impl Set {
    /// Whether nothing came of it, so that its name is free.
    pub(super) fn is_vacant(&self) -> bool {
        self.failed && self.dialogs.iter().all(|dialog| !dialog.accepted || dialog.over)
    }

    /// Adds a dialog with the party at `hop`, which nobody has accepted yet; gives its index.
    pub(super) fn begin_early(&mut self, now: Duration, tag: u64, hop: Destination) -> usize {
        self.begin(Dialog {
            tag,
            callee: End { hop, targets: Vec::new() },
            session: self.invite,
            accepted: false,
            over: false,
            subscribed_until: Duration::ZERO,
            until: now + SETUP,
        })
    }

    /// Adds a dialog; gives its index.
    pub(super) fn begin(&mut self, dialog: Dialog) -> usize {
        if self.dialogs.len() >= MOST_DIALOGS {
            let oldest = self.dialogs.iter().position(|dialog| !dialog.accepted).unwrap_or(0);
            self.dialogs.remove(oldest);
        }
        self.dialogs.push(dialog);
        self.dialogs.len() - 1
    }
}

impl Dialog {
    /// Whether a request of that method may be part of it.
    pub(super) fn takes(&self, now: Duration, method: Method<'_>) -> bool {
        if self.until <= now {
            return false;
        }
        match method {
            Method::ACK | Method::BYE | Method::NOTIFY | Method::SUBSCRIBE => true,
            // A subscription is no call, and makes none.
            Method::INVITE => self.session && !self.over,
            _ => !self.over,
        }
    }

    pub(super) fn subscribed(&mut self, now: Duration, lasts: Duration, linger: Duration) {
        let until = now + lasts.min(LONGEST) + linger;
        self.subscribed_until = self.subscribed_until.max(until);
        self.until = self.until.max(until);
    }

    pub(super) fn end(&mut self, now: Duration, linger: Duration) {
        self.over = true;
        self.until = self.subscribed_until.max(now + linger);
    }
}
