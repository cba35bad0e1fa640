//! The data of each kind of event.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sidetone_call::{Cause, Leg, Untappable};
use sidetone_consent::{Policy, Source, State};
use sidetone_insight::{AffectUpdate, Alert, Conduct, Insight, Summary, millis};

use super::Kind;

/// The content of an event: in JSON `kind` names it and `data` holds its fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "data")]
#[allow(missing_docs)] // each is the struct of the same name
pub enum Happening {
    #[serde(rename = "call.started")]
    CallStarted(CallStarted),
    #[serde(rename = "call.answered")]
    CallAnswered(CallAnswered),
    #[serde(rename = "call.held")]
    CallHeld(CallHeld),
    #[serde(rename = "call.resumed")]
    CallResumed(CallResumed),
    #[serde(rename = "call.untappable")]
    CallUntappable(CallUntappable),
    #[serde(rename = "call.media")]
    CallMedia(CallMedia),
    #[serde(rename = "consent.changed")]
    ConsentChanged(ConsentChanged),
    #[serde(rename = "announcement")]
    Announcement(Announcement),
    #[serde(rename = "affect.update")]
    AffectUpdate(AffectUpdate),
    #[serde(rename = "affect.alert")]
    AffectAlert(Alert),
    #[serde(rename = "conduct")]
    Conduct(Conduct),
    #[serde(rename = "erased")]
    Erased(Erased),
    #[serde(rename = "call.ended")]
    CallEnded(Box<CallEnded>),
}

impl Happening {
    /// The kind of the event.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::CallStarted(_) => Kind::CallStarted,
            Self::CallAnswered(_) => Kind::CallAnswered,
            Self::CallHeld(_) => Kind::CallHeld,
            Self::CallResumed(_) => Kind::CallResumed,
            Self::CallUntappable(_) => Kind::CallUntappable,
            Self::CallMedia(_) => Kind::CallMedia,
            Self::ConsentChanged(_) => Kind::ConsentChanged,
            Self::Announcement(_) => Kind::Announcement,
            Self::AffectUpdate(_) => Kind::AffectUpdate,
            Self::AffectAlert(_) => Kind::AffectAlert,
            Self::Conduct(_) => Kind::Conduct,
            Self::Erased(_) => Kind::Erased,
            Self::CallEnded(_) => Kind::CallEnded,
        }
    }
}

impl From<Insight> for Happening {
    fn from(insight: Insight) -> Self {
        match insight {
            Insight::AffectUpdate(update) => Self::AffectUpdate(update),
            Insight::Alert(alert) => Self::AffectAlert(alert),
            Insight::Conduct(conduct) => Self::Conduct(conduct),
        }
    }
}

macro_rules! happens {
    ($($data:ident),*) => {
        $(impl From<$data> for Happening {
            fn from(data: $data) -> Self {
                Self::$data(data)
            }
        })*
    };
}
happens!(
    CallStarted,
    CallAnswered,
    CallHeld,
    CallResumed,
    CallUntappable,
    CallMedia,
    ConsentChanged,
    Announcement,
    Erased
);

impl From<CallEnded> for Happening {
    fn from(data: CallEnded) -> Self {
        Self::CallEnded(Box::new(data))
    }
}

/// An INVITE was let in. Parties and trunk stand in the call reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallStarted {
    /// Whether the customer may be listened to from the beginning, since callers have been told before. If not, no
    /// affect event comes before a `consent.changed` to `given`.
    pub analysed: bool,
}

/// The call was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallAnswered {
    /// From the INVITE to the answer.
    #[serde(rename = "waited_ms", with = "millis")]
    pub waited: Duration,
}

/// One party put the other on hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallHeld {
    /// The party that holds.
    pub by: Leg,
}

/// One party took the other off hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallResumed {
    /// The party that resumed.
    pub by: Leg,
    /// How long the hold lasted.
    #[serde(rename = "held_ms", with = "millis")]
    pub held: Duration,
}

/// A media stream can't be listened to, or can be again. It is still relayed, except for [`Untappable::NotRelayed`] and
/// some cases of [`Untappable::Unreadable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallUntappable {
    /// Index of the m-line in the SDP, from 0 on.
    pub stream: u32,
    /// Why the stream can't be listened to.
    pub reason: Untappable,
    /// The leg that can't be heard; `None` for both.
    pub leg: Option<Leg>,
    /// Whether that begins or is over.
    pub state: MediaState,
}

