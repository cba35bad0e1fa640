//! When a caller counts as upset, and when as calm again.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{Talk, angry, calm, joyful, ms, sample, weeping};
use proptest::prelude::*;
use sidetone_call::{Abstention, Class, Estimate};
use sidetone_insight::{AlertKind, Phase, State, Thresholds};

#[test]
fn anger_rises_and_calms_once_each() {
    let mut talk = Talk::new();
    talk.says(10, &calm()).says(15, &angry()).says(15, &calm());
    let alerts = talk.alerts();
    let told: Vec<_> = alerts.iter().map(|(_, alert)| (alert.alert, alert.phase)).collect();
    assert_eq!(told, [(AlertKind::Frustration, Phase::Rising), (AlertKind::Frustration, Phase::Calmed)]);
    let (rose, calmed) = (&alerts[0], &alerts[1]);
    let delay = rose.0 - ms(10_500);
    assert!(delay <= ms(6_500), "rose {delay:?} after the caller did");
    assert!(rose.1.score >= 0.75 && rose.1.valence < 0.0 && rose.1.arousal > 0.0 && rose.1.lasted.is_none());
    assert!(calmed.1.score <= 0.55);
    assert_eq!(calmed.1.lasted, Some(calmed.0 - rose.0));
}

#[test]
fn weeping_is_distress() {
    let mut talk = Talk::new();
    talk.says(10, &calm()).says(10, &weeping());
    let alerts = talk.alerts();
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].1.alert, AlertKind::Distress);
    assert_eq!(talk.updates().last().unwrap().1.state, State::Distressed);
}

#[test]
fn without_classes_arousal_tells_the_kinds_apart() {
    let mut hot = Talk::new();
    hot.says(10, &sample(-0.7, 0.7, 0.97, &[]));
    assert_eq!(hot.alerts()[0].1.alert, AlertKind::Frustration);
    let mut low = Talk::new();
    low.says(10, &sample(-0.7, -0.5, 0.97, &[]));
    assert_eq!(low.alerts()[0].1.alert, AlertKind::Distress);
}

#[test]
fn loud_joy_is_not_anger() {
    let mut talk = Talk::new();
    talk.says(10, &calm()).says(60, &joyful());
    assert_eq!(talk.alerts(), []);
}

#[test]
fn a_caller_angry_from_the_first_word_is_heard() {
    let mut talk = Talk::new();
    talk.says(30, &angry());
    assert_eq!(talk.rises(), 1);
    assert!(talk.alerts()[0].0 < ms(5_000), "before there is any baseline");
}

#[test]
fn a_gruff_voice_is_compared_with_itself() {
    let gruff = sample(-0.3, 0.1, 0.55, &[(Class::Anger, 0.5), (Class::Neutral, 0.4)]);
    let harder = sample(-0.35, 0.15, 0.965, &[(Class::Anger, 0.6), (Class::Neutral, 0.3)]);
    let mut same = Talk::new();
    same.says(10, &gruff).says(60, &harder);
    assert_eq!(same.rises(), 0, "a little above their own manner of speaking");
    let mut other = Talk::new();
    other.says(10, &calm()).says(60, &harder);
    assert_eq!(other.rises(), 1, "the same voice from someone who began calm");
}

#[test]
fn a_model_that_is_unsure_of_the_class_still_tells_an_upset_and_its_end() {
    let unsure = |sample: Estimate| Estimate { abstained: Some(Abstention::Unsure), ..sample };
    let mut talk = Talk::new();
    talk.says(10, &calm()).says(15, &unsure(angry())).says(15, &unsure(calm()));
    let told: Vec<_> = talk.alerts().iter().map(|(_, alert)| alert.phase).collect();
    assert_eq!(told, [Phase::Rising, Phase::Calmed]);
    assert!(talk.updates().last().unwrap().1.confidence < 0.1, "of the class nothing is claimed");
    let mut other = Talk::new();
    let noisy = Estimate { abstained: Some(Abstention::TooNoisy), ..angry() };
    other.says(10, &calm()).says(60, &noisy);
    assert_eq!(other.rises(), 0);
}

