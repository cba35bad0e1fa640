//! The thread that redacts messages and gives them to the traces and the log.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use sidetone_events::{NumberHasher, Timestamp};

use super::redact::{self, Belongs, Remembered, Shown};
use super::refusals::{self, Refusals};
use super::session::Session;
use crate::trace::note::Note;
use crate::trace::seen::{Seen, TARGET, Way};
use sidetone_book::Calls;
use sidetone_watch::{Alarm, Heartbeat};

/// The longest that the thread sleeps without a message.
const LOOKS_UP: Duration = Duration::from_secs(1);

pub(super) struct Desk {
    hasher: NumberHasher,
    calls: Weak<Calls>,
    /// Wall-clock time at zero of the process's clock.
    wall: Timestamp,
    lost: Arc<AtomicU64>,
    lost_told: u64,
    sessions: Vec<Session>,
    refusals: Refusals,
    numbers: Remembered,
}

impl Desk {
    pub(super) fn new(
        hasher: NumberHasher,
        calls: Weak<Calls>,
        wall: Timestamp,
        lost: Arc<AtomicU64>,
    ) -> Self {
        let (refusals, numbers) = (Refusals::default(), Remembered::default());
        Self { hasher, calls, wall, lost, lost_told: 0, sessions: Vec::new(), refusals, numbers }
    }

    /// Works until the SIP side is gone.
    pub(super) fn run(mut self, inbox: &Receiver<Note>, epoch: Instant, beat: &Heartbeat, alarm: &Alarm) {
        loop {
            beat.beat(epoch.elapsed());
            match inbox.recv_timeout(LOOKS_UP) {
                // A message that makes the parser panic must not hide all that follow.
                Ok(note) => drop(alarm.contain(beat, || self.take(note))),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn take(&mut self, note: Note) {
        match note {
            Note::Open(session) => self.sessions.push(session),
            Note::Seen(seen) => self.show(&seen),
        }
        self.sessions.retain(Session::is_read);
        let lost = self.lost.load(Relaxed);
        if lost > self.lost_told {
            tracing::warn!(
                messages = lost - self.lost_told,
                "SIP came faster than it could be shown; calls are not affected"
            );
            self.lost_told = lost;
        }
    }

    fn show(&mut self, seen: &Seen) {
        let Some((shown, belongs)) = redact::message(&self.hasher, &mut self.numbers, &seen.bytes) else {
            let Seen { flow, bytes, .. } = seen;
            tracing::debug!(target: TARGET, remote = %flow.remote, transport = flow.transport.as_param(), bytes = bytes.len(), "something that is no SIP message");
            return;
        };
        if let Some(by) = self.refusals.by(seen, &shown, &belongs.call_id) {
            let call = self.calls.upgrade().and_then(|calls| calls.known_as(&belongs.call_id));
            refusals::tell(by, seen, &shown, &belongs, call);
        }
        if tracing::enabled!(target: TARGET, tracing::Level::DEBUG) {
            self.log(seen, &shown, &belongs);
        }
        let time = self.wall.after(seen.at);
        let since = u64::try_from(seen.at.as_micros()).unwrap_or(u64::MAX);
        let unix_us = self.wall.unix_millis().saturating_mul(1_000).saturating_add(since);
        for session in &mut self.sessions {
            session.take(seen, time, unix_us, &shown, &belongs);
        }
    }

    fn log(&self, seen: &Seen, shown: &Shown, belongs: &Belongs) {
        let call = self.calls.upgrade().and_then(|calls| calls.known_as(&belongs.call_id));
        let call = call.map(|call| call.to_string());
        let call = call.as_deref().unwrap_or("-");
        let (side, peer) =
            seen.peer.as_ref().map_or(("stranger", "-"), |(side, name)| (side.as_str(), name.as_str()));
        let (way, remote, transport) = (seen.way, seen.flow.remote, seen.flow.transport.as_param());
        let way = match way {
            Way::In => "received",
            Way::Out => "sent",
        };
        let sip_call_id = &shown.call_id;
        let text = named(&shown.text(), call, sip_call_id);
        tracing::debug!(target: TARGET, %call, %sip_call_id, side, peer, %remote, transport, "{way} call={call} sip_call_id={sip_call_id}{text}");
    }
}

/// A message's lines, each prefixed with the names of its call: a search of the log for one call finds all of them.
fn named(text: &str, call: &str, sip_call_id: &str) -> String {
    let lines = text.trim_end().lines().map(|line| format!("\n    {call} {sip_call_id} {line}"));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_a_message_names_its_call() {
        let text = named("INVITE sip:x SIP/2.0\r\nCall-ID: a@b\r\n\r\nv=0\r\n", "01J", "a@b");
        let lines: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "    01J a@b INVITE sip:x SIP/2.0",
                "    01J a@b Call-ID: a@b",
                "    01J a@b ",
                "    01J a@b v=0"
            ]
        );
    }
}
