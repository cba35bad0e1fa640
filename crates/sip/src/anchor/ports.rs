//! Our own ports, by m-line, side and IP family.

use super::{CallKey, StreamPlan};
use crate::Side;
use crate::sdp::{IpFamily, LocalMedia};

/// What relays the media. The anchor tells it which ports are needed and where the parties are; it does
/// the rest, and never answers back in the middle of a call.
pub trait MediaPlane {
    /// Reserves an RTP and RTCP port pair on the address used towards `side` in that IP family. It is the
    /// call's until [`MediaPlane::release`]. `stream` is the index of the m-line. Asked once for each
    /// combination.
    ///
    /// # Errors
    /// When no port is left, or there is no address of that family.
    fn reserve(
        &mut self,
        call: CallKey,
        stream: usize,
        side: Side,
        family: IpFamily,
    ) -> Result<LocalMedia, Exhausted>;

    /// Whether media may be sent to that address, if the party on `side` says so in its SDP: it must not be led at
    /// ourselves or at others on this host.
    fn admits(&self, _call: CallKey, _side: Side, _address: std::net::SocketAddr) -> bool {
        true
    }

    /// What is negotiated for a stream has changed.
    fn apply(&mut self, call: CallKey, stream: usize, plan: &StreamPlan);

    /// The call is over: all its ports are free.
    fn release(&mut self, call: CallKey);
}

/// No media port is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no media port left")]
pub struct Exhausted;

/// A call's ports.
#[derive(Debug, Default)]
pub(super) struct Ports {
    reserved: Vec<(usize, Side, IpFamily, LocalMedia)>,
}

impl Ports {
    /// The ports for that m-line towards that side, reserved now if need be.
    pub(super) fn get<M: MediaPlane>(
        &mut self,
        media: &mut M,
        call: CallKey,
        stream: usize,
        side: Side,
        family: IpFamily,
    ) -> Result<LocalMedia, Exhausted> {
        let known = self.reserved.iter().find(|(s, f, v, _)| (*s, *f, *v) == (stream, side, family));
        if let Some((.., local)) = known {
            return Ok(*local);
        }
        let local = media.reserve(call, stream, side, family)?;
        self.reserved.push((stream, side, family, local));
        Ok(local)
    }

    /// Whether that m-line has ports at all.
    pub(super) fn has(&self, stream: usize) -> bool {
        self.reserved.iter().any(|(s, ..)| *s == stream)
    }
}
