//! Opus by libopus (RFC 6716, RFC 7587).

use audiopus::coder::{Decoder, Encoder};
use audiopus::packet::Packet;
use audiopus::{Application, Bitrate, Channels, MutSignals, SampleRate, Signal};

use crate::coding::{CodecError, Decode, Encode, Gaps};
use crate::resample::UnsupportedRate;

/// Milliseconds in the longest packet.
const LONGEST_MS: usize = 120;

/// Concealment beyond this much is silence: libopus has faded out long before.
const CONCEALED_MS: usize = 1000;

/// The largest packet that is written (RFC 6716 §3.2.1).
const LARGEST: usize = 1275 * 3 + 7;

/// How Opus encodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpusSettings {
    /// Bit/s; `None` lets libopus choose by rate and channels.
    pub bitrate: Option<u32>,
    /// Repeat the packet before in coarser form. Takes effect when loss is expected.
    pub inband_fec: bool,
    /// Packets expected to be lost, in percent.
    pub expected_loss: u8,
    /// Send nothing, or nearly so, during silence.
    pub dtx: bool,
    /// Effort, 0 to 10.
    pub complexity: u8,
}

impl Default for OpusSettings {
    fn default() -> Self {
        Self { bitrate: None, inband_fec: false, expected_loss: 0, dtx: false, complexity: 5 }
    }
}

fn sample_rate(rate: u32) -> Result<SampleRate, CodecError> {
    i32::try_from(rate)
        .ok()
        .and_then(|rate| SampleRate::try_from(rate).ok())
        .ok_or(CodecError::Rate(UnsupportedRate { from: 48_000, to: rate }))
}

fn channels(count: u8) -> Channels {
    if count == 2 { Channels::Stereo } else { Channels::Mono }
}

/// A decoder to any of Opus' five rates.
#[derive(Debug)]
pub(crate) struct OpusDecoder {
    decoder: Decoder,
    rate: usize,
    channels: usize,
    /// Samples a channel concealed since the last packet.
    concealed: usize,
}

impl OpusDecoder {
    /// `rate` is 8000, 12000, 16000, 24000 or 48000. libopus resamples and mixes down itself, at no
    /// cost to speak of: asked for 8 kHz it leaves out what it would have to filter away.
    pub(crate) fn new(rate: u32, channel_count: u8) -> Result<Self, CodecError> {
        let decoder = Decoder::new(sample_rate(rate)?, channels(channel_count)).map_err(CodecError::opus)?;
        Ok(Self { decoder, rate: rate as usize, channels: usize::from(channel_count), concealed: 0 })
    }

    /// Appends at most `room` samples a channel; how many. On failure `out` is as before.
    fn run(
        &mut self,
        packet: Option<Packet<'_>>,
        room: usize,
        fec: bool,
        out: &mut Vec<i16>,
    ) -> Result<usize, audiopus::Error> {
        let begin = out.len();
        out.resize(begin + room * self.channels, 0);
        let result = match out.get_mut(begin..) {
            Some(space) => self.decoder.decode(packet, MutSignals::try_from(space)?, fec),
            None => Ok(0),
        };
        out.truncate(begin + result.as_ref().map_or(0, |samples| samples * self.channels));
        result
    }
}

impl Decode for OpusDecoder {
    /// A length says nothing; libopus refuses packets that are too long.
    fn samples(&self, _bytes: usize) -> Result<usize, CodecError> {
        Ok(0)
    }

    fn decode(&mut self, payload: &[u8], out: &mut Vec<i16>) -> Result<usize, CodecError> {
        let packet = Packet::try_from(payload).map_err(|_| CodecError::Malformed { bytes: 0 })?;
        let longest = self.rate * LONGEST_MS / 1000;
        let samples = self
            .run(Some(packet), longest, false, out)
            .map_err(|_| CodecError::Malformed { bytes: payload.len() })?;
        self.concealed = 0;
        Ok(samples)
    }

    fn gaps(&mut self) -> Option<&mut dyn Gaps> {
        Some(self)
    }
}

