//! Recordings read back: audio files, pcap and pcapng captures, and the calls inside a capture,
//! opened where they are protected and their keys are known.
//!
//! Pure readers over anything that implements [`std::io::Read`]: no clock, no threads. Every file is taken for
//! hostile: nothing in one makes a reader panic or hold more than its stated bounds.
#![forbid(unsafe_code)]

pub mod audio;
pub mod calls;
pub mod datagrams;
pub mod dtls;
pub mod pcap;
pub mod wav;

#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;

mod opening;

pub use opening::{Kind, Opened, open};
