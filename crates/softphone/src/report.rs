//! A call's media as seen from this end, and the comparison of two ends.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use rtp_rs::RtpReader;

/// One RTP packet that was sent or received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketDigest {
    /// The packet's synchronisation source.
    pub ssrc: u32,
    /// The packet's sequence number.
    pub sequence: u16,
    /// In ticks of the codec's RTP clock.
    pub timestamp: u32,
    /// 0 to 127.
    pub payload_type: u8,
    /// Start of a talkspurt or of a telephone-event.
    pub marker: bool,
    /// Everything behind the header, without padding.
    pub payload: Bytes,
    /// Since the media session was opened.
    pub at: Duration,
    /// Where it was sent to or came from.
    pub peer: SocketAddr,
}

impl PacketDigest {
    /// Reads a datagram; `None` when it isn't RTP.
    #[must_use]
    pub fn read(datagram: &Bytes, at: Duration, peer: SocketAddr) -> Option<Self> {
        let packet = RtpReader::new(datagram).ok()?;
        Some(Self {
            ssrc: packet.ssrc(),
            sequence: packet.sequence_number().into(),
            timestamp: packet.timestamp(),
            payload_type: packet.payload_type(),
            marker: packet.mark(),
            payload: datagram.slice_ref(packet.payload()),
            at,
            peer,
        })
    }
}

/// Everything that one end's media session saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaReport {
    /// Packets as put on the wire, in that order, without those that the impairment dropped.
    pub sent: Vec<PacketDigest>,
    /// Packets as they came.
    pub received: Vec<PacketDigest>,
    /// RTCP compound packets sent.
    pub rtcp_sent: Vec<Bytes>,
    /// RTCP compound packets received.
    pub rtcp_received: Vec<Bytes>,
    /// Packets that the impairment swallowed.
    pub dropped: u64,
    /// Datagrams that were neither RTP nor RTCP.
    pub strays: u64,
    /// Packets seen after [`crate::CallOptions::keep`] was full, in either direction.
    pub unkept: u64,
    /// The keys that the other end pressed (RFC 4733).
    pub digits: String,
}

impl MediaReport {
    /// Compares what one end sent with what the other received, packet by packet.
    #[must_use]
    pub fn byte_identical(sent: &[PacketDigest], received: &[PacketDigest]) -> Comparison {
        compare(sent, received)
    }
}

/// How a stream came through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Packets that were sent.
    pub sent: usize,
    /// Packets that were received.
    pub received: usize,
    /// Received with the payload, payload type, marker and timestamp that they were sent with.
    pub identical: usize,
    /// Received with another payload.
    pub payload_altered: usize,
    /// Received with the same payload under another payload type, marker or timestamp.
    pub header_altered: usize,
    /// Sent and not received.
    pub missing: usize,
    /// Received more often than sent.
    pub duplicated: usize,
    /// Received after one that was sent later.
    pub reordered: usize,
    /// Received and never sent.
    pub invented: usize,
}

impl Comparison {
    /// Whether every packet that came is as it was sent. Some may be missing.
    #[must_use]
    pub const fn is_unaltered(&self) -> bool {
        self.payload_altered == 0 && self.header_altered == 0 && self.invented == 0
    }

