//! Ogg (RFC 3533): packets out of pages, of one logical stream after the other, in one pass.

use std::io::{self, ErrorKind, Read};

/// The longest packet: Vorbis' code books take some 100 KiB at most.
const LONGEST_PACKET: usize = 1024 * 1024;
/// A page's header up to its table of segments.
const HEADER: usize = 27;
const CONTINUED: u8 = 1;
const FIRST: u8 = 2;
const LAST: u8 = 4;

/// A packet, whole.
#[derive(Debug, Default)]
pub(super) struct Packet {
    pub(super) bytes: Vec<u8>,
    /// Whether a logical stream begins with it.
    pub(super) begins: bool,
    /// Where the page says that the sound is, in samples, if this is the last packet that ends on it.
    pub(super) position: Option<u64>,
    /// Whether the logical stream ends with it.
    pub(super) ends: bool,
}

/// Reads pages.
#[derive(Debug)]
pub(super) struct Pages<R> {
    input: R,
    /// The logical stream that is followed: the first, and after its end the next. Others beside it are passed over.
    serial: Option<u32>,
    /// Segments of the current page that have not been read: how long each is.
    lacing: Vec<u8>,
    next_lacing: usize,
    body: Vec<u8>,
    next_byte: usize,
    flags: u8,
    granule: u64,
    packet: Vec<u8>,
    begins: bool,
    damaged: u64,
    cut: bool,
}

impl<R: Read> Pages<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            serial: None,
            lacing: Vec::new(),
            next_lacing: 0,
            body: Vec::new(),
            next_byte: 0,
            flags: 0,
            granule: 0,
            packet: Vec::new(),
            begins: false,
            damaged: 0,
            cut: false,
        }
    }

    /// Pages and packets that were damaged and left out.
    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Whether the file has ended within a page, or before the last page of its stream.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// The next packet; none at the end.
    pub(super) fn next_packet(&mut self) -> io::Result<Option<Packet>> {
        loop {
            while let Some(length) = self.lacing.get(self.next_lacing).copied() {
                self.next_lacing += 1;
                let end = self.next_byte + usize::from(length);
                self.packet.extend_from_slice(self.body.get(self.next_byte..end).unwrap_or_default());
                self.next_byte = end;
                if self.packet.len() > LONGEST_PACKET {
                    self.packet.clear();
                    self.damaged += 1;
                }
                if length < u8::MAX {
                    let is_last = !self.lacing.iter().skip(self.next_lacing).any(|length| *length < u8::MAX);
                    let bytes = std::mem::take(&mut self.packet);
                    let begins = std::mem::take(&mut self.begins);
                    let ends = is_last && self.flags & LAST != 0;
                    if ends {
                        self.serial = None;
                    }
                    let position = (is_last && self.granule != u64::MAX).then_some(self.granule);
                    return Ok(Some(Packet { bytes, begins, position, ends }));
                }
            }
            if !self.page()? {
                return Ok(None);
            }
        }
    }

    /// Reads the next page of the stream that is followed; false at the end.
    fn page(&mut self) -> io::Result<bool> {
        loop {
            let mut header = [0; HEADER];
            if !self.capture(&mut header)? {
                return Ok(false);
            }
            let [_, _, _, _, version, flags, g0, g1, g2, g3, g4, g5, g6, g7, s0, s1, s2, s3, ..] = header;
            let [.., c0, c1, c2, c3, segments] = header;
            let (mut lacing, mut body) = (vec![0; usize::from(segments)], Vec::new());
            if !self.fill(&mut lacing)? {
                return Ok(false);
            }
            body.resize(lacing.iter().map(|length| usize::from(*length)).sum(), 0);
            if !self.fill(&mut body)? {
                return Ok(false);
            }
            let mut unsigned = header;
            if let Some(checksum) = unsigned.get_mut(22..26) {
                checksum.fill(0);
            }
            let checksum = [&unsigned[..], &lacing, &body].into_iter().fold(0, checksum);
            if version != 0 || checksum != u32::from_le_bytes([c0, c1, c2, c3]) {
                self.damaged += 1;
                self.packet.clear();
                continue;
            }
            let serial = u32::from_le_bytes([s0, s1, s2, s3]);
            if self.serial.is_none() && flags & FIRST != 0 {
                self.serial = Some(serial);
                self.begins = true;
                self.packet.clear();
            }
            if self.serial != Some(serial) {
                continue;
            }
            if flags & CONTINUED == 0 {
                self.packet.clear();
            }
            (self.lacing, self.next_lacing, self.body, self.next_byte) = (lacing, 0, body, 0);
            if flags & CONTINUED != 0 && self.packet.is_empty() {
                // The beginning of the packet was lost.
                let rest = self
                    .lacing
                    .iter()
                    .position(|length| *length < u8::MAX)
                    .map_or(self.lacing.len(), |n| n + 1);
                self.next_byte = self.lacing.iter().take(rest).map(|length| usize::from(*length)).sum();
                self.next_lacing = rest;
            }
            self.flags = flags;
            self.granule = u64::from_le_bytes([g0, g1, g2, g3, g4, g5, g6, g7]);
            return Ok(true);
        }
    }

    /// Reads up to the next page's header, over whatever stands between; false at the end.
    fn capture(&mut self, header: &mut [u8; HEADER]) -> io::Result<bool> {
        const PATTERN: &[u8] = b"OggS";
        let mut matched = 0;
        let mut skipped = false;
        while matched < PATTERN.len() {
            let mut byte = [0];
            if !self.fill(&mut byte)? {
                // Between pages a file may end, if its stream has.
                self.cut = self.serial.is_some() || matched > 0;
                return Ok(false);
            }
            let [byte] = byte;
            if PATTERN.get(matched) == Some(&byte) {
                matched += 1;
            } else {
                skipped = true;
                matched = usize::from(byte == b'O');
            }
        }
        self.damaged += u64::from(skipped);
        let (pattern, rest) = header.split_at_mut(PATTERN.len());
        pattern.copy_from_slice(PATTERN);
        self.fill(rest)
    }

    /// Fills `bytes`; false if the file ends before.
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<bool> {
        match self.input.read_exact(bytes) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                self.cut = true;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// RFC 3533 section 6: CRC of polynomial 0x04C11DB7, neither reflected nor inverted.
fn checksum(before: u32, bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = table();
    bytes.iter().fold(before, |crc, byte| {
        let place = (crc >> 24) as u8 ^ byte;
        crc << 8 ^ TABLE.get(usize::from(place)).copied().unwrap_or_default()
    })
}

#[allow(clippy::indexing_slicing)] // computed while compiling
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let mut crc = (n as u32) << 24;
        let mut bit = 0;
        while bit < 8 {
            crc = crc << 1 ^ if crc >> 31 == 1 { 0x04C1_1DB7 } else { 0 };
            bit += 1;
        }
        table[n] = crc;
        n += 1;
    }
    table
}
