//! The terms of consent, for configuration, events, receipts and PBXs alike.

use std::fmt;

use serde::{Deserialize, Serialize};

use sidetone_call::Label;

use crate::language::is_language;

/// How the callers of a call are told, and the meaning of their silence.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// Callers are not told: the call is carried, never analysed.
    #[default]
    #[serde(alias = "none")]
    Never,
    /// The operator states that every caller has heard the announcement before the call gets here.
    GivenUpstream,
    /// Sidetone announces; a customer who does not object is listened to.
    Notice,
    /// Sidetone announces; only a customer who agrees is listened to.
    OptIn,
    /// The PBX announces, and says so.
    AnnounceElsewhere,
}

/// The consent state of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// The customer has not been told yet.
    Pending,
    /// The announcement is playing.
    Announcing,
    /// The customer was told, and asked to agree.
    Asked,
    /// The customer may be listened to.
    Given,
    /// The customer did not agree.
    Declined,
    /// The customer objected. Final.
    OptedOut,
    /// Policy, tier or list forbids analysis. Final.
    Excluded,
    /// The customer could not be told.
    Failed,
}

/// The source of a statement about a call. As text one word, see [`name`](Self::name).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "std::borrow::Cow<'_, str>")]
pub enum Source {
    /// The configured policy.
    Policy,
    /// The list of numbers that are never analysed.
    List,
    /// The customer, by a key.
    Digit(Medium),
    /// A SIP header of the carrier's.
    TrunkHeader,
    /// A SIP header of the PBX's.
    PbxHeader,
    /// Asterisk's manager interface.
    Ami,
    /// Asterisk's REST interface.
    Ari,
    /// FreeSWITCH's event socket.
    Esl,
    /// The HTTP interface.
    Api,
    /// The command line.
    Cli,
}

impl Source {
    /// Every source.
    pub const ALL: [Self; 12] = [
        Self::Policy,
        Self::List,
        Self::Digit(Medium::TelephoneEvent),
        Self::Digit(Medium::InBand),
        Self::Digit(Medium::Info),
        Self::TrunkHeader,
        Self::PbxHeader,
        Self::Ami,
        Self::Ari,
        Self::Esl,
        Self::Api,
        Self::Cli,
    ];

    /// The source's word in events and receipts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::List => "list",
            Self::Digit(Medium::TelephoneEvent) => "digit",
            Self::Digit(Medium::InBand) => "digit-in-band",
            Self::Digit(Medium::Info) => "digit-info",
            Self::TrunkHeader => "trunk-header",
            Self::PbxHeader => "pbx-header",
            Self::Ami => "ami",
            Self::Ari => "ari",
            Self::Esl => "esl",
            Self::Api => "api",
            Self::Cli => "cli",
        }
    }
}

impl From<Source> for &'static str {
    fn from(source: Source) -> Self {
        source.name()
    }
}

/// A word that names no source of consent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no source of consent")]
pub struct UnknownSource(String);

impl TryFrom<std::borrow::Cow<'_, str>> for Source {
    type Error = UnknownSource;

    fn try_from(name: std::borrow::Cow<'_, str>) -> Result<Self, UnknownSource> {
        let found = Self::ALL.into_iter().find(|source| source.name() == name);
        found.ok_or_else(|| UnknownSource(name.into_owned()))
    }
}

/// The way in which a key press was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Medium {
    /// Telephone-event (RFC 4733).
    TelephoneEvent,
    /// The tones themselves.
    InBand,
    /// SIP INFO.
    Info,
}

/// A statement on a call's consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Say {
    /// The announcement has been played.
    Announced,
    /// The customer agrees.
    Granted,
    /// The customer does not agree.
    Refused,
}

/// The kind of party on a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// A person.
    Human,
    /// A voice bot or an IVR.
    Bot,
}

