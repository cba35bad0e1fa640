//! CANCEL, hop by hop (RFC 3261 §9, §16.10).

use std::time::Duration;

use bytes::Bytes;

use super::Proxy;
use super::attempt::{Attempt, Cancel};
use super::filter::MessageFilter;
use super::response_context::Stage;
use super::table::Key;
use crate::Flow;
use crate::message::{self, Edit, Message, Method, Name};
use crate::transaction::{Client, NonInviteClient};

impl<F: MessageFilter> Proxy<F> {
    pub(super) fn on_cancel(&mut self, now: Duration, flow: &Flow, request: &Message) {
        let Some(via) = request.top_via() else { return };
        self.counters.requests.count(Method::CANCEL);
        let id = self.keying.server(request, &via, Method::INVITE, self.source(flow));
        let Some(&key) = self.by_id.get(&id) else {
            self.counters.stray_cancels += 1;
            return self.answer(now, request, flow, 481, "Call/Transaction Does Not Exist", &[]);
        };
        self.counters.cancels += 1;
        self.answer_freely(request, flow, 200, "OK", &[]);
        let Some(context) = self.contexts.get_mut(key) else { return };
        if context.cancelled.is_some() || !context.is_pending() {
            return;
        }
        context.cancelled = Some(reason_lines(request));
        if context.stage == Stage::Forwarding {
            self.cancel_attempts(now, key);
        } else {
            self.respond(now, key, 487, "Request Terminated", &[]);
        }
    }

    /// Cancels whatever is still being tried.
    pub(super) fn cancel_attempts(&mut self, now: Duration, key: Key) {
        let attempts = self.contexts.get(key).map(|e| e.attempts.clone()).unwrap_or_default();
        for attempt in attempts {
            self.cancel_attempt(now, attempt);
        }
    }

    pub(super) fn cancel_attempt(&mut self, now: Duration, key: Key) {
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        let Client::Invite(client) = &mut attempt.client else { return };
        if client.is_calling() {
            attempt.cancel = Cancel::WhenAnswered;
            attempt.silent_until = None;
        } else if client.is_proceeding() && !matches!(attempt.cancel, Cancel::Sent { .. }) {
            client.expire_at(now + self.settings.timers.long());
            self.send_cancel(now, key);
        }
        self.tidy_attempt(key);
    }

    fn send_cancel(&mut self, now: Duration, key: Key) {
        let Some(attempt) = self.attempts.get(key) else { return };
        let reasons = self.context_of(attempt).and_then(|e| e.cancelled.as_deref()).unwrap_or_default();
        let Some(bytes) = make_cancel(attempt, reasons) else { return };
        let Some(attempt) = self.attempts.get_mut(key) else { return };
        let client = NonInviteClient::start(now, &self.settings.timers, attempt.to.transport);
        attempt.cancel = Cancel::Sent { client, bytes: bytes.clone() };
        attempt.timer_c_at = None;
        let to = attempt.to;
        self.send(bytes, to, true);
    }
}

fn make_cancel(attempt: &Attempt, reasons: &[u8]) -> Option<Bytes> {
    let cancel = message::cancel(&Message::parse(attempt.sent.clone()).ok()?)?;
    if reasons.is_empty() {
        return Some(cancel);
    }
    let cancel = Message::parse(cancel).ok()?;
    let mut edit = Edit::new();
    let end = cancel.header(Name::ContentLength)?.line().start;
    edit.splice(end..end, reasons);
    Some(edit.apply(&cancel))
}

/// Why the caller cancels goes along (RFC 3326 §2): "answered elsewhere" keeps a missed call off the display.
fn reason_lines(cancel: &Message) -> Vec<u8> {
    let lines = cancel.headers_named(Name::Reason).filter_map(|h| cancel.as_bytes().get(h.line()));
    lines.collect::<Vec<_>>().concat()
}
