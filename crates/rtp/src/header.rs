//! The RTP header (RFC 3550 §5.1): reading it, writing it, and changing it in place.

use rtp_rs::{RtpReader, RtpReaderError};

/// Length of the fixed header in bytes.
pub const FIXED_HEADER: usize = 12;

/// Why a datagram is not an RTP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RtpError {
    /// Shorter than the header that it announces.
    #[error("{have} bytes hold no RTP header of {need}")]
    Truncated {
        /// Bytes that the header needs, as far as it could be read.
        need: usize,
        /// Bytes there are.
        have: usize,
    },
    /// Only version 2 exists.
    #[error("RTP version {0}, not 2")]
    Version(u8),
    /// The padding bit is set, and the last byte counts zero bytes, or more than there are.
    #[error("padding of {0} bytes does not fit")]
    Padding(u8),
    /// Payload types have seven bits.
    #[error("payload type {0} is above 127")]
    PayloadType(u8),
}

impl RtpError {
    fn from_reader(error: &RtpReaderError, have: usize) -> Self {
        match *error {
            RtpReaderError::BufferTooShort(_) => RtpError::Truncated { need: FIXED_HEADER, have },
            RtpReaderError::UnsupportedVersion(version) => RtpError::Version(version),
            // The reader reports a missing padding count as the header being one byte short.
            RtpReaderError::HeadersTruncated { header_len, .. } if header_len == have => {
                RtpError::Truncated { need: have + 1, have }
            }
            RtpReaderError::HeadersTruncated { header_len, .. } => {
                RtpError::Truncated { need: header_len, have }
            }
            RtpReaderError::PaddingLengthInvalid(count) => RtpError::Padding(count),
        }
    }
}

/// A parsed RTP packet that borrows its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpView<'a> {
    payload: &'a [u8],
    header_len: usize,
    timestamp: u32,
    ssrc: u32,
    sequence: u16,
    payload_type: u8,
    marker: bool,
}

impl<'a> RtpView<'a> {
    /// Reads a datagram as RTP.
    ///
    /// # Errors
    /// [`RtpError`] if it is not version 2, or header, CSRC list, header extension or padding do
    /// not fit into it.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, RtpError> {
        let reader = RtpReader::new(datagram).map_err(|e| RtpError::from_reader(&e, datagram.len()))?;
        Ok(Self {
            payload: reader.payload(),
            header_len: reader.payload_offset(),
            timestamp: reader.timestamp(),
            ssrc: reader.ssrc(),
            sequence: reader.sequence_number().into(),
            payload_type: reader.payload_type(),
            marker: reader.mark(),
        })
    }

    /// Payload type, 0 to 127.
    #[must_use]
    pub fn payload_type(&self) -> u8 {
        self.payload_type
    }

    /// The marker bit: in audio, the first packet after a silence (RFC 3551 §4.1).
    #[must_use]
    pub fn marker(&self) -> bool {
        self.marker
    }

    /// Sequence number.
    #[must_use]
    pub fn sequence(&self) -> u16 {
        self.sequence
    }

    /// Timestamp in ticks of the payload format's RTP clock.
    #[must_use]
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Synchronisation source.
    #[must_use]
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The payload, without CSRC list, header extension and padding.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Where the payload begins in the datagram.
    #[must_use]
    pub fn header_len(&self) -> usize {
        self.header_len
    }
}

/// The fields of a header without CSRC list and extension: what Sidetone writes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RtpHeader {
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// Marker bit.
    pub marker: bool,
    /// Sequence number.
    pub sequence: u16,
    /// Timestamp in ticks.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
}

impl RtpHeader {
    /// Appends the 12-byte header to `out`; the payload is then appended behind it.
    ///
    /// # Errors
    /// [`RtpError::PayloadType`] if the payload type has more than seven bits; nothing is written.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), RtpError> {
        if self.payload_type > 127 {
            return Err(RtpError::PayloadType(self.payload_type));
        }
        out.extend_from_slice(&self.bytes());
        Ok(())
    }

    /// Writes the header over the first 12 bytes of `packet`, whose payload stands behind them.
    ///
    /// # Errors
    /// [`RtpError::PayloadType`] if the payload type has more than seven bits, [`RtpError::Truncated`] if there are not
    /// 12 bytes; nothing is written.
    pub fn put(&self, packet: &mut [u8]) -> Result<(), RtpError> {
        if self.payload_type > 127 {
            return Err(RtpError::PayloadType(self.payload_type));
        }
        let have = packet.len();
        let place = packet.first_chunk_mut().ok_or(RtpError::Truncated { need: FIXED_HEADER, have })?;
        *place = self.bytes();
        Ok(())
    }

    fn bytes(&self) -> [u8; FIXED_HEADER] {
        let [s, t] = self.sequence.to_be_bytes();
        let [a, b, c, d] = self.timestamp.to_be_bytes();
        let [e, f, g, h] = self.ssrc.to_be_bytes();
        [2 << 6, u8::from(self.marker) << 7 | self.payload_type, s, t, a, b, c, d, e, f, g, h]
    }
}

/// A packet whose header fields are changed in place, the rest staying byte for byte.
#[derive(Debug)]
pub struct RtpMut<'a> {
    header: &'a mut [u8; FIXED_HEADER],
}

impl<'a> RtpMut<'a> {
    /// Takes hold of an RTP packet's header.
    ///
    /// # Errors
    /// The same as for [`RtpView::parse`].
    pub fn parse(datagram: &'a mut [u8]) -> Result<Self, RtpError> {
        RtpView::parse(datagram)?;
        let have = datagram.len();
        match datagram.first_chunk_mut() {
            Some(header) => Ok(Self { header }),
            None => Err(RtpError::Truncated { need: FIXED_HEADER, have }),
        }
    }

    /// Sets the sequence number.
    pub fn set_sequence(&mut self, sequence: u16) {
        self.header[2..4].copy_from_slice(&sequence.to_be_bytes());
    }

    /// Sets the timestamp.
    pub fn set_timestamp(&mut self, timestamp: u32) {
        self.header[4..8].copy_from_slice(&timestamp.to_be_bytes());
    }

    /// Sets the synchronisation source.
    pub fn set_ssrc(&mut self, ssrc: u32) {
        self.header[8..12].copy_from_slice(&ssrc.to_be_bytes());
    }

    /// Sets the marker bit.
    pub fn set_marker(&mut self, marker: bool) {
        self.header[1] = self.header[1] & 0x7f | u8::from(marker) << 7;
    }

    /// Sets the payload type.
    ///
    /// # Errors
    /// [`RtpError::PayloadType`] if it has more than seven bits; nothing is changed.
    pub fn set_payload_type(&mut self, payload_type: u8) -> Result<(), RtpError> {
        if payload_type > 127 {
            return Err(RtpError::PayloadType(payload_type));
        }
        self.header[1] = self.header[1] & 0x80 | payload_type;
        Ok(())
    }
}
