//! The link over SIP: its choice of events and calls, and its message bodies. Their transport is not known here.

use sidetone_call::Nature;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sidetone_consent::State as Consent;
use sidetone_events::{CallId, Event, Happening, Kind, Published, Subscription, emotionml};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::Raw;
use crate::config::{Format, Sip};

/// Interval of the check for calls that ended without an event.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// Interval, at the end, of the check whether everything has been sent.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A notification to a PBX over SIP.
#[derive(Clone, PartialEq, Eq)]
pub struct Aside {
    /// The name of the `[[pbx]]`.
    pub pbx: Arc<str>,
    /// The SIP Call-ID of its call.
    pub sip_call_id: Arc<str>,
    /// Whether to send NOTIFY to subscribers.
    pub notify: bool,
    /// Whether to send INFO, if the PBX accepts it.
    pub info: bool,
    /// Content type of the body.
    pub content_type: &'static str,
    /// The body: one event.
    pub body: Bytes,
    /// The subject of the event.
    pub nature: Nature,
    /// Whether it is the last notification of its call: as [`InDialog::end`], but together with it.
    pub last: bool,
}

/// Sends notifications over SIP. Must not block.
pub trait InDialog: Send + Sync {
    /// Queues a notification, or drops and counts it.
    fn tell(&self, aside: Aside);
    /// The customer of that call has objected: unsent notifications about their feelings are dropped.
    fn withdraw(&self, pbx: &Arc<str>, sip_call_id: &str);
    /// That call is over for that PBX.
    fn end(&self, pbx: &Arc<str>, sip_call_id: &str);
    /// No further notification will come for that PBX.
    fn close(&self, pbx: &Arc<str>);
    /// Whether no notification waits and none is under way.
    fn is_idle(&self) -> bool;
    /// Counters of the notifications to that PBX.
    fn counts(&self, pbx: &str) -> InDialogCounts;
}

/// Counters of notifications over SIP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InDialogCounts {
    /// Accepted by the PBX.
    pub sent: u64,
    /// Refused, or not answered.
    pub failed: u64,
    /// Never sent.
    pub dropped: u64,
}

impl std::fmt::Debug for Aside {
    /// Without the Call-ID, which may hold a number.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut aside = f.debug_struct("Aside");
        aside.field("pbx", &self.pbx).field("nature", &self.nature).finish_non_exhaustive()
    }
}

/// Turns events into notifications.
pub(crate) struct Clerk {
    pbx: Arc<str>,
    kinds: Vec<Kind>,
    format: Format,
    notify: bool,
    info: bool,
    raw: Raw,
    out: Arc<dyn InDialog>,
    /// The calls of this PBX, with their Call-IDs.
    calls: HashMap<CallId, Arc<str>>,
    /// Events that the bus had to drop.
    lost: u64,
}

impl Clerk {
    pub(crate) fn new(pbx: &str, sip: &Sip, raw: Raw, out: Arc<dyn InDialog>) -> Self {
        let Sip { format, notify, info, .. } = *sip;
        let (pbx, kinds) = (pbx.into(), sip.kinds());
        Self { pbx, kinds, format, notify, info, raw, out, calls: HashMap::new(), lost: 0 }
    }

    /// Takes an event of a call.
    pub(crate) fn take(&mut self, published: &Published) {
        let event = &published.event;
        let (id, kind) = (event.call.id, event.kind());
        let first = !self.calls.contains_key(&id);
        // The answer may come from another PBX than the first choice.
        if first || kind == Kind::CallAnswered {
            match (self.raw)(&id) {
                Some(identity) if *identity.pbx != *self.pbx => self.forget(&id),
                Some(identity) if first => {
                    self.calls.insert(id, identity.sip_call_id.into());
                }
                // The call is known already; or it has ended meanwhile, and the known state still holds.
                Some(_) | None => {}
            }
        }
        let Some(call) = self.calls.get(&id).cloned() else { return };
        if let Happening::ConsentChanged(change) = &event.happening
            && (change.erased || change.state == Consent::OptedOut)
        {
            self.out.withdraw(&self.pbx, &call);
        }
        if self.kinds.contains(&kind)
            && let Some(body) = self.body(published)
        {
            self.out.tell(Aside {
                pbx: Arc::clone(&self.pbx),
                sip_call_id: call,
                notify: self.notify,
                info: self.info,
                content_type: self.format.content_type(),
                body,
                nature: nature(event),
                last: kind == Kind::CallEnded,
            });
        }
        if kind == Kind::CallEnded {
            self.forget(&id);
        }
    }

    fn body(&self, published: &Published) -> Option<Bytes> {
        match self.format {
            Format::Json => Some(Bytes::copy_from_slice(published.json().as_bytes())),
            Format::EmotionMl => emotionml::document(&published.event).map(Bytes::from),
        }
    }

    fn forget(&mut self, id: &CallId) {
        if let Some(call) = self.calls.remove(id) {
            self.out.end(&self.pbx, &call);
        }
    }

    /// Takes an event of the bus, and checks whether others were lost.
    fn take_from(&mut self, bus: &Subscription, published: &Published) {
        self.take(published);
        // Read only now: events lost up to here are older than any later one.
        let lost = bus.counts().dropped;
        if lost != self.lost {
            self.lost = lost;
            // Any customer may have objected in a lost event. No notification must go out about one who has.
            for call in self.calls.values() {
                self.out.withdraw(&self.pbx, call);
            }
        }
    }

    /// Forgets calls that are gone, or another PBX's, without an event about it.
    fn sweep(&mut self) {
        let ours = |id: &CallId| (self.raw)(id).is_some_and(|identity| *identity.pbx == *self.pbx);
        let gone: Vec<CallId> = self.calls.keys().filter(|id| !ours(id)).copied().collect();
        for id in gone {
            self.forget(&id);
        }
    }
}

fn nature(event: &Event) -> Nature {
    match event.happening {
        Happening::AffectUpdate(_) => Nature::Reading,
        Happening::Conduct(_) | Happening::CallEnded(_) => Nature::Plain,
        _ if event.infers() => Nature::Affect,
        _ => Nature::Plain,
    }
}

/// Takes events in until the shutdown, and then waits until the notifications have arrived, for as long as there is
/// time.
pub(crate) async fn run(mut clerk: Clerk, mut bus: Subscription, mut stop: watch::Receiver<Option<Instant>>) {
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    let until = loop {
        tokio::select! {
            event = bus.recv() => match event {
                Some(event) => clerk.take_from(&bus, &event),
                None => break Instant::now(),
            },
            // A dropped sender means shutdown too.
            _ = stop.changed() => break stop.borrow().unwrap_or_else(Instant::now),
            _ = sweep.tick() => {
                // The last event of a call that has just ended may still wait.
                while let Some(event) = bus.try_recv() {
                    clerk.take_from(&bus, &event);
                }
                clerk.sweep();
            }
        }
    };
    while let Some(event) = bus.try_recv() {
        clerk.take_from(&bus, &event);
    }
    clerk.out.close(&clerk.pbx);
    while !clerk.out.is_idle() && Instant::now() < until {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests;