#[test]
fn who_is_merely_lively_is_not_upset() {
    // More agitated than at first, by more than lively talk, and no more distressed.
    let lively = sample(-0.2, 0.4, 0.35, &[(Class::Anger, 0.3), (Class::Happiness, 0.3)]);
    let mut talk = Talk::new();
    talk.says(10, &calm()).says(60, &lively);
    assert_eq!(talk.rises(), 0);
}

#[test]
fn agitation_beyond_a_callers_own_tells_what_the_distress_alone_does_not() {
    let agitated = |arousal| sample(-0.3, arousal, 0.88, &[(Class::Anger, 0.6), (Class::Neutral, 0.2)]);
    let calm = sample(-0.05, -0.2, 0.4, &[(Class::Neutral, 0.6)]);
    let mut risen = Talk::new();
    risen.says(10, &calm).says(15, &agitated(0.5));
    assert_eq!(risen.rises(), 1);
    let mut level = Talk::new();
    level.says(10, &calm).says(15, &agitated(-0.1));
    assert_eq!(level.rises(), 0);
}

#[test]
fn who_is_upset_from_the_first_word_is_not_calm_because_they_always_were() {
    let mut talk = Talk::new();
    talk.says(60, &angry());
    assert_eq!(talk.alerts().len(), 1, "no baseline is taken while an alert is up");
    talk.says(30, &calm());
    assert_eq!(talk.alerts().last().unwrap().1.phase, Phase::Calmed);
}

#[test]
fn one_upset_is_one_alert() {
    let both = sample(-0.7, 0.3, 0.95, &[(Class::Anger, 0.45), (Class::Fear, 0.44)]);
    let mut talk = Talk::new();
    talk.says(10, &calm()).says(30, &both);
    assert_eq!(talk.rises(), 1);
}

#[test]
fn anger_that_breaks_into_tears_is_two() {
    let mut talk = Talk::new();
    talk.says(10, &calm()).says(10, &angry()).says(15, &weeping());
    let rises: Vec<_> =
        talk.alerts().iter().filter(|(_, a)| a.phase == Phase::Rising).map(|(_, a)| a.alert).collect();
    assert_eq!(rises, [AlertKind::Frustration, AlertKind::Distress]);
}

#[test]
fn the_cool_down_is_kept_and_then_ends() {
    let mut talk = Talk::new();
    talk.says(10, &calm()).says(10, &angry()).says(10, &calm());
    let calmed = talk.alerts()[1].0;
    talk.says(60, &angry());
    let again = talk.alerts()[2].0;
    assert!(again >= calmed + Duration::from_secs(30), "rose again {:?} after", again - calmed);
    assert!(again <= calmed + Duration::from_secs(31));
}

#[test]
fn a_single_outburst_is_no_alert() {
    let mut talk = Talk::new();
    talk.says(10, &calm()).says(1, &angry()).says(20, &calm());
    assert_eq!(talk.rises(), 0);
}

#[test]
fn evidence_half_gathered_lapses() {
    let mut talk = Talk::new();
    talk.says(10, &calm()).says(2, &angry());
    assert_eq!(talk.rises(), 0, "it is high, but not for long enough yet");
    talk.pauses(60).says(1, &angry());
    assert_eq!(talk.rises(), 0, "what was before the long pause no longer counts");
    talk.says(2, &angry());
    assert_eq!(talk.rises(), 1);
}

#[test]
fn before_the_callers_manner_is_known_it_takes_longer() {
    let mut talk = Talk::new();
    talk.says(1, &angry());
    assert_eq!(talk.rises(), 0, "it may be how they speak");
    talk.says(2, &angry());
    assert_eq!(talk.rises(), 1, "who is furious from the first word is heard all the same");
}

#[test]
fn an_upset_whose_kind_is_uncertain_is_heard_as_soon() {
    let after = |confidence: f32| {
        let mut talk = Talk::new();
        let angry = Estimate { confidence, ..angry() };
        talk.says(10, &calm()).says(10, &angry);
        talk.alerts().first().unwrap().0
    };
    assert_eq!(after(0.35), after(0.95));
}