    /// Whether all that was sent came, once, unaltered.
    #[must_use]
    pub const fn is_identical(&self) -> bool {
        self.is_unaltered() && self.missing == 0 && self.duplicated == 0
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} sent, {} received, {} identical", self.sent, self.received, self.identical)?;
        for (count, what) in [
            (self.payload_altered, "with another payload"),
            (self.header_altered, "with another header"),
            (self.missing, "missing"),
            (self.duplicated, "duplicated"),
            (self.reordered, "out of order"),
            (self.invented, "never sent"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// Sequence numbers of one SSRC without their wrap, counted from the first that was sent.
struct Unwrapped {
    last: i64,
}

impl Unwrapped {
    fn extend(&mut self, sequence: u16) -> i64 {
        let step = sequence.wrapping_sub(self.last as u16) as i16;
        let extended = self.last + i64::from(step);
        self.last = self.last.max(extended);
        extended
    }
}

struct Sent<'a> {
    packet: &'a PacketDigest,
    copies: usize,
    seen: usize,
}

/// Compares packets by SSRC and unwrapped sequence number. The first packet of each SSRC that was sent anchors the
/// unwrapping on both ends, so that loss at the beginning shifts nothing.
fn compare(sent: &[PacketDigest], received: &[PacketDigest]) -> Comparison {
    let mut comparison = Comparison { sent: sent.len(), received: received.len(), ..Comparison::default() };
    let start: HashMap<u32, i64> = sent.iter().rev().map(|p| (p.ssrc, i64::from(p.sequence))).collect();
    let begin = || start.iter().map(|(&ssrc, &last)| (ssrc, Unwrapped { last })).collect::<HashMap<_, _>>();

    let mut counters = begin();
    let mut by_number: HashMap<(u32, i64), Sent<'_>> = HashMap::with_capacity(sent.len());
    for packet in sent {
        let Some(counter) = counters.get_mut(&packet.ssrc) else { continue };
        by_number
            .entry((packet.ssrc, counter.extend(packet.sequence)))
            .and_modify(|sent| sent.copies += 1)
            .or_insert(Sent { packet, copies: 1, seen: 0 });
    }

    let mut counters = begin();
    let mut highest: HashMap<u32, i64> = HashMap::new();
    for packet in received {
        let number = counters.get_mut(&packet.ssrc).map(|counter| counter.extend(packet.sequence));
        let Some((number, original)) =
            number.and_then(|number| Some((number, by_number.get_mut(&(packet.ssrc, number))?)))
        else {
            comparison.invented += 1;
            continue;
        };
        let highest = highest.entry(packet.ssrc).or_insert(number);
        if number < *highest && original.seen == 0 {
            comparison.reordered += 1;
        }
        *highest = number.max(*highest);
        original.seen += 1;
        if original.seen > original.copies {
            comparison.duplicated += 1;
        } else if packet.payload != original.packet.payload {
            comparison.payload_altered += 1;
        } else if (packet.payload_type, packet.marker, packet.timestamp)
            != (original.packet.payload_type, original.packet.marker, original.packet.timestamp)
        {
            comparison.header_altered += 1;
        } else {
            comparison.identical += 1;
        }
    }
    comparison.missing = by_number.values().map(|sent| sent.copies.saturating_sub(sent.seen)).sum();
    comparison
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(from: u16, count: u16) -> Vec<PacketDigest> {
        (0..count)
            .map(|n| PacketDigest {
                ssrc: 7,
                sequence: from.wrapping_add(n),
                timestamp: u32::from(n) * 160,
                payload_type: 0,
                marker: n == 0,
                payload: Bytes::from(vec![n as u8; 160]),
                at: Duration::from_millis(20) * u32::from(n),
                peer: "127.0.0.1:4000".parse().unwrap(),
            })
            .collect()
    }

    #[test]
    fn the_same_stream_across_a_wrap() {
        let sent = stream(65_500, 100);
        let mut late = sent.clone();
        late.iter_mut().for_each(|p| p.at += Duration::from_millis(3));
        let comparison = MediaReport::byte_identical(&sent, &late);
        assert!(comparison.is_identical(), "{comparison}");
        assert_eq!(comparison.identical, 100);
    }

    #[test]
    fn every_kind_of_difference_is_told() {
        let sent = stream(65_530, 20);
        let mut received = sent.clone();
        received[3].payload = Bytes::from_static(b"other");
        received[4].marker = true;
        received[5].timestamp += 1;
        received[6].payload_type = 8;
        received.swap(8, 9);
        received.push(sent[19].clone());
        received.push(PacketDigest { ssrc: 8, ..sent[0].clone() });
        received.push(PacketDigest { sequence: 900, ..sent[0].clone() });
        received.remove(1);
        let comparison = MediaReport::byte_identical(&sent, &received);
        assert_eq!(
            comparison,
            Comparison {
                sent: 20,
                received: 22,
                identical: 15,
                payload_altered: 1,
                header_altered: 3,
                missing: 1,
                duplicated: 1,
                reordered: 1,
                invented: 2
            }
        );
        assert!(!comparison.is_unaltered());
    }

    #[test]
    fn a_copy_sent_on_purpose_is_not_a_duplicate() {
        let mut sent = stream(10, 3);
        sent.insert(1, sent[0].clone());
        assert!(MediaReport::byte_identical(&sent, &sent).is_identical());
        assert_eq!(MediaReport::byte_identical(&sent, &stream(10, 3)).missing, 1);
    }
}
