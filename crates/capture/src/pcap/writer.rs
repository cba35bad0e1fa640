//! Writing UDP datagrams as a capture that any tool opens.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::pcap::record::Link;

/// Writes a classic pcap file with nanosecond times.
#[derive(Debug)]
pub struct Writer<W: Write> {
    output: W,
    packet: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Begins a file of IP packets: what [`Writer::udp`] writes.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn new(output: W) -> io::Result<Self> {
        Self::of_link(output, Link::Ip)
    }

    /// Begins a file of frames of `link`, to be written by [`Writer::frame`].
    ///
    /// # Errors
    /// When it can't be written.
    pub fn of_link(mut output: W, link: Link) -> io::Result<Self> {
        output.write_all(&0xA1B2_3C4Du32.to_le_bytes())?;
        output.write_all(&[2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0])?;
        output.write_all(&(u32::from(u16::MAX) + 1).to_le_bytes())?;
        output.write_all(&u32::from(link.number()).to_le_bytes())?;
        Ok(Self { output, packet: Vec::new() })
    }

    /// Writes one frame, captured at `at` (since the Unix epoch).
    ///
    /// # Errors
    /// When it can't be written, or is longer than [`crate::pcap::record::LONGEST_FRAME`].
    pub fn frame(&mut self, at: Duration, frame: &[u8]) -> io::Result<()> {
        if frame.len() > crate::pcap::record::LONGEST_FRAME {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "frame too long for a capture"));
        }
        let length = (frame.len() as u32).to_le_bytes();
        self.output.write_all(&(at.as_secs() as u32).to_le_bytes())?;
        self.output.write_all(&at.subsec_nanos().to_le_bytes())?;
        self.output.write_all(&length)?;
        self.output.write_all(&length)?;
        self.output.write_all(frame)
    }

    /// Writes one UDP datagram, as it would have been captured at `at` (since the Unix epoch).
    ///
    /// # Errors
    /// When it can't be written, the payload is longer than UDP carries, or the addresses are of two families.
    pub fn udp(&mut self, at: Duration, src: SocketAddr, dst: SocketAddr, payload: &[u8]) -> io::Result<()> {
        let mut packet = std::mem::take(&mut self.packet);
        let written = udp_packet(&mut packet, src, dst, payload).and_then(|()| self.frame(at, &packet));
        self.packet = packet;
        written
    }

    /// Hands everything to the operating system.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }

    /// The output, unflushed.
    pub fn into_inner(self) -> W {
        self.output
    }
}

/// An IP packet that carries `payload` by UDP, into `packet`.
fn udp_packet(packet: &mut Vec<u8>, src: SocketAddr, dst: SocketAddr, payload: &[u8]) -> io::Result<()> {
    const UDP: u8 = 17;
    const HOPS: u8 = 64;
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
    let length = u16::try_from(payload.len() + 8)
        .ok()
        .filter(|length| *length <= u16::MAX - 20)
        .ok_or_else(|| invalid("payload longer than UDP carries"))?;
    packet.clear();
    let mut sum = Sum::default();
    match (src.ip(), dst.ip()) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            packet.extend([0x45, 0]);
            packet.extend((length + 20).to_be_bytes());
            packet.extend([0, 0, 0x40, 0, HOPS, UDP, 0, 0]); // don't fragment; checksum below
            packet.extend(src.octets());
            packet.extend(dst.octets());
            let mut header = Sum::default();
            header.add(packet);
            if let Some(checksum) = packet.get_mut(10..12) {
                checksum.copy_from_slice(&header.finish().to_be_bytes());
            }
            sum.add(&src.octets());
            sum.add(&dst.octets());
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(length.to_be_bytes());
            packet.extend([UDP, HOPS]);
            packet.extend(src.octets());
            packet.extend(dst.octets());
            sum.add(&src.octets());
            sum.add(&dst.octets());
        }
        _ => return Err(invalid("addresses of two families")),
    }
    sum.add(&[0, UDP]);
    sum.add(&length.to_be_bytes());
    let mut header = [0u8; 8];
    let fields = src.port().to_be_bytes().into_iter().chain(dst.port().to_be_bytes());
    for (to, from) in header.iter_mut().zip(fields.chain(length.to_be_bytes())) {
        *to = from;
    }
    sum.add(&header);
    sum.add(payload);
    // Zero would say that there is no checksum (RFC 768).
    let checksum = match sum.finish() {
        0 => u16::MAX,
        other => other,
    };
    let [ports_and_length @ .., _, _] = header;
    packet.extend::<[u8; 6]>(ports_and_length);
    packet.extend(checksum.to_be_bytes());
    packet.extend(payload);
    Ok(())
}

/// The Internet checksum (RFC 1071).
#[derive(Default)]
struct Sum(u64);

impl Sum {
    /// Adds bytes that begin at an even offset.
    fn add(&mut self, bytes: &[u8]) {
        for pair in bytes.chunks(2) {
            let word = match *pair {
                [high, low] => [high, low],
                [high] => [high, 0],
                _ => [0, 0],
            };
            self.0 += u64::from(u16::from_be_bytes(word));
        }
    }

    fn finish(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xFFFF {
            sum = (sum & 0xFFFF) + (sum >> 16);
        }
        !(sum as u16)
    }
}
