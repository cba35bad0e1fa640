//! Payloads to PCM, gaps included.

use crate::band::AnalysisBand;
use crate::codec::Codec;
use crate::coding::{CodecError, Decode, MAX_PACKET};
use crate::conceal::Concealer;

/// Decodes one stream.
///
/// For every stretch of the stream call one of [`decode`](Self::decode) (a packet came),
/// [`conceal`](Self::conceal) or [`recover`](Self::recover) (packets were lost), [`idle`](Self::idle)
/// (none were sent). Samples are counted a channel; PCM is interleaved.
#[derive(Debug)]
pub struct Decoder {
    coding: Box<dyn Decode>,
    rate: u32,
    channels: u8,
    /// One a channel, for the codings that don't conceal by themselves.
    concealers: Vec<Concealer>,
    /// One channel's samples, where there are two.
    scratch: Vec<i16>,
}

impl Decoder {
    /// A decoder to the codec's own rate and channels; Opus to 48 kHz, and to stereo if its format
    /// says so.
    ///
    /// # Errors
    /// [`CodecError::NotAudio`] for telephone-events.
    pub fn new(codec: &Codec) -> Result<Self, CodecError> {
        Self::build(codec, codec.native_rate(), codec.channels())
    }

    /// A decoder as near to [`AnalysisBand`] as the codec itself can come: Opus decodes straight to
    /// 8 kHz mono, which is cheaper and better than resampling; the others are as in
    /// [`new`](Self::new).
    ///
    /// # Errors
    /// The same as for [`new`](Self::new).
    pub fn for_analysis(codec: &Codec) -> Result<Self, CodecError> {
        match codec {
            Codec::Opus(_) => Self::build(codec, AnalysisBand::RATE, 1),
            _ => Self::new(codec),
        }
    }

    fn build(codec: &Codec, rate: u32, channels: u8) -> Result<Self, CodecError> {
        let mut coding = codec.decoding(rate, channels)?;
        let concealers = match coding.gaps() {
            Some(_) => Vec::new(),
            None => vec![Concealer::new(rate); usize::from(channels)],
        };
        Ok(Self { coding, rate, channels, concealers, scratch: Vec::new() })
    }

    /// Sample rate of the PCM in Hz.
    #[must_use]
    pub fn native_rate(&self) -> u32 {
        self.rate
    }

    /// Channels of the PCM.
    #[must_use]
    pub fn channels(&self) -> u8 {
        self.channels
    }

    /// Appends a payload's PCM; how many samples a channel. A comfort-noise payload has none: it
    /// says what [`idle`](Self::idle) sounds like from now on.
    ///
    /// # Errors
    /// [`CodecError::TooLong`] beyond [`MAX_PACKET`], [`CodecError::Malformed`]. `out` is then as it
    /// was, and the packet best counted as lost.
    pub fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) -> Result<usize, CodecError> {
        let bytes = payload.len();
        let most = MAX_PACKET.as_millis() as usize * self.rate as usize / 1000;
        let samples = self.coding.samples(bytes)?;
        if samples > most {
            return Err(CodecError::TooLong { bytes });
        }
        let begin = out.len();
        let samples = self.coding.decode(payload, out)?;
        self.each_channel(begin, out, Concealer::pass);
        Ok(samples)
    }

    /// Appends `samples` a channel of what may have been lost: extrapolated and fading, silent after
    /// 60 ms (see [`conceal`](crate::conceal); Opus by its own rules).
    pub fn conceal(&mut self, samples: usize, out: &mut Vec<i16>) {
        if let Some(own) = self.coding.gaps() {
            return own.conceal(samples, out);
        }
        let begin = out.len();
        out.resize(begin + samples * usize::from(self.channels), 0);
        self.each_channel(begin, out, Concealer::conceal);
    }

    /// The same with the help of the payload that follows the gap, which isn't consumed: decode it
    /// next. Opus with in-band error correction finds its last lost frame there; for the others this
    /// is [`conceal`](Self::conceal).
    pub fn recover(&mut self, samples: usize, following: &[u8], out: &mut Vec<i16>) {
        match self.coding.gaps() {
            Some(own) => own.recover(samples, following, out),
            None => self.conceal(samples, out),
        }
    }

    /// Appends `samples` a channel of time in which nothing was sent: comfort noise as it was last
    /// described (a comfort-noise decoder, Opus), or silence (the others).
    pub fn idle(&mut self, samples: usize, out: &mut Vec<i16>) {
        match self.coding.gaps() {
            Some(own) => own.idle(samples, out),
            None => {
                out.resize(out.len() + samples * usize::from(self.channels), 0);
                self.concealers.iter_mut().for_each(Concealer::reset);
            }
        }
    }

    /// Runs over what was appended since `begin`, channel by channel.
    fn each_channel(&mut self, begin: usize, out: &mut [i16], run: fn(&mut Concealer, &mut [i16])) {
        let Some(new) = out.get_mut(begin..) else { return };
        if let [mono] = self.concealers.as_mut_slice() {
            return run(mono, new);
        }
        let count = self.concealers.len().max(1);
        for (channel, concealer) in self.concealers.iter_mut().enumerate() {
            self.scratch.clear();
            self.scratch.extend(new.iter().skip(channel).step_by(count));
            run(concealer, &mut self.scratch);
            for (sample, &made) in new.iter_mut().skip(channel).step_by(count).zip(&self.scratch) {
                *sample = made;
            }
        }
    }
}
