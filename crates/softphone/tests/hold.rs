//! Hold in every style, and its end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use sidetone_softphone::{Audio, Call, CallOptions, Clip, Direction, Hold, MediaReport, MediaState};

use common::{connect, phone, within};

fn endless() -> CallOptions {
    CallOptions { audio: Audio::looped(Clip::tone(8_000, 300.0, 0.2)), pace: 20.0, ..CallOptions::default() }
}

async fn more(call: &Call) {
    call.received(call.packets().1 + 10).await;
}

async fn hold_and_resume(style: Hold) -> (MediaState, MediaState) {
    let (caller, callee) = (phone("caller").await, phone("callee").await);
    let (call, answered) = connect(&caller, &callee, endless(), endless()).await;
    more(&call).await;

    call.hold(style).await.unwrap();
    answered.media_is(MediaState::is_held_by_peer).await;
    let (holding, held) = (call.media().unwrap(), answered.media().unwrap());

    call.resume().await.unwrap();
    answered.media_is(|state| !state.is_held_by_peer()).await;
    tokio::join!(more(&call), more(&answered));
    assert!(call.media().unwrap().sends && answered.media().unwrap().sends);

    // The other end may hold too.
    answered.hold(style).await.unwrap();
    call.media_is(MediaState::is_held_by_peer).await;
    answered.resume().await.unwrap();
    call.media_is(|state| !state.is_held_by_peer()).await;

    call.hangup().await.unwrap();
    let (ours, theirs) = (call.report(), answered.report());
    assert!(MediaReport::byte_identical(&ours.sent, &theirs.received).is_unaltered());
    assert!(MediaReport::byte_identical(&theirs.sent, &ours.received).is_unaltered());
    (holding, held)
}

#[tokio::test]
async fn sendonly_lets_the_holder_play_music() {
    let (holding, held) = within(hold_and_resume(Hold::SendOnly)).await;
    assert_eq!((holding.direction, holding.remote_direction), (Direction::SendOnly, Direction::RecvOnly));
    assert!(holding.sends && !held.sends);
}

#[tokio::test]
async fn inactive_silences_both() {
    let (holding, held) = within(hold_and_resume(Hold::Inactive)).await;
    assert_eq!((holding.remote_direction, held.direction), (Direction::Inactive, Direction::Inactive));
    assert!(!holding.sends && !held.sends);
}

#[tokio::test]
async fn the_zero_address_silences_both() {
    let (holding, held) = within(hold_and_resume(Hold::ZeroAddress)).await;
    assert!(!holding.sends && !held.sends && held.remote.ip().is_unspecified());
}
