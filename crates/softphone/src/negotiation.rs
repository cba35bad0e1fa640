//! Offer and answer of a call over its whole life (RFC 3264).

use std::net::SocketAddr;

use sidetone_call::Direction;

use crate::media::Outbound;
use crate::sdp::{self, Description, Local};
use crate::{CallOptions, Codec, Hold, PhoneError};

/// The outcome of the last offer and answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MediaState {
    /// The codec that this end sends.
    pub codec: Codec,
    /// Under which payload type.
    pub payload_type: u8,
    /// Which way media flows, as this end stated it.
    pub direction: Direction,
    /// The direction as the other end stated it.
    pub remote_direction: Direction,
    /// Where the other end wants RTP; unspecified while it holds in the style of RFC 2543.
    pub remote: SocketAddr,
    /// Whether this end sends.
    pub sends: bool,
}

impl MediaState {
    /// Whether the other end has put this one on hold, in any style.
    #[must_use]
    pub const fn is_held_by_peer(&self) -> bool {
        !self.remote_direction.receives() || self.remote.ip().is_unspecified()
    }
}

/// An outcome to act on.
#[derive(Clone, Debug)]
pub(crate) struct Agreed {
    pub(crate) state: MediaState,
    pub(crate) outbound: Outbound,
    /// Payload types of telephone-event that may come in.
    pub(crate) events: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Negotiation {
    local: Local,
    /// An offer of ours that has no answer yet.
    proposed: Option<Local>,
}

impl Negotiation {
    /// Before the first offer.
    pub(crate) fn first(random: u64, rtp: SocketAddr, options: &CallOptions) -> Self {
        let local = Local {
            // Many readers take it for a signed number.
            session: random >> 1,
            version: 0,
            rtp,
            blackhole: false,
            direction: Direction::SendRecv,
            codecs: options.codecs.clone(),
            ptime_ms: options.ptime_ms,
            mux: options.rtcp_mux,
        };
        Self { local, proposed: None }
    }

    /// A copy of what this end last said, to change and [`Negotiation::propose`].
    pub(crate) fn next(&self) -> Local {
        Local { version: self.local.version + 1, ..self.local.clone() }
    }

    /// Our offer; it holds from [`Negotiation::answered`] on.
    pub(crate) fn propose(&mut self, local: Local) -> String {
        let text = local.offer();
        self.proposed = Some(local);
        text
    }

    /// The offer was refused: what held before holds on.
    pub(crate) fn withdraw(&mut self) {
        self.proposed = None;
    }

    /// The other end's answer to [`Negotiation::propose`].
    pub(crate) fn answered(&mut self, body: &[u8]) -> Result<Agreed, PhoneError> {
        let local = self.proposed.take().ok_or(PhoneError::Malformed("answer"))?;
        let remote = sdp::read(body).map_err(|_| PhoneError::NoCommonCodec)?;
        let agreed = agree(&local, local.direction, &remote)?;
        let events = local.event_types();
        self.local = local;
        Ok(Agreed { events, ..agreed })
    }

    /// Our answer to the other end's offer.
    pub(crate) fn answer(&mut self, offer: &[u8]) -> Result<(String, Agreed), PhoneError> {
        let remote = sdp::read(offer).map_err(|_| PhoneError::NoCommonCodec)?;
        let local = self.next();
        let text = local.answer(&remote).ok_or(PhoneError::NoCommonCodec)?;
        let agreed = agree(&local, sdp::answered_direction(remote.direction, local.direction), &remote)?;
        self.local = local;
        Ok((text, agreed))
    }
}

fn agree(local: &Local, direction: Direction, remote: &Description) -> Result<Agreed, PhoneError> {
    let (payload_type, codec) = remote.common(&local.codecs).ok_or(PhoneError::NoCommonCodec)?;
    let sends = direction.sends() && !local.blackhole && remote.takes_media();
    let state = MediaState {
        codec,
        payload_type,
        direction,
        remote_direction: remote.direction,
        remote: remote.rtp,
        sends,
    };
    let outbound = Outbound {
        rtp: remote.rtp,
        rtcp: remote.rtcp,
        mux: remote.mux && local.mux,
        codec,
        payload_type,
        event: remote.event(codec.clock_rate()),
        sends,
    };
    Ok(Agreed { state, outbound, events: remote.events().collect() })
}

impl Local {
    /// With media held in that style; `None`: not held.
    pub(crate) fn held(mut self, hold: Option<Hold>) -> Self {
        self.blackhole = hold == Some(Hold::ZeroAddress);
        self.direction = match hold {
            Some(Hold::SendOnly) => Direction::SendOnly,
            Some(Hold::Inactive) => Direction::Inactive,
            Some(Hold::ZeroAddress) | None => Direction::SendRecv,
        };
        self
    }

    /// With that codec before all others.
    pub(crate) fn preferring(mut self, codec: Codec) -> Self {
        self.codecs.retain(|&other| other != codec);
        self.codecs.insert(0, codec);
        self
    }
}
