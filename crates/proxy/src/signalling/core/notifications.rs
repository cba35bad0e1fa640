//! Notifications to PBXs over SIP: subscriptions are granted here, and INFO and NOTIFY are routed.
//!
//! Whatever their route says, they go only to addresses that the PBX in question may send from (`allow`), and never to
//! the system's services there.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sidetone_call::{Nature, Side};
use sidetone_pbx::Aside;
use sidetone_sip::notification::{Ask, Parcel};
use sidetone_sip::proxy::{Answer, Decision, Destination, OriginatedKey};
use sidetone_sip::{Message, Method};

use super::originated::Originator;
use super::{Core, reject};
use crate::config::Peer;
use crate::routing::{HostAddress, PeerRef, Where, neighbour};

/// A notification and the host that it goes by.
pub(crate) struct Wanting {
    pub(crate) id: Originator,
    pub(crate) pbx: Arc<str>,
    pub(crate) hop: HostAddress,
}

impl Core {
    /// Answers a SUBSCRIBE to Sidetone, and refuses any other request in its dialog.
    pub(crate) fn subscribe(
        &mut self,
        now: Duration,
        from: PeerRef,
        request: &Bytes,
        tag: &str,
        contact: &str,
    ) -> Decision {
        // The carrier must not learn how a customer feels.
        let name = self.table.name(from).to_owned();
        let granted = |pbx: &&Peer| from.side == Side::Pbx && pbx.name == name;
        let sip = self.config().pbxs.iter().find(granted).and_then(|pbx| pbx.sip.as_ref());
        let Some(sip) = sip.filter(|sip| sip.notify) else { return reject(403, "Forbidden", None) };
        let Ok(message) = Message::parse(request.clone()) else { return reject(400, "Bad Request", None) };
        if message.method() != Some(Method::SUBSCRIBE) {
            return reject(481, "Dialog Does Not Exist", None);
        }
        let pbx: Arc<str> = name.into();
        let content_type = sip.format.content_type();
        let ask = Ask { request: &message, tag, contact, pbx: &pbx, content_type };
        let calls = Arc::clone(&self.calls);
        let reply = self.notifier.subscribe(now, &ask, |call| calls.is_with(call, &pbx));
        if reply.status < 300 {
            Decision::Accept { status: reply.status, headers: reply.headers }
        } else {
            let (status, reason) = (reply.status, reply.reason.to_owned());
            Decision::Reject { status, reason, headers: reply.headers }
        }
    }

    pub(crate) fn tell(&mut self, now: Duration, aside: &Aside) {
        let nature = match aside.nature {
            sidetone_call::Nature::Reading => Nature::Reading,
            sidetone_call::Nature::Affect => Nature::Affect,
            sidetone_call::Nature::Plain => Nature::Plain,
        };
        if self.calls.is_shared(&aside.sip_call_id, &aside.pbx) {
            // SIP names a call by its Call-ID alone: one caller's feelings would be reported for both calls.
            tracing::debug!(pbx = &*aside.pbx, "two calls have one Call-ID: nothing is told of them by SIP");
            return;
        }
        let parcel = Parcel { content_type: aside.content_type, body: aside.body.clone(), nature };
        if aside.notify {
            self.notifier.tell(now, &aside.pbx, &aside.sip_call_id, &parcel);
        }
        if aside.info {
            let pbx = (&aside.pbx, Some(neighbour(Side::Pbx, &aside.pbx)));
            self.proxy.filter().legs().tell(now, pbx, &aside.sip_call_id, &parcel);
        }
        if aside.last {
            self.notifier.end(&aside.pbx, &aside.sip_call_id);
        }
    }

    /// Withdraws affect notifications: queued ones are dropped, and those under way are not repeated.
    pub(crate) fn withdraw(&mut self, pbx: &Arc<str>, sip_call_id: &str) {
        let infos = self.proxy.filter().legs().withdraw((pbx, Some(neighbour(Side::Pbx, pbx))), sip_call_id);
        let notifies = self.notifier.withdraw(pbx, sip_call_id);
        let under_way: HashSet<Originator> = infos
            .into_iter()
            .map(Originator::Info)
            .chain(notifies.into_iter().map(Originator::Notify))
            .collect();
        if under_way.is_empty() {
            return;
        }
        let keys: Vec<OriginatedKey> =
            self.own.iter().filter(|(_, id)| under_way.contains(id)).map(|(key, _)| *key).collect();
        for key in keys {
            self.proxy.recall(key);
        }
    }

