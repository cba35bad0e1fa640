//! Our own ports, by m-line, side and IP family.

use sidetone_call::{CallKey, Exhausted, IpFamily, LocalMedia, MediaPlane, Side};

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
