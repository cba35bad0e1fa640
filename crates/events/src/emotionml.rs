//! Events about emotion as EmotionML 1.0 (W3C Recommendation, 22 May 2014), for readers that use it instead of our
//! JSON.
//!
//! Valence and arousal become dimensions of the W3C's `fsre-dimensions` (Fontaine, Scherer, Roesch and Ellsworth 2007),
//! the vocabulary that has both under these names; their `[-1, 1]` becomes EmotionML's `[0, 1]`, with 0.5 in the
//! middle. The network's classes become categories of `big6` (Ekman 1972) with the probability as `confidence`; classes
//! that are no emotion of that vocabulary (neutral, calm, boredom) are left out. In an alert, frustration becomes
//! `anger` with its score as `value`. Distress, which may be fear or sadness, becomes neither, and is shown by its
//! dimensions.
//!
//! `start` is the time of the event in milliseconds since 1970. For an alert that is over, `start` is the time at which
//! it began, and there is a `duration`. Data without a place in EmotionML stands in `info`, in a namespace of our own.

use std::fmt::Write as _;

use sidetone_call::{Class, Modality};
use sidetone_insight::{AffectUpdate, Alert, AlertKind, Phase};

use crate::event::{Event, Happening, SCHEMA_ID};

/// The namespace of EmotionML 1.0.
pub const NAMESPACE: &str = "http://www.w3.org/2009/10/emotionml";
/// The media type of EmotionML.
pub const CONTENT_TYPE: &str = "application/emotionml+xml";
/// Six emotions (Vocabularies for EmotionML, W3C Note, §2.1).
pub const CATEGORIES: &str = "http://www.w3.org/TR/emotion-voc/xml#big6";
/// Valence, potency, arousal, unpredictability (the same, §3.2).
pub const DIMENSIONS: &str = "http://www.w3.org/TR/emotion-voc/xml#fsre-dimensions";
/// The namespace of the data in `info`.
pub const OWN_NAMESPACE: &str = "urn:x-sidetone:event.v1";

/// An event as a whole document; `None` if it isn't about emotion.
#[must_use]
pub fn document(event: &Event) -> Option<String> {
    let emotion = match &event.happening {
        Happening::AffectUpdate(update) => Emotion::of_update(event, update),
        Happening::AffectAlert(alert) => Emotion::of_alert(event, alert),
        _ => return None,
    };
    let mut xml = Xml(String::with_capacity(1_024));
    xml.0.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    xml.open("emotionml");
    xml.attribute("version", "1.0");
    xml.attribute("xmlns", NAMESPACE);
    xml.attribute("category-set", CATEGORIES);
    xml.attribute("dimension-set", DIMENSIONS);
    xml.0.push('>');
    emotion.write(event, &mut xml);
    xml.0.push_str("</emotionml>");
    Some(xml.0)
}

/// The emotion of one moment or stretch.
struct Emotion {
    start: u64,
    duration: Option<u64>,
    /// Name, intensity, confidence.
    categories: Vec<(&'static str, Option<f32>, f32)>,
    /// The modality's word in the W3C's vocabulary.
    through: &'static str,
    valence: f32,
    arousal: f32,
    confidence: f32,
    /// Further data for `info`.
    more: Vec<(&'static str, String)>,
}

/// EmotionML 1.0 §2.4.2 suggests these words.
const fn through(modality: Modality) -> &'static str {
    match modality {
        Modality::Voice => "voice",
        Modality::Words => "text",
    }
}

impl Emotion {
    fn of_update(event: &Event, update: &AffectUpdate) -> Self {
        let categories = update
            .classes
            .iter()
            .filter_map(|(class, probability)| Some((category(*class)?, None, *probability)))
            .collect();
        Self {
            start: event.time.unix_millis(),
            duration: None,
            categories,
            through: through(update.modality),
            valence: update.valence,
            arousal: update.arousal,
            confidence: update.confidence,
            more: vec![("state", update.state.word().to_owned()), ("distress", share(update.distress))],
        }
    }