/// Media of one leg don't arrive as they should, or do so again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallMedia {
    /// The problem.
    pub problem: MediaProblem,
    /// Whether the problem begins or is over.
    pub state: MediaState,
    /// The silent or rejected leg; `None` if neither is heard.
    pub leg: Option<Leg>,
    /// How long the silence has lasted, or did last.
    #[serde(rename = "silent_ms", with = "millis")]
    pub silent: Duration,
}

/// A problem of a call's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MediaProblem {
    /// Packets come from one leg and not from the other.
    OneWay,
    /// Packets come from neither.
    Timeout,
    /// All packets of one leg come from addresses that `media.latching` does not permit: none is passed on.
    Rejected,
}

/// Whether a problem begins or is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MediaState {
    /// The problem begins.
    Lost,
    /// Packets come again.
    Restored,
    /// Only after a `timeout`: both parties were asked, and by their answers the call is still up; it goes on.
    Kept,
}

/// The permission to listen to the customer has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentChanged {
    /// The new state. Affect is inferred while it is `given`, and at no other time.
    pub state: State,
    /// The call's policy.
    pub policy: Policy,
    /// The source of the change.
    pub by: Source,
    /// All inferences about this call have been erased here; readers that keep events should erase theirs.
    pub erased: bool,
}

/// An announcement begins or is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// The phase of the announcement.
    pub phase: AnnouncementPhase,
    /// The party that hears it.
    pub toward: Leg,
    /// The announcement's name in the configuration.
    pub name: String,
    /// The announcement's language, an RFC 5646 tag.
    pub language: String,
    /// The length that has been played.
    #[serde(rename = "played_ms", with = "millis")]
    pub played: Duration,
}

/// The phase of an announcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnnouncementPhase {
    /// The first packet has been sent.
    Started,
    /// The last packet has been sent.
    Finished,
    /// The announcement was broken off: the call ended, or the customer objected.
    Interrupted,
    /// The announcement could not be played.
    Failed,
}

/// A placeholder for an erased inference about the customer. It never occurs live: it stands in the events file, and
/// reaches clients that catch up on missed events, so that the numbers of a call's events have no gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erased {}

/// The call is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallEnded {
    /// The cause of the end.
    pub cause: Cause,
    /// The party that ended the call; `None` if neither did.
    pub by: Option<Leg>,
    /// The final status that refused the call, 300 to 699; `None` for a call that was answered.
    pub sip_status: Option<u16>,
    /// The summary of the call; `None` for a call that was never answered, or if its analysis broke.
    pub summary: Option<Summary>,
    /// The quality of its media; `None` if there were none.
    pub media: Option<MediaQuality>,
}

/// The quality of a call's media as they reached Sidetone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaQuality {
    /// Media from the customer.
    pub customer: LegMedia,
    /// Media from the agent.
    pub agent: LegMedia,
}

/// The RTP of one leg (RFC 3550 appendix A).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegMedia {
    /// The codec in use last; `None` if no packet came.
    pub codec: Option<CodecName>,
    /// Packets that arrived.
    pub packets: u64,
    /// Packets that never arrived.
    pub lost: u64,
    /// Interarrival jitter at the end, in milliseconds.
    pub jitter_ms: f32,
    /// Packets that were not analysed, because analysis was behind. Forwarding is never affected.
    pub unheard: u64,
    /// Packets that were not passed on, since they came from an address that `media.latching` does not permit.
    pub rejected: u64,
}

/// A codec, as SDP names it. An enum instead of text: a peer's SDP must not put text into an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CodecName {
    /// G.711 µ-law.
    #[serde(rename = "PCMU")]
    Pcmu,
    /// G.711 A-law.
    #[serde(rename = "PCMA")]
    Pcma,
    /// G.722.
    #[serde(rename = "G722")]
    G722,
    /// Opus.
    #[serde(rename = "opus")]
    Opus,
    /// Linear PCM of 16 bits.
    #[serde(rename = "L16")]
    L16,
    /// One that Sidetone doesn't decode.
    #[serde(rename = "other")]
    Other,
}
