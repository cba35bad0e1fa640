//! No phone number can get out.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{a_happening_of_each_kind, ended, hasher};
use proptest::prelude::*;
use sidetone_events::{Bus, CallId, CallRef, Direction, Event, Narrator, Parties, Secret, Timestamp, fuzz};
use sidetone_insight::{Call, Thresholds};

fn events_of(caller: &str, callee: &str, sip_call_id: &str) -> Vec<Event> {
    let id = CallId::new(Timestamp::from_unix_millis(common::BEGAN), 0x5eed);
    let call =
        CallRef::new(&hasher(), id, sip_call_id, "carrier", Direction::Inbound, Parties { caller, callee });
    let mut narrator = Narrator::new(call, Timestamp::from_unix_millis(common::BEGAN));
    let mut events: Vec<_> = a_happening_of_each_kind()
        .into_iter()
        .map(|(at, happening)| narrator.tell(Duration::from_millis(at), happening))
        .collect();
    events.push(narrator.tell(Duration::ZERO, ended()));
    events
}

/// Everything that the events can be made to show, by any means that the crate offers.
fn shown(events: &[Event]) -> String {
    let bus = Bus::new();
    let mut subscription = bus.subscribe("test", 64, &[]);
    let mut shown = String::new();
    for event in events {
        bus.publish(event.clone());
        let published = subscription.try_recv().unwrap();
        shown += published.json();
        shown += &format!("{published:?} {event:#?} {} {}", event.call.sip_call_id, event.id);
        shown += &serde_json::to_string_pretty(event).unwrap();
    }
    shown + &format!("{bus:?} {subscription:?} {:?}", bus.counts())
}

/// A number as people and devices write it.
fn dressed(number: &str) -> impl Strategy<Value = String> + use<> {
    let number = number.to_owned();
    (0usize..8).prop_map(move |dress| match dress {
        0 => number.clone(),
        1 => format!("+{number}"),
        2 => format!("00{number}"),
        3 => format!("%2B{number}"),
        4 => format!("tel:+{number};phone-context=example.com"),
        5 => format!("sip:+{number}@carrier.example;user=phone"),
        6 => format!("+{} ({}) {}", &number[..2], &number[2..5], &number[5..]),
        _ => format!("{}-{}-{}", &number[..3], &number[3..6], &number[6..]),
    })
}

fn two_numbers() -> impl Strategy<Value = (String, String, String, String)> {
    ("[1-9][0-9]{8,14}", "[1-9][0-9]{8,14}")
        .prop_flat_map(|(a, b)| (Just(a.clone()), Just(b.clone()), dressed(&a), dressed(&b)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_number_is_in_anything_that_an_event_shows(
        (a, b, caller, callee) in two_numbers(),
        call_id in prop_oneof![
            Just("{x}@host".to_owned()), Just("{a}-1@host".to_owned()), Just("{b}".to_owned()),
            Just("abc-{a}{b}-{x}".to_owned()), Just("sip:+{a}@10.0.0.1".to_owned()), Just("{spread}@host".to_owned()),
        ],
        noise in "[a-f]{16}",
    ) {
        let spread: String = a.chars().flat_map(|digit| [digit, '-']).collect();
        let call_id = call_id.replace("{x}", &noise).replace("{a}", &a).replace("{b}", &b).replace("{spread}", &spread);
        // Times and measures are digits too, and may happen to hold those of a number: they do whoever calls.
        let anybody = shown(&events_of("anonymous", "anonymous", "abc@host"));
        prop_assume!([&a, &b].iter().all(|number| !anybody.contains(&number[number.len() - 7..])));
        let shown = shown(&events_of(&caller, &callee, &call_id));
        for number in [&a, &b] {
            // Not the number, nor its subscriber part, nor with the separators in between.
            prop_assert!(!shown.contains(number.as_str()));
            prop_assert!(!shown.contains(&number[number.len() - 7..]));
            prop_assert!(!shown.contains(&caller) && !shown.contains(&callee));
        }
        prop_assert!(!shown.contains(&spread));
    }

    #[test]
    fn a_call_id_without_a_number_is_shown_as_it_is((_, _, caller, callee) in two_numbers(), call_id in "[a-f]{8}-[a-f]{4}@[a-z]{3}") {
        let events = events_of(&caller, &callee, &call_id);
        prop_assert!(events.iter().all(|event| event.call.sip_call_id.as_str() == call_id));
    }

    #[test]
    fn whatever_a_party_calls_itself_stays_inside(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        fuzz::number(&bytes);
    }

    #[test]
    fn digits_stay_inside(text in "[0-9+ ()-]{0,40}") {
        fuzz::number(text.as_bytes());
    }
}

#[test]
fn names_stay_inside_too() {
    let shown = shown(&events_of("alice.cooper", "sip:bob@example.org", "alice.cooper-1@host"));
    assert!(!shown.contains("alice") && !shown.contains("bob"), "{shown}");
}

#[test]
fn a_call_id_that_could_break_a_log_line_is_masked() {
    for odd in ["a\nb", "a\u{0}b", "a\u{1b}[2J", &"x".repeat(256)] {
        let events = events_of("+4930123456789", "+49800555000", odd);
        let id = events.first().unwrap().call.sip_call_id.as_str().to_owned();
        assert!(id.starts_with("masked:") && id.len() == 31, "{id}");
    }
}

#[test]
fn what_is_given_to_debug_shows_nothing() {
    let parties = Parties { caller: "+4930123456789", callee: "+49800555000" };
    let all = format!("{parties:?} {:?} {:?}", hasher(), Secret::new("my salt, my salt"));
    assert!(!all.contains("30123456789") && !all.contains("800555000") && !all.contains("my salt"), "{all}");
}

/// The insight that goes into events has no place for a number either: it is told none.
#[test]
fn a_summary_holds_nothing_but_times_and_shares() {
    let summary = Call::new(Thresholds::default()).summary(Duration::from_secs(1));
    let json = serde_json::to_value(&summary).unwrap();
    fn texts(value: &serde_json::Value) -> usize {
        match value {
            serde_json::Value::String(_) => 1,
            serde_json::Value::Array(items) => items.iter().map(texts).sum(),
            serde_json::Value::Object(members) => members.values().map(texts).sum(),
            _ => 0,
        }
    }
    assert_eq!(texts(&json), 0);
}
