//! EmotionML: well formed, in the W3C's words, and with the numbers of the event.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{BEGAN, a_call, call, hasher};
use proptest::prelude::*;
use roxmltree::{Document, Node};
use sidetone_call::{CustomerOnly, Modality};
use sidetone_events::emotionml::{self, CATEGORIES, DIMENSIONS, NAMESPACE};
use sidetone_events::{CallId, CallRef, Direction, Event, Happening, Kind, Narrator, Parties, Timestamp};
use sidetone_insight::{Alert, AlertKind, Phase};

fn one(kind: Kind) -> Event {
    a_call().into_iter().find(|event| event.kind() == kind).unwrap()
}

fn emotion<'a>(document: &'a Document<'a>) -> Node<'a, 'a> {
    document.root_element().first_element_child().unwrap()
}

fn named<'a>(emotion: Node<'a, 'a>, element: &str, name: &str) -> Option<Node<'a, 'a>> {
    emotion.children().find(|it| it.has_tag_name((NAMESPACE, element)) && it.attribute("name") == Some(name))
}

fn number(node: Node<'_, '_>, attribute: &str) -> f64 {
    node.attribute(attribute).unwrap().parse().unwrap()
}

#[test]
fn only_what_is_about_emotion_is_told() {
    for event in a_call() {
        let told = emotionml::document(&event).is_some();
        assert_eq!(told, matches!(event.kind(), Kind::AffectUpdate | Kind::AffectAlert), "{}", event.kind());
    }
}

#[test]
fn an_update() {
    let event = one(Kind::AffectUpdate);
    let Happening::AffectUpdate(update) = &event.happening else { unreachable!() };
    let text = emotionml::document(&event).unwrap();
    let document = Document::parse(&text).unwrap();
    let root = document.root_element();
    assert!(root.has_tag_name((NAMESPACE, "emotionml")));
    assert_eq!(root.attribute("version"), Some("1.0"));
    assert_eq!(root.attribute("category-set"), Some(CATEGORIES));
    assert_eq!(root.attribute("dimension-set"), Some(DIMENSIONS));
    let emotion = emotion(&document);
    assert!(emotion.has_tag_name((NAMESPACE, "emotion")));
    assert_eq!(emotion.attribute("expressed-through"), Some("voice"));
    assert_eq!(emotion.attribute("start"), Some(event.time.unix_millis().to_string().as_str()));
    assert_eq!(emotion.attribute("duration"), None);
    let valence = named(emotion, "dimension", "valence").unwrap();
    assert!((number(valence, "value") - f64::from(update.valence + 1.0) / 2.0).abs() < 0.001);
    assert!((number(valence, "confidence") - f64::from(update.confidence)).abs() < 0.001);
    let arousal = named(emotion, "dimension", "arousal").unwrap();
    assert!((number(arousal, "value") - f64::from(update.arousal + 1.0) / 2.0).abs() < 0.001);
    let anger = named(emotion, "category", "anger").unwrap();
    assert!((number(anger, "confidence") - 0.66).abs() < 0.001);
    assert_eq!(anger.attribute("value"), None, "a probability is no intensity");
    assert!(named(emotion, "category", "neutral").is_none(), "no word of that vocabulary");
}

#[test]
fn an_alert_that_is_over_has_its_beginning_and_length() {
    let mut narrator = Narrator::new(call(7), Timestamp::from_unix_millis(BEGAN));
    let alert = Alert {
        leg: CustomerOnly,
        modality: Modality::Voice,
        stands_on: vec![sidetone_insight::Basis::Voice],
        phrase: None,
        alert: AlertKind::Frustration,
        phase: Phase::Calmed,
        score: 0.25,
        valence: -1.0,
        arousal: 1.0,
        confidence: 0.9,
        lasted: Some(Duration::from_millis(61_500)),
    };
    let event = narrator.tell(Duration::from_secs(100), Happening::AffectAlert(alert.clone()));
    let text = emotionml::document(&event).unwrap();
    let document = Document::parse(&text).unwrap();
    let emotion = emotion(&document);
    assert_eq!(emotion.attribute("start"), Some((BEGAN + 100_000 - 61_500).to_string().as_str()));
    assert_eq!(emotion.attribute("duration"), Some("61500"));
    assert_eq!(named(emotion, "dimension", "valence").unwrap().attribute("value"), Some("0"));
    assert_eq!(named(emotion, "dimension", "arousal").unwrap().attribute("value"), Some("1"));
    assert_eq!(named(emotion, "category", "anger").unwrap().attribute("value"), Some("0.25"));
    let distress = narrator.tell(
        Duration::from_secs(101),
        Happening::AffectAlert(Alert {
            alert: AlertKind::Distress,
            phase: Phase::Rising,
            lasted: None,
            ..alert
        }),
    );
    let text = emotionml::document(&distress).unwrap();
    assert!(!text.contains("<category") && text.contains("alert=\"distress\" phase=\"rising\""), "{text}");
}

proptest! {
    /// Whatever a Call-ID holds and however odd the numbers, the document can be read and its numbers are in range.
    #[test]
    fn nothing_breaks_out(call_id in "\\PC{0,40}|[<>&\"' -~]{0,40}", valence in any::<f32>(), score in any::<f32>()) {
        let parties = Parties { caller: "anonymous", callee: "anonymous" };
        let id = CallId::new(Timestamp::from_unix_millis(BEGAN), 1);
        let call = CallRef::new(&hasher(), id, &call_id, "carrier", Direction::Inbound, parties);
        let shown = call.sip_call_id.as_str().to_owned();
        let alert = Alert {
            leg: CustomerOnly,
            modality: Modality::Voice,
            stands_on: vec![sidetone_insight::Basis::Voice],
            phrase: None,
            alert: AlertKind::Frustration,
            phase: Phase::Rising,
            score,
            valence,
            arousal: -valence,
            confidence: score,
            lasted: None,
        };
        let event = Narrator::new(call, Timestamp::from_unix_millis(BEGAN)).tell(Duration::ZERO, Happening::AffectAlert(alert));
        let text = emotionml::document(&event).unwrap();
        let document = Document::parse(&text).unwrap();
        let own = document.descendants().find(|it| it.has_tag_name((emotionml::OWN_NAMESPACE, "event"))).unwrap();
        prop_assert_eq!(own.attribute("sip-call-id"), Some(shown.as_str()));
        for node in document.descendants().filter(|it| it.has_attribute("confidence")) {
            prop_assert!((0.0..=1.0).contains(&number(node, "confidence")));
            prop_assert!(node.attribute("value").is_none_or(|it| (0.0..=1.0).contains(&it.parse::<f64>().unwrap())));
        }
    }
}