impl Gaps for OpusDecoder {
    /// Extrapolates; libopus' own concealment, which fades out.
    fn conceal(&mut self, samples: usize, out: &mut Vec<i16>) {
        let until = out.len() + samples * self.channels;
        // libopus works in units of 2.5 ms.
        let unit = self.rate / 400;
        while out.len() < until && self.concealed < self.rate * CONCEALED_MS / 1000 {
            let missing = (until - out.len()) / self.channels;
            let piece = missing.next_multiple_of(unit).min(self.rate * LONGEST_MS / 1000);
            match self.run(None, piece, false, out) {
                Ok(done) if done > 0 => self.concealed += done,
                _ => break,
            }
        }
        out.resize(until, 0);
    }

    /// Conceals a gap with the help of the packet behind it, which may repeat the last lost frame in
    /// coarser form (in-band forward error correction, RFC 6716 §2.1.7).
    fn recover(&mut self, samples: usize, following: &[u8], out: &mut Vec<i16>) {
        let Ok(packet) = Packet::try_from(following) else { return self.conceal(samples, out) };
        let Ok(rate) = sample_rate(self.rate as u32) else { return self.conceal(samples, out) };
        let Ok(frame) = audiopus::packet::samples_per_frame(packet, rate) else {
            return self.conceal(samples, out);
        };
        // Only SILK frames carry a copy, and these are 10 to 60 ms long.
        if frame * 100 < self.rate || frame > samples {
            return self.conceal(samples, out);
        }
        self.conceal(samples - frame, out);
        let until = out.len() + frame * self.channels;
        if let Ok(packet) = Packet::try_from(following)
            && self.run(Some(packet), frame, true, out).is_ok()
        {
            self.concealed = 0;
            out.resize(until, 0);
        } else {
            self.conceal(frame, out);
        }
    }
}

/// An encoder.
#[derive(Debug)]
pub(crate) struct OpusEncoder {
    encoder: Encoder,
    unit: usize,
    dtx: bool,
}

impl OpusEncoder {
    pub(crate) fn new(rate: u32, channel_count: u8, settings: &OpusSettings) -> Result<Self, CodecError> {
        let mut encoder = Encoder::new(sample_rate(rate)?, channels(channel_count), Application::Voip)
            .map_err(CodecError::opus)?;
        encoder
            .set_bitrate(
                settings.bitrate.map_or(Bitrate::Auto, |b| Bitrate::BitsPerSecond(b.min(510_000) as i32)),
            )
            .and_then(|()| encoder.set_complexity(settings.complexity.min(10)))
            .and_then(|()| encoder.set_signal(Signal::Voice))
            .and_then(|()| encoder.set_inband_fec(settings.inband_fec))
            .and_then(|()| encoder.set_packet_loss_perc(settings.expected_loss.min(100)))
            .and_then(|()| encoder.set_dtx(settings.dtx))
            .map_err(CodecError::opus)?;
        Ok(Self { encoder, unit: rate as usize / 400 * usize::from(channel_count), dtx: settings.dtx })
    }
}

impl Encode for OpusEncoder {
    fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) -> Result<usize, CodecError> {
        // 2.5, 5, 10, 20, 40 or 60 ms; libopus 1.3 also takes 80, 100 and 120.
        if !matches!(pcm.len().checked_div(self.unit), Some(1 | 2 | 4 | 8 | 16 | 24))
            || !pcm.len().is_multiple_of(self.unit)
        {
            return Err(CodecError::FrameSize { samples: pcm.len() });
        }
        let begin = out.len();
        out.resize(begin + LARGEST, 0);
        let result = match out.get_mut(begin..) {
            Some(space) => self.encoder.encode(pcm, space).map_err(CodecError::opus),
            None => Ok(0),
        };
        // With discontinuous transmission, one or two bytes say "nothing to send".
        let length = result.as_ref().map_or(0, |&length| if self.dtx && length <= 2 { 0 } else { length });
        out.truncate(begin + length);
        result.map(|_| length)
    }
}

impl CodecError {
    fn opus(error: audiopus::Error) -> Self {
        CodecError::Opus(error.to_string())
    }
}
