//! What operators, dashboards and whoever listens get of a running Sidetone: HTTP, the control socket, metrics.
//!
//! Counters and the list of calls are read from [`Snapshot`]s, which the running server gathers for all who ask at
//! once: no number of readers takes the locks that calls are carried under more often than the gatherer does. What
//! changes something, and what is asked of one call, goes to the call book itself.
#![forbid(unsafe_code)]

pub mod config;
pub mod control;
pub mod http;
mod metrics;
mod snapshot;
pub mod stats;

pub use snapshot::Snapshot;
pub use stats::Stats;
