//! Who offers, when, and early media.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use sidetone_softphone::{CallOptions, Codec, PhoneError};

use common::{compare, connect, half_second, phone, within};

#[tokio::test]
async fn a_late_offer_comes_in_the_200() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        let ours = CallOptions { late_offer: true, codecs: vec![Codec::Pcmu], ..half_second(300.0) };
        let (call, answered) = connect(&caller, &callee, ours, half_second(500.0)).await;
        answered.media_is(|_| true).await;
        assert_eq!(answered.media().unwrap().codec, Codec::Pcmu);
        let (there, back) = compare(&call, &answered).await;
        assert!(there.is_identical() && back.is_identical(), "{there}; {back}");
        call.hangup().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn early_media_goes_on_after_the_answer() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        let mut dialing = caller.dial(&callee.uri(), half_second(300.0)).await.unwrap();
        let mut incoming = callee.incoming().await.unwrap();
        incoming.progress(&half_second(500.0)).unwrap();
        assert_eq!(dialing.ringing().await.unwrap(), 183);
        while dialing.packets().1 < 5 {
            tokio::task::yield_now().await;
        }
        let (call, answered) = tokio::join!(dialing.answered(), incoming.answer(CallOptions::default()));
        let (call, answered) = (call.unwrap(), answered.unwrap());
        let (there, back) = compare(&call, &answered).await;
        assert!(there.is_identical() && back.is_identical(), "{there}; {back}");
        assert_eq!(back.sent, 25);
        call.hangup().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_offer_s_first_common_codec_is_taken() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        let with = |codecs: &[Codec]| CallOptions { codecs: codecs.to_vec(), ..half_second(300.0) };
        let ours = with(&[Codec::L16 { rate: 8_000 }, Codec::G722, Codec::Pcma]);
        let theirs = with(&[Codec::Pcma, Codec::G722]);
        let (call, answered) = connect(&caller, &callee, ours, theirs).await;
        assert_eq!(call.media().unwrap().codec, Codec::G722);
        assert_eq!(answered.media().unwrap().codec, Codec::G722);
        call.hangup().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn without_a_common_codec_there_is_no_call() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        for late_offer in [false, true] {
            let ours = CallOptions { codecs: vec![Codec::Pcmu], late_offer, ..half_second(300.0) };
            let theirs = CallOptions { codecs: vec![Codec::Pcma], ..half_second(300.0) };
            let uri = callee.uri();
            let (made, answered) = tokio::join!(caller.call(&uri, ours), callee.accept(theirs));
            if late_offer {
                // It was answered before it was known; the caller ends it.
                assert!(matches!(made, Err(PhoneError::NoCommonCodec)), "{made:?}");
                answered.unwrap().ended().await;
            } else {
                assert!(matches!(made, Err(PhoneError::Rejected { status: 488, .. })), "{made:?}");
                assert!(matches!(answered, Err(PhoneError::NoCommonCodec)), "{answered:?}");
            }
        }
    })
    .await;
}