    fn of_alert(event: &Event, alert: &Alert) -> Self {
        let lasted = alert.lasted.map(|lasted| u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX));
        let (name, categories) = match alert.alert {
            AlertKind::Frustration => ("frustration", vec![("anger", Some(alert.score), alert.confidence)]),
            AlertKind::Distress => ("distress", Vec::new()),
        };
        let phase = match alert.phase {
            Phase::Rising => "rising",
            Phase::Calmed => "calmed",
        };
        Self {
            start: event.time.unix_millis().saturating_sub(lasted.unwrap_or(0)),
            duration: lasted,
            categories,
            through: through(alert.modality),
            valence: alert.valence,
            arousal: alert.arousal,
            confidence: alert.confidence,
            more: vec![
                ("alert", name.to_owned()),
                ("phase", phase.to_owned()),
                ("score", share(alert.score)),
            ],
        }
    }

    fn write(&self, event: &Event, xml: &mut Xml) {
        xml.open("emotion");
        // An XML ID may not begin with a digit.
        xml.attribute("id", &format!("e{}", event.id));
        xml.attribute("start", &self.start.to_string());
        if let Some(duration) = self.duration {
            xml.attribute("duration", &duration.to_string());
        }
        xml.attribute("expressed-through", self.through);
        xml.0.push('>');
        xml.0.push_str("<info>");
        xml.open("event");
        xml.attribute("xmlns", OWN_NAMESPACE);
        xml.attribute("schema", SCHEMA_ID);
        xml.attribute("id", &event.id.to_string());
        xml.attribute("seq", &event.seq.to_string());
        xml.attribute("kind", event.kind().name());
        xml.attribute("call", &event.call.id.to_string());
        xml.attribute("sip-call-id", event.call.sip_call_id.as_str());
        xml.attribute("leg", "customer");
        for (name, value) in &self.more {
            xml.attribute(name, value);
        }
        xml.0.push_str("/></info>");
        for (name, value, confidence) in &self.categories {
            xml.open("category");
            xml.attribute("name", name);
            if let Some(value) = value {
                xml.attribute("value", &share(*value));
            }
            xml.attribute("confidence", &share(*confidence));
            xml.0.push_str("/>");
        }
        for (name, value) in [("valence", self.valence), ("arousal", self.arousal)] {
            xml.open("dimension");
            xml.attribute("name", name);
            xml.attribute("value", &share(f32::midpoint(value, 1.0)));
            xml.attribute("confidence", &share(self.confidence));
            xml.0.push_str("/>");
        }
        xml.0.push_str("</emotion>");
    }
}

/// The class's name in `big6`, if it is one of these.
const fn category(class: Class) -> Option<&'static str> {
    match class {
        Class::Anger => Some("anger"),
        Class::Happiness => Some("happiness"),
        Class::Sadness => Some("sadness"),
        Class::Fear => Some("fear"),
        Class::Disgust => Some("disgust"),
        Class::Surprise => Some("surprise"),
        Class::Calm | Class::Neutral | Class::Boredom => None,
    }
}

/// A number from 0 to 1, to three decimals. NaN becomes 0.
fn share(value: f32) -> String {
    let value = if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) };
    let thousandths = (value * 1_000.0).round();
    format!("{}", thousandths / 1_000.0)
}

struct Xml(String);

impl Xml {
    fn open(&mut self, name: &str) {
        // Writing to a String can't fail.
        let _ = write!(self.0, "<{name}");
    }

    fn attribute(&mut self, name: &str, value: &str) {
        let _ = write!(self.0, " {name}=\"");
        for c in value.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&apos;"),
                // XML 1.0 has no way to write these.
                '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => self.0.push('\u{fffd}'),
                _ => self.0.push(c),
            }
        }
        self.0.push('"');
    }
}
