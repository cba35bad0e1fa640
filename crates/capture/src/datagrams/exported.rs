//! Messages that another program has taken out of their packets, with the addresses written beside them: HEP, which
//! capture agents send to Homer, and the PDUs that Wireshark exports.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// A message with what is written beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exported<'a> {
    pub(super) src: SocketAddr,
    pub(super) dst: SocketAddr,
    /// When it was captured, since the Unix epoch; none where nobody has said.
    pub(super) at: Option<Duration>,
    pub(super) payload: &'a [u8],
}

/// The addresses that have been read so far.
#[derive(Debug, Default)]
struct Ends {
    src: Option<IpAddr>,
    dst: Option<IpAddr>,
    src_port: u16,
    dst_port: u16,
}

impl Ends {
    fn of<'a>(self, at: Option<Duration>, payload: &'a [u8]) -> Option<Exported<'a>> {
        Some(Exported {
            src: SocketAddr::new(self.src?, self.src_port),
            dst: SocketAddr::new(self.dst?, self.dst_port),
            at,
            payload,
        })
    }
}

/// An address of either family, by its length.
fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(|bytes| Ipv4Addr::from(bytes).into());
    let v6 = || <[u8; 16]>::try_from(bytes).ok().map(|bytes| Ipv6Addr::from(bytes).into());
    v4().or_else(v6)
}

fn number(bytes: &[u8]) -> Option<u32> {
    <[u8; 4]>::try_from(bytes).ok().map(u32::from_be_bytes)
}

/// Whether a datagram is HEP version 3: that begins with its name.
pub(super) fn is_hep(payload: &[u8]) -> bool {
    payload.starts_with(b"HEP3")
}

/// HEP version 3: its name, its length, then chunks of a vendor, a type, a length (header included) and a value.
pub(super) fn hep(payload: &[u8]) -> Option<Exported<'_>> {
    let &[_, _, _, _, l0, l1, ref chunks @ ..] = payload else { return None };
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let mut chunks = chunks.get(..length.checked_sub(6)?)?;
    let mut ends = Ends::default();
    let (mut seconds, mut microseconds, mut message) = (0, 0, None);
    while let &[v0, v1, t0, t1, l0, l1, ref rest @ ..] = chunks {
        let length = usize::from(u16::from_be_bytes([l0, l1])).checked_sub(6)?;
        let (value, rest) = rest.split_at_checked(length)?;
        chunks = rest;
        if (v0, v1) != (0, 0) {
            continue; // a vendor's own
        }
        match u16::from_be_bytes([t0, t1]) {
            3 | 5 => ends.src = ip(value),
            4 | 6 => ends.dst = ip(value),
            7 => ends.src_port = u16::from_be_bytes(<[u8; 2]>::try_from(value).ok()?),
            8 => ends.dst_port = u16::from_be_bytes(<[u8; 2]>::try_from(value).ok()?),
            9 => seconds = number(value)?,
            10 => microseconds = number(value)?,
            15 => message = Some(value),
            _ => {}
        }
    }
    let at = Duration::from_secs(u64::from(seconds)) + Duration::from_micros(u64::from(microseconds));
    ends.of((seconds > 0).then_some(at), message?)
}

/// A PDU exported by Wireshark (link type 252): tags of a type, a length and a value up to the end tag, then the PDU.
pub(super) fn wireshark(mut frame: &[u8]) -> Option<Exported<'_>> {
    const END: u16 = 0;
    let mut ends = Ends::default();
    loop {
        let &[t0, t1, l0, l1, ref rest @ ..] = frame else { return None };
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let (value, rest) = rest.split_at_checked(length)?;
        frame = rest;
        match u16::from_be_bytes([t0, t1]) {
            END => return ends.of(None, frame),
            20 | 22 => ends.src = ip(value),
            21 | 23 => ends.dst = ip(value),
            25 => ends.src_port = u16::try_from(number(value)?).ok()?,
            26 => ends.dst_port = u16::try_from(number(value)?).ok()?,
            _ => {}
        }
    }
}
