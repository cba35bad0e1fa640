//! Requests of our own beside probes: sent to one place, and their end told.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::Proxy;
use super::attempt::{Attempt, Owner};
use super::destination::Destination;
use super::originated::Originated;
use super::output::{Answer, Output, OwnKey};
use super::passage::Passage;
use super::table::Key;
use crate::message::RequestBuilder;
use crate::transaction::{Client, NonInviteClient, is_due};

impl<P: Passage> Proxy<P> {
    /// The parties of a dialog, given by their tags and addresses, the trunk's first, have been sent a BYE of our own:
    /// the dialog is over, but for what crosses the BYE.
    pub fn hung_up(&mut self, now: Duration, call_id: &str, parties: [(&str, SocketAddr); 2]) {
        let [(trunk_tag, trunk), (pbx_tag, pbx)] = parties;
        if let (Some(trunk), Some(pbx)) = (self.neighbours.of(trunk), self.neighbours.of(pbx)) {
            self.dialogs.hung_up(now, call_id, [(trunk_tag, trunk), (pbx_tag, pbx)]);
        }
    }

    /// Sends a request that is not an INVITE, all of it but the Via. Its end follows as [`Output::Answered`], after
    /// timer F at the latest. Provisional responses are not told. Not sent if half of the room for transactions is
    /// taken.
    pub fn originate(&mut self, now: Duration, to: Destination, head: RequestBuilder, body: Bytes) -> OwnKey {
        self.last_own += 1;
        let own = OwnKey(self.last_own);
        self.own.insert(own, Originated { head, body, udp: None, attempt: None });
        // Calls come first.
        if self.transactions() >= self.settings.max_transactions / 2 {
            self.own_ended(own, Answer::Unsent);
        } else {
            self.launch_own(now, own, to, false);
        }
        own
    }

    /// What a request of our own says is not to be said any more: it is not sent again, nor another way. What has left
    /// can't be called back, and its answer, if one comes, isn't told.
    pub fn recall(&mut self, key: OwnKey) {
        let attempt = self.own.get(&key).and_then(|own| own.attempt);
        self.own_ended(key, Answer::Recalled);
        if let Some((slot, attempt)) = attempt.and_then(|slot| Some((slot, self.attempts.get_mut(slot)?))) {
            attempt.client.terminate();
            self.tidy_attempt(slot);
        }
    }

    fn launch_own(&mut self, now: Duration, own: OwnKey, to: Destination, udp_only: bool) {
        let start =
            |transport| Client::NonInvite(NonInviteClient::start(now, &self.settings.timers, transport));
        let slot = self.attempts.insert(|_| Attempt::new(Owner::Own(own), start(to.transport), to));
        let branch = self.tokens.branch(slot, 0);
        let written = |to: &Destination| {
            let own = self.own.get(&own)?;
            let mut via = self.local.place(to.transport, to.local)?.via.clone();
            branch.write(&mut via);
            via.push_str(";rport");
            Some(own.head.via(&via).body(&own.body))
        };
        let sent = written(&to).map(|bytes| match self.tcp_instead(now, &to, bytes.len(), udp_only) {
            Some(tcp) => written(&tcp).map_or((bytes, to), |bytes| (bytes, tcp)),
            None => (bytes, to),
        });
        let Some((bytes, place)) = sent else {
            self.attempts.remove(slot);
            return self.own_ended(own, Answer::Unsent);
        };
        let switched = place != to;
        let until = switched.then(|| now + self.settings.failover_after);
        let client = start(place.transport);
        if let Some(attempt) = self.attempts.get_mut(slot) {
            attempt.client = client;
            attempt.nonce = branch.nonce;
            attempt.to = place;
            attempt.sent = bytes.clone();
            attempt.silent_until = until;
        }
        if let Some(own) = self.own.get_mut(&own) {
            own.udp = switched.then_some(to);
            own.attempt = Some(slot);
        }
        self.counters.tcp_switches += u64::from(switched);
        self.send(bytes, place, true);
        self.tidy_attempt(slot);
    }

    /// Its target, reached over TCP, has not said a word: perhaps what is sent there gets lost.
    pub(super) fn own_is_silent(&mut self, now: Duration, key: Key, own: OwnKey) {
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        if !is_due(attempt.silent_until, now) {
            return;
        }
        attempt.silent_until = None;
        let remote = attempt.to.remote;
        if !attempt.client.is_unanswered() || self.own.get(&own).is_none_or(|own| own.udp.is_none()) {
            return;
        }
        attempt.client.terminate();
        self.refusals.note(remote, now + self.settings.tcp_refused_for);
        self.tidy_attempt(key);
        self.own_failed(now, own);
    }

    /// It could not be sent as it was: by UDP then, if it should have gone there.
    pub(super) fn own_failed(&mut self, now: Duration, own: OwnKey) {
        match self.own.get_mut(&own).and_then(|own| own.udp.take()) {
            Some(udp) => {
                self.counters.tcp_fallbacks += 1;
                self.launch_own(now, own, udp, true);
            }
            None => self.own_ended(own, Answer::Unsent),
        }
    }

    pub(super) fn own_ended(&mut self, key: OwnKey, answer: Answer) {
        if self.own.remove(&key).is_some() {
            self.outputs.push_back(Output::Answered { key, answer });
        }
    }
}
