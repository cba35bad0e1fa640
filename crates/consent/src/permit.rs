//! Permission to listen, as a value that can't be forged.
//!
//! Inferring the emotions of people at work from their voice is prohibited in the European Union (Regulation (EU)
//! 2024/1689, Article 5(1)(f)), and nothing may be inferred of customers before they are told. So the network's
//! listener (`sidetone_emotion::Listener`) takes a permit and uses it up, and there are two kinds:
//!
//! - [`ListeningPermit`], for the customer's side of one live call. Only that call's [`Machine`](crate::Machine) gives
//!   it, and only while its consent stands. It can't be built, copied, or carried over to another call.
//! - [`RecordingPermit`], for material that is no live call. Its maker states how the speaker is known. Live calls
//!   don't take it.
//!
//! A permit says that a customer may be heard. It can't know whose sound is then pushed in: `sidetone_hear` and its
//! tests ensure that only packets of the trunk's side reach the listener.
//!
//! ```
//! use sidetone_consent::{Input, Machine, Policy, policy::{Facts, Settings}};
//! use std::time::Duration;
//!
//! let settings = Settings::default();
//! let facts = Facts { trunk_policy: Policy::GivenUpstream, ..Facts::default() };
//! let terms = settings.terms(&settings.decide(&facts), false);
//! let mut machine = Machine::new(terms, Duration::ZERO).of_call(7);
//! assert!(machine.permit().is_none());
//! machine.input(Duration::ZERO, Input::Answered);
//! let permit = machine.permit().unwrap();
//! assert_eq!(permit.call(), 7);
//! ```
//!
//! A permit can't be forged:
//!
//! ```compile_fail,E0451
//! let forged = sidetone_consent::ListeningPermit { call: 7 };
//! ```
//!
//! ```compile_fail,E0624
//! let forged = sidetone_consent::ListeningPermit::new(7);
//! ```
//!
//! One permit is one listener:
//!
//! ```compile_fail,E0599
//! fn twice(permit: sidetone_consent::ListeningPermit) -> [sidetone_consent::ListeningPermit; 2] {
//!     [permit.clone(), permit]
//! }
//! ```
//!
//! No other crate can add a third kind:
//!
//! ```compile_fail,E0277
//! struct Mine;
//! impl sidetone_consent::permit::Permission for Mine {}
//! ```

/// The permission to listen to the customer's side of one live call.
#[derive(Debug, PartialEq, Eq)]
pub struct ListeningPermit {
    call: u64,
}

impl ListeningPermit {
    pub(crate) const fn new(call: u64) -> Self {
        Self { call }
    }

    /// The permit's call.
    #[must_use]
    pub const fn call(&self) -> u64 {
        self.call
    }
}

/// How the speaker of a recording is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stated {
    /// The operator has named the customer, or the call's signalling, recorded with it, does.
    Customer,
    /// The material was made or collected for training, measuring or testing.
    Material,
}

/// The permission to listen to a recording.
#[derive(Debug, PartialEq, Eq)]
pub struct RecordingPermit {
    stated: Stated,
}

impl RecordingPermit {
    /// A permit for a recording with this statement.
    #[must_use]
    pub const fn new(stated: Stated) -> Self {
        Self { stated }
    }

    /// How the recording's speaker is known.
    #[must_use]
    pub const fn stated(&self) -> Stated {
        self.stated
    }
}

/// A permit of either kind.
pub trait Permission: sealed::Sealed {}

impl Permission for ListeningPermit {}
impl Permission for RecordingPermit {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ListeningPermit {}
    impl Sealed for super::RecordingPermit {}
}
