//! RFC 2198: payloads of several encodings in one packet. The primary one, which comes last, is extracted. The copies
//! of earlier payloads before it are not needed here: losses are concealed.

use sidetone_rtp::RtpView;

/// Flag in a block's header (RFC 2198 §3): another block follows.
const FOLLOWS: u8 = 0x80;
/// Octets in the header of a block that another follows: payload type, timestamp offset (14 bits), length (10 bits).
const HEADER: usize = 4;

/// The packet without redundancy: the same header with the primary payload's type, and that payload alone. `None` if
/// the payload is not valid by RFC 2198.
pub(super) fn primary(view: &RtpView<'_>) -> Option<Vec<u8>> {
    let mut rest = view.payload();
    let mut copies = 0;
    while rest.first()? & FOLLOWS != 0 {
        let (header, more) = rest.split_first_chunk::<HEADER>()?;
        copies += usize::from(u16::from_be_bytes([header[2], header[3]]) & 0x3ff);
        rest = more;
    }
    let (payload_type, rest) = rest.split_first()?;
    let payload = rest.get(copies..)?;
    let marker = if view.marker() { 0x80 } else { 0 };
    let mut packet = Vec::with_capacity(12 + payload.len());
    packet.extend([0x80, marker | payload_type]);
    packet.extend(view.sequence().to_be_bytes());
    packet.extend(view.timestamp().to_be_bytes());
    packet.extend(view.ssrc().to_be_bytes());
    packet.extend(payload);
    Some(packet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn red(payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x80, 0x80 | 121, 0, 7, 0, 0, 1, 0x40, 1, 2, 3, 4];
        packet.extend(payload);
        packet
    }

    #[test]
    fn the_primary_payload_is_taken_out_and_the_copies_are_left() {
        let plain = [0x80, 0x80 | 101, 0, 7, 0, 0, 1, 0x40, 1, 2, 3, 4, 9, 0x0a, 0, 160];
        // One copy of two bytes, 160 ticks older.
        let packet = red(&[0x80 | 101, 0x02, 0x80, 2, 101, 0xaa, 0xbb, 9, 0x0a, 0, 160]);
        assert_eq!(primary(&RtpView::parse(&packet).unwrap()).as_deref(), Some(&plain[..]));
        let packet = red(&[101, 9, 0x0a, 0, 160]);
        assert_eq!(primary(&RtpView::parse(&packet).unwrap()).as_deref(), Some(&plain[..]));
    }

    #[test]
    fn what_is_cut_is_nothing() {
        for payload in [&[][..], &[0x80], &[0x80 | 101, 0, 0, 2], &[0x80 | 101, 0, 0, 9, 101, 1, 2]] {
            assert_eq!(primary(&RtpView::parse(&red(payload)).unwrap()), None, "{payload:?}");
        }
    }
}
