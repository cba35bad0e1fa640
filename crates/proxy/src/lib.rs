//! The running proxy: signalling, the call book, routing, health, metrics, control.
//!
//! [`Server::start`] puts everything together; ARCHITECTURE.md has the drawing.

// Modules are private but for four; `pub` inside them means "for the whole crate", and the list below is what other crates see.
#![allow(unreachable_pub)]

mod binding;
mod calls;
pub mod config;
pub mod control;
mod http;
pub mod log_writer;
mod metrics;
mod random;
mod routing;
mod server;
mod signalling;
mod stats;
mod trace;
pub mod words;

pub use calls::{CallCounters, CallView, LegView, Phase, StreamView};
pub use routing::HostAddress;
pub use server::{Prepared, Reloaded, Reread, Server, StartError};
pub use sidetone_relay::{EndReport, PortPool, StreamReport};
pub use stats::Stats;

/// The running build.
pub(crate) const BUILD: &str = concat!("sidetone ", env!("CARGO_PKG_VERSION"));
