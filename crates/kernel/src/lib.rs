//! Media that the kernel forwards: the RTP of settled streams never reaches the program, which is told of it
//! afterwards.
//!
//! ```text
//!  packet in --> TC ingress --> is it in `flows`? --no--> its socket, and the relay as ever
//!                                    | yes
//!                                    |--> record in `passed` --> the relay's statistics, and its tap if it copies
//!                                    '--> new addresses, numbers if shifted --> packet out
//! ```
//!
//! The program (`bpf/forward.c`) decides nothing. A [`Way`] names one local address, one source and one SSRC: that is
//! what the relay's latch has settled on. Whatever differs in anything (another source, another SSRC, a key press,
//! RTCP, STUN, a header with more than twelve bytes, a fragment) goes up to the socket, where the relay judges it by
//! the rules it always had. Of each packet that passed the relay gets a [`Passed`] with its header, and all of it where
//! the way is to be copied; it takes these through the very code that a packet from a socket goes through. So latches,
//! statistics, silence and splices know what they would have known.
//!
//! Nothing waits: a ring that is full costs records, never packets, and what is missing is counted ([`Count::untold`]).
//!
//! What it takes: Linux 6.6 (TCX), `CAP_BPF` and `CAP_NET_ADMIN`. What it passes by: netfilter's rules for incoming
//! packets, and captures at the sockets (`tcpdump` sees packets before it).

mod ipsec;
mod path;
mod pins;
mod route;
mod wire;

pub use path::{Path, Refused, Unavailable};
pub use pins::clear_pins;
pub use route::{Route, Routes};
pub use wire::{Count, Passed, Shift, Way, WayId};

/// The BPF program, compiled from `bpf/forward.c` by Debian 12's clang; a test compiles it again and compares.
const OBJECT: &[u8] = aya::include_bytes_aligned!("../bpf/forward.o");
