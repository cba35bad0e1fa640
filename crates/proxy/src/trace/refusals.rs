//! Each refused INVITE is logged, with its status and the party that refused it.

use std::collections::VecDeque;

use sidetone_call::Side;
use sidetone_events::CallId;

use super::redact::{Belongs, Shown};
use crate::trace::seen::{Seen, Way};

/// Most refusals that are remembered, to find their origin and to skip repetitions.
const MOST: usize = 512;

/// One refusal: Call-ID, number of the INVITE, status.
type Key = (String, u32, u16);

#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Refusals that came from a peer, and their side.
    came: VecDeque<(Key, Side)>,
    /// Refusals that were logged.
    told: VecDeque<Key>,
}

/// The refusing party.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Side(Side),
    Sidetone,
}

impl By {
    fn as_str(self) -> &'static str {
        match self {
            Self::Side(side) => side.as_str(),
            Self::Sidetone => "sidetone",
        }
    }
}

impl Refusals {
    /// The party that refused an INVITE, if this message is the first to say so.
    pub(super) fn by(&mut self, seen: &Seen, shown: &Shown, call_id: &str) -> Option<By> {
        let status = shown.status.filter(|status| *status >= 300)?;
        let (number, method) = shown.cseq.as_ref()?;
        if method != "INVITE" {
            return None;
        }
        let key = (call_id.to_owned(), *number, status);
        if seen.way == Way::In {
            if let Some((side, _)) = &seen.peer {
                push(&mut self.came, (key, *side));
            }
            return None;
        }
        if self.told.contains(&key) {
            return None;
        }
        let came = self.came.iter().find(|(came, _)| *came == key);
        let by = came.map_or(By::Sidetone, |(_, side)| By::Side(*side));
        push(&mut self.told, key);
        Some(by)
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() >= MOST {
        queue.pop_front();
    }
    queue.push_back(item);
}

/// Writes the line.
pub(super) fn tell(by: By, seen: &Seen, shown: &Shown, belongs: &Belongs, call: Option<CallId>) {
    let call = call.map(|call| call.to_string());
    let call = call.as_deref().unwrap_or("-");
    // The same Call-ID as in the call's other log lines. Where From is anonymous, a Call-ID that might hold a number is
    // masked.
    let sip_call_id = if belongs.withheld { &shown.call_id } else { &belongs.in_events };
    let (status, reason) = (shown.status.unwrap_or(0), &shown.reason);
    let caller = seen.peer.as_ref().map_or("-", |(_, name)| name.as_str());
    let by = by.as_str();
    match (status, by) {
        // Challenged for credentials, or cancelled by the caller: neither is a refusal.
        (401 | 407 | 487, _) => {
            tracing::debug!(%call, %sip_call_id, status, reason, by, caller, "INVITE not accepted");
        }
        (_, "sidetone") => tracing::warn!(%call, %sip_call_id, status, reason, by, caller, "INVITE refused"),
        _ => tracing::info!(%call, %sip_call_id, status, reason, by, caller, "INVITE refused"),
    }
}
