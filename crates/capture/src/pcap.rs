//! Captured frames out of pcap and pcapng files, and into pcap.
//!
//! Formats: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng; link types from the registry of the former. Both are
//! read in one pass from anything that reads, holding one frame at a time. What was readable before the first
//! damage is given out; damage is reported once and ends the file.

mod classic;
mod input;
mod ng;
pub(crate) mod record;
mod writer;

use std::io::Read;
use std::time::Duration;

pub use record::{LONGEST_FRAME, Link, PcapError};
pub use writer::Writer;

use input::Input;
use record::Stamp;

/// One captured frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// When it was captured, since the Unix epoch.
    pub at: Duration,
    /// The link type of the frame.
    pub link: Link,
    /// The bytes that were captured of the frame.
    pub bytes: &'a [u8],
    /// How many bytes it had on the wire: more than were captured where the snap length was shorter.
    pub original: u32,
    /// Whether the file says when it was captured. A simple packet of pcapng does not: `at` is then the last time
    /// known.
    pub timed: bool,
}

/// Reads frames from a pcap or pcapng file.
#[derive(Debug)]
pub struct Reader<R> {
    input: Input<R>,
    format: Format,
    ended: bool,
    truncated: bool,
}

#[derive(Debug)]
enum Format {
    Classic(classic::Classic),
    Ng(ng::Ng),
}

impl<R: Read> Reader<R> {
    /// Reads the file's header. `input` is read in small pieces: give it a buffer.
    ///
    /// # Errors
    /// When this is no capture or its header is damaged.
    pub fn new(input: R) -> Result<Self, PcapError> {
        let mut input = Input::new(input);
        let magic = input.array::<4>()?.ok_or(PcapError::NotACapture)?;
        let format = if magic == ng::SECTION {
            Format::Ng(ng::Ng::open(&mut input)?)
        } else {
            Format::Classic(classic::Classic::open(magic, &mut input)?)
        };
        Ok(Self { input, format, ended: false, truncated: false })
    }

    /// The next frame; none at the end. A file that ends in the middle of a frame (its recorder was killed) ends
    /// before it.
    ///
    /// # Errors
    /// Once, when the rest of the file can't be read.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, PcapError> {
        if self.ended {
            return Ok(None);
        }
        let frame = match &mut self.format {
            Format::Classic(classic) => classic.next(&mut self.input),
            Format::Ng(ng) => ng.next(&mut self.input),
        };
        self.ended = !matches!(frame, Ok(Some(_)));
        let frame = frame?;
        self.truncated = frame.is_none() && self.input.is_within_a_piece();
        Ok(frame.map(|Stamp { at, link, original, timed }| Frame {
            at,
            link,
            bytes: self.input.frame(),
            original,
            timed,
        }))
    }

    /// Whether the file has ended in the middle of a frame: its recorder was killed, or its disk was full.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// Bytes read of the file so far.
    pub fn position(&self) -> u64 {
        self.input.position()
    }
}
