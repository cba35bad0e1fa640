use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sidetone_call::{
    CallKey, Cause, Estimate, Label, Labels, Leg, Mention, Modality, Side, Told, Topic, Utterance,
};
use sidetone_consent::{Policy, Say, Source, Telling};
use sidetone_events::{Bus, Happening, Kind, NumberHasher, Subscription};
use sidetone_hear::{Inbox, Language, Outcome, Recognition, Scribe, inbox};
use sidetone_insight::Thresholds;
use sidetone_relay::Notice;
use sidetone_sip::anchor::{CallFact, Claims};
use sidetone_sip::{Flow, Transport};

use crate::{Calls, RoutedTo, Rules};

const KEY: CallKey = CallKey(7);

/// A book with one call, and no effect carried out yet.
fn book() -> (Calls, Subscription, Inbox) {
    book_by(Rules::default())
}

fn book_by(rules: Rules) -> (Calls, Subscription, Inbox) {
    let (orders, inbox) = inbox();
    let bus = Bus::new();
    let heard = bus.subscribe("test", 100_000, &[]);
    let hasher = NumberHasher::with_random_salt().unwrap();
    let calls = Calls::new(bus, hasher, vec![orders], rules, Instant::now());
    let source = SocketAddr::from(([192, 0, 2, 2], 5060));
    let routed = RoutedTo {
        trunk: "carrier".to_owned(),
        pbx: "office".to_owned(),
        disclosure: Policy::AnnounceElsewhere,
        ..RoutedTo::default()
    };
    calls.routed("a@x", source, routed);
    calls.fact(
        CallFact::Started {
            key: KEY,
            call_id: "a@x".to_owned(),
            from_side: Side::Trunk,
            source: Flow { transport: Transport::Udp, local: source, remote: source },
            from: "+4930".to_owned(),
            to: "+4940".to_owned(),
            claims: Claims::default(),
            at: Duration::ZERO,
        },
        None,
    );
    (calls, heard, inbox)
}

#[test]
fn what_follows_from_sip_waits_until_it_is_asked_for() {
    let (calls, mut heard, _inbox) = book();
    assert!(heard.try_recv().is_none(), "the SIP core's lock is still held");
    calls.carry_out();
    assert_eq!(heard.try_recv().unwrap().event.kind(), Kind::CallStarted);
}

#[test]
fn events_keep_their_order_whoever_carries_them_out() {
    const TIMES: usize = 500;
    let (calls, mut heard, _inbox) = book();
    let sip = Mutex::new(Duration::ZERO);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for _ in 0..TIMES {
                    let mut at = sip.lock().unwrap();
                    *at += Duration::from_millis(1);
                    calls.fact(CallFact::Held { key: KEY, by: Side::Pbx, at: *at }, None);
                    calls.fact(CallFact::Resumed { key: KEY, by: Side::Pbx, at: *at }, None);
                    drop(at);
                    calls.carry_out();
                }
            });
        }
        scope.spawn(|| {
            for number in 0..TIMES {
                let queue = Telling::Queue(format!("queue {number}"));
                calls.told("a@x", &queue, Source::Api).unwrap();
            }
        });
    });
    let told: Vec<u64> = std::iter::from_fn(|| heard.try_recv()).map(|event| event.event.seq).collect();
    assert!(told.len() > 4 * TIMES, "{} events", told.len());
    assert_eq!(told, (1..=told.len() as u64).collect::<Vec<_>>());
}

/// The worker had summed the call up before it could know of the refusal.
#[test]
fn a_refusal_that_comes_as_the_call_is_summed_up_is_heeded() {
    let (calls, mut heard, _inbox) = book();
    let at = SocketAddr::from(([192, 0, 2, 3], 5060));
    let by = Flow { transport: Transport::Udp, local: at, remote: at };
    calls.fact(CallFact::Answered { key: KEY, by, at: Duration::from_secs(1) }, None);
    calls.told("a@x", &Telling::Consent(Say::Announced), Source::Api).unwrap();
    let mut talk = sidetone_insight::Call::new(Thresholds::default());
    talk.speech(Leg::Customer, Duration::ZERO, Duration::from_secs(2));
    let summary = talk.summary(Duration::from_secs(3));
    assert!(!summary.analysis.speech.is_zero());
    let at = Duration::from_secs(3);
    calls.fact(
        CallFact::Ended { key: KEY, by: Some(Side::Trunk), status: None, cause: Cause::Hangup, at },
        None,
    );
    calls.told("a@x", &Telling::Consent(Say::Refused), Source::Api).unwrap();
    let timeline = talk.timeline();
    calls.outcome(Outcome::Finished { call: KEY, summary: Some(Box::new(summary)), timeline, heard: vec![] });
    calls.notice(at, Notice::Closed(KEY, vec![]));
    let told: Vec<_> = std::iter::from_fn(|| heard.try_recv()).collect();
    let Happening::CallEnded(ended) = &told.last().unwrap().event.happening else { panic!("{told:?}") };
    let summary = ended.summary.as_ref().unwrap();
    assert!(summary.analysis.erased && summary.analysis.speech.is_zero(), "{summary:?}");
    assert_eq!((summary.duration, summary.conduct.customer.talk), (at, Duration::ZERO));
}

