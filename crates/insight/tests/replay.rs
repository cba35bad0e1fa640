//! A replay of a call is the call; anything at all may be told to one.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Talk, angry, call, calm, ms, weeping};
use std::sync::Arc;

use proptest::prelude::*;
use sidetone_call::{Leg, Mention, Told, Topic, Utterance};
use sidetone_insight::cues::{Coach, CueCleared, CueJudged, CueSet, CueShown, CueTold, CueWithheld};
use sidetone_insight::{
    AffectUpdate, Alert, Conduct, Insight, Summary, TimelinePoint, WordsFinal, WordsTopic, fuzz,
};

fn a_call(seed: u64) -> (Talk, Summary) {
    let moods = [calm(), angry(), weeping()];
    let mut talk = Talk::new();
    talk.call = talk.call.coached(Coach::new(Arc::new(CueSet::shipped().unwrap())));
    let mut state = seed;
    for _ in 0..40 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let from = talk.at;
        let mood = moods.get((state >> 60) as usize % 3).unwrap();
        talk.says(1 + (state >> 40) % 8, mood);
        if state >> 63 == 0 {
            let topic = *Topic::ALL.get((state >> 55) as usize % Topic::ALL.len()).unwrap();
            let mention = Mention { topic, probability: 0.7, phrase: "it".to_owned() };
            let told = Told { affect: mood.clone(), topics: vec![mention], urgency: 0.5, satisfaction: -0.5 };
            let number = (state >> 32) as u32;
            talk.call.said(&Utterance {
                number,
                from,
                to: talk.at,
                told,
                confidence: 0.9,
                ..Utterance::default()
            });
        }
        talk.call.speech(Leg::Agent, talk.at, talk.at + ms(state >> 52));
        talk.pauses((state >> 50) % 5);
    }
    let summary = talk.call.summary(talk.at);
    (talk, summary)
}

fn reads_back<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(told: &T) {
    let text = serde_json::to_string(told).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&text).unwrap(), told, "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_same_call_twice_is_told_twice_the_same(seed: u64) {
        let (first, first_summary) = a_call(seed);
        let (second, second_summary) = a_call(seed);
        prop_assert_eq!(first.told, second.told);
        prop_assert_eq!(first_summary, second_summary);
        prop_assert_eq!(first.call.timeline(), second.call.timeline());
    }

    #[test]
    fn whatever_is_told_reads_back_from_json(seed: u64) {
        let (talk, summary) = a_call(seed);
        for (_, insight) in &talk.told {
            match insight {
                Insight::AffectUpdate(it) => reads_back::<AffectUpdate>(it),
                Insight::Alert(it) => reads_back::<Alert>(it),
                Insight::Conduct(it) => reads_back::<Conduct>(it),
                Insight::Cue(CueTold::Shown(it)) => reads_back::<CueShown>(it),
                Insight::Cue(CueTold::Withheld(it)) => reads_back::<CueWithheld>(it),
                Insight::Cue(CueTold::Cleared(it)) => reads_back::<CueCleared>(it),
                Insight::Cue(CueTold::Judged(it)) => reads_back::<CueJudged>(it),
                Insight::Words(it) => reads_back::<WordsFinal>(it),
                Insight::Topic(it) => reads_back::<WordsTopic>(it),
            }
        }
        reads_back::<Summary>(&summary);
        talk.call.timeline().iter().for_each(reads_back::<TimelinePoint>);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_call_told_anything_keeps_its_promises(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        fuzz::call(&bytes);
        fuzz::call_in_several_processes(&bytes);
    }
}

#[test]
fn a_call_of_which_nothing_was_heard_has_a_summary() {
    let summary = call().summary(ms(1_234));
    assert_eq!(summary.duration, ms(1_234));
    assert_eq!((summary.sentiment, summary.conduct.customer.talk_share), (None, None));
    reads_back(&summary);
}
