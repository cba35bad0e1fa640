//! FLAC (RFC 9639), by claxon.

use std::io::{ErrorKind, Read};

use claxon::{Error, FlacReader, FlacReaderOptions};

use crate::audio::format::{AudioError, Defect, Format, checked};

/// Reads a FLAC file block by block.
pub(super) struct Reader<R: Read> {
    flac: FlacReader<R>,
    format: Format,
    bits: u32,
    /// Samples a channel that the header states and that have not come; none where it states nothing.
    left: Option<u64>,
    buffer: Vec<i32>,
    defect: Option<Defect>,
    ended: bool,
}

impl<R: Read> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flac").field("format", &self.format).finish_non_exhaustive()
    }
}

impl<R: Read> Reader<R> {
    pub(super) fn new(input: R) -> Result<Self, AudioError> {
        let options = FlacReaderOptions { metadata_only: false, read_vorbis_comment: false };
        let flac = FlacReader::new_ext(input, options)
            .map_err(|error| AudioError::Damaged("FLAC file", error.to_string()))?;
        let info = flac.streaminfo();
        let format = checked(info.sample_rate, info.channels as usize)?;
        let left = info.samples.filter(|samples| *samples > 0);
        let buffer = Vec::new();
        Ok(Self { flac, format, bits: info.bits_per_sample, left, buffer, defect: None, ended: false })
    }

    pub(super) fn format(&self) -> Format {
        self.format
    }

    pub(super) fn defect(&self) -> Option<Defect> {
        self.defect.clone()
    }

    pub(super) fn read(&mut self, out: &mut [Vec<i16>]) -> Result<usize, AudioError> {
        if self.ended {
            return Ok(0);
        }
        let block = match self.flac.blocks().read_next_or_eof(std::mem::take(&mut self.buffer)) {
            Ok(Some(block)) if block.channels() as usize == self.format.channels && block.duration() > 0 => {
                block
            }
            Ok(Some(_)) => return Ok(self.end(Some(Defect::Damaged("a frame of other channels".to_owned())))),
            Ok(None) => {
                let missing = self.left.is_some_and(|left| left > 0);
                return Ok(self.end(missing.then_some(Defect::Cut)));
            }
            Err(Error::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                return Ok(self.end(Some(Defect::Cut)));
            }
            Err(Error::IoError(error)) => return Err(error.into()),
            Err(error) => return Ok(self.end(Some(Defect::Damaged(error.to_string())))),
        };
        let bits = self.bits;
        for (samples, channel) in out.iter_mut().zip(0..self.format.channels as u32) {
            samples.extend(block.channel(channel).iter().map(|sample| scaled(*sample, bits)));
        }
        let read = block.duration() as usize;
        self.left = self.left.map(|left| left.saturating_sub(read as u64));
        self.buffer = block.into_buffer();
        Ok(read)
    }

    fn end(&mut self, defect: Option<Defect>) -> usize {
        self.ended = true;
        self.defect = defect;
        0
    }
}

/// A sample of so many bits in 16.
fn scaled(sample: i32, bits: u32) -> i16 {
    let scaled = match bits {
        0..=16 => i64::from(sample) << (16 - bits),
        17..=32 => (i64::from(sample) + (1 << (bits - 17))) >> (bits - 16),
        _ => 0,
    };
    scaled.clamp(i64::from(i16::MIN), i64::from(i16::MAX)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_brought_to_16_bits() {
        assert_eq!([scaled(127, 8), scaled(-128, 8)], [127 << 8, i16::MIN]);
        assert_eq!([scaled(0x7F_FFFF, 24), scaled(0x80, 24), scaled(0x7F, 24)], [i16::MAX, 1, 0]);
    }
}
