//! Every event is valid against the committed schema, and the schema lets nothing else through.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{a_call, a_happening_of_each_kind, narrator, narrator_of};
use proptest::prelude::*;
use serde_json::{Value, json};
use sidetone_call::{Abstention, Cause, Class, Estimate, Label, Labels, Leg, Suite, Untappable};
use sidetone_codec::Codec;
use sidetone_consent::{Policy, Source, State as ConsentState};
use sidetone_events::{
    Announcement, AnnouncementPhase, CallAnswered, CallEnded, CallHeld, CallMedia, CallResumed, CallSecured,
    CallStarted, CallUntappable, CodecName, ConsentChanged, Event, Happening, Kind, LegMedia, MediaProblem,
    MediaQuality, MediaSecurity, MediaState, SCHEMA, SCHEMA_ID, Signalling, SipTransport, Tls, TlsVersion,
    fuzz,
};
use sidetone_insight::{Call, Thresholds};
use sidetone_scenarios::schema::Schema;

fn schema() -> Schema {
    Schema::of(&serde_json::from_str(SCHEMA).unwrap())
}

fn value(event: &Event) -> Value {
    serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap()
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("schema/examples")
}

/// Each kind's example file is what the code writes, so the examples can't rot. To write them anew after a change:
/// `SIDETONE_WRITE_EXAMPLES=1 cargo test -p sidetone-events --test schema`.
#[test]
fn every_kind_has_an_example_that_the_code_writes() {
    let schema = schema();
    let mut kinds = BTreeSet::new();
    for event in a_call() {
        let path = examples().join(format!("{}.json", event.kind()));
        let written = serde_json::to_string_pretty(&event).unwrap() + "\n";
        if std::env::var_os("SIDETONE_WRITE_EXAMPLES").is_some() {
            std::fs::write(&path, &written).unwrap();
        }
        let example = std::fs::read_to_string(&path).unwrap();
        assert_eq!(example, written, "{}", path.display());
        schema.assert_valid(&serde_json::from_str(&example).unwrap());
        assert_eq!(serde_json::from_str::<Event>(&example).unwrap(), event);
        kinds.insert(event.kind());
    }
    assert_eq!(kinds, Kind::ALL.iter().copied().collect());
    assert_eq!(std::fs::read_dir(examples()).unwrap().count(), kinds.len(), "no example of anything else");
}

#[test]
fn the_schema_knows_exactly_the_kinds_and_words_that_the_code_does() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let names = |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap() };
    let kinds: Vec<_> = Kind::ALL.iter().map(ToString::to_string).collect();
    assert_eq!(names(&schema["properties"]["kind"]["enum"]), kinds);
    assert_eq!(schema["properties"]["schema"]["const"], SCHEMA_ID);
    let mut codecs: Vec<_> = CodecName::ALL.iter().map(|codec| json!(codec)).collect();
    codecs.push(Value::Null);
    assert_eq!(schema["$defs"]["leg_media"]["properties"]["codec"]["enum"], json!(codecs));
    let classes: Vec<_> = Class::ALL.map(|class| serde_json::to_value(class).unwrap()).to_vec();
    assert_eq!(
        schema["$defs"]["affect.update"]["properties"]["classes"]["propertyNames"]["enum"],
        json!(classes)
    );
}

#[test]
fn every_codec_that_is_decoded_has_a_name_in_events() {
    for codec in Codec::EXAMPLES.iter().filter(|codec| codec.is_audio()) {
        assert_ne!(CodecName::of(codec.name()), CodecName::Other, "{}: see codec_names!", codec.name());
    }
}

/// Everything that a value can be is described, with words for people.
#[test]
fn everything_in_the_schema_is_described() {
    fn walk(path: &str, node: &Value, schema: &Value, bare: &mut Vec<String>) {
        if let Some(properties) = node["properties"].as_object() {
            for (name, property) in properties {
                let referred =
                    property["$ref"].as_str().map(|to| &schema["$defs"][to.trim_start_matches("#/$defs/")]);
                let described = property["description"].is_string()
                    || referred.is_some_and(|it| it["description"].is_string());
                if !described {
                    bare.push(format!("{path}/{name}"));
                }
            }
        }
        match node {
            Value::Object(members) => {
                let inner = members.iter().filter(|(name, _)| *name != "allOf");
                inner.for_each(|(name, member)| walk(&format!("{path}/{name}"), member, schema, bare));
            }
            Value::Array(items) => items.iter().for_each(|item| walk(path, item, schema, bare)),
            _ => {}
        }
    }
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let mut bare = vec![];
    walk("", &schema, &schema, &mut bare);
    assert_eq!(bare, Vec::<String>::new());
}

