//! SRTP and SRTCP (RFC 3711, RFC 6188, RFC 7714), without sockets or clocks.
//!
//! [`Inbound`] unprotects what a party sends, [`Outbound`] protects what it is sent. Both work in place on a buffer with
//! room for the tag, allocate nothing for a packet, and hold what RFC 3711 calls a cryptographic context for each SSRC:
//! roll-over counter, highest sequence number, replay window.
//!
//! | module | subject |
//! | --- | --- |
//! | [`inbound`] | packets from a party: authenticated, checked for replay, decrypted |
//! | [`outbound`] | packets to a party: numbered, encrypted, tagged |
//! | `derive` | session keys from the master key (RFC 3711 §4.3) |
//! | `counter_mode` | AES in counter mode (RFC 3711 §4.1.1) |
//! | `transform` | the ciphers and tags of the suites |
//! | `index` | packet indices and replay windows (RFC 3711 §3.3) |
//!
//! Why this is our own, and not `rtc-srtp`: that allocates for each packet, checks no replays unless asked to, and
//! hides its roll-over counters, which a restart has to carry over. AES and HMAC-SHA1 come from RustCrypto (ring has no
//! counter mode, and its SHA-1 takes five times as long), GCM from ring; no cipher here is our own. The test
//! `against_libsrtp` holds it against libsrtp, `vectors` against the RFCs' own figures.
#![forbid(unsafe_code)]

mod counter_mode;
mod derive;
mod fault;
#[cfg(feature = "fuzz")]
pub mod fuzz;

pub mod inbound;
mod index;
pub mod outbound;
mod packet;
mod transform;

pub use fault::Fault;
pub use inbound::Inbound;
pub use index::Reached;
pub use outbound::Outbound;

/// Room that protecting may need behind a packet: the longest tag, and SRTCP's index.
pub const MOST_TRAILER: usize = 16 + 4;
