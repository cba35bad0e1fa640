//! The classic format: a 24-byte header, then a 16-byte header before each frame.

use std::io::Read;
use std::time::Duration;

use super::input::{Input, Order};
use crate::pcap::record::{Link, PcapError, Stamp};

#[derive(Debug)]
pub(super) struct Classic {
    order: Order,
    /// Whether the fraction of a second counts nanoseconds, else microseconds.
    nanoseconds: bool,
    link: Link,
}

impl Classic {
    pub(super) fn open<R: Read>(magic: [u8; 4], input: &mut Input<R>) -> Result<Self, PcapError> {
        let (order, nanoseconds) = match magic {
            [0xD4, 0xC3, 0xB2, 0xA1] => (Order::Little, false),
            [0x4D, 0x3C, 0xB2, 0xA1] => (Order::Little, true),
            [0xA1, 0xB2, 0xC3, 0xD4] => (Order::Big, false),
            [0xA1, 0xB2, 0x3C, 0x4D] => (Order::Big, true),
            _ => return Err(PcapError::NotACapture),
        };
        // Version, two unused fields and the longest frame stand before the link type, whose upper half tells of
        // frame check sequences.
        let [.., a, b, c, d] =
            input.array::<20>()?.ok_or_else(|| input.damaged("file shorter than its header"))?;
        let link = order.u32([a, b, c, d]) as u16;
        Ok(Self { order, nanoseconds, link: link.into() })
    }

    pub(super) fn next<R: Read>(&mut self, input: &mut Input<R>) -> Result<Option<Stamp>, PcapError> {
        input.begin_piece();
        let Some([s0, s1, s2, s3, f0, f1, f2, f3, l0, l1, l2, l3, o0, o1, o2, o3]) = input.array::<16>()?
        else {
            return Ok(None);
        };
        let seconds = self.order.u32([s0, s1, s2, s3]);
        let fraction = u64::from(self.order.u32([f0, f1, f2, f3]));
        let fraction =
            if self.nanoseconds { Duration::from_nanos(fraction) } else { Duration::from_micros(fraction) };
        if !input.read_frame(self.order.u32([l0, l1, l2, l3]))? {
            return Ok(None);
        }
        let at = Duration::from_secs(u64::from(seconds)) + fraction;
        Ok(Some(Stamp { at, link: self.link, original: self.order.u32([o0, o1, o2, o3]), timed: true }))
    }
}