/// Changes that make an event invalid, each tried on each kind's example.
#[test]
fn the_schema_refuses_what_is_no_event() {
    let schema = schema();
    let refuses =
        |why: &str, event: &Value| assert!(!schema.is_valid(event), "lets through: {why}\n{event:#}");
    for event in a_call().iter().map(value) {
        for member in event.as_object().unwrap().keys() {
            let mut without = event.clone();
            without.as_object_mut().unwrap().remove(member);
            refuses(&format!("no {member}"), &without);
        }
        // Events of an older version have no `signalling`, nor have those of recordings.
        for member in event["data"].as_object().unwrap().keys().filter(|member| *member != "signalling") {
            let mut without = event.clone();
            without["data"].as_object_mut().unwrap().remove(member);
            refuses(&format!("no data.{member}"), &without);
        }
        for member in event["call"].as_object().unwrap().keys() {
            let mut without = event.clone();
            without["call"].as_object_mut().unwrap().remove(member);
            refuses(&format!("no call.{member}"), &without);
        }
        let with = |pointer: &str, value: Value| {
            let mut changed = event.clone();
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            changed.pointer_mut(parent).unwrap()[name] = value;
            changed
        };
        for (pointer, wrong) in [
            ("/kind", json!("call.vanished")),
            ("/kind", json!(null)),
            ("/schema", json!("sidetone.event.v2")),
            ("/seq", json!(0)),
            ("/seq", json!(1.5)),
            ("/at_ms", json!(-1)),
            ("/time", json!("2026-03-01 09:30:00")),
            ("/time", json!("2026-03-01T09:30:00.125+01:00")),
            ("/id", json!("12")),
            ("/extra", json!(1)),
            ("/data/extra", json!(1)),
            ("/call/extra", json!(1)),
            ("/call/caller", json!("+4930123456789")),
            ("/call/caller", json!("4930123456789")),
            ("/call/callee", json!("")),
            ("/call/direction", json!("sideways")),
        ] {
            refuses(&format!("{pointer} = {wrong}"), &with(pointer, wrong));
        }
    }
}

#[test]
fn no_kind_may_carry_the_data_of_another() {
    let schema = schema();
    let events: Vec<_> = a_call().iter().map(value).collect();
    for event in &events {
        for other in events.iter().filter(|other| other["kind"] != event["kind"]) {
            let mut mixed = event.clone();
            mixed["data"] = other["data"].clone();
            assert!(!schema.is_valid(&mixed), "{} with the data of {}", event["kind"], other["kind"]);
            assert!(serde_json::from_value::<Event>(mixed).is_err());
        }
    }
}

#[test]
fn nobody_can_say_how_an_agent_feels() {
    let schema = schema();
    for event in a_call().iter().map(value).filter(|event| event["data"]["leg"] == "customer") {
        if !event["kind"].as_str().unwrap().starts_with("affect.") {
            continue;
        }
        let mut agents = event.clone();
        agents["data"]["leg"] = json!("agent");
        assert!(!schema.is_valid(&agents));
        assert!(serde_json::from_value::<Event>(agents).is_err());
    }
    for member in ["valence", "arousal", "distress", "emotion"] {
        let mut conduct = a_call().iter().map(value).find(|event| event["kind"] == "conduct").unwrap();
        conduct["data"]["agent"][member] = json!(0.5);
        assert!(!schema.is_valid(&conduct));
        assert!(serde_json::from_value::<Event>(conduct).is_err());
    }
}

fn any_leg() -> impl Strategy<Value = Leg> {
    prop_oneof![Just(Leg::Customer), Just(Leg::Agent)]
}

fn any_millis() -> impl Strategy<Value = Duration> {
    prop_oneof![0u64..200_000, any::<u64>()].prop_map(Duration::from_millis)
}

