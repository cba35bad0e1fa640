//! The kind of a file, by its first bytes.

use std::io::{self, Chain, Cursor, Read};

use crate::audio::Container;

/// Bytes that tell a file.
const BEGINNING: usize = 12;

/// The kind of a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Audio: see [`audio::Reader`](crate::audio::Reader).
    Audio(Container),
    /// A pcap or pcapng capture: see [`datagrams::Datagrams`](crate::datagrams::Datagrams).
    Capture,
    /// Nothing at all.
    Empty,
    /// Something that isn't read, by its name where it is recognised, and how to make something of it that is.
    Other(Option<(&'static str, &'static str)>),
}

impl Kind {
    /// Tells a file by its first bytes (12 are enough).
    #[must_use]
    pub fn of(beginning: &[u8]) -> Self {
        const FFMPEG: &str = "convert it: `ffmpeg -i FILE out.wav`";
        const SOX: &str = "convert it: `sox FILE -e signed -b 16 out.wav`";
        const TSHARK: &str = "convert it: `editcap FILE out.pcapng`";
        match beginning {
            [] => Self::Empty,
            [b'R', b'I', b'F', b'F' | b'X', ..]
            | [b'R', b'F', b'6', b'4', ..]
            | [b'B', b'W', b'6', b'4', ..] => Self::Audio(Container::Wav),
            [b'f', b'L', b'a', b'C', ..] => Self::Audio(Container::Flac),
            [b'O', b'g', b'g', b'S', ..] => Self::Audio(Container::Ogg),
            [0x0A, 0x0D, 0x0D, 0x0A, ..]
            | [0xD4, 0xC3, 0xB2, 0xA1, ..]
            | [0x4D, 0x3C, 0xB2, 0xA1, ..]
            | [0xA1, 0xB2, 0xC3, 0xD4, ..]
            | [0xA1, 0xB2, 0x3C, 0x4D, ..] => Self::Capture,
            [0x34, 0xCD, 0xB2, 0xA1, ..] | [0xA1, 0xB2, 0xCD, 0x34, ..] => {
                Self::Other(Some(("a capture in a variant of pcap", TSHARK)))
            }
            [b's', b'n', b'o', b'o', b'p', 0, ..] => Self::Other(Some(("a snoop capture", TSHARK))),
            [b'G', b'M', b'B', b'U', ..] => Self::Other(Some(("a Network Monitor capture", TSHARK))),
            [0x1F, 0x8B, ..] => {
                Self::Other(Some(("compressed by gzip", "unpack it: `gunzip -c FILE | sidetone analyze -`")))
            }
            [0x28, 0xB5, 0x2F, 0xFD, ..] => {
                Self::Other(Some(("compressed by zstd", "unpack it: `zstdcat FILE | sidetone analyze -`")))
            }
            [0xFD, b'7', b'z', b'X', b'Z', ..] => {
                Self::Other(Some(("compressed by xz", "unpack it: `xzcat FILE | sidetone analyze -`")))
            }
            [b'P', b'K', 3, 4, ..] => Self::Other(Some(("a zip archive", "unpack it and name the folder"))),
            [b'I', b'D', b'3', ..] | [0xFF, 0xE2..=0xFF, ..] => {
                Self::Other(Some(("MPEG audio (MP3)", FFMPEG)))
            }
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Self::Other(Some(("MPEG-4 audio", FFMPEG))),
            [0x1A, 0x45, 0xDF, 0xA3, ..] => Self::Other(Some(("Matroska or WebM", FFMPEG))),
            [b'#', b'!', b'A', b'M', b'R', ..] => Self::Other(Some(("AMR audio", FFMPEG))),
            [b'.', b's', b'n', b'd', ..] => Self::Other(Some(("AU audio", SOX))),
            [b'F', b'O', b'R', b'M', ..] => Self::Other(Some(("AIFF audio", SOX))),
            _ => Self::Other(None),
        }
    }
}

/// A recording whose kind is known, to be read from its beginning.
pub type Opened<R> = (Kind, Chain<Cursor<Vec<u8>>, R>);

/// Looks at the beginning of a file, and past an ID3 tag that may stand before it.
///
/// # Errors
/// When it can't be read.
pub fn open<R: Read>(mut input: R) -> io::Result<Opened<R>> {
    let mut beginning = first_bytes(&mut input)?;
    if let Some(tag) = id3(&beginning) {
        // Some of the tag has been read already.
        let rest = tag.saturating_sub(beginning.len() as u64);
        io::copy(&mut input.by_ref().take(rest), &mut io::sink())?;
        let inside = usize::try_from(tag).unwrap_or(usize::MAX).min(beginning.len());
        let mut behind = beginning.split_off(inside);
        let missing = BEGINNING - behind.len();
        input.by_ref().take(missing as u64).read_to_end(&mut behind)?;
        beginning = behind;
    }
    Ok((Kind::of(&beginning), Cursor::new(beginning).chain(input)))
}

fn first_bytes(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(BEGINNING as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The length of an ID3v2 tag: its header of ten bytes, and as many as that says in seven bits a byte.
fn id3(beginning: &[u8]) -> Option<u64> {
    const FOOTER: u8 = 0x10;
    let &[b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] = beginning else { return None };
    let size = [a, b, c, d].into_iter().fold(0, |size, byte| size << 7 | u64::from(byte & 0x7F));
    Some(10 + size + if flags & FOOTER != 0 { 10 } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_before_the_recording_is_passed_over() {
        for length in [0, 1, 2, 3, 200] {
            let mut file = vec![b'I', b'D', b'3', 3, 0, 0, 0, 0, length >> 7, length & 0x7F];
            file.extend(vec![7; usize::from(length)]);
            file.extend(b"fLaC and more behind it");
            let (kind, mut rest) = open(&file[..]).unwrap();
            let mut bytes = Vec::new();
            rest.read_to_end(&mut bytes).unwrap();
            assert_eq!(
                (kind, bytes.as_slice()),
                (Kind::Audio(Container::Flac), &b"fLaC and more behind it"[..])
            );
        }
    }

    #[test]
    fn what_is_not_read_is_named_with_a_remedy() {
        let named = |bytes: &[u8]| match Kind::of(bytes) {
            Kind::Other(Some((name, remedy))) => format!("{name}: {remedy}"),
            other => format!("{other:?}"),
        };
        assert!(named(b"\xFF\xFB\x90\x00").contains("MP3"));
        assert!(named(b"\x1F\x8B\x08\x00").contains("gunzip"));
        assert!(named(b"snoop\0\0\0").contains("editcap"));
        assert_eq!(Kind::of(b""), Kind::Empty);
        assert_eq!(Kind::of(b"hello"), Kind::Other(None));
    }
}
