//! What a customer says, beside how they sound.

mod common;

use std::time::Duration;

use common::{Talk, angry, calm, ms, sample};
use sidetone_call::{Abstention, Class, Estimate, Leg, Mention, Modality, Told, Topic, Utterance};
use sidetone_insight::{Basis, Call, Insight, Period, Phase, Thresholds, WordsTopic};

fn said(number: u32, from: Duration, to: Duration, affect: Estimate, topics: &[(Topic, &str)]) -> Utterance {
    let mention = |(topic, phrase): &(Topic, &str)| Mention {
        topic: *topic,
        probability: 0.9,
        phrase: (*phrase).to_owned(),
    };
    Utterance {
        number,
        from,
        to,
        text: "I want to cancel my contract".to_owned(),
        language: "en".to_owned(),
        confidence: 0.95,
        told: Told {
            affect: Estimate { modality: Modality::Words, ..affect },
            topics: topics.iter().map(mention).collect(),
            urgency: 0.4,
            satisfaction: if topics.is_empty() { 0.0 } else { -0.8 },
        },
    }
}

/// A caller who talks in turns of `seconds`, each followed by what was said in it.
fn call(turns: &[(Estimate, Option<Estimate>)], seconds: u64) -> Talk {
    told(Thresholds::default(), turns, seconds)
}

fn told(thresholds: Thresholds, turns: &[(Estimate, Option<Estimate>)], seconds: u64) -> Talk {
    let mut talk = Talk::with(thresholds);
    for (number, (voice, words)) in turns.iter().enumerate() {
        let from = talk.at;
        talk.says(seconds, voice);
        if let Some(words) = words {
            let topics = [(Topic::Cancel, "cancel my contract")];
            let topics = if words.distress > 0.5 { &topics[..] } else { &[] };
            talk.call.said(&said(number as u32 + 1, from, talk.at, words.clone(), topics));
            talk.told.extend(std::iter::from_fn(|| talk.call.poll()));
        }
    }
    talk
}

/// What the voice leaves open: below what raises an alert.
fn doubtful() -> Estimate {
    sample(-0.3, 0.1, 0.6, &[(Class::Anger, 0.4), (Class::Neutral, 0.4)])
}

fn content() -> Estimate {
    sample(0.7, 0.2, 0.02, &[(Class::Happiness, 0.8)])
}

fn plain() -> Estimate {
    sample(0.0, 0.0, 0.15, &[(Class::Neutral, 0.9)])
}

#[test]
fn words_decide_where_the_voice_leaves_it_open() {
    let turns = |words: Option<Estimate>| vec![(doubtful(), words); 8];
    assert_eq!(call(&turns(None), 4).rises(), 0);
    assert_eq!(call(&turns(Some(plain())), 4).rises(), 0);
    let told = call(&turns(Some(angry())), 4);
    let rises: Vec<_> = told.alerts().into_iter().filter(|(_, alert)| alert.phase == Phase::Rising).collect();
    assert_eq!(rises.len(), 1, "{rises:?}");
    let alert = &rises[0].1;
    assert_eq!(alert.stands_on, [Basis::Voice, Basis::Words]);
    assert_eq!(alert.phrase.as_deref(), Some("cancel my contract"));
    assert!(alert.modality.is_voice());
}

#[test]
fn a_calm_voice_that_says_it_is_upset_is_heard_by_its_words() {
    let told = call(&vec![(calm(), Some(angry())); 8], 4);
    let alerts = told.alerts();
    let alert = &alerts.first().expect("an alert").1;
    assert_eq!((alert.modality, alert.stands_on.as_slice()), (Modality::Words, &[Basis::Words][..]));
    let json = serde_json::to_value(alert).unwrap();
    assert_eq!(json["stands_on"], serde_json::json!(["words"]));
}

/// "The kids are talking by the door" has a distress of .25 by its n-grams.
#[test]
fn sentences_that_are_a_little_in_doubt_do_not_add_up() {
    let odd = || sample(-0.05, 0.0, 0.25, &[(Class::Neutral, 0.8)]);
    for voice in [calm(), doubtful()] {
        assert_eq!(call(&vec![(voice, Some(odd())); 30], 4).rises(), 0);
    }
    let mut adding = Thresholds::default();
    adding.fusion.doubt = 0.0;
    assert!(told(adding, &vec![(doubtful(), Some(odd())); 30], 4).rises() > 0);
}

#[test]
fn one_sentence_is_no_alert() {
    let mut turns = vec![(calm(), Some(plain())); 8];
    turns[4].1 = Some(angry());
    assert_eq!(call(&turns, 2).rises(), 0);
}

