//! What a party has said: an utterance that was recognised, redacted, and read for what it tells.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Estimate;

/// One utterance of a customer, from one pause to the next. Nothing in it tells who speaks or gives a number, an
/// address or a name: redaction comes before it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Utterance {
    /// Its number in the call, from 1, counted for each party.
    pub number: u32,
    /// When in the call it began.
    pub from: Duration,
    /// When in the call it ended.
    pub to: Duration,
    /// The words, redacted: what is taken out stands as `[card]`, `[phone]` and so on.
    pub text: String,
    /// The language that was recognised, as in BCP 47: `en`.
    pub language: String,
    /// The recogniser's confidence in the words, `[0, 1]`.
    pub confidence: f32,
    /// What the words tell.
    pub told: Told,
}

/// One utterance of an agent. Of how they feel there is nothing in it, and no way to put it in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AgentUtterance {
    /// Its number in the call, from 1, counted for each party.
    pub number: u32,
    /// When in the call it began.
    pub from: Duration,
    /// When in the call it ended.
    pub to: Duration,
    /// The words, redacted.
    pub text: String,
    /// The language that was recognised, as in BCP 47: `en`.
    pub language: String,
    /// The recogniser's confidence in the words, `[0, 1]`.
    pub confidence: f32,
    /// What the words do, each once.
    pub acts: Vec<Act>,
}

/// Something that agents are coached to do, or not to forget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Good morning; how can I help you?
    Greeting,
    /// Shows that the trouble was understood: I understand; I'm sorry you are experiencing this.
    Acknowledgement,
    /// I'm sorry; we apologise.
    Apology,
    /// Says plainly what will be done and by when: I will call you back by Friday.
    Promise,
    /// Is there anything else?
    ClosingQuestion,
}

impl Act {
    /// Every act.
    pub const ALL: [Self; 5] =
        [Self::Greeting, Self::Acknowledgement, Self::Apology, Self::Promise, Self::ClosingQuestion];

    /// The name in events.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Acknowledgement => "acknowledgement",
            Self::Apology => "apology",
            Self::Promise => "promise",
            Self::ClosingQuestion => "closing_question",
        }
    }
}

/// What a text tells of its writer or speaker.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Told {
    /// How the person feels by the words, on the voice's scale; [`Modality::Words`](crate::Modality::Words).
    pub affect: Estimate,
    /// What the text is about, likeliest first, of those that passed their thresholds.
    pub topics: Vec<Mention>,
    /// How soon something has to happen, `[0, 1]`.
    pub urgency: f32,
    /// Dissatisfied to satisfied with the service, `[-1, 1]`.
    pub satisfaction: f32,
}

/// A topic that a text names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mention {
    /// The topic.
    pub topic: Topic,
    /// Calibrated probability, `[0, 1]`.
    pub probability: f32,
    /// The phrase that carries it, as it stands in the redacted text.
    pub phrase: String,
}

/// Something that only words tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Wants to end the contract, subscription or account.
    Cancel,
    /// Wants money back, or disputes a charge.
    Refund,
    /// Complains of the service or the product.
    Complaint,
    /// Threatens with a lawyer, a court, a regulator or the press.
    Legal,
    /// Asks for a supervisor, or for a person in place of a machine.
    Supervisor,
    /// Has called about this before.
    RepeatContact,
    /// Needs it soon.
    Urgent,
    /// Somebody has died.
    Bereavement,
    /// Illness, lost work, no money, danger: a person who needs care.
    Hardship,
    /// Thanks, or is relieved.
    Thanks,
}

impl Topic {
    /// Every topic, in the order of the classifier's outputs.
    pub const ALL: [Self; 10] = [
        Self::Cancel,
        Self::Refund,
        Self::Complaint,
        Self::Legal,
        Self::Supervisor,
        Self::RepeatContact,
        Self::Urgent,
        Self::Bereavement,
        Self::Hardship,
        Self::Thanks,
    ];

    /// The name in events, configuration and the PBX's variables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Refund => "refund",
            Self::Complaint => "complaint",
            Self::Legal => "legal",
            Self::Supervisor => "supervisor",
            Self::RepeatContact => "repeat_contact",
            Self::Urgent => "urgent",
            Self::Bereavement => "bereavement",
            Self::Hardship => "hardship",
            Self::Thanks => "thanks",
        }
    }
}
