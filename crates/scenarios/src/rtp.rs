//! Both ends of the media: real sockets, real RTP, compared packet by packet.

use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::GUARD;

/// One party's media sockets, and where it sends.
#[derive(Debug)]
pub struct End {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    to: SocketAddr,
    to_rtcp: SocketAddr,
    ssrc: u32,
    sequence: u16,
    timestamp: u32,
    payload_type: u8,
}

impl End {
    /// Binds RTP at an address, and RTCP at the port above.
    ///
    /// # Panics
    /// When the ports are taken.
    #[must_use]
    pub fn bind(at: SocketAddr) -> Self {
        let rtcp = SocketAddr::new(at.ip(), at.port() + 1);
        Self {
            rtp: bind(at),
            rtcp: bind(rtcp),
            to: at,
            to_rtcp: rtcp,
            ssrc: 0x51de_0000 | u32::from(at.port()),
            sequence: 65_500, // so that it wraps
            timestamp: 0xffff_fe00,
            payload_type: 0,
        }
    }

    /// Moves its RTCP socket.
    ///
    /// # Panics
    /// When the port is taken.
    pub fn rtcp_at(&mut self, at: SocketAddr) {
        self.rtcp = bind(at);
    }

    /// Where it sends from now on: RTP there, RTCP to the port above.
    pub fn send_to(&mut self, to: SocketAddr) {
        self.to = to;
        self.to_rtcp = SocketAddr::new(to.ip(), to.port() + 1);
    }

    /// Where it sends.
    #[must_use]
    pub fn target(&self) -> SocketAddr {
        self.to
    }

    /// Where it sends RTCP from now on.
    pub fn send_rtcp_to(&mut self, to: SocketAddr) {
        self.to_rtcp = to;
    }

    /// The payload type of what it sends from now on.
    pub fn payload_type(&mut self, payload_type: u8) {
        self.payload_type = payload_type;
    }

    /// A new stream from now on: another SSRC, other numbers.
    pub fn new_ssrc(&mut self) {
        self.ssrc = self.ssrc.rotate_left(7) ^ 0x0bad_cafe;
        self.sequence = self.sequence.wrapping_add(31_000);
        self.timestamp = self.timestamp.wrapping_add(0x4000_0000);
    }

    /// The next packet of its stream: 20 ms of G.711 that is different each time.
    pub fn packet(&mut self, marker: bool) -> Vec<u8> {
        let sequence = self.sequence;
        let payload: Vec<u8> = (0..160_u16)
            .map(|i| i.wrapping_mul(7).wrapping_add(sequence.wrapping_mul(13)).to_be_bytes()[1])
            .collect();
        self.packet_of(marker, &payload)
    }

    /// The next packet of its stream, with this 20 ms payload.
    pub fn packet_of(&mut self, marker: bool, payload: &[u8]) -> Vec<u8> {
        let packet = build(self.payload_type, marker, self.sequence, self.timestamp, self.ssrc, payload);
        self.sequence = self.sequence.wrapping_add(1);
        self.timestamp = self.timestamp.wrapping_add(160);
        packet
    }

    /// A packet of another payload type at the stream's present timestamp, as a telephone-event is.
    pub fn event_packet(
        &mut self,
        payload_type: u8,
        marker: bool,
        timestamp: u32,
        payload: &[u8],
    ) -> Vec<u8> {
        let packet = build(payload_type, marker, self.sequence, timestamp, self.ssrc, payload);
        self.sequence = self.sequence.wrapping_add(1);
        packet
    }

    /// The timestamp that its next packet bears.
    #[must_use]
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Sends RTP.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn send(&self, packet: &[u8]) {
        self.rtp.send_to(packet, self.to).unwrap();
    }

    /// Sends RTCP.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn send_rtcp(&self, packet: &[u8]) {
        self.rtcp.send_to(packet, self.to_rtcp).unwrap();
    }

    /// The next RTP packet that is there, and who sent it.
    #[must_use]
    pub fn receive(&self) -> Option<(Vec<u8>, SocketAddr)> {
        receive(&self.rtp)
    }

    /// The next RTCP packet that is there, and who sent it.
    #[must_use]
    pub fn receive_rtcp(&self) -> Option<(Vec<u8>, SocketAddr)> {
        receive(&self.rtcp)
    }

    /// Throws away what has arrived.
    ///
    /// # Panics
    /// When the sockets refuse.
    pub fn drain(&self) {
        for socket in [&self.rtp, &self.rtcp] {
            socket.set_nonblocking(true).unwrap();
            while receive(socket).is_some() {}
            socket.set_nonblocking(false).unwrap();
        }
    }
}

