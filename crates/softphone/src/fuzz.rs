//! Fuzz bodies: each takes any bytes and must neither panic nor break its assertions.

use bytes::Bytes;

use crate::negotiation::Negotiation;
use crate::{CallOptions, Clip, PacketDigest};

/// A session description: what is answered to it can be read again, and has as many m-lines.
pub fn session_description(data: &[u8]) {
    let rtp = std::net::SocketAddr::from(([127, 0, 0, 1], 4_000));
    let mut negotiation = Negotiation::first(1, rtp, &CallOptions::default());
    if let Ok((answer, _)) = negotiation.answer(data) {
        let lines = |text: &[u8]| {
            text.split(|&b| b == b'\n').filter(|line| line.trim_ascii_start().starts_with(b"m=")).count()
        };
        assert!(lines(answer.as_bytes()) <= lines(data).max(1), "more m-lines than offered");
        assert!(crate::sdp::read(answer.as_bytes()).is_ok(), "unreadable answer");
    }
}

/// A datagram on a media port.
pub fn packet(data: &[u8]) {
    let from = std::net::SocketAddr::from(([127, 0, 0, 1], 4_000));
    let datagram = Bytes::copy_from_slice(data);
    if let Some(packet) = PacketDigest::read(&datagram, std::time::Duration::ZERO, from) {
        assert!(packet.payload.len() + 12 <= data.len(), "more payload than there is");
    }
}

/// A sound file.
pub fn wav(data: &[u8]) {
    if let Ok(clip) = Clip::from_wav(data) {
        assert!(clip.samples().len() * 2 <= data.len(), "more samples than there are");
    }
}
