//! One call, as it can be played back.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use sidetone_rtp::RtpView;
use sidetone_sip::Face;
use sidetone_sip::anchor::{Cause, StreamPlan, Untappable};

/// Bytes that a packet takes beside its own.
pub(super) const OVERHEAD: usize = size_of::<(Duration, Entry)>();

/// How a call became known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// By its signalling.
    Sip {
        /// Its Call-ID.
        call_id: String,
        /// User part of From: usually the caller's number.
        from: String,
        /// User part of To: usually the dialled number.
        to: String,
    },
    /// By its audio alone.
    Rtp {
        /// Where the first audio came from.
        caller: SocketAddr,
        /// Where it went.
        callee: SocketAddr,
    },
}

/// One thing that happened in a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Happening<'a> {
    /// What is agreed for an m-line has changed.
    Plan {
        /// Index of the m-line.
        stream: usize,
        /// The new state.
        plan: &'a StreamPlan,
    },
    /// The callee's side is working on it.
    Ringing,
    /// The call was answered; what came before is early media.
    Answered,
    /// The party on this face put the other one on hold.
    Held(Face),
    /// It took the hold back.
    Resumed(Face),
    /// An m-line can't be listened to.
    Untappable {
        /// Index of the m-line.
        stream: usize,
        /// Why.
        reason: Untappable,
    },
    /// An RTP packet arrived.
    Packet {
        /// Index of the m-line.
        stream: usize,
        /// The face whose party sent it.
        face: Face,
        /// RTP, header and all.
        rtp: &'a [u8],
    },
    /// The call was ended. Missing where the capture ends before the call.
    Ended {
        /// Who ended it, if one of the parties did.
        by: Option<Face>,
        /// The final failure response, if that ended it.
        status: Option<u16>,
        /// How.
        cause: Cause,
    },
}

/// A call that was captured.
#[derive(Debug, Clone)]
pub struct Recording {
    origin: Origin,
    began: Duration,
    ended: Option<Duration>,
    entries: Vec<(Duration, Entry)>,
    plans: Vec<StreamPlan>,
    audio: Vec<u8>,
    packets: usize,
}

/// A [`Happening`], with what it borrows kept elsewhere.
#[derive(Debug, Clone, Copy)]
enum Entry {
    Plan { stream: usize, plan: usize },
    Packet { stream: u16, face: Face, length: u16, offset: usize },
    Fact(Happening<'static>),
}

impl Recording {
    /// A call of which nothing has been heard.
    pub(super) fn begun(origin: Origin, began: Duration) -> Self {
        Self {
            origin,
            began,
            ended: None,
            entries: Vec::new(),
            plans: Vec::new(),
            audio: Vec::new(),
            packets: 0,
        }
    }

    pub(super) fn plan(&mut self, at: Duration, stream: usize, plan: StreamPlan) {
        self.entries.push((at, Entry::Plan { stream, plan: self.plans.len() }));
        self.plans.push(plan);
    }

    pub(super) fn fact(&mut self, at: Duration, fact: Happening<'static>) {
        if matches!(fact, Happening::Ended { .. }) {
            self.ended = Some(at);
        }
        self.entries.push((at, Entry::Fact(fact)));
    }

    pub(super) fn packet(&mut self, at: Duration, stream: usize, face: Face, rtp: &[u8]) {
        let (Ok(stream), Ok(length)) = (u16::try_from(stream), u16::try_from(rtp.len())) else { return };
        self.entries.push((at, Entry::Packet { stream, face, length, offset: self.audio.len() }));
        self.audio.extend_from_slice(rtp);
        self.packets += 1;
    }

    /// How the call became known.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// When its INVITE, or its first packet, was captured: since the Unix epoch.
    #[must_use]
    pub fn began(&self) -> Duration {
        self.began
    }

    /// When it was ended, in the call's time; none if the capture doesn't show that.
    #[must_use]
    pub fn ended(&self) -> Option<Duration> {
        self.ended
    }

    /// From its beginning to its end or, where that was not captured, to the last that was heard of it.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.ended.or_else(|| self.entries.last().map(|(at, _)| *at)).unwrap_or_default()
    }

    /// Whether at `now` (since the Unix epoch) it had been over for longer than `grace`.
    pub(super) fn was_over(&self, now: Duration, grace: Duration) -> bool {
        self.ended.is_some_and(|ended| now.saturating_sub(self.began) > ended + grace)
    }

    /// How many RTP packets were heard.
    #[must_use]
    pub fn packets(&self) -> usize {
        self.packets
    }

    /// All that happened, in order; times count from [`Recording::began`].
    pub fn replay(&self) -> impl Iterator<Item = (Duration, Happening<'_>)> {
        self.entries.iter().filter_map(|(at, entry)| {
            let happening = match *entry {
                Entry::Fact(fact) => fact,
                Entry::Plan { stream, plan } => Happening::Plan { stream, plan: self.plans.get(plan)? },
                Entry::Packet { stream, face, length, offset } => {
                    let rtp = self.audio.get(offset..offset + usize::from(length))?;
                    Happening::Packet { stream: usize::from(stream), face, rtp }
                }
            };
            Some((*at, happening))
        })
    }

    /// Payload types that came and that nothing explains: for RTP without signalling, what [`super::format()`] is to
    /// be asked for.
    #[must_use]
    pub fn unknown_payload_types(&self) -> BTreeSet<u8> {
        let mut known: BTreeSet<u8> = BTreeSet::new();
        let mut unknown = BTreeSet::new();
        for (_, happening) in self.replay() {
            match happening {
                Happening::Plan { plan, .. } => {
                    let formats = plan.trunk.formats.iter().chain(&plan.pbx.formats);
                    known.extend(formats.filter(|f| !f.encoding.is_empty()).map(|f| f.payload_type));
                }
                Happening::Packet { rtp, .. } => {
                    let payload_type = RtpView::parse(rtp).map(|rtp| rtp.payload_type());
                    unknown.extend(payload_type.ok().filter(|payload_type| !known.contains(payload_type)));
                }
                _ => {}
            }
        }
        unknown
    }
}
