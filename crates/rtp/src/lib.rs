//! RTP and RTCP without sockets, clocks or codecs.
//!
//! Every function here is told the bytes and the time and answers with facts, so a whole media
//! stream with its losses, reorderings and attackers is a deterministic unit test. Time is a
//! [`Duration`](std::time::Duration) since an epoch that the caller chooses once for a stream.
//!
//! | module | subject | source |
//! | --- | --- | --- |
//! | [`classify`](mod@classify) | which protocol a datagram on a media port speaks | RFC 7983, RFC 5761 |
//! | [`header`] | reading, writing and rewriting an RTP header | RFC 3550 §5.1 |
//! | [`latch`] | whose media is let in, and where ours goes | RFC 4961, rule stated there |
//! | [`sequence`] | 16-bit sequence numbers extended to 64 bits | RFC 3550 A.1 |
//! | [`splice`] | announcements in a stream, without a seam | RFC 3550 §5.1, §6.4.1 |
//! | [`stats`] | packets, loss, jitter of a stream | RFC 3550 A.1, A.3, A.8 |
//! | [`one_way`] | one-way audio | |
//! | [`reorder`] | packets in order, with what is missing between them | |
//! | [`redundancy`] | redundant payloads | RFC 2198 |
//! | [`telephone_event`] | DTMF and other events, each told once | RFC 4733 |
//! | [`rtcp`] | compound packets, reports, round-trip time | RFC 3550 §6, A.2 |
//!
//! Every byte is taken to be hostile: nothing here panics on any input, and everything that
//! grows has a bound.
#![forbid(unsafe_code)]

pub mod classify;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
pub mod header;
pub mod latch;
pub mod one_way;
pub mod redundancy;
pub mod reorder;
pub mod rtcp;
pub mod sequence;
pub mod splice;
pub mod stats;
pub mod telephone_event;

pub use classify::{PacketKind, classify};
pub use header::{RtpError, RtpHeader, RtpMut, RtpView};
pub use latch::{Latch, Policy, Rejection, Verdict};
pub use reorder::{Played, Reorder};
pub use stats::{Snapshot, StreamStats};
