//! One line of the log.
//!
//! ```text
//! {"seq":7,"previous":"<hash of line 6>","kind":"receipt","body":{…},"marks":"9f1c…","hash":"<64 digits>"}
//! ```
//!
//! `hash` is SHA-256 over the bytes of the line up to `,"hash":`, as they stand in the file: it can be checked without
//! this program. It covers `previous`, so each line vouches for all before it. `marks` are the first 16 bits of each
//! field's own hash, in the order of the fields' names: they prove nothing, but tell *which* field was changed.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Expired, Lost, Opening, Recovered};
use crate::hex;
use crate::receipt::Receipt;

/// The longest line that is read. A receipt has some 2 kB.
pub(super) const LONGEST: usize = 1 << 20;

const HASH: &str = ",\"hash\":\"";
/// The previous hash of the first line.
pub(super) const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A line whose own hash is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number in the log, from 1.
    pub seq: u64,
    /// The hash of the line before it, in hexadecimal.
    pub previous: String,
    /// The line's hash, in hexadecimal.
    pub hash: String,
    /// The line's content.
    pub entry: Entry,
    /// The line itself.
    pub text: String,
}

/// The content of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A file of the log begins.
    Opening(Opening),
    /// The consent record of a call.
    Receipt(Box<Receipt>),
    /// Receipts could not be written.
    Lost(Lost),
    /// A line that a crash had cut short was removed.
    Recovered(Recovered),
    /// Files were deleted because their retention time was over.
    Expired(Expired),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    seq: u64,
    previous: String,
    kind: String,
    body: Value,
    marks: String,
    hash: String,
}

impl Entry {
    fn kind(&self) -> &'static str {
        match self {
            Self::Opening(_) => "opening",
            Self::Receipt(_) => "receipt",
            Self::Lost(_) => "lost",
            Self::Recovered(_) => "recovered",
            Self::Expired(_) => "expired",
        }
    }

    fn body(&self) -> Result<String, serde_json::Error> {
        match self {
            Self::Opening(body) => serde_json::to_string(body),
            Self::Receipt(body) => serde_json::to_string(body),
            Self::Lost(body) => serde_json::to_string(body),
            Self::Recovered(body) => serde_json::to_string(body),
            Self::Expired(body) => serde_json::to_string(body),
        }
    }

    fn read(kind: &str, body: Value) -> Option<Self> {
        Some(match kind {
            "opening" => Self::Opening(serde_json::from_value(body).ok()?),
            "receipt" => Self::Receipt(serde_json::from_value(body).ok()?),
            "lost" => Self::Lost(serde_json::from_value(body).ok()?),
            "recovered" => Self::Recovered(serde_json::from_value(body).ok()?),
            "expired" => Self::Expired(serde_json::from_value(body).ok()?),
            _ => return None,
        })
    }
}

/// Why a line is not valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unbelievable {
    /// The text is no line of a log.
    Unreadable,
    /// The line was changed; these fields differ, as far as that can be told.
    Changed { seq: u64, hash: String, fields: Vec<String> },
}

impl Line {
    /// Writes `entry` as the line after `previous`.
    pub(super) fn write(seq: u64, previous: &str, entry: Entry) -> Result<Self, serde_json::Error> {
        let body = entry.body()?;
        let marks: String = marks(&serde_json::from_str(&body)?).into_iter().map(|(_, mark)| mark).collect();
        let kind = entry.kind();
        let front = format!(
            "{{\"seq\":{seq},\"previous\":\"{previous}\",\"kind\":\"{kind}\",\"body\":{body},\"marks\":\"{marks}\""
        );
        let hash = hex::sha256(front.as_bytes());
        let text = format!("{front}{HASH}{hash}\"}}");
        Ok(Self { seq, previous: previous.to_owned(), hash, entry, text })
    }

    /// Reads a line, without its end.
    pub(crate) fn read(text: &str) -> Result<Self, Unbelievable> {
        let raw: Raw = serde_json::from_str(text).map_err(|_| Unbelievable::Unreadable)?;
        let (front, end) = text.rsplit_once(HASH).ok_or(Unbelievable::Unreadable)?;
        let right =
            hex::sha256(front.as_bytes()) == raw.hash && end.strip_suffix("\"}") == Some(raw.hash.as_str());
        if !right {
            let fields = suspects(&raw);
            return Err(Unbelievable::Changed { seq: raw.seq, hash: raw.hash, fields });
        }
        let entry = Entry::read(&raw.kind, raw.body).ok_or(Unbelievable::Unreadable)?;
        Ok(Self { seq: raw.seq, previous: raw.previous, hash: raw.hash, entry, text: text.to_owned() })
    }
}

/// The fields whose marks don't match; none if they all do, or if that can't be told.
fn suspects(raw: &Raw) -> Vec<String> {
    let is = marks(&raw.body);
    if !raw.marks.is_ascii() || raw.marks.len() != is.len() * 4 {
        return Vec::new();
    }
    is.into_iter()
        .enumerate()
        .filter(|(index, (_, mark))| raw.marks.get(index * 4..index * 4 + 4) != Some(mark))
        .map(|(_, (name, _))| name)
        .collect()
}

/// Name and mark of each field, with `record` split into its fields, by name.
fn marks(body: &Value) -> Vec<(String, String)> {
    let mut marks = Vec::new();
    for (name, value) in body.as_object().into_iter().flatten() {
        match value.as_object() {
            Some(inner) if name == "record" => {
                marks.extend(inner.iter().map(|(part, value)| mark(format!("{name}.{part}"), value)));
            }
            _ => marks.push(mark(name.clone(), value)),
        }
    }
    marks.sort();
    marks
}

fn mark(name: String, value: &Value) -> (String, String) {
    let mut text = format!("{name}=");
    canonical(value, &mut text);
    let digest = Sha256::digest(text.as_bytes());
    let mark = hex::encode(digest.get(..2).unwrap_or_default());
    (name, mark)
}

/// Writes a value with its members sorted by name, in any build of `serde_json`.
fn canonical(value: &Value, to: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            to.push('{');
            for (name, value) in members {
                to.push_str(&Value::from(name.as_str()).to_string());
                to.push(':');
                canonical(value, to);
                to.push(',');
            }
            to.push('}');
        }
        Value::Array(items) => {
            to.push('[');
            for item in items {
                canonical(item, to);
                to.push(',');
            }
            to.push(']');
        }
        plain => to.push_str(&plain.to_string()),
    }
}
