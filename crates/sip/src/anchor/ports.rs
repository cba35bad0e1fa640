//! Our own ports, by m-line, face and IP family.

use super::{CallKey, StreamPlan};
use crate::Face;
use crate::sdp::{IpFamily, LocalMedia};

/// What relays the media. The anchor tells it which ports are needed and where the parties are; it does
/// the rest, and never answers back in the middle of a call.
pub trait MediaPlane {
    /// Reserves an RTP and RTCP port pair on the address used towards `face` in that IP family. It is the
    /// call's until [`MediaPlane::release`]. `stream` is the index of the m-line. Asked once for each
    /// combination.
    ///
    /// # Errors
    /// When no port is left, or there is no address of that family.
    fn reserve(
        &mut self,
        call: CallKey,
        stream: usize,
        face: Face,
        family: IpFamily,
    ) -> Result<LocalMedia, Exhausted>;

    /// Whether media may be sent to that address, if the party on `face` says so in its SDP: it must not be led at
    /// ourselves or at others on this host.
    fn admits(&self, _call: CallKey, _face: Face, _address: std::net::SocketAddr) -> bool {
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
    reserved: Vec<(usize, Face, IpFamily, LocalMedia)>,
}

impl Ports {
    /// The ports for that m-line towards that face, reserved now if need be.
    pub(super) fn get<M: MediaPlane>(
        &mut self,
        media: &mut M,
        call: CallKey,
        stream: usize,
        face: Face,
        family: IpFamily,
    ) -> Result<LocalMedia, Exhausted> {
        let known = self.reserved.iter().find(|(s, f, v, _)| (*s, *f, *v) == (stream, face, family));
        if let Some((.., local)) = known {
            return Ok(*local);
        }
        let local = media.reserve(call, stream, face, family)?;
        self.reserved.push((stream, face, family, local));
        Ok(local)
    }

    /// Whether that m-line has ports at all.
    pub(super) fn has(&self, stream: usize) -> bool {
        self.reserved.iter().any(|(s, ..)| *s == stream)
    }
}
