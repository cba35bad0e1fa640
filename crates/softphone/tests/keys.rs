//! Keys pressed at one end are heard at the other (RFC 4733).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use sidetone_softphone::{Audio, CallOptions, Clip, Codec, MediaReport};

use common::{connect, phone, within};

async fn press(codec: Codec, event: u8) {
    let (caller, callee) = (phone("caller").await, phone("callee").await);
    let options = CallOptions {
        codecs: vec![codec],
        audio: Audio::looped(Clip::tone(8_000, 300.0, 0.2)),
        pace: 20.0,
        ..CallOptions::default()
    };
    let (call, answered) = connect(&caller, &callee, options.clone(), options).await;
    call.press("1234#*A");
    answered.press("9");
    while answered.report().digits.len() < 7 || call.report().digits.is_empty() {
        answered.received(answered.packets().1 + 5).await;
    }
    // The last key's end.
    answered.received(answered.packets().1 + 20).await;
    call.hangup().await.unwrap();

    let (ours, theirs) = (call.report(), answered.report());
    assert_eq!((theirs.digits.as_str(), ours.digits.as_str()), ("1234#*A", "9"));
    assert!(MediaReport::byte_identical(&ours.sent, &theirs.received).is_unaltered());
    let keys: Vec<_> = theirs.received.iter().filter(|p| p.payload_type == event).collect();
    assert_eq!(keys.iter().filter(|p| p.marker).count(), 7);
    assert_eq!(keys.iter().filter(|p| p.payload[1] & 0x80 != 0).count(), 21);
    let longest = keys.iter().map(|p| u16::from_be_bytes([p.payload[2], p.payload[3]])).max().unwrap();
    assert_eq!(u32::from(longest), codec.clock_rate() * 160 / 1000);
}

#[tokio::test]
async fn at_8_khz() {
    within(press(Codec::Pcma, 101)).await;
}

#[tokio::test]
async fn at_the_clock_rate_of_the_codec() {
    within(press(Codec::L16 { rate: 16_000 }, 101)).await;
}