/// A statement about a call, from a PBX, a header or the API.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Telling {
    /// Consent.
    Consent(Say),
    /// Whether to analyse from now on. `true` never overrides a refusal.
    Analysis(bool),
    /// The queue that the call is in.
    Queue(String),
    /// The agent who has the call.
    Agent(String),
    /// The agent's team.
    Team(String),
    /// The call's subject, in the operator's words.
    CallType(String),
    /// The call's empathy tier.
    Tier(String),
    /// Language of the announcement, as an RFC 5646 tag.
    Language(String),
    /// The kind of party on the PBX's side.
    Party(Party),
    /// Whether the party on the trunk's side is a customer. `false` is final.
    Customer(bool),
}

impl Telling {
    /// The longest text that is accepted, in characters.
    pub const LONGEST: usize = Label::LONGEST;

    /// Parses a name and a value as headers (`X-Sidetone-Queue: billing`), channel variables and the API give them; the
    /// name without its prefix, `queue`, `call-type` or `CALL_TYPE` alike.
    ///
    /// # Errors
    /// The problem, with the valid values.
    pub fn parse(name: &str, value: &str) -> Result<Self, UnknownTelling> {
        let name = name.trim().to_ascii_lowercase().replace('_', "-");
        let value = value.trim();
        let word = value.to_ascii_lowercase();
        let unknown = |expected| UnknownTelling { name: name.clone(), expected };
        Ok(match name.as_str() {
            "consent" => Self::Consent(match word.as_str() {
                "announced" => Say::Announced,
                "granted" | "given" | "yes" => Say::Granted,
                "refused" | "opt-out" | "no" => Say::Refused,
                _ => return Err(unknown("announced, granted or refused")),
            }),
            "analysis" => Self::Analysis(match word.as_str() {
                "start" | "on" | "yes" => true,
                "stop" | "off" | "no" => false,
                _ => return Err(unknown("start or stop")),
            }),
            "party" => Self::Party(match word.as_str() {
                "human" | "agent" | "person" => Party::Human,
                "bot" | "ivr" => Party::Bot,
                _ => return Err(unknown("human or bot")),
            }),
            "customer" => Self::Customer(match word.as_str() {
                "yes" | "true" | "on" => true,
                "no" | "false" | "off" => false,
                _ => return Err(unknown("yes or no")),
            }),
            "queue" => Self::Queue(text(value).ok_or_else(|| unknown(TEXT))?),
            "agent" => Self::Agent(text(value).ok_or_else(|| unknown(TEXT))?),
            "team" => Self::Team(text(value).ok_or_else(|| unknown(TEXT))?),
            "call-type" => Self::CallType(text(value).ok_or_else(|| unknown(TEXT))?),
            "tier" => Self::Tier(text(value).ok_or_else(|| unknown(TEXT))?),
            "language" => {
                Self::Language(tag(value).ok_or_else(|| unknown("a language tag, as en or pt-BR"))?)
            }
            _ => {
                return Err(unknown(
                    "one of consent, analysis, queue, agent, team, call-type, tier, language, party, customer",
                ));
            }
        })
    }
}

/// The expected form of a text.
const TEXT: &str = "1 to 64 printable characters";

/// A text, unchanged, if it can be a label.
fn text(value: &str) -> Option<String> {
    value.parse::<Label>().is_ok().then(|| value.to_owned())
}

/// A language tag (RFC 5646 §2.1).
fn tag(value: &str) -> Option<String> {
    (value.len() <= LONGEST_TAG && is_language(value)).then(|| value.to_owned())
}

/// The longest language tag that is accepted (RFC 5646 §4.4.1).
const LONGEST_TAG: usize = 35;

/// A statement without a meaning. The value is not repeated: it may hold a number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` should be {expected}")]
pub struct UnknownTelling {
    name: String,
    expected: &'static str,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pending => "pending",
            Self::Announcing => "announcing",
            Self::Asked => "asked",
            Self::Given => "given",
            Self::Declined => "declined",
            Self::OptedOut => "opted-out",
            Self::Excluded => "excluded",
            Self::Failed => "failed",
        })
    }
}
