//! Brings every call's media through us: offer/answer by call, SDP edited on its way, and what becomes
//! of the call told as facts.
//!
//! [`Anchor`] is a [`crate::proxy::MessageFilter`] over a [`MediaPlane`]. Wherever SDP may travel (INVITE, 18x,
//! 2xx, ACK, PRACK, UPDATE; RFC 3264, 3261 §13 and §14, 3262, 3311, 6337) each m-line's address and port
//! become our own on the side that the message leaves by, and the media plane is told where the parties
//! want their media. m-line count and order, codecs and everything not about where media goes stay as
//! they are; see [`crate::sdp::rewrite`](mod@crate::sdp::rewrite).
//!
//! How it is decided:
//!
//! - Ports are reserved, on both sides, before an offer passes: a new call that can't have them is refused
//!   with 503, a re-INVITE or UPDATE that needs more with 488. Nothing is anchored by half.
//! - An m-line keeps its ports for the call's life, so a retransmission comes out as it did before.
//! - SDP in an unreliable 18x is a preview of the answer: media flows by it, but nothing is settled. In a
//!   reliable 18x, or a 2xx, it settles. Failure of a re-INVITE or UPDATE leaves what was settled before.
//! - If the call forks, the newest answer steers the media until the first 2xx; then that dialog does, until
//!   its BYE, when another confirmed one takes over.
//! - A party holds a stream when it doesn't want to be sent media by a peer that would send: `a=sendonly`,
//!   `a=inactive`, or `c=0.0.0.0`.
//! - A re-INVITE of a call that isn't known (we were restarted) makes the call known: its media comes
//!   through us from then on.
//! - SDP that aims media at an address where it must not go ([`MediaPlane::admits`]; multicast, broadcast) is refused
//!   with 488 in a request. In a response, which can't be refused, nothing is sent there, and that is told.
//! - Whatever a peer could take for the session's description is led: parts of a multipart, all of them; bodies whose
//!   type or Content-Disposition says something else, or nothing. Media follow the first. See [`crate::sdp::body`].
//! - SDP that is encrypted, signed, compressed or elsewhere can't be edited: it passes, as does its answer, and is
//!   reported [`Untappable::Unreadable`](sidetone_call::Untappable::Unreadable).
//! - An early session that stands beside the session (RFC 3959) isn't the session: its description passes as it is, and
//!   is reported [`Untappable::NotRelayed`](sidetone_call::Untappable::NotRelayed).

mod bye;
mod call;
mod claims;
mod counters;
mod dialog;
mod dialog_state;
mod dtmf_body;
mod fact;
mod filter;
mod kept;
mod offer_answer;
mod plan;
mod ports;
mod position;
mod reach;
mod replaced;
mod sdp_edit;
mod security;
mod settings;
mod setup;
mod signalled;
mod terms;
mod transfer;
mod unacknowledged;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use sidetone_call::{CallKey, Cause, MediaPlane, Side};

pub use crate::sdp::Ice;
pub use claims::Claims;
pub use counters::Counters;
pub use fact::CallFact;
pub use kept::{Kept, NotTakenUp};
pub use reach::Reach;
pub use replaced::Replaced;
pub use security::{Keying, Policy, Security};
pub use settings::Settings;
pub use signalled::HEADER_PREFIX;

use crate::proxy::Neighbour;
use call::Call;
use position::call_name;

/// Offer/answer tracking and SDP anchoring for all calls.
#[derive(Debug)]
pub struct Anchor<M> {
    media: M,
    settings: Settings,
    security: Security,
    /// Our own names in Record-Route.
    local: Option<crate::proxy::Local>,
    calls: HashMap<CallKey, Call>,
    /// Call-ID, caller's tag and caller's side to the calls that bear them: one for each peer that begins such a call.
    names: HashMap<String, Vec<(Option<Neighbour>, CallKey)>>,
    deadlines: BTreeSet<(Duration, CallKey)>,
    facts: VecDeque<CallFact>,
    counters: Counters,
    next_key: u64,
    /// Calls that have changed, if anybody wants to know.
    changed: Option<BTreeSet<CallKey>>,
    /// What holds keys may be kept too.
    seals: bool,
}

