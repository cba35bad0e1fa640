//! The tap: copies of packets on their way from a relay thread to an analysis worker.
//!
//! One bounded lock-free ring of bytes for each pair of relay thread and worker; a record is a fixed header and
//! the packet. When the ring is full the copy is dropped and counted; the packet itself was forwarded before.

use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};
use sidetone_call::{CallKey, Side};

/// Bytes of a record's header: call (8), earliest and latest arrival in µs (8 each), stream (2), side (1), unused (1),
/// length (2).
const HEADER: usize = 30;

/// The largest packet that is copied: an Ethernet frame's worth. Larger ones are relayed, but not heard.
pub const MAX_PACKET: usize = 1_500;

/// When a packet arrived, as far as the receiving thread can tell: that thread may have been delayed while the packet
/// waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Lower bound: the socket was empty then.
    pub earliest: Duration,
    /// Upper bound: the packet was read from the socket then.
    pub latest: Duration,
}

impl From<Duration> for Arrival {
    /// The time is exact.
    fn from(at: Duration) -> Self {
        Self { earliest: at, latest: at }
    }
}

/// One copied packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tapped<'a> {
    /// The packet's call.
    pub call: CallKey,
    /// Index of the m-line.
    pub stream: u16,
    /// The side whose party sent it.
    pub side: Side,
    /// The packet's arrival.
    pub came: Arrival,
    /// The RTP packet, with its header.
    pub packet: &'a [u8],
}

/// A ring that holds `bytes` of records.
#[must_use]
pub fn ring(bytes: usize) -> (TapSender, TapReceiver) {
    let (producer, consumer) = RingBuffer::new(bytes);
    (TapSender { producer }, TapReceiver { consumer, scratch: vec![0; MAX_PACKET], taken: 0 })
}

/// The relay's end.
#[derive(Debug)]
pub struct TapSender {
    producer: Producer<u8>,
}

impl TapSender {
    /// Copies a packet in; false if there was no room for it.
    pub fn send(&mut self, tapped: &Tapped<'_>) -> bool {
        let length = tapped.packet.len();
        if length > MAX_PACKET {
            return false;
        }
        let Ok(mut chunk) = self.producer.write_chunk(HEADER + length) else { return false };
        let (first, second) = chunk.as_mut_slices();
        let mut out = Split { first, second };
        out.put(&tapped.call.0.to_le_bytes());
        let Arrival { earliest, latest } = tapped.came;
        for time in [earliest, latest] {
            out.put(&u64::try_from(time.as_micros()).unwrap_or(u64::MAX).to_le_bytes());
        }
        out.put(&tapped.stream.to_le_bytes());
        out.put(&[u8::from(tapped.side == Side::Pbx), 0]);
        out.put(&u16::try_from(length).unwrap_or(0).to_le_bytes());
        out.put(tapped.packet);
        chunk.commit_all();
        true
    }
}

/// A slice in two parts, filled from the front: a ring wraps around.
struct Split<'a> {
    first: &'a mut [u8],
    second: &'a mut [u8],
}

impl Split<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let now = bytes.len().min(self.first.len());
        let (head, tail) = bytes.split_at(now);
        let (filled, first) = std::mem::take(&mut self.first).split_at_mut(now);
        filled.copy_from_slice(head);
        self.first = first;
        if !tail.is_empty() {
            let (filled, second) = std::mem::take(&mut self.second).split_at_mut(tail.len());
            filled.copy_from_slice(tail);
            self.second = second;
        }
    }
}

/// The worker's end.
#[derive(Debug)]
pub struct TapReceiver {
    consumer: Consumer<u8>,
    scratch: Vec<u8>,
    /// Bytes read so far.
    taken: u64,
}

impl TapReceiver {
    /// Takes the oldest packet out, if there is one.
    pub fn receive(&mut self) -> Option<Tapped<'_>> {
        let mut header = [0; HEADER];
        self.read(&mut header)?;
        let (call, rest) = header.split_first_chunk::<8>()?;
        let (earliest, rest) = rest.split_first_chunk::<8>()?;
        let (latest, rest) = rest.split_first_chunk::<8>()?;
        let [earliest, latest] =
            [earliest, latest].map(|time| Duration::from_micros(u64::from_le_bytes(*time)));
        let &[stream_low, stream_high, side, _, len_low, len_high] = rest else { return None };
        let length = usize::from(u16::from_le_bytes([len_low, len_high])).min(MAX_PACKET);
        // A record is committed whole, so its packet is there when its header is.
        let mut packet = std::mem::take(&mut self.scratch);
        let read = packet.get_mut(..length).and_then(|packet| self.read(packet));
        self.scratch = packet;
        read?;
        Some(Tapped {
            call: CallKey(u64::from_le_bytes(*call)),
            stream: u16::from_le_bytes([stream_low, stream_high]),
            side: if side == 1 { Side::Pbx } else { Side::Trunk },
            came: Arrival { earliest, latest },
            packet: self.scratch.get(..length)?,
        })
    }

    /// Bytes read so far.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// The value of [`taken`](Self::taken) once all waiting records have been read.
    #[must_use]
    pub fn put_in(&self) -> u64 {
        self.taken + self.consumer.slots() as u64
    }

    fn read(&mut self, out: &mut [u8]) -> Option<()> {
        let chunk = self.consumer.read_chunk(out.len()).ok()?;
        let (first, second) = chunk.as_slices();
        let (head, tail) = out.split_at_mut(first.len());
        head.copy_from_slice(first);
        tail.copy_from_slice(second);
        chunk.commit_all();
        self.taken += out.len() as u64;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tapped(n: u64, packet: &[u8]) -> Tapped<'_> {
        Tapped {
            call: CallKey(n),
            stream: 1,
            side: if n.is_multiple_of(2) { Side::Trunk } else { Side::Pbx },
            came: Arrival {
                earliest: Duration::from_micros(n * 20_000 - n),
                latest: Duration::from_micros(n * 20_000),
            },
            packet,
        }
    }

    #[test]
    fn what_goes_in_comes_out_in_order_also_around_the_end() {
        let (mut sender, mut receiver) = ring(1_000);
        for n in 0..500_u64 {
            let packet: Vec<u8> = (0..(n * 7 % 400) as usize).map(|i| (i as u64 ^ n) as u8).collect();
            assert!(sender.send(&tapped(n, &packet)));
            assert_eq!(receiver.receive(), Some(tapped(n, &packet)));
        }
        assert_eq!(receiver.receive(), None);
    }

    #[test]
    fn a_full_ring_refuses_and_loses_nothing_it_took() {
        let (mut sender, mut receiver) = ring(HEADER * 3 + 300);
        let packet = [7; 100];
        let sent = (0..10).take_while(|&n| sender.send(&tapped(n, &packet))).count();
        assert_eq!(sent, 3);
        for n in 0..3 {
            assert_eq!(receiver.receive(), Some(tapped(n, &packet)));
        }
        assert_eq!(receiver.receive(), None);
    }

    #[test]
    fn a_jumbo_is_not_copied() {
        let (mut sender, _receiver) = ring(10_000);
        assert!(!sender.send(&tapped(0, &[0; MAX_PACKET + 1])));
    }
}
