//! A call as the command line shows it.

use serde::Serialize;
use sidetone_call::{EndPlan, Labels, Protection, Security};
use sidetone_consent::{Party, Policy, State};
use sidetone_events::{CodecName, Direction, Signalling};
use sidetone_insight::cues::CueShown;
use sidetone_insight::{AffectUpdate, Alert, Conduct};

use sidetone_relay::EndReport;

use crate::transcript::WordsView;

/// A call's progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The INVITE has been seen.
    Calling,
    /// The other side rings.
    Ringing,
    /// Answered.
    Talking,
    /// Answered, and on hold.
    Held,
    /// Over; its summary is on its way.
    Ended,
}

/// One call. Numbers appear as their hashes.
#[derive(Debug, Clone, Serialize)]
pub struct CallView {
    /// Sidetone's id.
    pub id: String,
    /// SIP Call-ID, masked if it holds a number.
    pub sip_call_id: String,
    /// From the carrier or to it.
    pub direction: Direction,
    /// The trunk's name.
    pub trunk: String,
    /// The PBX's name.
    pub pbx: String,
    /// Hash of the calling number.
    pub caller: Option<String>,
    /// Hash of the called number.
    pub callee: Option<String>,
    /// The call's progress.
    pub phase: Phase,
    /// Time since the INVITE, in milliseconds.
    pub age_ms: u64,
    /// Time since the answer, in milliseconds.
    pub talking_ms: Option<u64>,
    /// Whether the customer is listened to.
    pub analysed: bool,
    /// Whether the customer may be listened to, and how that came about.
    pub consent: State,
    /// The policy by which callers of this kind are told.
    pub policy: Policy,
    /// Queue, agent, team, tier, call type and language, as the PBX names them.
    #[serde(flatten)]
    pub labels: Labels,
    /// The party on the PBX's side, as the PBX says.
    pub party: Option<Party>,
    /// The customer's latest state.
    pub affect: Option<AffectUpdate>,
    /// The alert that is up.
    pub alert: Option<Alert>,
    /// How both parties have talked so far.
    pub conduct: Option<Conduct>,
    /// The cue that the agent is shown.
    pub cue: Option<CueView>,
    /// What has been said, if it is recognised.
    pub words: Option<WordsView>,
    /// How its SIP travels.
    pub signalling: SignallingView,
    /// The call's m-lines.
    pub streams: Vec<StreamView>,
}

/// The cue that the agent is shown.
#[derive(Debug, Clone, Serialize)]
pub struct CueView {
    /// Since when, in milliseconds of the call's own time.
    pub shown_at_ms: u64,
    /// Whether the agent has acknowledged it.
    pub acknowledged: bool,
    /// The cue.
    #[serde(flatten)]
    pub cue: CueShown,
}

/// How SIP travels on either leg of a call: as the INVITE came, and as its answer did.
#[derive(Debug, Clone, Serialize)]
pub struct SignallingView {
    /// The customer's leg; `None` until a message of theirs was seen.
    pub customer: Option<Signalling>,
    /// The agent's leg; the same.
    pub agent: Option<Signalling>,
}

impl SignallingView {
    pub(crate) fn new([customer, agent]: [Option<Signalling>; 2]) -> Self {
        Self { customer, agent }
    }
}

/// One m-line.
#[derive(Debug, Clone, Serialize)]
pub struct StreamView {
    /// The m-line's index.
    pub index: usize,
    /// audio, video, image or other.
    pub kind: &'static str,
    /// Why the m-line can't be listened to, if so.
    pub untappable: Option<String>,
    /// Media from the customer.
    pub customer: LegView,
    /// Media from the agent.
    pub agent: LegView,
}

/// One direction of one m-line.
#[derive(Debug, Clone, Serialize)]
pub struct LegView {
    /// The codec of the newest packet.
    pub codec: Option<CodecName>,
    /// How its packets are protected: `none`; an SRTP suite, if SRTP ends here (`awaited` until its keys are known);
    /// `srtp` or `dtls`, if they pass from party to party.
    pub security: &'static str,
    /// The relay's counts.
    #[serde(flatten)]
    pub counts: EndReport,
}

impl LegView {
    pub(crate) fn new(report: &EndReport, receiver: &EndPlan, sender: &EndPlan) -> Self {
        Self {
            codec: report.payload_type.map(|number| codec_name(number, receiver, sender)),
            security: security(sender),
            counts: *report,
        }
    }
}

fn security(end: &EndPlan) -> &'static str {
    match (&end.protection, end.security) {
        (Protection::Sdes(keys), _) => keys.theirs.suite().as_str(),
        (Protection::Dtls(_), _) => "DTLS-SRTP",
        (Protection::Awaited, _) => "awaited",
        (Protection::None, Security::None) => "none",
        (Protection::None, Security::Sdes) => "srtp",
        (Protection::None, Security::Dtls) => "dtls",
    }
}

/// The codec that a payload type stands for, by the SDP of the side that receives it.
pub(crate) fn codec_name(payload_type: u8, receiver: &EndPlan, sender: &EndPlan) -> CodecName {
    let mut formats = receiver.formats.iter().chain(&sender.formats);
    let Some(format) = formats.find(|format| format.payload_type == payload_type) else {
        return CodecName::Other;
    };
    CodecName::of(&format.encoding)
}
