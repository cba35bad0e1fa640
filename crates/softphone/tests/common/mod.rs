//! Two phones on loopback, at many times real time.
#![allow(dead_code)] // no test file uses all of it

use std::time::Duration;

use sidetone_softphone::{Audio, Call, CallOptions, Clip, Comparison, MediaReport, Phone, PhoneConfig};

/// Far more than any test takes; a hang ends as a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn phone(user: &str) -> Phone {
    Phone::bind(config(user)).await.unwrap()
}

pub(crate) fn config(user: &str) -> PhoneConfig {
    PhoneConfig { user: user.to_owned(), t1: Duration::from_millis(100), ..PhoneConfig::default() }
}

/// Half a second of a tone and then nothing, twenty times faster than it sounds.
pub(crate) fn half_second(hertz: f64) -> CallOptions {
    CallOptions { audio: Audio::exactly(Clip::tone(8_000, hertz, 0.5)), pace: 20.0, ..CallOptions::default() }
}

/// The caller's end and the callee's of an answered call.
pub(crate) async fn connect(
    caller: &Phone,
    callee: &Phone,
    ours: CallOptions,
    theirs: CallOptions,
) -> (Call, Call) {
    let uri = callee.uri();
    let (made, answered) = tokio::join!(caller.call(&uri, ours), callee.accept(theirs));
    (made.unwrap(), answered.unwrap())
}

/// Waits until both have said all and heard all, and compares: caller to callee, callee to caller.
pub(crate) async fn compare(caller: &Call, callee: &Call) -> (Comparison, Comparison) {
    tokio::join!(caller.played(), callee.played());
    let (sent_there, sent_back) = (caller.packets().0, callee.packets().0);
    tokio::join!(callee.received(sent_there), caller.received(sent_back));
    let (ours, theirs) = (caller.report(), callee.report());
    (
        MediaReport::byte_identical(&ours.sent, &theirs.received),
        MediaReport::byte_identical(&theirs.sent, &ours.received),
    )
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("hangs")
}
