//! The demo's speech is what demo/README.md says, and goes through a call whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use sidetone_softphone::{Audio, CallOptions, Clip};

use common::{compare, connect, phone, within};

fn leg(name: &str) -> Clip {
    Clip::open(format!("{}/../../demo/{name}.wav", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn two_legs_of_equal_length_that_hardly_overlap() {
    let (caller, agent) = (leg("caller"), leg("agent"));
    assert_eq!((caller.rate(), agent.rate()), (8_000, 8_000));
    assert_eq!(caller.samples().len(), agent.samples().len());
    assert!((55.0..=75.0).contains(&caller.seconds()));
    let loud = |leg: &Clip| -> Vec<bool> {
        leg.samples().chunks(800).map(|c| c.iter().any(|s| s.unsigned_abs() > 600)).collect()
    };
    let (caller, agent) = (loud(&caller), loud(&agent));
    let share = |leg: &[bool]| leg.iter().filter(|&&l| l).count() as f64 / leg.len() as f64;
    assert!(share(&caller) > 0.3 && share(&agent) > 0.2);
    // The caller interrupts once.
    let both = caller.iter().zip(&agent).filter(|(c, a)| **c && **a).count();
    assert!((1..15).contains(&both), "{both} tenths of a second of overlap");
}

#[tokio::test]
async fn the_whole_conversation_byte_for_byte() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("agent").await);
        let saying =
            |name| CallOptions { audio: Audio::exactly(leg(name)), pace: 40.0, ..CallOptions::default() };
        let (call, answered) = connect(&caller, &callee, saying("caller"), saying("agent")).await;
        let (there, back) = compare(&call, &answered).await;
        assert!(there.is_identical() && back.is_identical(), "{there}; {back}");
        assert_eq!(there.sent, leg("caller").samples().len().div_ceil(160));
        call.hangup().await.unwrap();
    })
    .await;
}
