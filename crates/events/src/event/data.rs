//! What each kind of event tells.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sidetone_call::{Cause, Leg, Untappable};
use sidetone_consent::{Policy, Source, State};
use sidetone_insight::{AffectUpdate, Alert, Conduct, Insight, Summary, millis};

use super::kind::kinds;

kinds! {
    /// An INVITE was let in.
    CallStarted(CallStarted) = "call.started",
    /// It was answered.
    CallAnswered(CallAnswered) = "call.answered",
    /// One party put the other on hold.
    CallHeld(CallHeld) = "call.held",
    /// It took the other off hold.
    CallResumed(CallResumed) = "call.resumed",
    /// A stream can't be listened to.
    CallUntappable(CallUntappable) = "call.untappable",
    /// Media don't arrive as they should, or do so again.
    CallMedia(CallMedia) = "call.media",
    /// Whether the customer may be listened to has changed.
    ConsentChanged(ConsentChanged) = "consent.changed",
    /// An announcement begins or is over.
    Announcement(Announcement) = "announcement",
    /// How the customer seems to feel.
    AffectUpdate(AffectUpdate) = "affect.update",
    /// The customer grows upset, or has calmed down.
    AffectAlert(Alert) = "affect.alert",
    /// How both parties talk.
    Conduct(Conduct) = "conduct",
    /// Something that was inferred stood here, and has been erased.
    Erased(Erased) = "erased",
    /// The call is over.
    CallEnded(Box<CallEnded>) = "call.ended",
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

impl From<CallEnded> for Happening {
    fn from(data: CallEnded) -> Self {
        Self::CallEnded(Box::new(data))
    }
}

/// An INVITE was let in. Who and where stands in the call reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallStarted {
    /// Whether the customer may be listened to from the beginning, since callers have been told before. If not,
    /// no affect event comes before a `consent.changed` to `given`.
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
    /// Who did.
    pub by: Leg,
}

/// One party took the other off hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallResumed {
    /// Who did.
    pub by: Leg,
    /// How long the hold lasted.
    #[serde(rename = "held_ms", with = "millis")]
    pub held: Duration,
}

/// A media stream can't be listened to, or can be again. It is relayed all the same, but for what is
/// [`Untappable::NotRelayed`] and some of what is [`Untappable::Unreadable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallUntappable {
    /// Index of the m-line in the SDP, from 0 on.
    pub stream: u32,
    /// Why not.
    pub reason: Untappable,
    /// Whose voice can't be heard; `None` if it is both.
    pub leg: Option<Leg>,
    /// Whether that begins or is over.
    pub state: MediaState,
}

/// Media of one leg don't arrive as they should, or do so again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallMedia {
    /// What is wrong.
    pub problem: MediaProblem,
    /// Whether it begins or is over.
    pub state: MediaState,
    /// The leg that nothing is heard from, or whose packets are rejected; `None` if neither is heard.
    pub leg: Option<Leg>,
    /// For how long nothing has been, or had been, heard.
    #[serde(rename = "silent_ms", with = "millis")]
    pub silent: Duration,
}

/// What is wrong with a call's media.
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
    /// It has been noticed.
    Lost,
    /// Packets come again.
    Restored,
    /// Of a `timeout`: both parties were asked, and the call is still up by their word; it goes on.
    Kept,
}

/// Whether the customer may be listened to has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsentChanged {
    /// Where the call stands now. Affect is inferred while it is `given`, and at no other time.
    pub state: State,
    /// The policy that the call is under.
    pub policy: Policy,
    /// Who brought it about.
    pub by: Source,
    /// What had been inferred in this call has been erased here; whoever keeps events should erase its own.
    pub erased: bool,
}

/// An announcement begins or is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Announcement {
    /// How far it is.
    pub phase: AnnouncementPhase,
    /// Who hears it.
    pub toward: Leg,
    /// Which one: its name in the configuration.
    pub name: String,
    /// Its language, an RFC 5646 tag.
    pub language: String,
    /// How much of it has been played.
    #[serde(rename = "played_ms", with = "millis")]
    pub played: Duration,
}

/// How far an announcement is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnnouncementPhase {
    /// Its first packet has been sent.
    Started,
    /// Its last packet has been sent.
    Finished,
    /// It was broken off: the call ended, or the customer objected.
    Interrupted,
    /// It could not be played.
    Failed,
}

/// Here stood something that was inferred of the customer, and has been erased. It is never told live: it stands in the
/// events file, and reaches those who ask late for what they missed, so that the numbers of a call's events have no
/// gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erased {}

/// The call is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallEnded {
    /// How it ended.
    pub cause: Cause,
    /// Who ended it; `None` if it was neither party.
    pub by: Option<Leg>,
    /// The final status that refused it, 300 to 699; `None` for a call that was answered.
    pub sip_status: Option<u16>,
    /// The call in one page; `None` for a call that was never answered, or if its analysis broke.
    pub summary: Option<Summary>,
    /// What its media were like; `None` if there were none.
    pub media: Option<MediaQuality>,
}

/// What a call's media were like as they reached Sidetone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaQuality {
    /// From the customer.
    pub customer: LegMedia,
    /// From the agent.
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
    /// Packets that never did.
    pub lost: u64,
    /// Interarrival jitter at the end, in milliseconds.
    pub jitter_ms: f32,
    /// Packets that were heard by nobody here, because analysis was behind. Forwarding is never affected.
    pub unheard: u64,
    /// Packets that were not passed on, since they came from an address that `media.latching` does not permit.
    pub rejected: u64,
}

macro_rules! codec_names {
    ($($(#[$doc:meta])* $codec:ident = $name:literal,)*) => {
        /// A codec, as SDP names it. Not text: what a peer writes into its SDP doesn't get into an event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum CodecName {
            $($(#[$doc])* #[serde(rename = $name)] $codec,)*
        }

        impl CodecName {
            /// Every name.
            pub const ALL: &[Self] = &[$(Self::$codec),*];

            /// Its name in SDP and in events.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$codec => $name),* }
            }
        }
    };
}

codec_names! {
    /// G.711 µ-law.
    Pcmu = "PCMU",
    /// G.711 A-law.
    Pcma = "PCMA",
    /// G.722.
    G722 = "G722",
    /// Opus.
    Opus = "opus",
    /// Linear PCM of 16 bits.
    L16 = "L16",
    /// One that Sidetone doesn't decode.
    Other = "other",
}

impl CodecName {
    /// The codec that an `a=rtpmap` line calls so, in either case.
    #[must_use]
    pub fn of(encoding: &str) -> Self {
        let found = Self::ALL.iter().find(|codec| codec.name().eq_ignore_ascii_case(encoding));
        found.copied().unwrap_or(Self::Other)
    }
}
