//! A customer who objects is forgotten.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Talk, angry, calm};
use std::sync::Arc;

use sidetone_insight::cues::{Coach, CueSet};
use sidetone_insight::{Insight, Summary};

#[test]
fn nothing_inferred_survives_an_objection() {
    let mut talk = Talk::new();
    talk.says(10, &calm()).says(20, &angry());
    talk.call.speech(sidetone_call::Leg::Customer, talk.at, talk.at);
    talk.call.forget_affect();
    assert_eq!(talk.call.poll(), None, "not even what was about to be told");
    let told = talk.told.len();
    talk.says(30, &angry());
    assert!(talk.told.iter().skip(told).all(|(_, insight)| matches!(insight, Insight::Conduct(_))));
    assert!(talk.call.timeline().iter().all(|point| point.valence.is_none() && point.distress.is_none()));
    assert!(talk.call.timeline().iter().any(|point| point.customer_talk > 0.0), "conduct stays");

    let summary: Summary = talk.call.summary(talk.at);
    assert!(summary.analysis.erased);
    assert_eq!(summary.sentiment, None);
    assert_eq!(summary.alerts, Default::default());
    assert_eq!((summary.analysis.estimates, summary.analysis.abstained), (0, 0));
    assert!(!summary.conduct.customer.talk.is_zero());
}

#[test]
fn after_an_objection_no_cue_is_shown() {
    let calm_then_angry = |objects: bool| {
        let mut talk = Talk::new();
        talk.call = talk.call.coached(Coach::new(Arc::new(CueSet::shipped().unwrap())));
        talk.says(20, &calm());
        if objects {
            talk.call.forget_affect();
        }
        talk.says(40, &angry());
        // Silence calls for a cue too.
        talk.pauses(5).pauses(5).pauses(5).pauses(5);
        talk.call.summary(talk.at);
        let told = std::iter::from_fn(|| talk.call.poll());
        talk.told
            .iter()
            .cloned()
            .chain(told)
            .filter(|(_, insight)| matches!(insight, Insight::Cue(_)))
            .count()
    };
    assert!(calm_then_angry(false) >= 2, "an upset caller is a cue");
    assert_eq!(calm_then_angry(true), 0);
}
