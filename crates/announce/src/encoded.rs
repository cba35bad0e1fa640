//! A clip in one codec at one packet length.

use std::time::Duration;

use sidetone_codec::{Codec, CodecError, Encoder, OpusSettings, Resampler};

use crate::clip::{Clip, RATE};

/// A bit rate with natural speech, for a listener that states no limit.
const OPUS_BITRATE: u32 = 32_000;
/// Lengths of Opus packets with one frame, in milliseconds.
const OPUS_LENGTHS: [u16; 4] = [10, 20, 40, 60];

/// Payloads, ready to be sent, and their sound.
#[derive(Debug)]
pub struct Encoded {
    codec: Codec,
    ptime: Duration,
    ticks: u32,
    payloads: Vec<u8>,
    /// The end of each payload.
    ends: Vec<usize>,
    /// Samples at the codec's own rate, mono.
    pcm: Vec<i16>,
}

impl Encoded {
    /// Encodes a clip in packets of `ptime_ms`: 10 to 60, a multiple of 10; lengths that Opus does not have become 20.
    ///
    /// # Errors
    /// [`CodecError`]: the codec carries no sound, or its rate is unsupported.
    pub fn new(clip: &Clip, codec: &Codec, ptime_ms: u16) -> Result<Self, CodecError> {
        let ptime_ms = packet_length(codec, ptime_ms);
        let rate = codec.native_rate();
        let mut pcm = Vec::new();
        let mut resampler = Resampler::new(RATE, rate).map_err(CodecError::Rate)?;
        resampler.push(clip.pcm(), &mut pcm);
        resampler.push(&[0; RATE as usize / 100], &mut pcm);
        let mut encoder = encoder(codec)?;
        let samples = usize::try_from(rate * u32::from(ptime_ms) / 1_000).unwrap_or(usize::MAX).max(1);
        // The last packet is filled up with silence.
        pcm.resize(pcm.len().next_multiple_of(samples), 0);
        let mut encoded = Self {
            codec: *codec,
            ptime: Duration::from_millis(u64::from(ptime_ms)),
            ticks: codec.clock_rate() * u32::from(ptime_ms) / 1_000,
            payloads: Vec::new(),
            ends: Vec::new(),
            pcm: Vec::new(),
        };
        let mut frame = Vec::new();
        for chunk in pcm.chunks_exact(samples) {
            frame.clear();
            spread(chunk, encoder.channels(), &mut frame);
            encoder.encode(&frame, &mut encoded.payloads)?;
            encoded.ends.push(encoded.payloads.len());
        }
        encoded.pcm = pcm;
        Ok(encoded)
    }

    /// The codec.
    #[must_use]
    pub fn codec(&self) -> &Codec {
        &self.codec
    }

    /// The length of a packet's sound.
    #[must_use]
    pub fn ptime(&self) -> Duration {
        self.ptime
    }

    /// The same length in ticks of the RTP clock.
    #[must_use]
    pub fn ticks(&self) -> u32 {
        self.ticks
    }

    /// The number of packets.
    #[must_use]
    pub fn packets(&self) -> usize {
        self.ends.len()
    }

    /// The payload of packet `n`.
    #[must_use]
    pub fn payload(&self, n: usize) -> Option<&[u8]> {
        let end = *self.ends.get(n)?;
        let begin = n.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.payloads.get(begin..end)
    }

    /// The sound of packet `n`, mono at the codec's own rate.
    pub(crate) fn sound(&self, n: usize) -> Option<&[i16]> {
        let samples = self.pcm.len() / self.ends.len().max(1);
        self.pcm.get(n * samples..(n + 1) * samples)
    }
}

/// An encoder for announcements.
pub(crate) fn encoder(codec: &Codec) -> Result<Encoder, CodecError> {
    let settings = match codec {
        Codec::Opus(format) => OpusSettings {
            bitrate: Some(format.max_average_bitrate.map_or(OPUS_BITRATE, |most| most.min(OPUS_BITRATE))),
            inband_fec: format.inband_fec,
            ..OpusSettings::default()
        },
        _ => OpusSettings::default(),
    };
    Encoder::with(codec, codec.native_rate(), &settings)
}

