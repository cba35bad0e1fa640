//! Telling apart the protocols that share a media port (RFC 7983, RFC 5761).

/// The protocol that a datagram at a media port seems to be of.
///
/// A claim from its first two bytes and its length only: an [`Rtp`](PacketKind::Rtp) still has to
/// be parsed by [`RtpView`](crate::RtpView), an [`Rtcp`](PacketKind::Rtcp) by
/// [`rtcp::Compound`](crate::rtcp::Compound).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PacketKind {
    /// RTP version 2, of at least the fixed header's 12 bytes.
    Rtp,
    /// RTCP version 2: packet type 192 to 223, which RTP payload types 64 to 95 give up
    /// (RFC 5761 §4).
    Rtcp,
    /// STUN (ICE connectivity checks, keep-alives): first byte 0 to 3, a 20-byte header.
    Stun,
    /// A DTLS record: first byte 20 to 63, a 13-byte record header.
    Dtls,
    /// Anything else: keep-alives, T.38 UDPTL, ZRTP, TURN channels, noise.
    Other,
}

/// Classifies a datagram by its first bytes.
#[must_use]
pub fn classify(datagram: &[u8]) -> PacketKind {
    match *datagram {
        [128..=191, 192..=223, _, _, ..] => PacketKind::Rtcp,
        [128..=191, ..] if datagram.len() >= 12 => PacketKind::Rtp,
        [0..=3, ..] if datagram.len() >= 20 => PacketKind::Stun,
        [20..=63, ..] if datagram.len() >= 13 => PacketKind::Dtls,
        _ => PacketKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(bytes: &[u8], len: usize) -> PacketKind {
        let mut datagram = bytes.to_vec();
        datagram.resize(len, 0);
        classify(&datagram)
    }

    #[test]
    fn ranges_of_rfc_7983_and_5761() {
        assert_eq!(first(&[0x80, 0x00], 12), PacketKind::Rtp);
        assert_eq!(first(&[0x80, 0x80], 172), PacketKind::Rtp);
        assert_eq!(first(&[0xbf, 0x65], 12), PacketKind::Rtp);
        assert_eq!(first(&[0x80, 191], 12), PacketKind::Rtp);
        assert_eq!(first(&[0x80, 224], 12), PacketKind::Rtp);
        for packet_type in 192..=223 {
            assert_eq!(first(&[0x81, packet_type], 8), PacketKind::Rtcp);
        }
        assert_eq!(first(&[0x00, 0x01], 20), PacketKind::Stun);
        assert_eq!(first(&[22, 254], 13), PacketKind::Dtls);
    }

    #[test]
    fn what_is_too_short_or_of_another_version_is_other() {
        assert_eq!(classify(&[]), PacketKind::Other);
        assert_eq!(first(&[0x80, 0x00], 11), PacketKind::Other);
        assert_eq!(first(&[0x80, 200], 3), PacketKind::Other);
        assert_eq!(first(&[0x00, 0x01], 19), PacketKind::Other);
        assert_eq!(first(&[22], 12), PacketKind::Other);
        assert_eq!(first(&[0x40, 0x00], 172), PacketKind::Other);
        assert_eq!(first(&[0xc0, 0x00], 172), PacketKind::Other);
    }
}