    /// The next recipient with a notification. The caller hands it back by [`Self::notification_located`].
    pub(crate) fn next_notification(&mut self, now: Duration) -> Option<Wanting> {
        loop {
            let legs = self.proxy.filter().legs();
            let (id, pbx, hop) = if let Some((id, pbx, hop)) = legs.wanting(now) {
                (Originator::Info(id), pbx, hop)
            } else {
                let (id, pbx, hop) = self.notifier.wanting(now)?;
                (Originator::Notify(id), pbx, hop)
            };
            match HostAddress::of(&hop.view()) {
                Some(hop) => return Some(Wanting { id, pbx, hop }),
                None => self.notification_ended(now, id, Answer::Unsent),
            }
        }
    }

    /// Takes the addresses of a notification's host: the notification goes to the first one that is the PBX's.
    pub(crate) fn notification_located(
        &mut self,
        now: Duration,
        id: Originator,
        pbx: &str,
        places: &[Where],
    ) {
        let place = places.iter().find(|(_, remote)| self.may_tell(pbx, *remote)).copied();
        let to = place.and_then(|(transport, remote)| {
            let local = self.local_toward(now, transport, remote)?;
            Some(Destination { transport, local, remote })
        });
        let Some(to) = to else {
            if place.is_none() && !places.is_empty() {
                tracing::warn!(
                    pbx,
                    "an INFO or NOTIFY was not sent: its address is not in the PBX's `allow` list, or a port of the system's"
                );
            }
            return self.notification_ended(now, id, Answer::Unsent);
        };
        let draft = match id {
            Originator::Info(leg) => {
                let legs = self.proxy.filter().legs();
                let draft = legs.write(leg);
                if draft.is_none() {
                    legs.spared(leg);
                }
                draft
            }
            // These are sent at once, without a look-up.
            Originator::Question(..) | Originator::Farewell => None,
            Originator::Notify(subscription) => self.notifier.write(now, subscription),
        };
        if let Some(draft) = draft {
            let key = self.proxy.originate(now, to, draft.head, draft.body);
            self.own.insert(key, id);
        }
    }

    fn may_tell(&self, pbx: &str, remote: SocketAddr) -> bool {
        let who = self.table.who(remote).filter(|peer| peer.side == Side::Pbx);
        who.is_some_and(|peer| self.table.name(peer) == pbx && self.may_be_told(peer, remote))
    }

    /// A request of our own has ended.
    pub(crate) fn answered(&mut self, now: Duration, key: OriginatedKey, answer: Answer) {
        if let Some(id) = self.own.remove(&key) {
            self.notification_ended(now, id, answer);
        }
    }

    fn notification_ended(&mut self, now: Duration, id: Originator, answer: Answer) {
        match id {
            Originator::Info(leg) => self.proxy.filter().legs().answered(leg, answer),
            Originator::Notify(subscription) => self.notifier.answered(now, subscription, answer),
            Originator::Question(call, side) => self.party_answered(now, call, side, answer),
            Originator::Farewell => {}
        }
    }

    pub(crate) fn notifications_timeout(&mut self, now: Duration) {
        self.proxy.filter().legs().timeout(now);
        self.notifier.timeout(now);
    }

    pub(crate) fn notifications_next_timeout(&self) -> Option<Duration> {
        let due = [self.proxy.filter_ref().legs_ref().next_timeout(), self.notifier.next_timeout()];
        due.into_iter().flatten().min()
    }

    /// Subscriptions that are up, and dialogs in which a PBX takes INFO.
    #[must_use]
    pub fn listeners_by_sip(&self) -> (usize, usize) {
        (self.notifier.len(), self.proxy.filter_ref().legs_ref().ready())
    }
}