fn any_travel() -> impl Strategy<Value = Option<Signalling>> {
    let transport = proptest::sample::select(vec![
        SipTransport::Udp,
        SipTransport::Tcp,
        SipTransport::Tls,
        SipTransport::Ws,
        SipTransport::Wss,
    ]);
    let version = prop_oneof![Just(TlsVersion::V1_2), Just(TlsVersion::V1_3)];
    let tls = (version, "[A-Z0-9_]{1,48}").prop_map(|(version, cipher)| Tls { version, cipher });
    let travel = (transport, proptest::option::of(tls));
    proptest::option::of(travel.prop_map(|(transport, tls)| Signalling { transport, tls }))
}

fn any_signalling() -> impl Strategy<Value = Happening> {
    let untappable = proptest::sample::select(vec![
        Untappable::Srtp,
        Untappable::Dtls,
        Untappable::Fax,
        Untappable::NotAudio,
        Untappable::NotRelayed,
        Untappable::UnknownCodec,
        Untappable::Unreadable,
        Untappable::UnknownPayloadType,
        Untappable::Undecodable,
    ]);
    let problem =
        prop_oneof![Just(MediaProblem::OneWay), Just(MediaProblem::Timeout), Just(MediaProblem::Rejected)];
    let heard = prop_oneof![Just(MediaState::Lost), Just(MediaState::Restored)];
    let state = prop_oneof![Just(MediaState::Lost), Just(MediaState::Restored), Just(MediaState::Kept)];
    prop_oneof![
        (any::<bool>(), any_travel())
            .prop_map(|(analysed, signalling)| CallStarted { analysed, signalling }.into()),
        any_labels(),
        (any_millis(), any_travel())
            .prop_map(|(waited, signalling)| CallAnswered { waited, signalling }.into()),
        any_leg().prop_map(|by| CallHeld { by }.into()),
        (any_leg(), any_millis()).prop_map(|(by, held)| CallResumed { by, held }.into()),
        (any::<u32>(), untappable, proptest::option::of(any_leg()), heard)
            .prop_map(|(stream, reason, leg, state)| CallUntappable { stream, reason, leg, state }.into()),
        any_security(),
        (problem, state, proptest::option::of(any_leg()), any_millis())
            .prop_map(|(problem, state, leg, silent)| CallMedia { problem, state, leg, silent }.into()),
        any_consent(),
        any_announcement(),
    ]
}

fn any_labels() -> impl Strategy<Value = Happening> {
    let label = || {
        proptest::option::of("\\PC{1,64}").prop_map(|text| text.and_then(|text| text.parse::<Label>().ok()))
    };
    (label(), label(), label(), label(), label(), label()).prop_map(
        |(queue, agent, team, tier, call_type, language)| {
            Labels { queue, agent, team, tier, call_type, language }.into()
        },
    )
}

fn any_security() -> impl Strategy<Value = Happening> {
    let security =
        prop_oneof![Just(MediaSecurity::None), Just(MediaSecurity::Sdes), Just(MediaSecurity::Dtls)];
    let suite = proptest::option::of(proptest::sample::select(Suite::ALL.to_vec()));
    (any::<u32>(), any_leg(), security, suite, proptest::option::of(any::<String>())).prop_map(
        |(stream, leg, security, suite, fingerprint)| {
            CallSecured { stream, leg, security, suite, fingerprint }.into()
        },
    )
}

fn any_consent() -> impl Strategy<Value = Happening> {
    let state = proptest::sample::select(vec![
        ConsentState::Pending,
        ConsentState::Announcing,
        ConsentState::Asked,
        ConsentState::Given,
        ConsentState::Declined,
        ConsentState::OptedOut,
        ConsentState::Excluded,
        ConsentState::Failed,
    ]);
    let policy = proptest::sample::select(vec![
        Policy::Never,
        Policy::GivenUpstream,
        Policy::Notice,
        Policy::OptIn,
        Policy::AnnounceElsewhere,
    ]);
    (state, policy, proptest::sample::select(Source::ALL.to_vec()), any::<bool>())
        .prop_map(|(state, policy, by, erased)| ConsentChanged { state, policy, by, erased }.into())
}

