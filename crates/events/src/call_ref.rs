//! The call that an event belongs to.

use std::fmt;

use serde::{Deserialize, Serialize};

use sidetone_call::Node;

use crate::hex;
use crate::id::CallId;
use crate::number::{HashedNumber, NumberHasher, Party, normalise};

/// Longest Call-ID that events show; a longer one is masked.
const LONGEST_CALL_ID: usize = 255;

/// The direction of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the carrier to the PBX: the customer called.
    Inbound,
    /// From the PBX to the carrier: the customer was called.
    Outbound,
    /// The call was up before this process, and a request within it made it known: its caller is unknown.
    Unknown,
}

/// The call that an event belongs to; the same in all events of the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallRef {
    /// Sidetone's id of the call.
    pub id: CallId,
    /// The SIP Call-ID, which Sidetone passes through unchanged, so that the PBX knows the call by it too.
    pub sip_call_id: SipCallId,
    /// The configured name of the trunk that the call came by or went to.
    pub trunk: String,
    /// The direction of the call.
    pub direction: Direction,
    /// The node that the call is on, where the configuration names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<Node>,
    /// The caller's number; `None` if withheld.
    pub caller: Option<HashedNumber>,
    /// The called number; `None` if the request named no user.
    pub callee: Option<HashedNumber>,
}

/// The two numbers of a call as SIP gave them: user parts of From and To, or of P-Asserted-Identity and Request-URI.
#[derive(Clone, Copy)]
pub struct Parties<'a> {
    /// The caller's number.
    pub caller: &'a str,
    /// The called number.
    pub callee: &'a str,
}

impl fmt::Debug for Parties<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parties(…)")
    }
}

impl CallRef {
    /// Makes a reference. Numbers enter an event only here, and they leave it hashed.
    #[must_use]
    pub fn new(
        hasher: &NumberHasher,
        id: CallId,
        sip_call_id: &str,
        trunk: &str,
        direction: Direction,
        parties: Parties<'_>,
    ) -> Self {
        Self {
            id,
            sip_call_id: SipCallId::shown(hasher, sip_call_id, parties),
            trunk: trunk.to_owned(),
            direction,
            node: None,
            caller: hasher.hash(parties.caller),
            callee: hasher.hash(parties.callee),
        }
    }

    /// The same reference, of a call that is on this node.
    #[must_use]
    pub fn on(self, node: Option<Node>) -> Self {
        Self { node, ..self }
    }
}

/// A SIP Call-ID, or `masked:` and a hash of it.
///
/// A few user agents put a party's number into the Call-ID. Such a Call-ID is masked, and so is one that is longer than
/// 255 bytes or holds a control character. Sinks that must find the call on a PBX get the real one beside the event,
/// not in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SipCallId(String);

impl SipCallId {
    /// The Call-ID as it may be shown for a call between these two parties.
    #[must_use]
    pub fn shown(hasher: &NumberHasher, call_id: &str, parties: Parties<'_>) -> Self {
        let digits: String = call_id.chars().filter(char::is_ascii_digit).collect();
        let tells = [parties.caller, parties.callee].into_iter().any(|party| match normalise(party) {
            Party::Withheld => false,
            Party::Alias(alias) => alias.len() >= 3 && call_id.to_lowercase().contains(&alias),
            // The subscriber's part is the same in the national and the international format.
            Party::Number(number) => {
                let tail = number.get(number.len().saturating_sub(7)..).unwrap_or(&number);
                tail.len() >= 5 && digits.contains(tail)
            }
        });
        if tells || call_id.len() > LONGEST_CALL_ID || call_id.contains(char::is_control) {
            return Self(format!(
                "masked:{}",
                hex::encode(&hasher.digest("sidetone.call-id.v1", call_id.as_bytes()))
            ));
        }
        Self(call_id.to_owned())
    }

    /// The Call-ID in its event form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SipCallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
