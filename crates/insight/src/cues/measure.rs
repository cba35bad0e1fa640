//! What conditions of cues can be about.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The scale that a measure is on: how it is written in a rule, and shown in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// A plain number.
    Plain,
    /// `[0, 1]`, written `0.7` or `70 %`.
    Share,
    /// A time, written `25s`.
    Time,
}

macro_rules! measures {
    ($($(#[doc = $doc:literal])* $measure:ident = $name:literal, $scale:ident, $from:literal to $to:literal;)*) => {
        /// A measured property of a call at one moment.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Measure {
            $($(#[doc = $doc])* #[serde(rename = $name)] $measure,)*
        }

        impl Measure {
            /// Every measure.
            pub const ALL: &[Self] = &[$(Self::$measure),*];

            /// Its name in rules and events.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$measure => $name),* }
            }

            /// Its scale.
            #[must_use]
            pub const fn scale(self) -> Scale {
                match self { $(Self::$measure => Scale::$scale),* }
            }

            /// The least and the greatest value that a rule may compare it with; times in seconds.
            #[must_use]
            pub const fn range(self) -> (f32, f32) {
                match self { $(Self::$measure => ($from, $to)),* }
            }

            /// What it is, for people who write rules.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$measure => concat!($($doc),*).trim_start()),* }
            }
        }
    };
}

measures! {
    /// The customer's distress as last told, at most ten seconds ago.
    Distress = "distress", Share, 0.0 to 1.0;
    /// The customer's valence as last told: unpleasant to pleasant.
    Valence = "valence", Plain, -1.0 to 1.0;
    /// The customer's arousal as last told: quiet to agitated.
    Arousal = "arousal", Plain, -1.0 to 1.0;
    /// The customer's distress above that of their own first seconds.
    DistressRise = "distress_rise", Plain, -1.0 to 1.0;
    /// The customer's arousal above that of their own first seconds.
    ArousalRise = "arousal_rise", Plain, -2.0 to 2.0;
    /// Time since an alert rose that is still up.
    UpsetFor = "upset_for", Time, 0.0 to 3600.0;
    /// Time since the last alert calmed.
    CalmFor = "calm_for", Time, 0.0 to 3600.0;
    /// The agent's words a minute, over their last twenty seconds of speech.
    AgentPace = "agent_pace", Plain, 30.0 to 400.0;
    /// The customer's words a minute, over their last twenty seconds of speech.
    CustomerPace = "customer_pace", Plain, 30.0 to 400.0;
    /// The agent's share of all talk in the last minute.
    AgentShare = "agent_share", Share, 0.0 to 1.0;
    /// How long the agent has talked since the customer last had the floor.
    AgentTurn = "agent_turn", Time, 0.0 to 600.0;
    /// How long the customer has talked since the agent last had the floor.
    CustomerTurn = "customer_turn", Time, 0.0 to 600.0;
    /// How long nobody has talked, outside of hold.
    Silence = "silence", Time, 0.0 to 600.0;
    /// Times in the last minute that the agent began to talk while the customer did.
    Interruptions = "interruptions", Plain, 0.0 to 60.0;
    /// Times in the last minute that the customer began to talk while the agent did.
    Interrupted = "interrupted", Plain, 0.0 to 60.0;
    /// How long the customer has been on hold now.
    Hold = "hold", Time, 0.0 to 3600.0;
    /// Times that the call was put on hold.
    Holds = "holds", Plain, 0.0 to 100.0;
    /// Time on hold in all.
    HoldTotal = "hold_total", Time, 0.0 to 36000.0;
    /// How urgent the matter is by the customer's words of the last thirty seconds.
    Urgency = "urgency", Share, 0.0 to 1.0;
    /// How satisfied the customer is by their words of the last thirty seconds.
    Satisfaction = "satisfaction", Plain, -1.0 to 1.0;
    /// How long an alert has been up without a word of the agent that acknowledges it, where agents' words are
    /// recognised.
    Unacknowledged = "unacknowledged", Time, 0.0 to 3600.0;
    /// Time since the first word of the conversation.
    Call = "call", Time, 0.0 to 36000.0;
}

impl Measure {
    /// The measure of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|measure| measure.name() == name)
    }

    /// Whether it is of what the agent does, and so can show that a cue was followed.
    #[must_use]
    pub const fn is_conduct(self) -> bool {
        matches!(
            self,
            Self::AgentPace
                | Self::AgentShare
                | Self::AgentTurn
                | Self::Silence
                | Self::Interruptions
                | Self::Hold
        )
    }

    /// Whether it is inferred of the customer.
    #[must_use]
    pub const fn is_affect(self) -> bool {
        matches!(
            self,
            Self::Distress
                | Self::Valence
                | Self::Arousal
                | Self::DistressRise
                | Self::ArousalRise
                | Self::UpsetFor
                | Self::CalmFor
                | Self::Unacknowledged
                | Self::Urgency
                | Self::Satisfaction
        )
    }

    /// The value as people read it: `195`, `72 %`, `25 s`, `2:05`.
    #[must_use]
    pub fn shown(self, value: f32) -> String {
        let mut text = String::new();
        let written = match self.scale() {
            Scale::Share => write!(text, "{:.0} %", value * 100.0),
            Scale::Time if value >= 60.0 => {
                let whole = Duration::from_secs_f32(value.clamp(0.0, 1e6)).as_secs();
                write!(text, "{}:{:02}", whole / 60, whole % 60)
            }
            Scale::Time => write!(text, "{value:.0} s"),
            Scale::Plain if value.abs() < 2.5 && self.is_affect() => write!(text, "{value:.2}"),
            Scale::Plain => write!(text, "{value:.0}"),
        };
        // Writing into a string can't fail.
        let _ = written;
        text
    }
}