fn bind(at: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(at).unwrap_or_else(|error| panic!("media socket {at}: {error}"));
    socket.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    socket
}

fn receive(socket: &UdpSocket) -> Option<(Vec<u8>, SocketAddr)> {
    let mut buffer = [0; 2048];
    let (length, from) = socket.recv_from(&mut buffer).ok()?;
    Some((buffer[..length].to_vec(), from))
}

/// An RTP packet (RFC 3550 §5.1).
#[must_use]
pub fn build(
    payload_type: u8,
    marker: bool,
    sequence: u16,
    timestamp: u32,
    ssrc: u32,
    payload: &[u8],
) -> Vec<u8> {
    let mut packet = vec![0x80, payload_type | if marker { 0x80 } else { 0 }];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&timestamp.to_be_bytes());
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// An RTCP sender report without report blocks, and a CNAME (RFC 3550 §6.4.1, §6.5).
#[must_use]
pub fn sender_report(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 200, 0, 6];
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(&[0xe8, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5]);
    packet.extend_from_slice(&[0x81, 202, 0, 3]);
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(&[1, 4, b'a', b'd', b'a', b'@', 0, 0]);
    packet
}

/// Sends `count` packets from one end; every one must arrive at the other, unchanged and in order, from the address
/// that the other was told to send to.
///
/// # Panics
/// When one is lost, changed, doubled, out of order, or from elsewhere.
pub fn one_way(what: &str, from: &mut End, to: &End, count: usize) {
    let sent: Vec<Vec<u8>> = (0..count).map(|n| from.packet(n == 0)).collect();
    let mut arrived = Vec::new();
    for packet in &sent {
        from.send(packet);
        arrived.extend(to.receive());
    }
    collect(to, &mut arrived, sent.len());
    compare(what, &sent, &arrived, to.to);
}

/// Sends as [`one_way`] does, in both directions at once.
///
/// # Panics
/// When a packet of either direction is lost, changed, doubled, out of order, or from elsewhere.
pub fn both_ways(what: &str, a: &mut End, b: &mut End, count: usize) {
    let from_a: Vec<Vec<u8>> = (0..count).map(|n| a.packet(n == 0)).collect();
    let from_b: Vec<Vec<u8>> = (0..count).map(|n| b.packet(n == 0)).collect();
    let (mut at_a, mut at_b) = (Vec::new(), Vec::new());
    for (packet_a, packet_b) in from_a.iter().zip(&from_b) {
        a.send(packet_a);
        b.send(packet_b);
        at_b.extend(b.receive());
        at_a.extend(a.receive());
    }
    collect(b, &mut at_b, count);
    collect(a, &mut at_a, count);
    compare(&format!("{what}, caller to callee"), &from_a, &at_b, b.to);
    compare(&format!("{what}, callee to caller"), &from_b, &at_a, a.to);
}

/// Sends a packet; nothing may arrive at the other end.
///
/// # Panics
/// When something does.
pub fn nothing(what: &str, from: &mut End, to: &End) {
    to.drain();
    for _ in 0..5 {
        let packet = from.packet(false);
        from.send(&packet);
    }
    // There is no event to wait for when nothing is to happen; a packet takes some 50 µs.
    std::thread::sleep(Duration::from_millis(100));
    assert!(to.receive().is_none(), "{what}: a packet came through");
}

/// RTCP in both directions, byte for byte.
///
/// # Panics
/// When a report is lost or changed.
pub fn rtcp_both_ways(what: &str, a: &End, b: &End) {
    for (from, to) in [(a, b), (b, a)] {
        let report = sender_report(from.ssrc);
        from.send_rtcp(&report);
        let arrived = crate::until(&format!("{what}: RTCP"), || to.receive_rtcp());
        assert_eq!(arrived.0, report, "{what}: RTCP is forwarded as it came");
    }
}

