//! RTP payloads to PCM and back, without knowing of networks or models.
//!
//! PCM is `i16`, interleaved where there are two channels. A [`Decoder`] turns one payload after the
//! other into PCM and fills what is missing between them; [`AnalysisBand`] brings any PCM to the
//! 8 kHz mono in which everything is analysed.
//!
//! ```
//! use sidetone_codec::{AnalysisBand, Codec, Decoder};
//!
//! let codec = Codec::from_rtpmap("G722", 8000, 1, "").ok_or("unknown")?;
//! let mut decoder = Decoder::for_analysis(&codec)?;
//! let mut band = AnalysisBand::new(decoder.native_rate(), decoder.channels())?;
//! let (mut pcm, mut analysed) = (Vec::new(), Vec::new());
//!
//! decoder.decode(&[0xfa; 160], &mut pcm)?;                     // a packet of 20 ms
//! decoder.conceal(codec.samples(160, decoder.native_rate()), &mut pcm); // one that was lost
//! decoder.idle(codec.samples(800, decoder.native_rate()), &mut pcm);    // 100 ms not sent
//! band.push(&pcm, &mut analysed);
//! assert_eq!(pcm.len(), 140 * 16);
//! assert_eq!(analysed.len(), 140 * 8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | subject | source |
//! | --- | --- | --- |
//! | [`g711`] | PCMU, PCMA | ITU-T G.711, G.191 |
//! | [`g722`] | sub-band ADPCM at 64 kbit/s | ITU-T G.722 |
//! | [`gsm`] | GSM full rate, in WAV files | ETSI EN 300 961 (GSM 06.10) |
//! | [`noise`] | comfort noise | RFC 3389 |
//! | [`conceal`] | filling lost packets | ITU-T G.711 Appendix I |
//! | [`dtmf`] | keys in the sound itself | ITU-T Q.23, Q.24 |
//! | [`mod@file`] | audio files, whole | RIFF, FLAC, RFC 7845 |
//! | [`resample`] | rates to rates, exactly counted | |
//!
//! Opus is libopus (RFC 6716, 7587), L16 is RFC 3551 §4.5.11. Any payload of any length is safe to
//! decode; the most that comes out of one is [`MAX_PACKET`].
#![forbid(unsafe_code)]

mod band;
mod codec;
mod coding;
pub mod conceal;
mod decoder;
pub mod dtmf;
mod encoder;
pub mod file;
#[cfg(feature = "fuzz")]
#[doc(hidden)]
pub mod fuzz;
pub mod g711;
pub mod g722;
pub mod gsm;
mod l16;
pub mod noise;
mod opus;
pub mod resample;

pub use band::AnalysisBand;
pub use codec::{Codec, OpusFormat};
pub use coding::{CodecError, MAX_PACKET};
pub use decoder::Decoder;
pub use encoder::Encoder;
pub use opus::OpusSettings;
pub use resample::{Resampler, UnsupportedRate};
