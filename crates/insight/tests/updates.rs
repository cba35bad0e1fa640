//! What is told about the customer each second of their speech.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{Talk, angry, call, calm, ms, sample};
use sidetone_call::{Abstention, Class, Estimate, Leg};
use sidetone_insight::{Insight, Phase, State, Trend};

#[test]
fn one_update_for_each_second_of_speech() {
    let mut talk = Talk::new();
    talk.says(20, &calm());
    let updates = talk.updates();
    assert_eq!(updates.len(), 20);
    let speech: Vec<_> = updates.iter().map(|(_, update)| update.speech.as_secs()).collect();
    assert_eq!(speech, (1..=20).collect::<Vec<_>>());
    assert_eq!(updates[0].1.estimates, 1, "the first estimate stands for the model's first second");
    assert!(updates[1..].iter().all(|(_, update)| update.estimates == 2));
}

#[test]
fn pauses_add_no_speech() {
    let mut talk = Talk::new();
    for _ in 0..10 {
        talk.says(1, &calm()).pauses(30);
    }
    assert!((10..=11).contains(&talk.updates().len()), "{}", talk.updates().len());
}

#[test]
fn declined_estimates_are_counted_and_lower_confidence() {
    let mut talk = Talk::new();
    talk.says(5, &calm());
    let sure = talk.updates().last().unwrap().1.clone();
    let declined = Estimate { abstained: Some(Abstention::TooNoisy), ..Estimate::default() };
    let before = talk.updates().len();
    talk.says(4, &declined);
    assert_eq!(talk.updates().len(), before, "the state isn't repeated as if it were news");
    talk.says(1, &calm());
    let unsure = talk.updates().last().unwrap().1.clone();
    assert_eq!(unsure.abstained, 8);
    assert!(unsure.confidence < sure.confidence / 2.0);
    assert_eq!(
        (unsure.valence, unsure.distress),
        (sure.valence, sure.distress),
        "the state itself hasn't moved"
    );
}

#[test]
fn what_is_no_number_is_an_abstention() {
    let mut talk = Talk::new();
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        talk.hears(&sample(value, 0.0, 0.0, &[]));
        talk.hears(&sample(0.0, 0.0, value, &[]));
        talk.hears(&sample(0.0, 0.0, 0.0, &[(Class::Anger, value)]));
    }
    talk.hears(&Estimate { confidence: 0.1, ..calm() });
    let analysis = talk.call.summary(talk.at).analysis;
    assert_eq!(analysis.reasons[&Abstention::Fault], 9);
    assert_eq!(analysis.reasons[&Abstention::Unsure], 1);
    assert_eq!(analysis.estimates, 0);
}

#[test]
fn the_baseline_is_the_callers_own_first_seconds() {
    let first = sample(-0.2, 0.3, 0.3, &[]);
    let mut talk = Talk::new();
    talk.says(7, &first);
    assert!(talk.updates().iter().all(|(_, update)| update.relative.is_none()));
    talk.says(2, &first);
    let same = talk.updates().last().unwrap().1.relative.unwrap();
    assert!(same.valence.abs() < 0.01 && same.arousal.abs() < 0.01 && same.distress.abs() < 0.01, "{same:?}");
    talk.says(20, &sample(-0.6, 0.5, 0.5, &[]));
    let moved = talk.updates().last().unwrap().1.relative.unwrap();
    assert!((moved.arousal - 0.2).abs() < 0.01, "{moved:?}");
    assert!((moved.valence + 0.4).abs() < 0.01, "0.2 less, and what the agitation takes: {moved:?}");
    talk.says(20, &first);
    let back = talk.updates().last().unwrap().1.relative.unwrap();
    assert!(back.valence.abs() < 0.01, "the baseline stays where it was: {back:?}");
}

