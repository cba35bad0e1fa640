//! Requests that the proxy originates beside probes: INFO, NOTIFY, BYE and OPTIONS of its own, each to one destination.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;

use super::Proxy;
use super::attempt::{Attempt, Owner};
use super::destination::Destination;
use super::filter::MessageFilter;
use super::originated::Originated;
use super::output::{Answer, OriginatedKey, Output};
use super::table::Key;
use crate::message::RequestBuilder;
use crate::transaction::{Client, NonInviteClient, is_due};

impl<F: MessageFilter> Proxy<F> {
    /// The parties of a dialog, given by their tags and addresses, the trunk's first, have been sent a BYE of our own:
    /// the dialog is over, but for what crosses the BYE.
    pub fn hung_up(&mut self, now: Duration, call_id: &str, parties: [(&str, SocketAddr); 2]) {
        let [(trunk_tag, trunk), (pbx_tag, pbx)] = parties;
        if let (Some(trunk), Some(pbx)) = (self.neighbours.of(trunk), self.neighbours.of(pbx)) {
            self.dialogs.hung_up(now, call_id, [(trunk_tag, trunk), (pbx_tag, pbx)]);
        }
    }

    /// Sends a non-INVITE request that is complete but for the Via. Its end follows as [`Output::Answered`], after
    /// timer F at the latest; provisional responses are not told. If half of the room for transactions is taken, the
    /// request is not sent, and ends as [`Answer::Unsent`]: calls come first.
    pub fn originate(
        &mut self,
        now: Duration,
        to: Destination,
        head: RequestBuilder,
        body: Bytes,
    ) -> OriginatedKey {
        self.last_originated += 1;
        let originated = OriginatedKey(self.last_originated);
        self.originated.insert(originated, Originated { head, body, udp: None, attempt: None });
        if self.transactions() >= self.settings.max_transactions / 2 {
            self.originated_ended(originated, Answer::Unsent);
        } else {
            self.launch_originated(now, originated, to, false);
        }
        originated
    }

    /// Takes back an originated request: it is neither retransmitted nor sent by another transport. A copy that has
    /// left can't be called back; its response, if one comes, isn't told.
    pub fn recall(&mut self, key: OriginatedKey) {
        let attempt = self.originated.get(&key).and_then(|originated| originated.attempt);
        self.originated_ended(key, Answer::Recalled);
        if let Some((slot, attempt)) = attempt.and_then(|slot| Some((slot, self.attempts.get_mut(slot)?))) {
            attempt.client.terminate();
            self.tidy_attempt(slot);
        }
    }

    /// Begins an attempt, over TCP if the request is too large for UDP. The UDP destination is kept then, and tried if
    /// TCP fails or stays silent.
    fn launch_originated(
        &mut self,
        now: Duration,
        originated: OriginatedKey,
        to: Destination,
        udp_only: bool,
    ) {
        let start =
            |transport| Client::NonInvite(NonInviteClient::start(now, &self.settings.timers, transport));
        let slot =
            self.attempts.insert(|_| Attempt::new(Owner::Originated(originated), start(to.transport), to));
        let branch = self.tokens.branch(slot, 0);
        let written = |to: &Destination| {
            let originated = self.originated.get(&originated)?;
            let mut via = self.local.place(to.transport, to.local)?.via.clone();
            branch.write(&mut via);
            via.push_str(";rport");
            Some(originated.head.via(&via).body(&originated.body))
        };
        let sent = written(&to).map(|bytes| match self.tcp_instead(now, &to, bytes.len(), udp_only) {
            Some(tcp) => written(&tcp).map_or((bytes, to), |bytes| (bytes, tcp)),
            None => (bytes, to),
        });
        let Some((bytes, place)) = sent else {
            self.attempts.remove(slot);
            return self.originated_ended(originated, Answer::Unsent);
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
        if let Some(originated) = self.originated.get_mut(&originated) {
            originated.udp = switched.then_some(to);
            originated.attempt = Some(slot);
        }
        self.counters.tcp_switches += u64::from(switched);
        self.send(bytes, place, true);
        self.tidy_attempt(slot);
    }

    /// The target, reached over TCP, is silent: the connection may be a black hole, so UDP is tried.
    pub(super) fn originated_is_silent(&mut self, now: Duration, key: Key, originated: OriginatedKey) {
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        if !is_due(attempt.silent_until, now) {
            return;
        }
        attempt.silent_until = None;
        let remote = attempt.to.remote;
        if !attempt.client.is_unanswered()
            || self.originated.get(&originated).is_none_or(|originated| originated.udp.is_none())
        {
            return;
        }
        attempt.client.terminate();
        self.tcp_refusals.note(remote, now + self.settings.tcp_refused_for);
        self.tidy_attempt(key);
        self.originated_failed(now, originated);
    }

    /// The request could not be sent: it goes by UDP if only its size had it sent over TCP.
    pub(super) fn originated_failed(&mut self, now: Duration, originated: OriginatedKey) {
        match self.originated.get_mut(&originated).and_then(|originated| originated.udp.take()) {
            Some(udp) => {
                self.counters.tcp_fallbacks += 1;
                self.launch_originated(now, originated, udp, true);
            }
            None => self.originated_ended(originated, Answer::Unsent),
        }
    }

    pub(super) fn originated_ended(&mut self, key: OriginatedKey, answer: Answer) {
        if self.originated.remove(&key).is_some() {
            self.outputs.push_back(Output::Answered { key, answer });
        }
    }
}
