//! From a customer's voice to how the customer feels: voice activity, features, the network, its training and its
//! evaluation. Knows nothing of calls, packets or PBXs.
//!
//! ```
//! use sidetone_consent::permit::{RecordingPermit, Stated};
//! use sidetone_emotion::{listener::{Listener, estimate_due}, mark::FrameMark, model::Model};
//!
//! let permit = RecordingPermit::new(Stated::Material);
//! let mut listener = Listener::new(permit, Model::embedded()?);
//! listener.push(&[0i16; 8000], FrameMark::Audio); // a second of silence
//! assert!(estimate_due(&mut [&mut listener]).is_empty());
//! # Ok::<(), sidetone_emotion::model::ModelError>(())
//! ```

#![forbid(unsafe_code)]

pub mod class;
pub mod corpus;
mod echo;
pub mod eval;
pub mod features;
pub mod frontend;
pub mod listener;
mod manner;
pub mod mark;
pub mod metrics;
pub mod model;
pub mod network;
mod norm;
pub mod pace;
pub mod rng;
mod score;
pub mod train;
pub mod vad;

pub use listener::{Listener, estimate_due};
pub use mark::FrameMark;
pub use model::Model;
pub use pace::SyllableCounter;
pub use vad::{SpeechDetector, SpeechSegment};