impl<M: MediaPlane> Anchor<M> {
    /// No calls yet.
    #[must_use]
    pub fn new(media: M, settings: Settings) -> Self {
        Self {
            media,
            settings,
            security: Security::passing(),
            local: None,
            calls: HashMap::new(),
            names: HashMap::new(),
            deadlines: BTreeSet::new(),
            facts: VecDeque::new(),
            counters: Counters::default(),
            next_key: 1,
            changed: None,
            seals: false,
        }
    }

    /// Ends the media's protection here, as these policies have it.
    #[must_use]
    pub fn secured(mut self, security: Security) -> Self {
        self.security = security;
        self
    }

    /// The media plane.
    pub fn media(&mut self) -> &mut M {
        &mut self.media
    }

    /// How many calls there are.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Whether a request that came from `from` with these names belongs to a call that is up.
    #[must_use]
    pub fn holds(&self, call_id: &str, from_tag: &str, to_tag: &str, from: Side) -> bool {
        [(from_tag, from), (to_tag, from.other())]
            .into_iter()
            .any(|(tag, side)| self.names.contains_key(&call_name(call_id, tag, side)))
    }

    /// Whether the call is up, and a 2xx to its INVITE has passed.
    #[must_use]
    pub fn is_answered(&self, key: CallKey) -> bool {
        self.calls.get(&key).is_some_and(|call| call.phase == call::Phase::Answered)
    }

    /// Counts since the anchor was built.
    #[must_use]
    pub const fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Takes the next fact out. Facts of one call come in the order in which they happened.
    pub fn poll_fact(&mut self) -> Option<CallFact> {
        self.facts.pop_front()
    }

    /// Ends a call on our side: its media timed out, or the operator says so. Its ports are free at once;
    /// nothing is sent to the parties. False when there is no such call.
    pub fn terminate(&mut self, now: Duration, key: CallKey, cause: Cause) -> bool {
        self.end(key, None, None, cause, now)
    }

    /// When [`Anchor::timeout`] is due.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Duration> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Ends calls whose time is over: see the limits in [`Settings`].
    pub fn timeout(&mut self, now: Duration) {
        while let Some(&(at, key)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&(at, key));
            let Some(call) = self.calls.get(&key) else { continue };
            let left: Vec<String> =
                call.dialogs.iter().filter(|d| d.bye.is_some()).map(|d| d.tag.clone()).collect();
            if !left.is_empty() {
                // An unanswered BYE ends its dialog all the same (RFC 3261 §15.1.1).
                for tag in left {
                    self.hang_up(now, key, &tag);
                }
                continue;
            }
            if call.undelivered {
                // A BYE of our own is due. If none gets through, the call ends at this deadline.
                self.calls.entry(key).and_modify(|call| call.undelivered = false);
                self.set_deadline(key, now + self.settings.bye_timeout);
                self.tell(CallFact::Unacknowledged { key });
                continue;
            }
            let (by, status, cause) = call.overdue();
            self.counters.reaped += u64::from(cause == Cause::Failed);
            self.end(key, by, status, cause, now);
        }
    }

    fn tell(&mut self, fact: CallFact) {
        fact::tell(&mut self.facts, &mut self.counters, &self.settings, fact);
    }

    fn set_deadline(&mut self, key: CallKey, at: Duration) {
        if let Some(call) = self.calls.get_mut(&key) {
            self.deadlines.remove(&(call.deadline, key));
            call.deadline = at;
            self.deadlines.insert((at, key));
        }
    }

    fn end(
        &mut self,
        key: CallKey,
        by: Option<Side>,
        status: Option<u16>,
        cause: Cause,
        at: Duration,
    ) -> bool {
        let Some(call) = self.calls.remove(&key) else { return false };
        if let Some(named) = self.names.get_mut(&call.name) {
            named.retain(|(_, other)| *other != key);
            if named.is_empty() {
                self.names.remove(&call.name);
            }
        }
        self.deadlines.remove(&(call.deadline, key));
        self.note_change(key);
        self.media.release(key);
        self.tell(CallFact::Ended { key, by, status, cause, at });
        true
    }
}
