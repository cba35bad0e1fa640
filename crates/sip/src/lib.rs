//! Sans-IO SIP for a proxy that leaves no fingerprints.
//!
//! Bytes and the time go in; bytes, timers and facts come out. Nothing here opens a socket, asks a
//! clock or touches media, so a whole call with loss and retransmission is a deterministic test.
//!
//! | module | subject |
//! | --- | --- |
//! | [`message`] | a byte-preserving view of one message, and edits that touch only what they name |
//! | [`uri`], [`via`], [`name_addr`], [`cseq`], [`params`], [`host`], [`list`] | header values, parsed on demand |
//! | [`framing`] | messages out of a TCP or TLS stream |
//! | [`websocket`] | the opening handshake of SIP over WebSocket |
//! | [`transaction`] | RFC 3261 §17 with RFC 6026 |
//! | [`proxy`] | the stateful, record-routing core of RFC 3261 §16 |
//! | [`sdp`] | session descriptions by line, addresses and ports edited in place |
//! | [`anchor`] | offer/answer by call; brings the media through us |
//! | [`notification`] | INFO and NOTIFY of our own, for the PBX alone |
#![forbid(unsafe_code)]

pub mod anchor;
pub mod cseq;
pub mod framing;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
pub mod host;
pub mod list;
pub mod message;
pub mod name_addr;
pub mod notification;
pub mod params;
pub mod proxy;
mod scan;
pub mod sdp;
pub mod transaction;
mod transport;
pub mod uri;
pub mod via;
pub mod websocket;

pub use message::{Edit, Header, Message, Method, Name, ParseError, StartLine};
pub use transport::{Flow, Transport};
