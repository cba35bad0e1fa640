//! The end of a call in the book: its last event and its receipt.

use std::time::Duration;

use sidetone_call::{CallKey, Cause};
use sidetone_consent::{Moment, Receipt};
use sidetone_events::HashedNumber;

use crate::book::Book;
use crate::entry::Entry;

/// How long an ended call waits for its media and its summary before it is closed without them.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

impl Book {
    /// Closes ended calls whose media or analysis never reported back.
    pub(crate) fn close_overdue(&mut self, now: Duration) {
        let overdue: Vec<CallKey> = self
            .calls
            .values()
            .filter(|entry| {
                entry.closing_since().is_some_and(|since| now.saturating_sub(since) > CLOSE_WITHIN)
            })
            .map(Entry::key)
            .collect();
        for key in overdue {
            self.counters.closed_overdue += 1;
            self.file(now, key);
            if let Some(entry) = self.strike(key) {
                self.close(now, entry);
            }
        }
    }

    pub(crate) fn close_if_done(&mut self, now: Duration, key: CallKey) {
        if !self.calls.get(&key).is_some_and(Entry::is_done) {
            return;
        }
        self.file(now, key);
        if let Some(entry) = self.strike(key) {
            self.close(now, entry);
        }
    }

    pub(crate) fn close(&mut self, now: Duration, mut entry: Entry) {
        self.playback.forget(&mut entry);
        if let Some(labels) = entry.labelled.take_change() {
            self.effects.publish(entry.tell(now, labels));
        }
        let counters = &mut self.counters;
        let counter = match entry.cause() {
            Some(Cause::MediaTimeout) => &mut counters.media_timeouts,
            _ if !entry.was_answered() => &mut counters.unanswered,
            Some(Cause::Hangup) => &mut counters.hung_up,
            _ => &mut counters.ended_otherwise,
        };
        *counter += 1;
        let cause = entry.cause().map(Cause::as_str);
        let (by, status) = entry.ended_by();
        let talked_ms = entry.talked().map(|talked| talked.as_millis());
        let (call, sip_call_id) = (entry.call().id, &entry.call().sip_call_id);
        tracing::info!(%call, %sip_call_id, cause, by, status, talked_ms, "call ended");
        self.effects.publish(entry.ended_event(now));
    }

    /// Files the receipts of calls whose last event will not be awaited any longer.
    pub(crate) fn file_all(&mut self, now: Duration) {
        let over: Vec<CallKey> =
            self.calls.values().filter(|entry| entry.is_over()).map(Entry::key).collect();
        over.into_iter().for_each(|key| self.file(now, key));
    }

    /// Files the receipt of a call that is over.
    pub(crate) fn file(&mut self, now: Duration, key: CallKey) {
        let (Some(entry), Some(model)) = (self.calls.get_mut(&key), &self.receipts_name) else { return };
        if std::mem::replace(&mut entry.consent.filed, true) {
            return;
        }
        let ended = entry.ended_at().unwrap_or(now).saturating_sub(entry.origin());
        let ended = Moment::from_unix_millis(entry.began().after(ended).unix_millis());
        let receipt = receipt(entry, ended, model.clone());
        self.effects.file(entry.call().id, receipt);
    }
}

/// The receipt of a call that is over.
fn receipt(entry: &Entry, ended: Moment, model: Option<String>) -> Receipt {
    let (call, consent) = (entry.call(), &entry.consent);
    let hashed = |hash: Option<HashedNumber>| hash.and_then(|hash| hash.to_string().parse().ok());
    let (customer, dialled) =
        if consent.to_customer { (call.callee, call.callee) } else { (call.caller, call.callee) };
    Receipt {
        call: call.id.to_string(),
        started: Moment::from_unix_millis(entry.began().unix_millis()),
        ended,
        to_customer: consent.to_customer,
        customer: hashed(customer),
        dialled: hashed(dialled),
        trunk: consent.facts.trunk.clone(),
        queue: consent.facts.queue.clone(),
        tier: consent.facts.tier.clone(),
        call_type: consent.facts.call_type.clone(),
        reason: consent.decision.reason.clone(),
        lawful_basis: consent.lawful_basis,
        record: consent.machine.record(),
        node: call.node.clone(),
        build: crate::BUILD.to_owned(),
        model,
    }
}