/// A call that is listened to, in which the customer says `text` and so names `topic`.
fn named(raise: &str, topic: Topic, probability: f32, text: &str) -> (Calls, Vec<Happening>) {
    let tier = raise.parse().unwrap();
    let language = Language { enabled: true, raise: [(topic, tier)].into(), ..Language::default() };
    let scribe = Scribe::Elsewhere(Recognition::new(1, 1, Instant::now()));
    let rules = Rules { words: Some((scribe, Arc::new(language))), ..Rules::default() };
    let (calls, mut heard, _inbox) = book_by(rules);
    let at = SocketAddr::from(([192, 0, 2, 3], 5060));
    let by = Flow { transport: Transport::Udp, local: at, remote: at };
    calls.fact(CallFact::Answered { key: KEY, by, at: Duration::from_secs(1) }, None);
    calls.told("a@x", &Telling::Consent(Say::Announced), Source::Api).unwrap();
    let affect = Estimate { modality: Modality::Words, ..Estimate::default() };
    let mention = Mention { topic, probability, phrase: "it".to_owned() };
    let told = Told { affect, topics: vec![mention], ..Told::default() };
    let to = Duration::from_secs(2);
    let utterance =
        Utterance { number: 1, to, text: text.to_owned(), told, confidence: 0.9, ..Utterance::default() };
    let mut talk = sidetone_insight::Call::new(Thresholds::default());
    talk.said(&utterance);
    while let Some((at, insight)) = talk.poll() {
        calls.outcome(Outcome::Insight(KEY, at, Box::new(insight)));
    }
    let told = std::iter::from_fn(|| heard.try_recv()).map(|told| told.event.happening.clone()).collect();
    (calls, told)
}

fn tiers(told: &[Happening]) -> usize {
    told.iter().filter(|it| matches!(it, Happening::CallLabelled(labels) if labels.tier.is_some())).count()
}

#[test]
fn what_a_customer_names_may_give_their_call_a_tier() {
    let (calls, told) = named("gold", Topic::Cancel, 0.97, "I want to cancel my contract today");
    assert_eq!(calls.find("a@x").unwrap().labels.tier.as_ref().map(Label::as_str), Some("gold"));
    assert_eq!(tiers(&told), 1);
    for (probability, text) in [(0.85, "I want to cancel my contract today"), (0.99, "and cancel")] {
        let (calls, told) = named("gold", Topic::Cancel, probability, text);
        assert_eq!((calls.find("a@x").unwrap().labels.tier, tiers(&told)), (None, 0), "{text}");
    }
}

#[test]
fn a_death_ends_the_analysis_and_no_event_tells_of_it_afterwards() {
    let (calls, told) = named("bereavement", Topic::Bereavement, 0.99, "my husband has died last week");
    let call = calls.find("a@x").unwrap();
    assert!(!call.analysed && call.words.is_none() && call.labels.tier.is_none(), "{call:?}");
    let erased = told.iter().position(|it| matches!(it, Happening::ConsentChanged(it) if it.erased));
    assert!(erased.is_some(), "{told:?}");
    assert_eq!(tiers(&told), 0, "a label would tell what has been erased");
}

fn header(calls: &Calls, by: Side, name: &str, value: &str) {
    let at = Duration::from_secs(1);
    calls.fact(CallFact::Header { key: KEY, by, name: name.to_owned(), value: value.to_owned(), at }, None);
}

fn labels(heard: &mut Subscription) -> Vec<Labels> {
    let told = std::iter::from_fn(|| heard.try_recv());
    told.filter_map(|told| match &told.event.happening {
        Happening::CallLabelled(labels) => Some(labels.clone()),
        _ => None,
    })
    .collect()
}

#[test]
fn the_labels_of_a_message_make_one_event_and_the_carriers_none() {
    let (calls, mut heard, _inbox) = book();
    for (name, value) in [("Queue", "billing"), ("Agent", "2001"), ("Tier", "vip")] {
        header(&calls, Side::Pbx, name, value);
        header(&calls, Side::Trunk, name, "of the carrier");
    }
    calls.settled();
    calls.carry_out();
    let label = |text: &str| text.parse().ok();
    let mut whole =
        Labels { queue: label("billing"), agent: label("2001"), tier: label("vip"), ..Labels::default() };
    assert_eq!(labels(&mut heard), [whole.clone()]);
    assert_eq!(calls.find("a@x").unwrap().labels, whole);

    // Nothing has changed.
    header(&calls, Side::Pbx, "queue", "billing");
    calls.settled();
    calls.told("a@x", &Telling::Agent("2001".to_owned()), Source::Api).unwrap();
    assert_eq!(labels(&mut heard), []);

    calls.told_by_pbx("office", "a@x", &Telling::Team("north".to_owned()), Source::Ami);
    whole.team = label("north");
    assert_eq!(labels(&mut heard), [whole.clone()]);

    calls.told("a@x", &Telling::Consent(Say::Refused), Source::Api).unwrap();
    assert_eq!(calls.find("a@x").unwrap().labels, whole, "labels are no inference");
}

#[test]
fn labels_are_told_before_the_call_is_closed() {
    let (calls, mut heard, _inbox) = book();
    header(&calls, Side::Pbx, "Queue", "billing");
    let at = Duration::from_secs(3);
    calls.fact(
        CallFact::Ended { key: KEY, by: Some(Side::Trunk), status: None, cause: Cause::Hangup, at },
        None,
    );
    calls.outcome(Outcome::Finished { call: KEY, summary: None, timeline: vec![], heard: vec![] });
    calls.notice(at, Notice::Closed(KEY, vec![]));
    let told: Vec<Kind> = std::iter::from_fn(|| heard.try_recv()).map(|told| told.event.kind()).collect();
    assert_eq!(told[told.len() - 2..], [Kind::CallLabelled, Kind::CallEnded]);
}
