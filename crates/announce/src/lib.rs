//! Announcements: from an audio file to payloads that a relay sends into a call.
//!
//! | module | subject |
//! | --- | --- |
//! | [`config`] | the configuration of announcements |
//! | [`clip`] | a recording, resampled and made equally loud once |
//! | [`encoded`] | a clip in one codec at one packet length, shared by all calls that hear it |
//! | [`playback`] | one clip on its way into one stream, alone or mixed over speech |
//! | [`library`] | every clip by name and language, those that come with Sidetone among them |
//!
//! Playing to a call costs a copy of a payload for each packet; only an announcement that is mixed over speech is
//! decoded and encoded for that call alone.

#![forbid(unsafe_code)]

mod builtin;
pub mod clip;
pub mod config;
pub mod encoded;
pub mod library;
pub mod playback;

pub use clip::Clip;
pub use config::{Announcements, Hearer, Mode};
pub use encoded::Encoded;
pub use library::{Library, Subject};
pub use playback::{Frame, Playback, Voice};
