//! The few fields of RTP and RTCP headers that SRTP needs.

use crate::Fault;

/// The part of an RTP packet that stays readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Bytes of the header with its contributing sources and its extension.
    pub(crate) length: usize,
    pub(crate) sequence: u16,
    pub(crate) ssrc: u32,
}

impl Header {
    /// Reads the header of RTP version 2.
    pub(crate) fn read(packet: &[u8]) -> Result<Self, Fault> {
        let [first, _, s0, s1, _, _, _, _, a, b, c, d] =
            *packet.first_chunk::<12>().ok_or(Fault::Malformed)?;
        if first >> 6 != 2 {
            return Err(Fault::Malformed);
        }
        let mut length = 12 + usize::from(first & 0x0f) * 4;
        if first & 0x10 != 0 {
            let words = packet.get(length + 2..length + 4).ok_or(Fault::Malformed)?;
            let words = words.first_chunk().map_or(0, |bytes| u16::from_be_bytes(*bytes));
            length += 4 + usize::from(words) * 4;
        }
        if length > packet.len() {
            return Err(Fault::Malformed);
        }
        Ok(Self { length, sequence: u16::from_be_bytes([s0, s1]), ssrc: u32::from_be_bytes([a, b, c, d]) })
    }
}

/// Writes another sequence number into a packet.
pub(crate) fn renumber(packet: &mut [u8], sequence: u16) {
    if let Some(field) = packet.get_mut(2..4) {
        field.copy_from_slice(&sequence.to_be_bytes());
    }
}

/// Bytes of an RTCP packet that SRTCP leaves readable: the first header and its sender's SSRC.
pub(crate) const RTCP_HEADER: usize = 8;

/// The SSRC of an RTCP packet's sender.
pub(crate) fn rtcp_sender(packet: &[u8]) -> Result<u32, Fault> {
    let [first, _, _, _, a, b, c, d] = *packet.first_chunk::<RTCP_HEADER>().ok_or(Fault::Malformed)?;
    if first >> 6 != 2 {
        return Err(Fault::Malformed);
    }
    Ok(u32::from_be_bytes([a, b, c, d]))
}
