//! A receipt as a vCon, the IETF's container for data about a conversation.
//!
//! The container follows draft-ietf-vcon-vcon-core-04; the attachment follows draft-howe-vcon-lawful-basis-00, which
//! has replaced draft-howe-vcon-consent. Both are drafts: their names may change.

use serde_json::{Value, json};

use super::Receipt;
use crate::State;
use crate::log::Line;

/// What was said in a call, as far as it is known: one party's utterance, redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Of the customer, or of the agent.
    pub by_customer: bool,
    /// From the call's start to its beginning, in ms.
    pub from_ms: u64,
    /// And to its end.
    pub to_ms: u64,
    /// The words.
    pub text: String,
    /// Their language, as in BCP 47.
    pub language: String,
}

/// The data of an export: a receipt, with the line of the log that proves it.
#[derive(Debug, Clone)]
pub struct Export<'a> {
    /// The receipt.
    pub receipt: &'a Receipt,
    /// The log's id.
    pub log: &'a str,
    /// The receipt's line in the log.
    pub line: &'a Line,
    /// What was said, in order; empty where nothing of it is known.
    pub said: &'a [Said],
}

impl Export<'_> {
    /// The vCon, unsigned.
    ///
    /// Only the operator can say which lawful basis it relies on: without one in the receipt no attachment claims one.
    #[must_use]
    pub fn vcon(&self) -> Value {
        // Long: the members of a vCon, in the order of its specification.
        let Receipt { record, started, ended, .. } = self.receipt;
        let decided =
            record.changes.last().map_or(*started, |change| started.after_millis(change.at_ms)).to_string();
        let mut customer = json!({ "name": "customer" });
        if let (Some(number), Some(customer)) = (&self.receipt.customer, customer.as_object_mut()) {
            customer.insert("uuid".to_owned(), json!(format!("sidetone-number:{number}")));
        }
        let proof = json!({
            "proof_type": "external_system",
            "timestamp": decided,
            "proof_data": {
                "system": "sidetone",
                "log": self.log,
                "sequence": self.line.seq,
                "previous": self.line.previous,
                "hash": format!("sha-256:{}", self.line.hash),
            },
        });
        let claimed = self.receipt.lawful_basis.map(|basis| json!({
            "lawful_basis": basis,
            "expiration": ended.to_string(),
            "purpose_grants": [{
                "purpose": "sentiment_analysis",
                "granted": record.outcome == State::Given,
                "granted_at": decided,
                "conditions": ["during this call", "the customer's voice only", "until the customer objects"],
            }],
            "proof_mechanisms": [proof],
            "metadata": { "policy": record.policy, "outcome": record.outcome, "by": record.by },
        }));
        let attachment = |purpose: &str, body: Value| {
            json!({
                // The core draft calls it `purpose`, the extension still `type`.
                "purpose": purpose,
                "type": purpose,
                "start": decided,
                "party": 0,
                "dialog": 0,
                "mediatype": "application/json",
                "encoding": "json",
                "body": body,
            })
        };
        let claim = claimed.clone().map(|basis| attachment("lawful_basis", basis));
        let receipt = attachment("sidetone_consent_receipt", json!(self.line.text));
        let attachments: Vec<Value> = claim.into_iter().chain([receipt]).collect();
        let mut vcon = json!({
            "vcon": "0.4.0",
            "uuid": self.uuid(),
            "extensions": claimed.iter().map(|_| "lawful_basis").collect::<Vec<_>>(),
            "created_at": ended.to_string(),
            "subject": format!("Consent to analysis, call {}", self.receipt.call),
            "parties": [customer, { "name": "contact centre" }],
            "dialog": [{
                "type": "recording",
                "start": started.to_string(),
                "duration": ended.unix_millis().saturating_sub(started.unix_millis()) as f64 / 1000.0,
                "parties": if self.receipt.to_customer { [1, 0] } else { [0, 1] },
            }],
            "attachments": attachments,
        });
        if let (false, Some(vcon)) = (self.said.is_empty(), vcon.as_object_mut()) {
            vcon.insert("analysis".to_owned(), json!([self.transcript()]));
        }
        vcon
    }

    /// The words as an analysis of the dialog. The draft leaves the body's form to who made it.
    fn transcript(&self) -> Value {
        let started = self.receipt.started;
        let utterance = |said: &Said| {
            json!({
                "party": u8::from(!said.by_customer),
                "start": started.after_millis(said.from_ms).to_string(),
                "duration": said.to_ms.saturating_sub(said.from_ms) as f64 / 1000.0,
                "language": said.language,
                "text": said.text,
            })
        };
        json!({
            "type": "transcript",
            "dialog": 0,
            "mediatype": "application/json",
            "vendor": "Sidetone",
            "product": self.receipt.build,
            "schema": "sidetone-utterances-1",
            "encoding": "json",
            "body": self.said.iter().map(utterance).collect::<Vec<_>>(),
        })
    }

    /// A version 8 UUID (RFC 9562 §5.8), the same at each export: from the hash of the receipt's line. With words it is
    /// another container.
    fn uuid(&self) -> String {
        let kind = if self.said.is_empty() { "vcon" } else { "vcon with words" };
        let digest = crate::hex::sha256(format!("{kind}:{}:{}", self.log, self.line.hash).as_bytes());
        let part = |from: usize, to: usize| digest.get(from..to).unwrap_or_default();
        let variant = match part(16, 17) {
            "0" | "4" | "8" | "c" => '8',
            "1" | "5" | "9" | "d" => '9',
            "2" | "6" | "a" | "e" => 'a',
            _ => 'b',
        };
        format!("{}-{}-8{}-{variant}{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32))
    }
}
