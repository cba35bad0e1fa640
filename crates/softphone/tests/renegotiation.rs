//! Codec, ports and RTP source change in the middle of a call.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::collections::BTreeSet;

use sidetone_sip::Method;
use sidetone_softphone::{Audio, CallOptions, Clip, Codec, MediaReport, PhoneError};

use common::{connect, phone, within};

fn endless(codecs: &[Codec]) -> CallOptions {
    CallOptions {
        codecs: codecs.to_vec(),
        audio: Audio::looped(Clip::tone(8_000, 300.0, 0.2)),
        pace: 20.0,
        ..CallOptions::default()
    }
}

#[tokio::test]
async fn another_codec() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        let both = [Codec::Pcmu, Codec::L16 { rate: 16_000 }];
        let (call, answered) = connect(&caller, &callee, endless(&both), endless(&both)).await;
        answered.received(10).await;
        call.change_codec(both[1]).await.unwrap();
        answered.media_is(|state| state.codec == both[1]).await;
        answered.received(answered.packets().1 + 20).await;
        call.hangup().await.unwrap();

        let (ours, theirs) = (call.report(), answered.report());
        let types: BTreeSet<u8> = theirs.received.iter().map(|p| p.payload_type).collect();
        assert_eq!(types, BTreeSet::from([0, 118]));
        // Another clock rate is another source (RFC 7160).
        assert_eq!(theirs.received.iter().map(|p| p.ssrc).collect::<BTreeSet<_>>().len(), 2);
        assert!(MediaReport::byte_identical(&ours.sent, &theirs.received).is_unaltered());
    })
    .await;
}

#[tokio::test]
async fn a_refused_change_leaves_the_call_as_it_was() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        let (call, answered) =
            connect(&caller, &callee, endless(&[Codec::Pcmu]), endless(&[Codec::Pcmu])).await;
        let refused =
            call.request(Method::UPDATE, &[("Content-Type", "application/sdp")], b"v=0\r\n").await.unwrap();
        assert_eq!(refused.status(), Some(488));
        answered.received(answered.packets().1 + 5).await;
        assert_eq!(call.media().unwrap().codec, Codec::Pcmu);
        call.hangup().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn other_ports() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        let (call, answered) =
            connect(&caller, &callee, endless(&[Codec::Pcma]), endless(&[Codec::Pcma])).await;
        call.received(10).await;
        let before = answered.media().unwrap().remote;
        call.change_address().await.unwrap();
        answered.media_is(|state| state.remote != before).await;
        tokio::join!(call.received(call.packets().1 + 10), answered.received(answered.packets().1 + 10));
        call.hangup().await.unwrap();
        let theirs = answered.report();
        assert_eq!(theirs.received.iter().map(|p| p.peer).collect::<BTreeSet<_>>().len(), 2);
        assert!(MediaReport::byte_identical(&call.report().sent, &theirs.received).is_unaltered());
    })
    .await;
}

#[tokio::test]
async fn another_source() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        let (call, answered) =
            connect(&caller, &callee, endless(&[Codec::Pcma]), endless(&[Codec::Pcma])).await;
        answered.received(10).await;
        call.change_source();
        while answered.report().received.iter().map(|p| p.ssrc).collect::<BTreeSet<_>>().len() < 2 {
            answered.received(answered.packets().1 + 1).await;
        }
        call.hangup().await.unwrap();
        assert!(MediaReport::byte_identical(&call.report().sent, &answered.report().received).is_unaltered());
    })
    .await;
}

#[tokio::test]
async fn crossing_offers_are_refused_and_the_call_goes_on() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        let (call, answered) =
            connect(&caller, &callee, endless(&[Codec::Pcma]), endless(&[Codec::Pcma])).await;
        let (ours, theirs) = tokio::join!(call.resume(), answered.resume());
        for outcome in [ours, theirs] {
            assert!(matches!(outcome, Ok(()) | Err(PhoneError::Rejected { status: 491, .. })), "{outcome:?}");
        }
        call.resume().await.unwrap();
        call.hangup().await.unwrap();
    })
    .await;
}
