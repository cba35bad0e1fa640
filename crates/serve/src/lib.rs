//! The interfaces of a running Sidetone for operators, dashboards and event readers: HTTP, the control socket, metrics.
//!
//! Counters and the list of calls are read from [`Snapshot`]s, which one gatherer takes for all readers at once: no
//! number of readers takes the call path's locks more often than the gatherer does. Requests that change something or
//! concern one call go to the call book itself.
#![forbid(unsafe_code)]

mod alarms;
pub mod config;
pub mod control;
pub mod http;
mod metrics;
pub mod practice;
mod snapshot;
pub mod stats;

pub use snapshot::Snapshot;
pub use stats::{LanguageStats, Stats};
