//! The running proxy: sockets, media threads, taps, analysis workers, routing, health, metrics, control.
//!
//! [`Server::start`] puts everything together; ARCHITECTURE.md has the drawing.

// Modules are private but for five; `pub` inside them means "for the whole crate", and the list below is the face.
#![allow(unreachable_pub)]

mod alarm;
pub mod analysis;
mod calls;
pub mod config;
pub mod control;
mod disclosure;
mod http;
pub mod log_writer;
mod media;
mod metrics;
mod random;
mod routing;
mod server;
mod signalling;
mod stats;
mod tap;
mod trace;
pub mod words;

pub use calls::{CallCounters, CallView, LegView, Phase, StreamView};
pub use media::{EndReport, PortPool, StreamReport};
pub use routing::HostAddress;
pub use server::{Prepared, Reloaded, Server, StartError};
pub use stats::Stats;
