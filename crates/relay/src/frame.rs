//! A buffer for one packet on its way through.

use std::ops::Range;

/// The largest datagram.
const MOST: usize = 65_535;
/// Free bytes before a packet, for a longer header on its way out.
const HEAD: usize = 64;
/// Free bytes behind a packet: an SRTP authentication tag and key identifier are at most twenty or so (RFC 3711, RFC
/// 7714).
const TAIL: usize = 64;

/// One packet, with room before and behind it, so that it can be unprotected and protected in place.
#[derive(Debug)]
pub(super) struct Frame {
    bytes: Vec<u8>,
    packet: Range<usize>,
}

impl Frame {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; HEAD + MOST + TAIL], packet: HEAD..HEAD }
    }

    /// Receives a packet, replacing the previous one: `receive` fills the given buffer from its start and returns the
    /// number of bytes and any further result.
    pub(super) fn receive<T, E>(
        &mut self,
        receive: impl FnOnce(&mut [u8]) -> Result<(usize, T), E>,
    ) -> Result<T, E> {
        self.packet = HEAD..HEAD;
        let room = self.bytes.get_mut(HEAD..HEAD + MOST).unwrap_or_default();
        let (length, known) = receive(room)?;
        self.packet = HEAD..HEAD + length.min(MOST);
        Ok(known)
    }

    pub(super) fn packet(&self) -> &[u8] {
        self.bytes.get(self.packet.clone()).unwrap_or_default()
    }

    /// Sets the packet's length to what protecting or unprotecting it has made of it.
    pub(super) fn resize(&mut self, length: usize) {
        self.packet.end = (self.packet.start + length).min(self.bytes.len());
    }

    /// The packet with the free bytes behind it.
    pub(super) fn with_tail(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.packet.start..).unwrap_or_default()
    }

    pub(super) fn packet_mut(&mut self) -> &mut [u8] {
        self.bytes.get_mut(self.packet.clone()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_takes_the_place_of_the_one_before() {
        let mut frame = Frame::new();
        for text in ["the first one", "short", ""] {
            let known = frame.receive(|room| -> Result<_, ()> {
                room[..text.len()].copy_from_slice(text.as_bytes());
                Ok((text.len(), text.len()))
            });
            assert_eq!((known, frame.packet()), (Ok(text.len()), text.as_bytes()));
        }
        assert_eq!(frame.receive(|_| Err::<(usize, ()), _>("no packet")), Err("no packet"));
        assert!(frame.packet().is_empty());
    }

    #[test]
    fn the_largest_datagram_has_room_before_and_behind_it() {
        let mut frame = Frame::new();
        frame.receive(|room| -> Result<_, ()> { Ok((room.len(), ())) }).unwrap();
        assert_eq!(frame.packet().len(), MOST);
        assert!(frame.packet.start >= HEAD && frame.bytes.len() - frame.packet.end >= TAIL);
    }
}
