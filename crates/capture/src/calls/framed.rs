//! RTP over TCP: each packet behind its length in two bytes (RFC 4571).

use std::collections::HashMap;
use std::net::SocketAddr;

use bytes::Bytes;

/// Streams followed at once.
const MOST_STREAMS: usize = 256;
/// A whole frame is no longer than this.
const LONGEST: usize = 2 + u16::MAX as usize;

/// Streams that may be RTP, with the bytes of each whose packet is not whole yet.
#[derive(Debug, Default)]
pub(super) struct Framed {
    streams: HashMap<(SocketAddr, SocketAddr), Vec<u8>>,
}

impl Framed {
    /// Takes the next bytes of a stream; gives the packets that they complete. `follows` says that they go on from the
    /// ones before. A stream that doesn't begin as RTP is left alone.
    pub(super) fn push(&mut self, key: (SocketAddr, SocketAddr), follows: bool, bytes: &[u8]) -> Vec<Bytes> {
        if !follows {
            self.streams.remove(&key);
        }
        if !self.streams.contains_key(&key) && (self.streams.len() == MOST_STREAMS || !begins(bytes)) {
            return Vec::new();
        }
        let waiting = self.streams.entry(key).or_default();
        waiting.extend_from_slice(bytes);
        let (mut packets, mut used) = (Vec::new(), 0);
        while let Some(frame) = frame(waiting.get(used..).unwrap_or_default()) {
            if !is_rtp(frame) {
                self.streams.remove(&key);
                return packets;
            }
            used += 2 + frame.len();
            packets.push(Bytes::copy_from_slice(frame));
        }
        waiting.drain(..used);
        if waiting.len() > LONGEST {
            self.streams.remove(&key);
        }
        packets
    }
}

/// The first frame of `bytes`, if it is whole.
fn frame(bytes: &[u8]) -> Option<&[u8]> {
    let &[high, low, ref rest @ ..] = bytes else { return None };
    rest.get(..usize::from(u16::from_be_bytes([high, low])))
}

/// RTP or RTCP, by its version.
fn is_rtp(packet: &[u8]) -> bool {
    packet.len() >= 8 && packet.first().is_some_and(|first| first >> 6 == 2)
}

/// Whether a stretch of a stream begins with a whole frame of RTP.
fn begins(bytes: &[u8]) -> bool {
    frame(bytes).is_some_and(is_rtp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_cut_out_wherever_segments_end() {
        let key = (SocketAddr::from(([10, 0, 0, 1], 1)), SocketAddr::from(([10, 0, 0, 2], 2)));
        let packet = |n| [0x80, 0, 0, n, 0, 0, 0, 0, 0, 0, 0, 1, n].to_vec();
        let stream: Vec<u8> = (0..5).flat_map(|n| [vec![0, 13], packet(n)].concat()).collect();
        for cut in 15..stream.len() {
            let mut framed = Framed::default();
            let mut packets = framed.push(key, false, &stream[..cut]);
            packets.extend(framed.push(key, true, &stream[cut..]));
            assert_eq!(packets, (0..5).map(packet).collect::<Vec<_>>(), "cut at {cut}");
        }
        assert!(Framed::default().push(key, false, b"GET / HTTP/1.1\r\n").is_empty());
    }
}
