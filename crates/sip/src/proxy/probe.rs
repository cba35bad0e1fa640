//! OPTIONS of our own, to see whether a neighbour is well.

use std::time::Duration;

use super::Proxy;
use super::attempt::{Attempt, Owner};
use super::destination::Destination;
use super::filter::MessageFilter;
use super::output::ProbeKey;
use crate::message::{Method, RequestBuilder};
use crate::transaction::{Client, NonInviteClient};

impl<F: MessageFilter> Proxy<F> {
    /// Sends OPTIONS for `uri` to `to`. The outcome follows as [`super::Output::Probed`], after
    /// [`super::Settings::probe_within`] at the latest.
    pub fn probe(&mut self, now: Duration, to: Destination, uri: &str) -> ProbeKey {
        let probe = ProbeKey(self.probes);
        self.probes += 1;
        let Some(place) = self.local.place(to.transport, to.local) else {
            self.probe_failed(probe);
            return probe;
        };
        let mut client = NonInviteClient::start(now, &self.settings.timers, to.transport);
        client.expire_at(now + self.settings.probe_within);
        let key = self.attempts.insert(|_| Attempt::new(Owner::Probe(probe), Client::NonInvite(client), to));
        let branch = self.tokens.branch(key, 0);
        let (tag, call) = (self.tokens.nonce(), self.tokens.nonce());
        let mut via = place.via.clone();
        branch.write(&mut via);
        via.push_str(";rport");
        let bytes = RequestBuilder::new(Method::OPTIONS, uri)
            .header("Via", &via)
            .header("Max-Forwards", "70")
            .header("From", &format!("<sip:{}>;tag={tag:016x}", place.advertised))
            .header("To", &format!("<{uri}>"))
            .header("Call-ID", &format!("{call:016x}"))
            .header("CSeq", "1 OPTIONS")
            .build();
        if let Some(attempt) = self.attempts.get_mut(key) {
            attempt.nonce = branch.nonce;
            attempt.sent = bytes.clone();
        }
        self.send(bytes, to, true);
        self.tidy_attempt(key);
        probe
    }
}
