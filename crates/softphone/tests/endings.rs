//! Every way in which a call ends, or doesn't begin.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use sidetone_softphone::{CallOptions, EndedBy, Phone, PhoneConfig, PhoneError};

use common::{config, connect, half_second, phone, within};

#[tokio::test]
async fn either_end_hangs_up() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        for caller_first in [true, false] {
            let (call, answered) = connect(&caller, &callee, half_second(300.0), half_second(500.0)).await;
            let (first, second) = if caller_first { (call, answered) } else { (answered, call) };
            first.hangup().await.unwrap();
            assert_eq!(first.ended().await, EndedBy::Us);
            assert_eq!(second.ended().await, EndedBy::Peer);
            second.hangup().await.unwrap();
        }
    })
    .await;
}

#[tokio::test]
async fn both_hang_up_at_once() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        let (call, answered) = connect(&caller, &callee, half_second(300.0), half_second(500.0)).await;
        let (ours, theirs) = tokio::join!(call.hangup(), answered.hangup());
        assert!(ours.is_ok() && theirs.is_ok());
    })
    .await;
}

#[tokio::test]
async fn a_dropped_call_hangs_up() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        let (call, answered) = connect(&caller, &callee, half_second(300.0), half_second(500.0)).await;
        drop(call);
        assert_eq!(answered.ended().await, EndedBy::Peer);
    })
    .await;
}

#[tokio::test]
async fn the_caller_gives_up() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        let mut dialing = caller.dial(&callee.uri(), half_second(300.0)).await.unwrap();
        let incoming = callee.incoming().await.unwrap();
        incoming.ring();
        assert_eq!(dialing.ringing().await.unwrap(), 180);
        let (status, ()) = tokio::join!(dialing.cancel(), incoming.cancelled());
        assert_eq!(status.unwrap(), 487);
        let answered = incoming.answer(half_second(500.0)).await;
        assert!(matches!(answered, Err(PhoneError::Cancelled)), "{answered:?}");
    })
    .await;
}

#[tokio::test]
async fn a_dropped_attempt_is_cancelled_even_before_it_rings() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        drop(caller.dial(&callee.uri(), half_second(300.0)).await.unwrap());
        let incoming = callee.incoming().await.unwrap();
        incoming.cancelled().await;
    })
    .await;
}

#[tokio::test]
async fn a_cancel_that_crosses_the_answer() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        for _ in 0..10 {
            let mut dialing = caller.dial(&callee.uri(), half_second(300.0)).await.unwrap();
            let incoming = callee.incoming().await.unwrap();
            incoming.ring();
            dialing.ringing().await.unwrap();
            let (status, answered) = tokio::join!(dialing.cancel(), incoming.answer(half_second(500.0)));
            match (status.unwrap(), answered) {
                (200, Ok(call)) => assert_eq!(call.ended().await, EndedBy::Peer),
                (487, Err(PhoneError::Cancelled)) => {}
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_callee_declines() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        for status in [486, 503, 603] {
            let uri = callee.uri();
            let decline = async { callee.incoming().await.unwrap().decline(status).await };
            let (made, declined) = tokio::join!(caller.call(&uri, half_second(300.0)), decline);
            declined.unwrap();
            assert!(matches!(made, Err(PhoneError::Rejected { status: s, .. }) if s == status), "{made:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_incoming_call_that_is_dropped_is_declined() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        let uri = callee.uri();
        let (made, ()) =
            tokio::join!(caller.call(&uri, half_second(300.0)), async { drop(callee.incoming().await) });
        assert!(matches!(made, Err(PhoneError::Rejected { status: 480, .. })), "{made:?}");
    })
    .await;
}

#[tokio::test]
async fn ringing_for_too_long_is_cancelled() {
    within(async {
        let (caller, callee) = (phone("caller").await, phone("callee").await);
        let options = CallOptions { ring_timeout: Duration::from_millis(200), ..half_second(300.0) };
        let uri = callee.uri();
        let ring = async {
            let incoming = callee.incoming().await.unwrap();
            incoming.ring();
            incoming.cancelled().await;
        };
        let (made, ()) = tokio::join!(caller.call(&uri, options), ring);
        assert!(matches!(made, Err(PhoneError::TimedOut)), "{made:?}");
    })
    .await;
}

#[tokio::test]
async fn nobody_there() {
    within(async {
        let gone = phone("gone").await.uri();
        let quick = PhoneConfig { t1: Duration::from_millis(5), ..config("caller") };
        let caller = Phone::bind(quick).await.unwrap();
        let made = caller.call(&gone, half_second(300.0)).await;
        assert!(matches!(made, Err(PhoneError::TimedOut)), "{made:?}");
        for bad in ["tel:+15551234", "sips:a@127.0.0.1", "sip:a@127.0.0.1;transport=sctp", "nonsense"] {
            let made = caller.call(bad, half_second(300.0)).await;
            assert!(matches!(made, Err(PhoneError::Uri(_))), "{bad}: {made:?}");
        }
    })
    .await;
}