#[test]
fn the_summary_lists_them() {
    let mut talk = Talk::new();
    talk.says(10, &calm()).says(10, &angry()).says(10, &calm()).says(60, &weeping());
    let alerts = talk.alerts();
    let summary = talk.call.summary(talk.at);
    assert_eq!((summary.alerts.frustration, summary.alerts.distress), (1, 1));
    let [first, second] = summary.alerts.spans[..] else { panic!("{:?}", summary.alerts) };
    assert_eq!((first.from, first.to), (alerts[0].0, Some(alerts[1].0)));
    assert_eq!((second.alert, second.to), (AlertKind::Distress, None));
}

/// Any estimate, well-formed or not.
fn any_sample() -> impl Strategy<Value = Estimate> {
    let class = proptest::sample::select(Class::ALL.to_vec());
    let abstained = proptest::option::weighted(0.2, Just(Abstention::TooNoisy));
    (
        -1.2f32..1.2,
        -1.2f32..1.2,
        -0.2f32..1.2,
        0.0f32..1.0,
        proptest::collection::vec((class, 0.0f32..1.0), 0..4),
        abstained,
    )
        .prop_map(|(valence, arousal, distress, confidence, classes, abstained)| Estimate {
            valence,
            arousal,
            distress,
            confidence,
            classes,
            abstained,
            ..Estimate::default()
        })
}

/// A call that swings between moods, as a hostile caller of the thresholds would have it.
fn swings() -> impl Strategy<Value = Vec<(Estimate, u32, u64)>> {
    let mood = prop_oneof![Just(angry()), Just(weeping()), Just(calm()), Just(joyful()), any_sample()];
    proptest::collection::vec((mood, 1u32..30, 0u64..40), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn alerts_never_flap(swings in swings()) {
        let mut talk = Talk::new();
        for (sample, times, pause) in swings {
            (0..times).for_each(|_| talk.hears(&sample));
            talk.pauses(pause);
        }
        let limits = Thresholds::default().alerts;
        for kind in AlertKind::ALL {
            let of_kind: Vec<_> = talk.alerts().into_iter().filter(|(_, alert)| alert.alert == kind).collect();
            for (place, (_, alert)) in of_kind.iter().enumerate() {
                prop_assert_eq!(alert.phase, if place % 2 == 0 { Phase::Rising } else { Phase::Calmed });
            }
            for pair in of_kind.windows(2) {
                let apart = pair[1].0 - pair[0].0;
                let least = if pair[0].1.phase == Phase::Rising { limits.shortest.0 } else { limits.cooldown.0 };
                prop_assert!(apart >= least, "{:?} after {:?}", apart, pair[0].1.phase);
            }
        }
    }

    #[test]
    fn abstentions_never_raise(swings in swings(), reason in proptest::sample::select(vec![
        Abstention::Music, Abstention::Hold, Abstention::TooLittleSpeech, Abstention::Overlap,
    ])) {
        let mut talk = Talk::new();
        for (sample, times, _) in swings {
            let declined = Estimate { abstained: Some(reason), ..sample };
            (0..times).for_each(|_| talk.hears(&declined));
        }
        prop_assert!(talk.alerts().is_empty() && talk.updates().is_empty());
        let analysis = talk.call.summary(talk.at).analysis;
        prop_assert_eq!(analysis.abstained_share, Some(1.0));
        prop_assert_eq!(analysis.judged, Duration::ZERO);
    }

    /// Declined estimates in between neither hasten an alert nor make one: with them taken out, the same alerts come.
    #[test]
    fn abstentions_change_no_alert(swings in swings(), every in 2usize..5) {
        let mut plain = Talk::new();
        let mut mixed = Talk::new();
        let declined = Estimate { abstained: Some(Abstention::Music), ..angry() };
        let mut count = 0;
        for (sample, times, _) in swings {
            for _ in 0..times {
                count += 1;
                plain.hears(&sample);
                mixed.hears(&sample);
                if count % every == 0 {
                    // At the same instant, so that both calls go on in step.
                    mixed.call.affect(mixed.at, &declined);
                }
            }
        }
        prop_assert_eq!(plain.alerts().iter().map(|(at, a)| (*at, a.alert, a.phase)).collect::<Vec<_>>(),
                        mixed.alerts().iter().map(|(at, a)| (*at, a.alert, a.phase)).collect::<Vec<_>>());
    }
}
