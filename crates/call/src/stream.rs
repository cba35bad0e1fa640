//! A media stream as the parties have agreed on it (RFC 3264), in the terms of whoever carries and hears it.

use std::net::{IpAddr, SocketAddr};

use crate::{Side, Untappable};

/// One stream, both ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPlan {
    /// What it carries.
    pub kind: MediaKind,
    /// The party on the trunk's side.
    pub trunk: EndPlan,
    /// The party on the PBX's side.
    pub pbx: EndPlan,
    /// Whether it can be listened to. Nothing is held against one that a party has turned down.
    pub tappable: Result<(), Untappable>,
    /// The call is answered; before, what flows is early media.
    pub answered: bool,
}

impl StreamPlan {
    /// Whether both parties have described it: an offer alone says what may be, not what is.
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

/// One end of a stream, as that party's own description has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndPlan {
    /// Where it wants its media; `None` when it wants none, or hasn't said yet.
    pub remote_rtp: Option<SocketAddr>,
    /// Where it wants its RTCP; with `mux`, the same.
    pub remote_rtcp: Option<SocketAddr>,
    /// Where its signalling came from: a hint when its media comes from another address than stated.
    pub signalled_from: Option<IpAddr>,
    /// RTP and RTCP share a port: both parties agreed to it.
    pub mux: bool,
    /// How this end's packets are protected on the wire.
    pub security: Security,
    /// What it wants to receive, in its order of preference.
    pub formats: Vec<Format>,
    /// As it stated.
    pub direction: Direction,
    /// The packet time it asked for, in milliseconds.
    pub ptime_ms: Option<u16>,
    /// It has put the other end on hold.
    pub held: bool,
}

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MediaKind {
    /// Speech, or what passes for it.
    Audio,
    /// Pictures that move.
    Video,
    /// Fax.
    Image,
    /// Anything else: text, application, message.
    Other,
}

/// How RTP is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Security {
    /// Not at all.
    #[default]
    None,
    /// SRTP with keys in the signalling (RFC 4568).
    Sdes,
    /// DTLS, with SRTP or without (RFC 5763).
    Dtls,
}

/// Who may send, as the description's author sees it (RFC 3264 §5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendRecv,
    /// The author sends only: hold, with music.
    SendOnly,
    /// The author listens only.
    RecvOnly,
    /// Neither: hold, in silence.
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Format {
    /// RTP payload type, 0 to 127.
    pub payload_type: u8,
    /// Encoding name as written in a=rtpmap, or RFC 3551's for a static type; empty when unknown.
    pub encoding: String,
    /// RTP clock rate in Hz; 0 when unknown.
    pub clock_rate: u32,
    /// Channels, at least 1.
    pub channels: u8,
    /// What a=fmtp says, without the payload type; empty when nothing.
    pub fmtp: String,
}
