//! The SIP proxy that forks RTP media: SIP sockets, transports, routing, admission, health, DNS. Its orders to the
//! relay go through `sidetone_sip::anchor`. ARCHITECTURE.md has the drawing.

// `pub` inside a private module means "for the whole crate".
#![allow(unreachable_pub)]

pub mod binding;
pub mod config;
pub mod random;
mod routing;
pub mod signalling;
pub mod tls;
pub mod trace;

pub use routing::HostAddress;
