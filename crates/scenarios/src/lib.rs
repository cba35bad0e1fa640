//! Drives the real `sidetone` binary with real peers and watches both sides of it.
//!
//! A test leases a piece of loopback ([`net`]; [`netns`] where parties must be on machines of their own), starts
//! Sidetone on it ([`sidetone`]), lets SIPp play the carrier and the PBX ([`sipp`], with the scenarios of
//! `sip-test-scenarios/`), owns both ends of the media itself ([`rtp`]), and in the end compares what each side sent
//! with what the other received ([`transparency`]). [`call`] puts the usual case together. [`stream`] speaks SIP by TLS
//! and WebSocket, with the [`certificates`] of the test. [`asterisk`], [`baresip`], [`dns`], [`postgresql`] and
//! [`identity`] are a real PBX, softphone, name server, database and identity provider.
//!
//! Scenarios stop at gates ([`sipp::Sipp::open_gate`]), so no test depends on how fast the machine is. The times that
//! stand here are guards against hanging, nothing else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a failure is the message

pub mod asterisk;
pub mod audio;
pub mod baresip;
pub mod call;
pub mod certificates;
pub mod chromium;
pub mod demo;
pub mod dns;
pub mod identity;
pub mod net;
pub mod netns;
pub mod postgresql;
pub mod process;
pub mod rtp;
pub mod schema;
pub mod sidetone;
pub mod sip;
pub mod sipp;
pub mod stream;
pub mod trace;
pub mod transparency;

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long anything may take before it counts as hung. Everything here takes well under a second on an idle machine,
/// and far more on a busy one.
pub const GUARD: Duration = Duration::from_secs(60);

/// The root of the repository.
#[must_use]
pub fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// When there is none within [`GUARD`].
pub fn until<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    until_within(GUARD, what, ask)
}

/// Asks as [`until`] does, with a guard of its own.
///
/// # Panics
/// When there is no answer in time.
pub fn until_within<T>(guard: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < guard, "waited {guard:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
