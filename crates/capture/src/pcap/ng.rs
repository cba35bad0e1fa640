//! The next-generation format: sections of blocks; interfaces say their link type and clock, packets their interface.

use std::io::Read;
use std::time::Duration;

use super::input::{Input, Order};
use crate::pcap::record::{Link, PcapError, Stamp};

/// A section header block's type: the same in either byte order.
pub(super) const SECTION: [u8; 4] = [0x0A, 0x0D, 0x0D, 0x0A];
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const OPTION_END: u16 = 0;
const OPTION_RESOLUTION: u16 = 9;
const OPTION_OFFSET: u16 = 14;

/// More interfaces than this in one section are taken for damage.
const MOST_INTERFACES: usize = 1024;
/// The longest interface description that is looked into.
const LONGEST_DESCRIPTION: u32 = 64 * 1024;
/// A block's type, and its length before and after its body.
const FRAMING: u32 = 12;

#[derive(Debug)]
pub(super) struct Ng {
    order: Order,
    interfaces: Vec<Interface>,
    /// When the last packet was captured: simple packets carry no time.
    last: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    link: Link,
    resolution: Resolution,
    /// Seconds to add to every time.
    offset: i64,
    snap_length: u32,
}

/// Ticks in a second.
#[derive(Debug, Clone, Copy)]
enum Resolution {
    PowerOfTen(u8),
    PowerOfTwo(u8),
}

impl Ng {
    /// Reads the first section header, after its type.
    pub(super) fn open<R: Read>(input: &mut Input<R>) -> Result<Self, PcapError> {
        let mut ng = Self { order: Order::Little, interfaces: Vec::new(), last: Duration::ZERO };
        if ng.section(input)? { Ok(ng) } else { Err(input.damaged("file shorter than its header")) }
    }

    pub(super) fn next<R: Read>(&mut self, input: &mut Input<R>) -> Result<Option<Stamp>, PcapError> {
        loop {
            input.begin_piece();
            let Some(kind) = input.array()? else { return Ok(None) };
            if kind == SECTION {
                if !self.section(input)? {
                    return Ok(None);
                }
                continue;
            }
            let Some(length) = input.array()? else { return Ok(None) };
            let length = self.order.u32(length);
            if length < FRAMING {
                return Err(input.damaged("a block shorter than its own framing"));
            }
            // Bodies are padded to 32 bits; some writers forget to count the padding.
            let body = u64::from(length - FRAMING).next_multiple_of(4);
            let (whole, packet) = match self.order.u32(kind) {
                INTERFACE => (self.interface(input, body)?, None),
                kind @ (ENHANCED_PACKET | OBSOLETE_PACKET) => self.packet(input, body, kind)?,
                SIMPLE_PACKET => self.simple_packet(input, body)?,
                _ => (input.skip(body)?, None),
            };
            if !whole || (input.array::<4>()?.is_none() && packet.is_none()) {
                return Ok(None);
            }
            if packet.is_some() {
                return Ok(packet);
            }
        }
    }

    /// A section header, after its type: byte order, and forgetting the interfaces. False if the file ends in it.
    fn section<R: Read>(&mut self, input: &mut Input<R>) -> Result<bool, PcapError> {
        let Some([l0, l1, l2, l3, m0, m1, m2, m3]) = input.array()? else { return Ok(false) };
        self.order = match [m0, m1, m2, m3] {
            [0x4D, 0x3C, 0x2B, 0x1A] => Order::Little,
            [0x1A, 0x2B, 0x3C, 0x4D] => Order::Big,
            _ => return Err(input.damaged("a section without its byte-order mark")),
        };
        self.interfaces.clear();
        let length = self.order.u32([l0, l1, l2, l3]);
        if length < FRAMING + 16 {
            return Err(input.damaged("a section header that is too short"));
        }
        // The rest of the body, and the length again.
        Ok(input.skip(u64::from(length - FRAMING - 4).next_multiple_of(4) + 4)?)
    }

    fn interface<R: Read>(&mut self, input: &mut Input<R>, body: u64) -> Result<bool, PcapError> {
        if body < 8 {
            return Err(input.damaged("an interface description that is too short"));
        }
        if self.interfaces.len() == MOST_INTERFACES {
            return Err(input.damaged("more interfaces than any machine's"));
        }
        let Some([k0, k1, _, _, s0, s1, s2, s3]) = input.array()? else { return Ok(false) };
        let mut interface = Interface {
            link: self.order.u16([k0, k1]).into(),
            resolution: Resolution::PowerOfTen(6),
            offset: 0,
            snap_length: self.order.u32([s0, s1, s2, s3]),
        };
        let options = u32::try_from(body - 8).unwrap_or(u32::MAX);
        if options > LONGEST_DESCRIPTION {
            return Err(input.damaged("an interface description longer than any"));
        }
        if !input.read_frame(options)? {
            return Ok(false);
        }
        interface.read_options(self.order, input.frame());
        self.interfaces.push(interface);
        Ok(true)
    }

