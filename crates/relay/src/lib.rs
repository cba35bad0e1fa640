//! The media plane: ports, relay threads, and the control side that the SIP core speaks to.
//!
//! ```text
//!  SIP core --MediaPlane--> Engine --Command--> relay thread --forward--> peer
//!                             ^                      | copy
//!                             '------- Notice -------'---> tap ring --> analysis worker
//! ```
//!
//! The relay thread plays announcements itself: its packets are ready before it begins, so that sending one is a copy
//! and a header. Its clock is a timer beside the sockets.
//!
//! A relay thread owns its sockets and streams outright. It takes no lock, allocates nothing for a packet, logs nothing
//! and never waits; it reports once a second, and when a call closes.

mod aim;
pub mod config;
mod engine;
mod frame;
mod handshakes;
mod heed;
mod kept;
mod link;
mod ports;
mod prompter;
mod protection;
mod relay;
mod report;
mod shaking;
mod stock;
mod thread;
mod timer;
mod voiceover;

pub use engine::{Announcer, Engine, PlanChange};
pub use handshakes::HandshakeTotals;
pub use heed::Heed;
pub use kept::{Halted, StreamKept};
pub use ports::PortPool;
pub use prompter::{Failed, Job, Prompter, formats};
pub use report::{EndReport, Notice, RelayTotals, StreamReport};
pub use voiceover::{PlayId, Playing};
