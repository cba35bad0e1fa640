//! The logical streams in an Ogg file, one behind the other.

use std::io::Read;

use super::ogg::{Packet, Pages};
use super::opus::Opus;
use super::vorbis::Vorbis;
use crate::audio::format::{AudioError, Defect, Format, append};

/// Packets after which a stream without audio is given up.
const MOST_HEADERS: usize = 16;

/// Reads Ogg Opus and Ogg Vorbis.
#[derive(Debug)]
pub(super) struct Reader<R> {
    pages: Pages<R>,
    stream: Stream,
    format: Format,
    damaged: u64,
    defect: Option<Defect>,
    ended: bool,
}

#[derive(Debug)]
enum Stream {
    Opus(Box<Opus>),
    Vorbis(Box<Vorbis>),
}

impl Stream {
    /// Reads the headers of a stream that begins with `first`.
    fn open<R: Read>(first: &Packet, pages: &mut Pages<R>) -> Result<Self, AudioError> {
        let missing = || AudioError::Damaged("Ogg file", "its headers are cut short".to_owned());
        if first.bytes.starts_with(b"OpusHead") {
            pages.next_packet()?.filter(|tags| tags.bytes.starts_with(b"OpusTags")).ok_or_else(missing)?;
            return Ok(Self::Opus(Box::new(Opus::new(&first.bytes)?)));
        }
        if Vorbis::begins(&first.bytes) {
            for _ in 0..MOST_HEADERS {
                let packet = pages.next_packet()?.ok_or_else(missing)?;
                if packet.bytes.starts_with(b"\x05vorbis") {
                    return Ok(Self::Vorbis(Box::new(Vorbis::new(&first.bytes, &packet.bytes)?)));
                }
            }
            return Err(missing());
        }
        Err(AudioError::Ogg(match first.bytes.as_slice() {
            [b'S', b'p', b'e', b'e', b'x', ..] => "Speex",
            [0x7F, b'F', b'L', b'A', b'C', ..] => "FLAC inside",
            [0x80, b't', b'h', b'e', b'o', b'r', b'a', ..] => "video",
            _ => "something unknown",
        }))
    }

    fn format(&self) -> Format {
        match self {
            Self::Opus(opus) => opus.format(),
            Self::Vorbis(vorbis) => vorbis.format(),
        }
    }

    fn decode(&mut self, packet: &Packet) -> Option<&[i16]> {
        let end = packet.position.filter(|_| packet.ends);
        match self {
            Self::Opus(opus) => opus.decode(&packet.bytes, end),
            Self::Vorbis(vorbis) => vorbis.decode(&packet.bytes, end),
        }
    }
}

impl<R: Read> Reader<R> {
    pub(super) fn new(input: R) -> Result<Self, AudioError> {
        let mut pages = Pages::new(input);
        let missing = || AudioError::Damaged("Ogg file", "no whole page".to_owned());
        let first = pages.next_packet()?.ok_or_else(missing)?;
        let stream = Stream::open(&first, &mut pages)?;
        let format = stream.format();
        Ok(Self { pages, stream, format, damaged: 0, defect: None, ended: false })
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn defect(&self) -> Option<Defect> {
        let pieces = self.damaged + self.pages.damaged();
        let cut = self.pages.is_cut().then_some(Defect::Cut);
        self.defect.clone().or(cut).or_else(|| (pieces > 0).then_some(Defect::Pieces(pieces)))
    }

    pub(super) fn read(&mut self, out: &mut [Vec<i16>]) -> Result<usize, AudioError> {
        while !self.ended {
            let Some(packet) = self.pages.next_packet()? else {
                self.ended = true;
                break;
            };
            if packet.begins {
                match Stream::open(&packet, &mut self.pages) {
                    Ok(stream) if stream.format() == self.format => self.stream = stream,
                    Ok(_) => self.give_up("a stream of another format follows"),
                    Err(error) => self.give_up(&error.to_string()),
                }
                continue;
            }
            match self.stream.decode(&packet) {
                Some(pcm) if !pcm.is_empty() => return Ok(append(pcm, self.format.channels, out)),
                Some(_) => {}
                None => self.damaged += 1,
            }
        }
        Ok(0)
    }

    fn give_up(&mut self, why: &str) {
        self.ended = true;
        self.defect = Some(Defect::Damaged(why.to_owned()));
    }
}
