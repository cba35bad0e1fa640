//! The data of each kind of event.

use std::time::Duration;

use super::signalling::Signalling;
use serde::{Deserialize, Serialize};
use sidetone_call::{Cause, Labels, Leg, Suite, Untappable};
use sidetone_consent::{Policy, Source, State};
use sidetone_insight::cues::{CueCleared, CueJudged, CueShown, CueTold, CueWithheld};
use sidetone_insight::{AffectUpdate, Alert, Conduct, Insight, Summary, WordsFinal, WordsTopic, millis};

use super::kind::kinds;

kinds! {
    /// An INVITE was let in.
    CallStarted(CallStarted) = "call.started",
    /// Its labels have changed: queue, agent, team, tier, call type, language.
    CallLabelled(Labels) = "call.labelled",
    /// It was answered.
    CallAnswered(CallAnswered) = "call.answered",
    /// One party put the other on hold.
    CallHeld(CallHeld) = "call.held",
    /// It took the other off hold.
    CallResumed(CallResumed) = "call.resumed",
    /// A stream can't be listened to.
    CallUntappable(CallUntappable) = "call.untappable",
    /// How a leg's media is protected, where that ends at Sidetone.
    CallSecured(CallSecured) = "call.secured",
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
    /// A cue is shown to the agent.
    CueShown(CueShown) = "cue.shown",
    /// A cue would have been shown, in a call whose cues are withheld.
    CueWithheld(CueWithheld) = "cue.withheld",
    /// The agent has acknowledged a cue.
    CueAcknowledged(CueAcknowledged) = "cue.acknowledged",
    /// The agent has dismissed a cue.
    CueDismissed(CueDismissed) = "cue.dismissed",
    /// A cue is no longer shown.
    CueCleared(CueCleared) = "cue.cleared",
    /// What followed a cue.
    CueJudged(CueJudged) = "cue.judged",
    /// What a party has said, redacted.
    WordsFinal(WordsFinal) = "words.final",
    /// What the customer's words are about.
    WordsTopic(WordsTopic) = "words.topic",
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
            Insight::Cue(CueTold::Shown(cue)) => Self::CueShown(cue),
            Insight::Cue(CueTold::Withheld(cue)) => Self::CueWithheld(cue),
            Insight::Cue(CueTold::Cleared(cue)) => Self::CueCleared(cue),
            Insight::Cue(CueTold::Judged(cue)) => Self::CueJudged(cue),
            Insight::Words(words) => Self::WordsFinal(words),
            Insight::Topic(topic) => Self::WordsTopic(topic),
        }
    }
}

impl From<CallEnded> for Happening {
    fn from(data: CallEnded) -> Self {
        Self::CallEnded(Box::new(data))
    }
}

/// An INVITE was let in. Parties and trunk stand in the call reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallStarted {
    /// Whether the customer may be listened to from the beginning, since callers have been told before. If not, no
    /// affect event comes before a `consent.changed` to `given`.
    pub analysed: bool,
    /// How the SIP of the leg travels that the INVITE came from; `None` of calls that no SIP was seen of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signalling: Option<Signalling>,
}

/// The call was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallAnswered {
    /// From the INVITE to the answer.
    #[serde(rename = "waited_ms", with = "millis")]
    pub waited: Duration,
    /// How the SIP of the leg travels that the answer came from; `None` of calls that no SIP was seen of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signalling: Option<Signalling>,
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

/// How one leg's media is protected, where SRTP ends at Sidetone: told once its keys are in use, and when it changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CallSecured {
    /// Index of the m-line in the SDP, from 0 on.
    pub stream: u32,
    /// The leg.
    pub leg: Leg,
    /// Where its keys come from.
    pub security: MediaSecurity,
    /// The crypto suite of what it is sent; `None` without protection.
    pub suite: Option<Suite>,
    /// The fingerprint of the party's certificate, as its SDP states it; with `dtls` alone.
    pub fingerprint: Option<String>,
}

/// Where the keys of a leg come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaSecurity {
    /// It is plain RTP by now.
    None,
    /// SDP (RFC 4568).
    Sdes,
    /// A DTLS handshake (RFC 5764).
    Dtls,
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

/// The agent has acknowledged a cue: it was seen, and stays in view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CueAcknowledged {
    /// The rule's id.
    pub cue: String,
    /// The cue's number in its call.
    pub number: u32,
    /// How long after it was shown.
    #[serde(rename = "after_ms", with = "millis")]
    pub after: Duration,
}

/// The agent has dismissed a cue. That counts against nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CueDismissed {
    /// The rule's id.
    pub cue: String,
    /// The cue's number in its call.
    pub number: u32,
    /// How long it was shown.
    #[serde(rename = "shown_ms", with = "millis")]
    pub shown: Duration,
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