#[test]
fn a_voice_that_cannot_be_judged_leaves_it_to_the_words() {
    let noisy = Estimate { abstained: Some(Abstention::TooNoisy), ..calm() };
    let told = call(&vec![(noisy.clone(), Some(angry())); 8], 4);
    assert_eq!(told.rises(), 1);
    assert_eq!(told.alerts()[0].1.stands_on, [Basis::Words]);
    assert_eq!(call(&vec![(noisy.clone(), Some(plain())); 8], 4).rises(), 0);
    assert_eq!(call(&vec![(noisy, None); 8], 4).rises(), 0);
}

#[test]
fn thanks_take_away_what_a_loud_voice_suggests() {
    let loud = || sample(-0.15, 0.6, 0.93, &[(Class::Anger, 0.5), (Class::Happiness, 0.4)]);
    // The words of the first sentence come after its voice: time enough is left for them.
    let mut patient = Thresholds::default();
    patient.alerts.sustain_at_first = Period::from_secs(4);
    patient.alerts.doubt_at_first = 0.6;
    let after = |words: Option<Estimate>| told(patient.clone(), &vec![(loud(), words); 8], 2).rises();
    assert_eq!((after(None), after(Some(content()))), (1, 0));
}

#[test]
fn words_that_are_not_judged_change_no_alert() {
    let unsure = Estimate { abstained: Some(Abstention::Unsure), ..angry() };
    for voice in [calm(), doubtful(), angry()] {
        let turns = |words: Option<Estimate>| vec![(voice.clone(), words); 8];
        let (with, without) = (call(&turns(Some(unsure.clone())), 4), call(&turns(None), 4));
        assert_eq!(with.alerts(), without.alerts());
    }
}

#[test]
fn a_weight_of_zero_leaves_alerts_to_the_voice() {
    let mut thresholds = Thresholds::default();
    thresholds.fusion.words = 0.0;
    let turns = vec![(doubtful(), Some(angry())); 8];
    assert_eq!(told(thresholds, &turns, 4).alerts(), []);
}

#[test]
fn what_was_said_fades() {
    let mut turns = vec![(calm(), Some(angry())); 3];
    turns.extend(vec![(doubtful(), None); 20]);
    let calmed = call(&turns, 4).alerts().into_iter().filter(|(_, alert)| alert.phase == Phase::Calmed);
    assert!(calmed.count() <= 1);
    let mut turns = vec![(calm(), Some(angry())); 1];
    turns.extend(vec![(calm(), None); 8]);
    turns.extend(vec![(doubtful(), None); 10]);
    assert_eq!(call(&turns, 4).rises(), 0);
}

/// A complaint is seldom an angry word.
#[test]
fn what_is_said_of_the_matter_counts_too() {
    let rises = |topic: Topic| {
        let mut talk = Talk::new();
        for number in 1..8 {
            let from = talk.at;
            talk.says(4, &doubtful());
            talk.call.said(&said(number, from, talk.at, plain(), &[(topic, "it")]));
            talk.told.extend(std::iter::from_fn(|| talk.call.poll()));
        }
        talk.rises()
    };
    assert_eq!([Topic::RepeatContact, Topic::Complaint, Topic::Legal].map(rises), [1, 1, 1]);
    assert_eq!([Topic::Cancel, Topic::Refund, Topic::Thanks].map(rises), [0, 0, 0]);
}

#[test]
fn topics_are_counted_and_summed_up() {
    let mut told = call(&vec![(calm(), Some(angry())); 3], 2);
    let topics: Vec<&WordsTopic> = told
        .told
        .iter()
        .filter_map(|(_, insight)| if let Insight::Topic(topic) = insight { Some(topic) } else { None })
        .collect();
    assert_eq!(topics.iter().map(|topic| topic.times).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(topics.iter().all(|topic| topic.topic == Topic::Cancel && topic.satisfaction < 0.0));
    let words = told.call.summary(told.at).words.expect("there were words");
    assert_eq!((words.utterances, words.topics.get(&Topic::Cancel)), (3, Some(&3)));
    assert!(call(&[(calm(), None)], 2).call.summary(ms(9_000)).words.is_none());
}

#[test]
fn an_objection_leaves_not_one_word() {
    let mut call = Call::new(Thresholds::default());
    call.speech(Leg::Customer, ms(0), ms(4_000));
    call.said(&said(1, ms(0), ms(4_000), angry(), &[(Topic::Legal, "my lawyer")]));
    call.forget_affect();
    assert_eq!(std::iter::from_fn(|| call.poll()).count(), 0);
    call.said(&said(2, ms(5_000), ms(9_000), angry(), &[(Topic::Legal, "my lawyer")]));
    assert_eq!(std::iter::from_fn(|| call.poll()).count(), 0);
    assert!(call.summary(ms(10_000)).words.is_none());
}
