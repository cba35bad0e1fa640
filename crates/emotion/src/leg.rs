//! Which party of a call is heard, as types: only a customer's leg can reach the network.
//!
//! Inferring the emotions of people at work from their voice is prohibited in the European Union (Regulation
//! (EU) 2024/1689, Article 5(1)(f)). So an [`AgentLeg`] has no method that leads to a
//! [`Listener`](crate::listener::Listener), and neither type can be made but by stating the face that the audio
//! came in by. Conduct that infers no emotion ([`SpeechDetector`](crate::vad::SpeechDetector),
//! [`SyllableCounter`](crate::pace::SyllableCounter)) is open to both.
//!
//! ```compile_fail
//! use sidetone_emotion::{leg::{Facing, Leg}, listener::Listener, model::Model};
//! let Leg::Agent(agent) = Leg::facing(Facing::Pbx) else { unreachable!() };
//! let listener = Listener::new(agent, Model::embedded().unwrap()); // an agent is never listened to
//! ```
//!
//! ```compile_fail
//! let forged = sidetone_emotion::leg::CustomerLeg { _sealed: () }; // a customer is never made up
//! ```

/// The side of the proxy that the audio came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Facing {
    /// The carrier's side: the customer speaks there.
    Trunk,
    /// The PBX's side: the agent speaks there.
    Pbx,
}

/// The leg of a customer, who may be listened to once consent allows it.
#[derive(Debug, PartialEq, Eq)]
pub struct CustomerLeg {
    _sealed: (),
}

/// The leg of an agent, of whom only conduct is measured.
#[derive(Debug, PartialEq, Eq)]
pub struct AgentLeg {
    _sealed: (),
}

/// A leg of a call by the party that speaks on it.
#[derive(Debug, PartialEq, Eq)]
pub enum Leg {
    /// The customer's.
    Customer(CustomerLeg),
    /// The agent's.
    Agent(AgentLeg),
}

impl Leg {
    /// The leg that the audio coming in by `facing` belongs to. There is no other way to make one.
    pub fn facing(facing: Facing) -> Self {
        match facing {
            Facing::Trunk => Self::Customer(CustomerLeg { _sealed: () }),
            Facing::Pbx => Self::Agent(AgentLeg { _sealed: () }),
        }
    }
}
