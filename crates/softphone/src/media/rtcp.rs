//! Sender reports (RFC 3550 §6.4.1), each with a CNAME, and the BYE at the end.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rtcp_types::{Bye, Compound, RtcpPacketWriterExt, Sdes, SdesChunk, SdesItem, SenderReport};

/// The counts of a stream that a sender report tells.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sent {
    pub(super) ssrc: u32,
    pub(super) timestamp: u32,
    pub(super) packets: u32,
    pub(super) octets: u32,
}

/// A compound packet; with `bye`, the stream's last.
pub(super) fn report(sent: Sent, cname: &str, bye: bool) -> Option<Bytes> {
    let name = SdesItem::builder(SdesItem::CNAME, cname);
    let mut compound = Compound::builder()
        .add_packet(
            SenderReport::builder(sent.ssrc)
                .ntp_timestamp(ntp(SystemTime::now()))
                .rtp_timestamp(sent.timestamp)
                .packet_count(sent.packets)
                .octet_count(sent.octets),
        )
        .add_packet(Sdes::builder().add_chunk(SdesChunk::builder(sent.ssrc).add_item(name)));
    if bye {
        compound = compound.add_packet(Bye::builder().add_source(sent.ssrc));
    }
    let mut out = [0; 256];
    let length = compound.write_into(&mut out).ok()?;
    out.get(..length).map(Bytes::copy_from_slice)
}

/// Seconds since 1900 and their fraction, 32 bits each.
fn ntp(now: SystemTime) -> u64 {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs().wrapping_add(2_208_988_800);
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    (seconds << 32) | fraction
}

#[cfg(test)]
mod tests {
    use rtcp_types::Packet;

    use super::*;

    #[test]
    fn a_compound_packet_reads_back() {
        let sent = Sent { ssrc: 9, timestamp: 1_600, packets: 10, octets: 1_600 };
        let bytes = report(sent, "caller@softphone", true).unwrap();
        let packets: Vec<_> = Compound::parse(&bytes).unwrap().map(Result::unwrap).collect();
        let [Packet::Sr(sr), Packet::Sdes(_), Packet::Bye(_)] = packets.as_slice() else {
            panic!("{packets:?}");
        };
        assert_eq!(
            (sr.ssrc(), sr.rtp_timestamp(), sr.packet_count(), sr.octet_count()),
            (9, 1_600, 10, 1_600)
        );
    }

    #[test]
    fn ntp_time_of_the_unix_epoch() {
        assert_eq!(ntp(UNIX_EPOCH) >> 32, 2_208_988_800);
        assert_eq!(ntp(UNIX_EPOCH + std::time::Duration::from_millis(500)) & 0xffff_ffff, 0x8000_0000);
    }
}
