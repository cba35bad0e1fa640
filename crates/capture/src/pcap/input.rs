//! Counted, bounded reading.

use std::io::{self, Read};

use crate::pcap::record::{LONGEST_FRAME, PcapError};

/// The file being read, how far it is read, and the frame read last.
#[derive(Debug)]
pub(super) struct Input<R> {
    reader: R,
    position: u64,
    /// Where the frame or block begins that is being read.
    piece: u64,
    frame: Vec<u8>,
}

impl<R: Read> Input<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, position: 0, piece: 0, frame: Vec::new() }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    pub(super) fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// The next `N` bytes; none if the file ends before.
    pub(super) fn array<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        let mut bytes = [0; N];
        let mut rest = &mut bytes[..];
        while !rest.is_empty() {
            match self.reader.read(rest) {
                Ok(0) => return Ok(None),
                Ok(read) => {
                    self.position += read as u64;
                    rest = rest.split_at_mut_checked(read).map(|(_, rest)| rest).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(bytes))
    }

    /// The next frame or block begins here.
    pub(super) fn begin_piece(&mut self) {
        self.piece = self.position;
    }

    /// Whether some of a frame or block has been read.
    pub(super) fn is_within_a_piece(&self) -> bool {
        self.position > self.piece
    }

    /// Reads `length` bytes as the frame; false if the file ends before.
    pub(super) fn read_frame(&mut self, length: u32) -> Result<bool, PcapError> {
        let length = length as usize;
        if length > LONGEST_FRAME {
            return Err(self.damaged("a frame longer than any network's"));
        }
        self.frame.clear();
        let read = self.reader.by_ref().take(length as u64).read_to_end(&mut self.frame)?;
        self.position += read as u64;
        Ok(read == length)
    }

    /// Passes over `length` bytes; false if the file ends before.
    pub(super) fn skip(&mut self, length: u64) -> io::Result<bool> {
        let skipped = io::copy(&mut self.reader.by_ref().take(length), &mut io::sink())?;
        self.position += skipped;
        Ok(skipped == length)
    }

    pub(super) fn damaged(&self, what: &'static str) -> PcapError {
        PcapError::Damaged { offset: self.position, what }
    }
}

/// The byte order that a file's writer had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    pub(super) fn u16(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }

    pub(super) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }
}
