//! Makes one call's events in order.

use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

use crate::call_ref::CallRef;
use crate::event::{Event, Happening};
use crate::id::EventId;
use crate::time::Timestamp;

/// Numbers leap by this where a process has replaced another.
const LEAP: u64 = 1_000;

/// Numbers and dates one call's events. It reads no clock: an event's time is the call's beginning plus the time in the
/// call, so a replay with the same beginning makes the same events byte for byte.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Narrator {
    call: Arc<CallRef>,
    began: Timestamp,
    told: u64,
}

impl Narrator {
    /// The narrator of a call whose INVITE was seen at `began`.
    #[must_use]
    pub fn new(call: CallRef, began: Timestamp) -> Self {
        Self { call: Arc::new(call), began, told: 0 }
    }

    /// The call.
    #[must_use]
    pub fn call(&self) -> &CallRef {
        &self.call
    }

    /// When the call began.
    #[must_use]
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// How many events have been told.
    #[must_use]
    pub fn told(&self) -> u64 {
        self.told
    }

    /// Goes on in another process, which does not know how many events the last one has told since it wrote down that
    /// number, at most `most`: the next event's number is the first after a whole thousand beyond them.
    pub fn leap(&mut self, most: u64) {
        self.told = self.told.saturating_add(most).div_ceil(LEAP).saturating_mul(LEAP);
    }

    /// The next event: `happening`, `at` after the INVITE was seen.
    #[must_use]
    pub fn tell(&mut self, at: Duration, happening: impl Into<Happening>) -> Event {
        self.told = self.told.saturating_add(1);
        let at = Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(u64::MAX));
        Event {
            schema: crate::event::SchemaId,
            id: EventId { call: self.call.id, seq: self.told },
            seq: self.told,
            time: self.began.after(at),
            at,
            call: Arc::clone(&self.call),
            happening: happening.into(),
        }
    }
}