fn any_announcement() -> impl Strategy<Value = Happening> {
    let phase = proptest::sample::select(vec![
        AnnouncementPhase::Started,
        AnnouncementPhase::Finished,
        AnnouncementPhase::Interrupted,
        AnnouncementPhase::Failed,
    ]);
    (phase, any_leg(), "[a-z-]{1,20}", "[a-z]{2}(-[A-Z]{2})?", any_millis()).prop_map(
        |(phase, toward, name, language, played)| {
            Announcement { phase, toward, name, language, played }.into()
        },
    )
}

fn any_media() -> impl Strategy<Value = LegMedia> {
    let codec = proptest::option::of(proptest::sample::select(CodecName::ALL.to_vec()));
    (codec, any::<u64>(), any::<u64>(), 0.0f32..1e6, any::<u64>(), any::<u64>()).prop_map(
        |(codec, packets, lost, jitter_ms, unheard, rejected)| LegMedia {
            codec,
            packets,
            lost,
            jitter_ms,
            unheard,
            rejected,
        },
    )
}

fn any_sample() -> impl Strategy<Value = Estimate> {
    let abstained = proptest::option::weighted(
        0.3,
        proptest::sample::select(vec![
            Abstention::TooLittleSpeech,
            Abstention::TooQuiet,
            Abstention::TooNoisy,
            Abstention::TooMuchLoss,
            Abstention::Overlap,
            Abstention::Music,
            Abstention::Announcement,
            Abstention::Hold,
            Abstention::Unsure,
            Abstention::Fault,
        ]),
    );
    let classes =
        proptest::collection::vec((proptest::sample::select(Class::ALL.to_vec()), -0.5f32..1.5), 0..9);
    let wild = prop_oneof![8 => -1.5f32..1.5, 1 => any::<f32>()];
    (wild.clone(), wild.clone(), wild, 0.0f32..1.2, classes, abstained).prop_map(
        |(valence, arousal, distress, confidence, classes, abstained)| Estimate {
            valence,
            arousal,
            distress,
            confidence,
            classes,
            abstained,
            ..Estimate::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Whatever a call hears, what it tells is valid, and reads back as it was.
    #[test]
    fn every_event_of_every_call_is_valid(
        entropy: u128,
        samples in proptest::collection::vec((any_sample(), 1usize..12, any_leg()), 1..30),
        signalling in proptest::collection::vec((any_millis(), any_signalling()), 0..12),
        media in proptest::option::of((any_media(), any_media())),
        (by, sip_status) in (proptest::option::of(any_leg()), proptest::option::of(300u16..700)),
        object: bool,
    ) {
        let schema = schema();
        let mut narrator = narrator_of(entropy);
        let mut call = Call::new(Thresholds::default());
        let mut events: Vec<Event> = signalling.into_iter().map(|(at, it)| narrator.tell(at, it)).collect();
        let mut at = Duration::ZERO;
        for (sample, times, leg) in samples {
            for _ in 0..times {
                let from = at;
                at += Duration::from_millis(500);
                call.speech(leg, from, at);
                call.syllables(leg, 3);
                call.affect(at, &sample);
                call.advance(at);
                while let Some((at, insight)) = call.poll() {
                    events.push(narrator.tell(at, insight));
                }
            }
        }
        if object {
            call.forget_affect();
        }
        let media = media.map(|(customer, agent)| MediaQuality { customer, agent });
        let ended = CallEnded { cause: Cause::Hangup, by, sip_status, summary: Some(call.summary(at)), media };
        events.push(narrator.tell(at, ended));
        for (place, event) in events.iter().enumerate() {
            prop_assert_eq!(event.seq, place as u64 + 1);
            schema.assert_valid(&value(event));
            let again: Event = serde_json::from_str(&serde_json::to_string(event).unwrap()).unwrap();
            prop_assert_eq!(&again, event);
        }
    }

    #[test]
    fn any_bytes_are_an_event_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        fuzz::event(&bytes);
    }

    /// Damaged events: one byte of a real one replaced.
    #[test]
    fn a_damaged_event_is_refused_or_still_one(which in 0usize..10, place: proptest::sample::Index, byte: u8) {
        let (at, happening) = a_happening_of_each_kind().swap_remove(which);
        let event = narrator().tell(Duration::from_millis(at), happening);
        let mut bytes = serde_json::to_vec(&event).unwrap();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        fuzz::event(&bytes);
    }
}
