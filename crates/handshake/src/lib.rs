//! DTLS-SRTP handshakes and ICE-lite, without sockets or clocks.
//!
//! A [`Handshake`] is told datagrams, addresses and the time, and gives datagrams, the time at which it wants to be
//! woken, and at its end the [`Keys`] of an SRTP stream. [`IceLite`] is told STUN datagrams and answers them; which of
//! a peer's addresses it has nominated comes out as a [`Fact`].
//!
//! | module | subject | source |
//! | --- | --- | --- |
//! | [`dtls`] | a session, from the first datagram to the keys | RFC 6347, RFC 9147, RFC 5764 |
//! | `cookie` | no state for an address that nothing speaks for | RFC 6347 §4.2.1 |
//! | [`identity`] | our certificate | RFC 5763 §5 |
//! | [`fingerprint`] | which certificate the peer's SDP promises | RFC 8122 §5 |
//! | [`keys`] | master keys and salts of both directions | RFC 5764 §4.2 |
//! | [`ice`] | the lite agent: credentials, checks, nomination, consent | RFC 8445, RFC 7675 |
//! | [`stun`] | Binding requests, and answers to them | RFC 8489 |
//! | `provider`, `x509` | cryptography of `ring` for the engine below | |
//!
//! Which datagram is of which protocol `sidetone_rtp::classify` says (RFC 7983).
//!
//! # The engine below
//!
//! `dimpl` 0.9, the DTLS of str0m, behind the trait. Read and built beside it was `rtc-dtls` 0.21, of webrtc-rs. That
//! one makes a key pair before a client's cookie is checked, keeps the cookie in the session, ends the session at a
//! wrong one, and lets a peer fill two megabytes of fragments, which a recursion as deep as their number then puts
//! together; it brings second versions of thirteen crates, and takes 73 s of a processor to compile with all that it
//! stands on, `dimpl` 12 s. `dimpl` has bounds where those faults were, an engine for DTLS 1.3, and cryptography by
//! traits, so that it stands on `ring`, which is below rustls already: two new crates, itself and nom 8. One fault was
//! found by trying: it panics at a certificate that is longer than the buffer it is given, so it is given one for the
//! longest that can come in. What it does not do:
//!
//! - RSA certificates of servers: who has one must begin the handshake, as everyone does who is left the choice.
//!   Clients with one (FreeSWITCH's own is RSA, and that of baresip 1.0) are taken by two changes of the engine, which
//!   stand in `third_party/dimpl`.
//! - `SRTP_AES128_CM_HMAC_SHA1_32`. Who offers it offers `_80` too.
//! - Peers without the extended master secret (RFC 7627), so none with OpenSSL before 1.1.0.
//! - An order of the SRTP profiles of our choosing: AES-256-GCM, AES-128-GCM, AES-CM.
//!
//! # Bounds
//!
//! A session holds one engine: 30 datagrams received out of order, 10 to be sent, and 32 that wait to be taken here.
//! Datagrams over 2 KiB are dropped. There is no list of sessions in this crate: whoever holds them bounds their
//! number.
#![forbid(unsafe_code)]

mod cookie;
pub mod dtls;
pub mod fingerprint;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
pub mod ice;
pub mod identity;
pub mod keys;
mod provider;
pub mod stun;
mod x509;

pub use dtls::{Counts, Dtls, Failure, Handshake, Output, Settings, SettingsError, Trust};
pub use fingerprint::{Fingerprint, FingerprintError, Fingerprints};
pub use ice::{Credentials, Fact, IceLite};
pub use identity::{Identity, IdentityError};
pub use keys::{Keys, Master, Profile, Role};
