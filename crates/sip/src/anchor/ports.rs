//! Our own ports, by m-line, side and IP family.

use serde::{Deserialize, Serialize};
use sidetone_call::{CallKey, Exhausted, IpFamily, LocalMedia, MediaPlane, Side};

/// A call's ports.
#[derive(Debug, Default, Serialize, Deserialize)]
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

    /// Takes the same ports in another process.
    pub(super) fn reclaim<M: MediaPlane>(&self, media: &mut M, call: CallKey) -> Result<(), Exhausted> {
        self.reserved
            .iter()
            .try_for_each(|(stream, side, _, local)| media.reclaim(call, *stream, *side, *local))
    }

    /// Whether that m-line has ports at all.
    pub(super) fn has(&self, stream: usize) -> bool {
        self.reserved.iter().any(|(s, ..)| *s == stream)
    }
}
