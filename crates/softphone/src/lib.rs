//! A small SIP phone with real RTP, for the demo, the tests and the benchmarks.
//!
//! It is no mock: it speaks SIP over UDP and TCP, IPv4 and IPv6, with retransmissions, dialogs and route
//! sets, and sends audio as RTP at its pace. Every packet that it sends or receives is kept, so that two
//! ends of a call can be compared byte by byte ([`MediaReport::byte_identical`]).
//!
//! ```
//! use sidetone_softphone::{Audio, CallOptions, Clip, MediaReport, Phone, PhoneConfig};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), sidetone_softphone::PhoneError> {
//! let caller = Phone::bind(PhoneConfig::default()).await?;
//! let callee = Phone::bind(PhoneConfig::default()).await?;
//! let target = callee.uri();
//! let answering = tokio::spawn(async move { callee.accept(CallOptions::default()).await });
//!
//! let audio = Audio::exactly(Clip::tone(8_000, 440.0, 1.0));
//! let call = caller.call(&target, CallOptions { audio, pace: 20.0, ..CallOptions::default() }).await?;
//! let answered = answering.await.unwrap()?;
//! call.played().await;
//! answered.received(50).await;
//! call.hangup().await?;
//!
//! let comparison = MediaReport::byte_identical(&call.report().sent, &answered.report().received);
//! assert!(comparison.is_identical());
//! # Ok(())
//! # }
//! ```
//!
//! | module | subject |
//! | --- | --- |
//! | `phone`, `outgoing`, `incoming`, `call` | the phone and its calls |
//! | `sip` | sockets, transactions, dialogs |
//! | `sdp`, `negotiation` | offer and answer |
//! | `media`, `audio`, `codec` | RTP and RTCP, what is said, and as what |
//! | `report` | what came through |
#![forbid(unsafe_code)]

mod acknowledging;
mod audio;
mod call;
mod codec;
mod error;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
mod incoming;
mod media;
mod media_ip;
mod negotiation;
mod options;
mod outgoing;
mod phone;
mod random;
mod report;
mod sdp;
mod sip;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use audio::{After, Audio, AudioError, Clip};
pub use call::{Call, EndedBy, Received};
pub use codec::{Codec, UnknownCodec};
pub use error::PhoneError;
pub use incoming::Incoming;
pub use media::Impairment;
pub use negotiation::MediaState;
pub use options::{CallOptions, Hold, PhoneConfig};
pub use outgoing::Dialing;
pub use phone::Phone;
pub use report::{Comparison, MediaReport, PacketDigest};
pub use sidetone_call::Direction;
pub use sidetone_sip::Transport;

/// A lock whose holder panicked is taken all the same: what it guards is consistent between statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
