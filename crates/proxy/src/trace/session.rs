//! One trace: its choice of calls, and its report on each message.

use std::net::SocketAddr;

use serde::Serialize;
use sidetone_events::Timestamp;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::redact::{Belongs, Shown};
use crate::trace::seen::{Seen, Way};

/// Which calls are traced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The call with this SIP Call-ID.
    Call(String),
    /// The next calls to begin, this many.
    Next(usize),
}

/// One message of a traced call.
#[derive(Debug, Clone, Serialize)]
pub struct Traced {
    /// Always `message`.
    trace: &'static str,
    /// The number of the call within the trace, from 1.
    pub call: usize,
    /// The time of the message.
    pub time: Timestamp,
    /// The same since 1970, in microseconds: messages are often less than a millisecond apart.
    pub unix_us: u64,
    /// `in` or `out`, as seen from Sidetone.
    way: &'static str,
    /// `trunk` or `pbx`; absent where the address belongs to no peer.
    side: Option<&'static str>,
    /// The peer's name.
    peer: Option<String>,
    transport: &'static str,
    local: SocketAddr,
    remote: SocketAddr,
    /// Length on the wire.
    bytes: usize,
    method: Option<String>,
    status: Option<u16>,
    #[serde(skip_serializing_if = "String::is_empty")]
    reason: String,
    cseq: Option<String>,
    sip_call_id: String,
    branch: Option<String>,
    /// The session description's offer or answer.
    sdp: Option<String>,
    /// The message, redacted.
    text: String,
    /// Messages lost just before this one, because nobody read them in time.
    #[serde(skip_serializing_if = "is_zero")]
    lost_before: u64,
    /// The Call-ID as the call's events show it.
    #[serde(skip)]
    pub in_events: String,
    /// Whether a call begins with this message.
    #[serde(skip)]
    pub begins: bool,
    /// Whether its call ends with this message.
    #[serde(skip)]
    pub ends: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_zero(number: &u64) -> bool {
    *number == 0
}

pub(super) struct Session {
    wanted: Wanted,
    reader: Sender<Traced>,
    /// Call-IDs, in the order in which the trace took them up.
    calls: Vec<String>,
    lost: u64,
}

impl Session {
    pub(super) fn new(wanted: Wanted, reader: Sender<Traced>) -> Self {
        let calls = match &wanted {
            Wanted::Call(id) => vec![id.clone()],
            Wanted::Next(_) => Vec::new(),
        };
        Self { wanted, reader, calls, lost: 0 }
    }

    /// Whether the trace still has a reader.
    pub(super) fn is_read(&self) -> bool {
        !self.reader.is_closed()
    }

    /// Gives a message to the reader, if it belongs to a traced call.
    pub(super) fn take(
        &mut self,
        seen: &Seen,
        time: Timestamp,
        unix_us: u64,
        shown: &Shown,
        belongs: &Belongs,
    ) {
        // Long: whether a message is shown, and then what its step in the ladder is.
        let begins = shown.method.as_deref() == Some("INVITE") && !shown.to_tag;
        let known = self.calls.iter().position(|id| *id == belongs.call_id);
        let index = match (known, &self.wanted) {
            (Some(index), _) => index,
            // Strangers' messages are dropped and logged; they would use up the places.
            (None, Wanted::Next(most))
                if begins && seen.way == Way::In && seen.peer.is_some() && self.calls.len() < *most =>
            {
                self.calls.push(belongs.call_id.clone());
                self.calls.len() - 1
            }
            (None, _) => return,
        };
        let of = |method: &str| shown.cseq.as_ref().is_some_and(|(_, of)| of == method);
        // A caller who is challenged for credentials calls again in a moment.
        let ends = seen.way == Way::Out
            && shown.status.is_some_and(|status| {
                status >= 300 && !matches!(status, 401 | 407) && of("INVITE") || status >= 200 && of("BYE")
            });
        let (side, peer) = seen.peer.clone().map(|(side, name)| (side.as_str(), name)).unzip();
        let traced = Traced {
            trace: "message",
            call: index + 1,
            time,
            unix_us,
            way: match seen.way {
                Way::In => "in",
                Way::Out => "out",
            },
            side,
            peer,
            transport: seen.flow.transport.as_param(),
            local: seen.flow.local,
            remote: seen.flow.remote,
            bytes: seen.bytes.len(),
            method: shown.method.clone(),
            status: shown.status,
            reason: shown.reason.clone(),
            cseq: shown.cseq.as_ref().map(|(number, method)| format!("{number} {method}")),
            sip_call_id: shown.call_id.clone(),
            branch: shown.branch.clone(),
            sdp: shown.media.clone(),
            text: shown.text(),
            lost_before: self.lost,
            in_events: belongs.in_events.clone(),
            begins,
            ends,
        };
        match self.reader.try_send(traced) {
            Ok(()) => self.lost = 0,
            Err(TrySendError::Full(_)) => self.lost += 1,
            Err(TrySendError::Closed(_)) => {}
        }
    }
}
