//! Lost messages: those of strangers, those that can't be understood, and responses that can't be delivered. Each is
//! counted; the log names each kind once in a while.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use sidetone_sip::message::Message;
use sidetone_sip::proxy::{Destination, DropReason, DroppedMessage};

use super::Core;

/// A stranger is logged this often at most, and so is each reason for which a peer's messages are lost.
const STRANGER_EVERY: Duration = Duration::from_secs(60);
/// The full table of strangers is searched for room this often at most, however many packets arrive.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// Most pairs of peer and reason remembered for that.
const MOST_LOSSES: usize = 256;
const MOST_STRANGERS: usize = 1_000;

impl Core {
    /// Logs the peer of lost messages, once in a while for each reason; counters have every one.
    pub(super) fn tell_dropped(&mut self, now: Duration, lost: DroppedMessage) {
        let Some(peer) = self.table.who(lost.source.remote) else { return };
        let Some(more) = self.untold(now, (lost.source.remote.ip(), lost.why)) else { return };
        let (peer, remote) = (self.table.name(peer), lost.source.remote);
        tracing::warn!(peer, %remote, why = %lost.why, more, "a SIP message was dropped");
    }

    /// Logs the call of an undelivered final response, as often.
    pub(crate) fn tell_undelivered(&mut self, now: Duration, response: Bytes, to: &Destination) {
        let Some(more) = self.untold(now, (to.remote.ip(), DropReason::Undelivered)) else { return };
        let Ok(response) = Message::parse(response) else { return };
        let peer = self.table.who(to.remote);
        let side = peer.map_or("", |peer| peer.side.as_str());
        let (peer, remote) = (peer.map_or("", |peer| self.table.name(peer)), to.remote);
        let call = self.calls.known_as(response.call_id()).map(|id| id.to_string()).unwrap_or_default();
        let method = response.cseq().map(|cseq| cseq.method.as_str().to_owned()).unwrap_or_default();
        let (status, why) = (response.status(), DropReason::Undelivered);
        tracing::warn!(peer, side, %remote, call, status, method, %why, more, "a SIP response was dropped");
    }

    /// How many more losses of a kind there have been since the last log line; none if it is too early for the next.
    fn untold(&mut self, now: Duration, kind: (IpAddr, DropReason)) -> Option<u64> {
        let full = self.losses.len() >= MOST_LOSSES;
        if full {
            self.losses.retain(|_, (at, _)| now.saturating_sub(*at) < STRANGER_EVERY);
        }
        if let Some((at, more)) = self.losses.get_mut(&kind)
            && now.saturating_sub(*at) < STRANGER_EVERY
        {
            *more += 1;
            return None;
        }
        if self.losses.len() >= MOST_LOSSES {
            return None;
        }
        Some(self.losses.insert(kind, (now, 0)).map_or(0, |(_, more)| more))
    }

    /// Counts a message from an address that belongs to no peer, and logs the address now and then. `sent` says what
    /// came.
    pub(crate) fn count_stranger(&mut self, now: Duration, ip: IpAddr, sent: &str) {
        self.counters.strangers += 1;
        if self.strangers.len() >= MOST_STRANGERS && now.saturating_sub(self.strangers_swept) >= SWEEP_EVERY {
            self.strangers_swept = now;
            self.strangers.retain(|_, at| now.saturating_sub(*at) < STRANGER_EVERY);
        }
        // A flood from many addresses is counted, not logged one by one.
        let full = self.strangers.len() >= MOST_STRANGERS;
        let named = self.strangers.get(&ip).is_some_and(|at| now.saturating_sub(*at) < STRANGER_EVERY);
        if !named && !full {
            self.strangers.insert(ip, now);
            tracing::warn!(%ip, "a {sent} came from an address in no `allow` list; add it to a [[trunk]] or [[pbx]] if it belongs there");
        }
    }
}