#[test]
fn the_trend_says_where_valence_goes() {
    let mut talk = Talk::new();
    talk.says(10, &calm());
    assert_eq!(talk.updates().last().unwrap().1.trend, Trend::Steady);
    talk.says(5, &angry());
    assert_eq!(talk.updates().last().unwrap().1.trend, Trend::Worsening);
    talk.says(60, &angry());
    assert_eq!(talk.updates().last().unwrap().1.trend, Trend::Steady, "bad, but no longer getting worse");
    talk.says(5, &calm());
    assert_eq!(talk.updates().last().unwrap().1.trend, Trend::Improving);
}

#[test]
fn the_state_follows_the_alert() {
    let mut talk = Talk::new();
    talk.says(10, &sample(0.6, 0.2, 0.0, &[]));
    assert_eq!(talk.updates().last().unwrap().1.state, State::Positive);
    talk.says(10, &angry());
    assert_eq!(talk.updates().last().unwrap().1.state, State::Frustrated);
    let (alerted, _) = talk.alerts()[0];
    let at_alert = talk.updates().into_iter().find(|(at, _)| *at == alerted).unwrap().1;
    assert_eq!(at_alert.state, State::Frustrated, "an update comes with the alert");
    talk.says(20, &sample(-0.6, -0.3, 0.2, &[]));
    assert_eq!(talk.updates().last().unwrap().1.state, State::Negative);
}

#[test]
fn the_distress_told_is_what_alerts_go_by() {
    // A model that is sure of the distress and not of the class: weighed by confidence it would be told too late.
    let unsure = |sample: Estimate| Estimate { confidence: 0.3, ..sample };
    let mut talk = Talk::new();
    talk.says(12, &calm()).says(6, &unsure(angry())).says(10, &unsure(calm()));
    let at = |phase| talk.alerts().into_iter().find(|(_, alert)| alert.phase == phase).unwrap();
    let told = |at| talk.updates().into_iter().find(|(then, _)| *then == at).unwrap().1.distress;
    let ((rose, rising), (fell, calmed)) = (at(Phase::Rising), at(Phase::Calmed));
    assert!(told(rose) >= rising.score && told(fell) <= calmed.score + 0.1, "{} {}", told(rose), told(fell));
}

#[test]
fn a_second_estimate_for_the_same_instant_weighs_nothing() {
    let mut talk = Talk::new();
    talk.says(5, &calm());
    for _ in 0..100 {
        talk.call.affect(talk.at, &angry());
    }
    talk.says(1, &calm());
    assert!(talk.updates().last().unwrap().1.distress < 0.15);
}

#[test]
fn insights_come_in_order_of_time_even_if_estimates_are_late() {
    let mut call = call();
    for second in 1..120u64 {
        let now = Duration::from_secs(second);
        call.speech(Leg::Customer, now - ms(1_000), now);
        call.advance(now + ms(700));
        call.affect(now, &calm());
    }
    let told: Vec<_> = std::iter::from_fn(|| call.poll()).collect();
    assert!(told.windows(2).all(|pair| pair[0].0 <= pair[1].0));
    assert!(told.iter().any(|(_, insight)| matches!(insight, Insight::Conduct(_))));
}

#[test]
fn sentiment_compares_the_start_with_the_end() {
    let mut talk = Talk::new();
    talk.says(12, &sample(-0.5, 0.0, 0.3, &[])).says(20, &angry()).says(15, &sample(0.4, 0.0, 0.1, &[]));
    let sentiment = talk.call.summary(talk.at).sentiment.unwrap();
    assert!(sentiment.start == -0.25 && (0.15..=0.2).contains(&sentiment.end), "{sentiment:?}");
    assert!(
        sentiment.lowest.valence < -0.65
            && sentiment.lowest.at > ms(12_000)
            && sentiment.lowest.at < ms(33_000)
    );
    assert!(sentiment.highest.valence > 0.17 && sentiment.highest.at > ms(40_000));
}