macro_rules! aspects {
    ($($(#[doc = $doc:literal])* $aspect:ident = $name:literal $([$($word:literal),*])?;)*) => {
        /// A property of a call that has a word rather than a number.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Aspect {
            $($(#[doc = $doc])* $aspect,)*
        }

        impl Aspect {
            /// Every aspect.
            pub const ALL: &[Self] = &[$(Self::$aspect),*];

            /// Its name in rules.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$aspect => $name),* }
            }

            /// The words that it may be; empty where the operator's PBX chooses them.
            #[must_use]
            pub const fn words(self) -> &'static [&'static str] {
                match self { $(Self::$aspect => &[$($($word),*)?]),* }
            }

            /// What it is, for people who write rules.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$aspect => concat!($($doc),*).trim_start()),* }
            }
        }
    };
}

aspects! {
    /// The customer's state as last told.
    State = "state" ["neutral", "positive", "negative", "frustrated", "distressed"];
    /// Where the customer's valence is going.
    Trend = "trend" ["improving", "steady", "worsening"];
    /// The alert that is up.
    Alert = "alert" ["none", "frustration", "distress"];
    /// Where the call is: its first twenty seconds of conversation, talk, on hold, the ten seconds after a hold.
    Phase = "phase" ["opening", "talk", "hold", "after-hold"];
    /// What the customer has named last, at most thirty seconds ago.
    Said = "said" ["nothing", "cancel", "refund", "complaint", "legal", "supervisor", "repeat_contact", "urgent", "bereavement", "hardship", "thanks"];
    /// The queue, as the PBX names it.
    Queue = "queue";
    /// The agent's team.
    Team = "team";
    /// The call's empathy tier.
    Tier = "tier";
    /// The call's subject, as the PBX names it.
    CallType = "call_type";
    /// The call's language.
    Language = "language";
}

impl Aspect {
    /// The aspect of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|aspect| aspect.name() == name)
    }

    /// Whether it is inferred of the customer.
    #[must_use]
    pub const fn is_affect(self) -> bool {
        matches!(self, Self::State | Self::Trend | Self::Alert | Self::Said)
    }
}