    /// An enhanced or obsolete packet block: they differ in how they write the interface. Gives whether the body was
    /// there whole, and what it held.
    fn packet<R: Read>(
        &mut self,
        input: &mut Input<R>,
        body: u64,
        kind: u32,
    ) -> Result<(bool, Option<Stamp>), PcapError> {
        if body < 20 {
            return Err(input.damaged("a packet block that is too short"));
        }
        let Some([i0, i1, i2, i3, h0, h1, h2, h3, t0, t1, t2, t3, l0, l1, l2, l3, o0, o1, o2, o3]) =
            input.array()?
        else {
            return Ok((false, None));
        };
        let interface = if kind == ENHANCED_PACKET {
            self.order.u32([i0, i1, i2, i3]) as usize
        } else {
            usize::from(self.order.u16([i0, i1]))
        };
        let length = self.order.u32([l0, l1, l2, l3]);
        let rest = (body - 20)
            .checked_sub(u64::from(length))
            .ok_or_else(|| input.damaged("a packet longer than its block"))?;
        if !input.read_frame(length)? || !input.skip(rest)? {
            return Ok((false, None));
        }
        let Some(interface) = self.interfaces.get(interface) else {
            return Err(input.damaged("a packet of an interface that was never described"));
        };
        let ticks =
            u64::from(self.order.u32([h0, h1, h2, h3])) << 32 | u64::from(self.order.u32([t0, t1, t2, t3]));
        self.last = interface.time(ticks);
        let original = self.order.u32([o0, o1, o2, o3]);
        Ok((true, Some(Stamp { at: self.last, link: interface.link, original, timed: true })))
    }

    fn simple_packet<R: Read>(
        &mut self,
        input: &mut Input<R>,
        body: u64,
    ) -> Result<(bool, Option<Stamp>), PcapError> {
        let Some(original) = input.array()? else { return Ok((false, None)) };
        let Some(interface) = self.interfaces.first() else {
            return Err(input.damaged("a packet of an interface that was never described"));
        };
        let snapped = match interface.snap_length {
            0 => u32::MAX,
            limit => limit,
        };
        let original = self.order.u32(original);
        let length = original.min(snapped);
        let rest = body
            .checked_sub(4 + u64::from(length))
            .ok_or_else(|| input.damaged("a packet longer than its block"))?;
        if !input.read_frame(length)? || !input.skip(rest)? {
            return Ok((false, None));
        }
        Ok((true, Some(Stamp { at: self.last, link: interface.link, original, timed: false })))
    }
}

impl Interface {
    fn read_options(&mut self, order: Order, mut options: &[u8]) {
        while let [c0, c1, l0, l1, rest @ ..] = options {
            let length = usize::from(order.u16([*l0, *l1]));
            let Some(value) = rest.get(..length) else { return };
            match (order.u16([*c0, *c1]), value) {
                (OPTION_END, _) => return,
                (OPTION_RESOLUTION, &[exponent]) if exponent & 0x80 == 0 => {
                    self.resolution = Resolution::PowerOfTen(exponent);
                }
                (OPTION_RESOLUTION, &[exponent]) => self.resolution = Resolution::PowerOfTwo(exponent & 0x7F),
                (OPTION_OFFSET, &[a, b, c, d, e, f, g, h]) => {
                    let bytes = [a, b, c, d, e, f, g, h];
                    self.offset = match order {
                        Order::Little => i64::from_le_bytes(bytes),
                        Order::Big => i64::from_be_bytes(bytes),
                    };
                }
                _ => {}
            }
            options = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
    }

    /// `ticks` of this interface's clock, since the Unix epoch.
    fn time(&self, ticks: u64) -> Duration {
        const BILLION: u128 = 1_000_000_000;
        let nanoseconds = u128::from(ticks) * BILLION;
        let nanoseconds = match self.resolution {
            Resolution::PowerOfTen(exponent) => {
                10u128.checked_pow(u32::from(exponent)).map_or(0, |second| nanoseconds / second)
            }
            Resolution::PowerOfTwo(exponent) => nanoseconds.checked_shr(u32::from(exponent)).unwrap_or(0),
        };
        // Ticks of one second each reach u64::MAX seconds at most.
        let seconds = u64::try_from(nanoseconds / BILLION).unwrap_or(u64::MAX);
        Duration::new(seconds.saturating_add_signed(self.offset), (nanoseconds % BILLION) as u32)
    }
}