/// Speaks into the call at the pace of speech: 16-bit PCM at 8 kHz as G.711 µ-law, 20 ms a packet. Both ends send,
/// since a silent party would look like a fault; the other one says nothing, in packets.
///
/// # Panics
/// When a packet can't be sent.
pub fn speak(speaker: &mut End, listener: &mut End, speech: &[i16]) {
    let start = Instant::now();
    for (n, frame) in (1_u32..).zip(speech.chunks_exact(160)) {
        let spoken: Vec<u8> = frame.iter().map(|sample| ulaw(*sample)).collect();
        let packet = speaker.packet_of(n == 1, &spoken);
        speaker.send(&packet);
        let packet = listener.packet_of(n == 1, &[0xff; 160]);
        listener.send(&packet);
        speaker.drain();
        listener.drain();
        std::thread::sleep((start + Duration::from_millis(20) * n).saturating_duration_since(Instant::now()));
    }
}

/// The payloads that arrived while two ends talked, in order.
#[derive(Debug, Default)]
pub struct Arrived {
    /// At the first end.
    pub at_a: Vec<Vec<u8>>,
    /// At the second.
    pub at_b: Vec<Vec<u8>>,
}

/// Both ends send a packet every 20 ms, for `packets` packets: the first end silence, the second noise. `each` may send
/// more. Returns what arrived.
///
/// # Panics
/// When a packet can't be sent.
pub fn converse(
    a: &mut End,
    b: &mut End,
    packets: u32,
    mut each: impl FnMut(u32, &mut End, &mut End),
) -> Arrived {
    let mut arrived = Arrived::default();
    let start = Instant::now();
    for n in 0..packets {
        let silence = a.packet_of(n == 0, &[0xff; 160]);
        a.send(&silence);
        let noise = b.packet(n == 0);
        b.send(&noise);
        each(n, a, b);
        let next = start + Duration::from_millis(20) * (n + 1);
        while Instant::now() < next {
            arrived.at_a.extend(a.receive().map(|(packet, _)| packet));
            arrived.at_b.extend(b.receive().map(|(packet, _)| packet));
        }
    }
    arrived
}

/// Presses a key: a telephone-event of 100 ms with its three ends (RFC 4733 §2.5.1.4).
///
/// # Panics
/// When a packet can't be sent.
pub fn press(end: &mut End, payload_type: u8, digit: u8) {
    let start = end.timestamp();
    for (n, (last, duration)) in
        [(false, 160_u16), (false, 320), (false, 480), (true, 800), (true, 800), (true, 800)]
            .iter()
            .enumerate()
    {
        let [high, low] = duration.to_be_bytes();
        let report = [digit, if *last { 0x8a } else { 0x0a }, high, low];
        let packet = end.event_packet(payload_type, n == 0, start, &report);
        end.send(&packet);
    }
}

/// G.711 µ-law of one sample.
pub fn ulaw(sample: i16) -> u8 {
    const BIAS: u16 = 0x84;
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = sample.unsigned_abs().min(32_635) + BIAS;
    let exponent = 8 - u8::try_from(magnitude.leading_zeros()).unwrap();
    let mantissa = u8::try_from((magnitude >> (exponent + 3)) & 0x0f).unwrap();
    !(sign | exponent << 4 | mantissa)
}

fn collect(end: &End, arrived: &mut Vec<(Vec<u8>, SocketAddr)>, count: usize) {
    let start = Instant::now();
    while arrived.len() < count && start.elapsed() < GUARD / 10 {
        arrived.extend(end.receive());
    }
    // One more look: a doubled packet would come right behind.
    arrived.extend(end.receive());
}

fn compare(what: &str, sent: &[Vec<u8>], arrived: &[(Vec<u8>, SocketAddr)], expected_from: SocketAddr) {
    for (n, (sent, (arrived, from))) in sent.iter().zip(arrived).enumerate() {
        assert_eq!(sent, arrived, "{what}: packet {n} of {} is not the one sent", sent.len());
        assert_eq!(*from, expected_from, "{what}: media comes from the address that Sidetone gave in SDP");
    }
    assert_eq!(arrived.len(), sent.len(), "{what}: as many packets arrive as were sent");
}

#[cfg(test)]
mod tests {
    use super::ulaw;

    /// ITU-T G.711, table 2a: the ends of the scale, and about zero.
    #[test]
    fn known_values() {
        assert_eq!([0, -1, 32_767, -32_768, 1_000].map(ulaw), [0xff, 0x7f, 0x80, 0x00, 0xce]);
    }
}
