//! The envelope of an event and its content.

mod data;
mod kind;
mod signalling;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sidetone_insight::{Alert, millis};

use crate::call_ref::CallRef;
use crate::id::EventId;
use crate::time::Timestamp;

pub use data::*;
pub use kind::UnknownKind;
pub use signalling::{Signalling, SipTransport, Tls, TlsVersion};

/// The name of this version of the schema, as `schema` in every event.
pub const SCHEMA_ID: &str = "sidetone.event.v1";

/// The JSON Schema (draft 2020-12) that every event is valid against.
pub const SCHEMA: &str = include_str!("../schema/event.v1.json");

/// One thing that happened in a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// [`SCHEMA_ID`].
    pub schema: SchemaId,
    /// The event's id, the same at every delivery.
    pub id: EventId,
    /// The event's number in its call, from 1 on without a gap.
    pub seq: u64,
    /// The time of the event.
    pub time: Timestamp,
    /// The same time, relative to the call's INVITE.
    #[serde(rename = "at_ms", with = "millis")]
    pub at: Duration,
    /// The call that the event belongs to.
    #[serde(with = "shared")]
    pub call: Arc<CallRef>,
    /// The content: `kind` and `data`.
    #[serde(flatten)]
    pub happening: Happening,
}

impl Event {
    /// The event's kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.happening.kind()
    }

    /// Whether the event holds anything inferred of the customer, measured in their voice, or said in the call.
    #[must_use]
    pub fn infers(&self) -> bool {
        match &self.happening {
            Happening::CallEnded(ended) => ended.summary.is_some(),
            _ => self.kind().infers(),
        }
    }

    /// Whether [`Self::without_words`] would be another event.
    #[must_use]
    pub fn has_words(&self) -> bool {
        match &self.happening {
            Happening::WordsFinal(_) | Happening::WordsTopic(_) => true,
            Happening::AffectAlert(alert) => alert.phrase.is_some(),
            Happening::CueShown(cue) => cue.without_words().is_some(),
            Happening::CallEnded(ended) => ended.summary.as_ref().is_some_and(|it| it.words.is_some()),
            _ => false,
        }
    }

    /// The same event as it may be kept where words may not be: without its words, if it has any. In place of an
    /// utterance or a topic stands [`Erased`]; an alert loses its phrase, a cue the conditions on words, a summary its
    /// topics.
    #[must_use]
    pub fn without_words(&self) -> Option<Self> {
        let happening = match &self.happening {
            Happening::WordsFinal(_) | Happening::WordsTopic(_) => Happening::Erased(Erased {}),
            Happening::AffectAlert(alert) if alert.phrase.is_some() => {
                Happening::AffectAlert(Alert { phrase: None, ..alert.clone() })
            }
            Happening::CueShown(cue) => Happening::CueShown(cue.without_words()?),
            Happening::CallEnded(ended) if ended.summary.as_ref().is_some_and(|it| it.words.is_some()) => {
                let mut ended = ended.clone();
                if let Some(summary) = &mut ended.summary {
                    summary.words = None;
                }
                Happening::CallEnded(ended)
            }
            _ => return None,
        };
        Some(Self { happening, ..self.clone() })
    }

    /// The same event without that: `call.ended` without its summary; in place of other kinds, [`Erased`].
    #[must_use]
    pub fn without_inferences(&self) -> Self {
        let happening = match &self.happening {
            Happening::CallEnded(ended) => {
                Happening::CallEnded(Box::new(CallEnded { summary: None, ..CallEnded::clone(ended) }))
            }
            _ if self.infers() => Happening::Erased(Erased {}),
            other => other.clone(),
        };
        Self { happening, ..self.clone() }
    }
}

/// Stands for [`SCHEMA_ID`]; reading refuses any other value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaId;

impl Serialize for SchemaId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(SCHEMA_ID)
    }
}

impl<'de> Deserialize<'de> for SchemaId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(from)?;
        if name == SCHEMA_ID { Ok(Self) } else { Err(de::Error::custom(format!("schema isn't {SCHEMA_ID}"))) }
    }
}

/// A call reference shared by all events of the call.
mod shared {
    use super::{Arc, CallRef, Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(call: &Arc<CallRef>, to: S) -> Result<S::Ok, S::Error> {
        CallRef::serialize(call, to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<CallRef>, D::Error> {
        CallRef::deserialize(from).map(Arc::new)
    }
}
