//! A media stream as the parties have agreed on it (RFC 3264), for the relay and the analysis.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

use crate::{Protection, Side, Untappable};

/// One stream with both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPlan {
    /// The kind of media.
    pub kind: MediaKind,
    /// The party on the trunk's side.
    pub trunk: EndPlan,
    /// The party on the PBX's side.
    pub pbx: EndPlan,
    /// Whether the stream can be listened to. A stream that a party has rejected counts as tappable.
    pub tappable: Result<(), Untappable>,
    /// The call is answered; earlier media is early media.
    pub answered: bool,
}

impl StreamPlan {
    /// Whether both parties have described it: an offer alone states possibilities, not an agreement.
    #[must_use]
    pub const fn is_agreed(&self) -> bool {
        self.trunk.signalled_from.is_some() && self.pbx.signalled_from.is_some()
    }

    /// The party on that side.
    #[must_use]
    pub const fn end(&self, side: Side) -> &EndPlan {
        match side {
            Side::Trunk => &self.trunk,
            Side::Pbx => &self.pbx,
        }
    }
}

/// One end of a stream, by that party's own description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndPlan {
    /// The party's address for media; `None` when it wants none, or hasn't stated it yet.
    pub remote_rtp: Option<SocketAddr>,
    /// The party's address for RTCP; with `mux`, the same.
    pub remote_rtcp: Option<SocketAddr>,
    /// The source of its signalling: a hint when its media comes from another address than stated.
    pub signalled_from: Option<IpAddr>,
    /// RTP and RTCP share a port: both parties agreed to it.
    pub mux: bool,
    /// How this end's packets are protected on the wire.
    pub security: Security,
    /// What the relay does about it.
    pub protection: Protection,
    /// The formats that it wants to receive, in order of preference.
    pub formats: Vec<Format>,
    /// The direction that it stated.
    pub direction: Direction,
    /// The packet time it asked for, in milliseconds.
    pub ptime_ms: Option<u16>,
    /// The party has put the other one on hold.
    pub held: bool,
}

impl EndPlan {
    /// Whether media can be sent to the party: it has said where, or ICE is to find that out.
    #[must_use]
    pub fn is_there(&self) -> bool {
        let by_ice = matches!(&self.protection, Protection::Dtls(plan) if plan.ice.is_some());
        self.remote_rtp.is_some() || by_ice
    }
}

/// The kind of media in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MediaKind {
    /// Speech or other sound.
    Audio,
    /// Video.
    Video,
    /// Fax.
    Image,
    /// Anything else: text, application, message.
    Other,
}

/// The protection of RTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Security {
    /// No protection.
    #[default]
    None,
    /// SRTP with keys in the signalling (RFC 4568).
    Sdes,
    /// DTLS, with SRTP or without (RFC 5763).
    Dtls,
}

/// The allowed directions, as the description's author sees them (RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// The author sends only: hold, with music.
    SendOnly,
    /// The author listens only.
    RecvOnly,
    /// Neither sends: hold, in silence.
    Inactive,
}

impl Direction {
    /// Whether the author sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the author listens.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }
}

/// One RTP payload format of an m-line.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Format {
    /// RTP payload type, 0 to 127.
    pub payload_type: u8,
    /// Encoding name as written in a=rtpmap, or RFC 3551's for a static type; empty when unknown.
    pub encoding: String,
    /// RTP clock rate in Hz; 0 when unknown.
    pub clock_rate: u32,
    /// Channels, at least 1.
    pub channels: u8,
    /// The value of a=fmtp without the payload type; empty when there is none.
    pub fmtp: String,
}
