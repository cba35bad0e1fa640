//! A call as a line to draw.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use common::{Talk, angry, call, calm, ms};
use proptest::prelude::*;
use sidetone_call::Leg;
use sidetone_insight::Thresholds;

#[test]
fn a_short_call_is_drawn_second_by_second() {
    let mut talk = Talk::new();
    talk.says(10, &calm()).says(10, &angry());
    talk.call.summary(talk.at);
    let points = talk.call.timeline();
    assert!(points.iter().all(|point| point.width == ms(1_000)));
    assert!(points.windows(2).all(|pair| pair[1].at - pair[0].at == ms(1_000)));
    assert!(points[5].valence.unwrap() > 0.0 && points[19].valence.unwrap() < -0.5);
    assert_eq!((points[5].customer_talk, points[5].agent_talk, points[5].hold), (1.0, 0.0, 0.0));
    assert_eq!(points[0].customer_talk, 0.5, "the customer began in the middle of it");
}

#[test]
fn hold_is_drawn() {
    let mut call = call();
    call.speech(Leg::Agent, ms(0), ms(2_500));
    call.hold(Leg::Agent, ms(3_000));
    call.resume(Leg::Agent, ms(5_500));
    call.summary(ms(6_000));
    let held: Vec<_> = call.timeline().iter().map(|point| point.hold).collect();
    assert_eq!(held, [0.0, 0.0, 0.0, 1.0, 1.0, 0.5]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// However long the call, all of its talk is on the line.
    #[test]
    fn joining_steps_loses_no_talk(turns in proptest::collection::vec((1u64..400, 1u64..400), 1..60), most in 60usize..200) {
        let mut call = sidetone_insight::Call::new(Thresholds { timeline_points: most, ..Thresholds::default() });
        let (mut at, mut talked) = (0, 0);
        for (pause, length) in turns {
            call.speech(Leg::Agent, ms((at + pause) * 1_000), ms((at + pause + length) * 1_000));
            at += pause + length;
            talked += length;
        }
        call.summary(ms(at * 1_000));
        let points = call.timeline();
        prop_assert!(points.len() <= most);
        let width = points[0].width;
        prop_assert!(points.iter().all(|point| point.width == width));
        let drawn: f64 = points.iter().map(|point| f64::from(point.agent_talk) * width.as_secs_f64()).sum();
        let slack = width.as_secs_f64() * points.len() as f64 * 0.0006;
        prop_assert!((drawn - talked as f64).abs() <= slack, "{} of {}", drawn, talked);
    }
}

#[test]
fn ten_hours_fit() {
    let mut talk = Talk::new();
    for _ in 0..1_200 {
        talk.says(1, &calm()).pauses(29);
    }
    let points = talk.call.timeline();
    assert!(points.len() <= 600);
    assert_eq!(points[0].width, Duration::from_secs(64));
}