/// Copies one channel to this many.
pub(crate) fn spread(mono: &[i16], channels: u8, out: &mut Vec<i16>) {
    match channels {
        0 | 1 => out.extend_from_slice(mono),
        more => out.extend(mono.iter().flat_map(|&sample| std::iter::repeat_n(sample, usize::from(more)))),
    }
}

/// The packet length closest to the requested one, in milliseconds.
#[must_use]
pub fn packet_length(codec: &Codec, asked_ms: u16) -> u16 {
    let asked = (asked_ms / 10 * 10).clamp(10, 60);
    match codec {
        Codec::Opus(_) if !OPUS_LENGTHS.contains(&asked) => 20,
        // 60 ms of stereo L16 at 48 kHz would not fit into an Ethernet frame.
        Codec::L16 { rate, channels } => {
            let bytes_a_ms = rate / 1_000 * u32::from(*channels) * 2;
            let most = u16::try_from(1_400 / bytes_a_ms.max(1)).unwrap_or(10) / 10 * 10;
            asked.min(most.max(10))
        }
        _ => asked,
    }
}

#[cfg(test)]
mod tests {
    use sidetone_codec::{Decoder, OpusFormat};

    use super::*;

    fn clip() -> Clip {
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for n in 0..16_000 {
            let t = f64::from(n) / 16_000.0;
            writer.write_sample((8_000.0 * (t * 3_000.0 * (1.0 + t)).sin()) as i16).unwrap();
        }
        writer.finalize().unwrap();
        bytes.set_position(0);
        Clip::read("sweep", bytes, -23.0).unwrap()
    }

    #[test]
    fn every_codec_at_every_packet_length_sounds_like_the_clip() {
        let clip = clip();
        let opus = OpusFormat { stereo: true, ..OpusFormat::default() };
        let codecs = [
            Codec::Pcmu,
            Codec::Pcma,
            Codec::G722,
            Codec::Opus(OpusFormat::default()),
            Codec::Opus(opus),
            Codec::L16 { rate: 16_000, channels: 1 },
            Codec::L16 { rate: 44_100, channels: 2 },
        ];
        for codec in codecs {
            for asked in [10, 20, 30, 40, 60] {
                let encoded = Encoded::new(&clip, &codec, asked).unwrap();
                let mut decoder = Decoder::new(&codec).unwrap();
                let mut heard = Vec::new();
                for n in 0..encoded.packets() {
                    let payload = encoded.payload(n).unwrap();
                    assert!(payload.len() <= 1_920, "{codec:?} {asked}");
                    assert_eq!(codec.duration(payload), encoded.ticks(), "{codec:?} {asked} {n}");
                    decoder.decode(payload, &mut heard).unwrap();
                }
                let seconds =
                    heard.len() as f64 / f64::from(decoder.native_rate()) / f64::from(decoder.channels());
                assert!((seconds - clip.length().as_secs_f64()).abs() < 0.08, "{codec:?} {asked} {seconds}");
                let power =
                    |pcm: &[i16]| pcm.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / pcm.len() as f64;
                let ratio = power(&heard) / power(clip.pcm());
                assert!((0.7..1.3).contains(&ratio), "{codec:?} {asked} {ratio}");
            }
        }
    }

    #[test]
    fn packet_lengths_that_a_codec_lacks_are_replaced() {
        assert_eq!(packet_length(&Codec::Pcmu, 30), 30);
        assert_eq!(packet_length(&Codec::Pcmu, 0), 10);
        assert_eq!(packet_length(&Codec::Pcmu, 500), 60);
        assert_eq!(packet_length(&Codec::Opus(OpusFormat::default()), 30), 20);
        assert_eq!(packet_length(&Codec::L16 { rate: 44_100, channels: 2 }, 20), 10);
    }
}