#[test]
fn the_shift_follows_a_call_whose_valence_a_stranger_hardly_shows() {
    // What the shipped network says of strangers: the valence hardly moves, the arousal does.
    let calm = sample(-0.15, -0.2, 0.4, &[(Class::Neutral, 0.5), (Class::Sadness, 0.3)]);
    let angry = sample(-0.22, 0.15, 0.65, &[(Class::Anger, 0.5), (Class::Happiness, 0.2)]);
    let happy = sample(0.4, 0.15, 0.2, &[(Class::Happiness, 0.7), (Class::Anger, 0.1)]);
    let shift = |middle: &Estimate, end: &Estimate| {
        let mut talk = Talk::new();
        talk.says(12, &calm).says(15, middle).says(20, end);
        talk.call.summary(talk.at).sentiment.unwrap().shift
    };
    assert!(shift(&angry, &angry) <= -0.2, "{}", shift(&angry, &angry));
    assert!(shift(&angry, &calm).abs() < 0.1, "{}", shift(&angry, &calm));
    assert!(shift(&calm, &happy) > 0.15, "agitated with joy is not displeased: {}", shift(&calm, &happy));
}

#[test]
fn a_short_call_is_compared_half_with_half() {
    let mut talk = Talk::new();
    talk.says(4, &sample(-0.5, 0.0, 0.3, &[])).says(4, &sample(0.5, 0.0, 0.1, &[]));
    let sentiment = talk.call.summary(talk.at).sentiment.unwrap();
    assert!(sentiment.start < -0.2 && sentiment.end > 0.0, "{sentiment:?}");
    let mut shorter = Talk::new();
    shorter.hears(&calm());
    assert_eq!(shorter.call.summary(shorter.at).sentiment, None);
}

/// Whoever draws the updates finds the summary's four figures in the line.
#[test]
fn the_summary_agrees_with_the_line_that_is_drawn() {
    let mut talk = Talk::new();
    for turn in 0..9 {
        talk.says(3 + turn, &sample(if turn % 2 == 0 { -0.6 } else { 0.3 }, 0.1, 0.4, &[]));
    }
    let sentiment = talk.call.summary(talk.at).sentiment.unwrap();
    let line: Vec<_> = talk.updates().iter().map(|(at, update)| (*at, update.valence)).collect();
    let ends = |a: f32, b: &(Duration, f32)| a.min(b.1);
    assert_eq!(sentiment.lowest.valence, line.iter().fold(f32::MAX, ends));
    assert!(line.contains(&(sentiment.lowest.at, sentiment.lowest.valence)));
    assert!(line.contains(&(sentiment.highest.at, sentiment.highest.valence)));
    for end in [sentiment.start, sentiment.end] {
        assert!((sentiment.lowest.valence..=sentiment.highest.valence).contains(&end), "{sentiment:?}");
    }
}

/// Angry words in a calm voice are angry words and a calm voice.
#[test]
fn words_and_voice_are_told_apart() {
    use sidetone_call::{Modality, Told, Utterance};
    let mut talk = Talk::new();
    for number in 1..40 {
        let from = talk.at;
        talk.says(1, &calm());
        let affect = Estimate { modality: Modality::Words, ..angry() };
        let told = Told { affect, ..Told::default() };
        talk.call.said(&Utterance {
            number,
            from,
            to: talk.at,
            told,
            confidence: 0.9,
            ..Utterance::default()
        });
    }
    let told: Vec<_> = talk.updates().into_iter().map(|(_, update)| update).collect();
    let of = |modality| told.iter().filter(move |update| update.modality == modality);
    assert!(of(Modality::Voice).count() > 10 && of(Modality::Words).count() > 10, "{told:?}");
    assert!(of(Modality::Voice).all(|update| update.valence > 0.0), "{told:?}");
    assert!(of(Modality::Words).all(|update| update.valence < -0.5), "{told:?}");
    for update in &told {
        let json = serde_json::to_value(update).unwrap();
        let written = json.get("modality").and_then(|it| it.as_str());
        assert_eq!(
            written,
            (update.modality == Modality::Words).then_some("words"),
            "version 1 knows no voice"
        );
    }
}
