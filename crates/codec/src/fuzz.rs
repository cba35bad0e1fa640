//! Bodies for fuzzers: each takes any bytes and asserts what must hold for all of them.
//!
//! They run as property tests of this crate and under cargo-fuzz.
#![allow(clippy::panic, clippy::missing_panics_doc)] // a failed assertion is the finding

use crate::{AnalysisBand, Codec, Decoder, MAX_PACKET};

/// Any payloads, losses and pauses through any decoder, and on through the analysis band.
pub fn decode(data: &[u8]) {
    let Some((&which, mut data)) = data.split_first() else { return };
    let Some(codec) = Codec::EXAMPLES.get(usize::from(which) % Codec::EXAMPLES.len()) else { return };
    let made = if which & 0x80 == 0 { Decoder::new(codec) } else { Decoder::for_analysis(codec) };
    let Ok(mut decoder) = made else { unreachable!("{codec:?} is audio") };
    let rate = decoder.native_rate() as usize;
    let channels = usize::from(decoder.channels());
    let Ok(mut band) = AnalysisBand::new(decoder.native_rate(), decoder.channels()) else {
        unreachable!("{rate} Hz can be resampled")
    };
    let (mut pcm, mut analysed) = (Vec::new(), Vec::new());
    let mut total = 0;
    while let Some((&[kind, length], rest)) = data.split_first_chunk() {
        let length = if kind & 0x40 == 0 { usize::from(length) } else { usize::from(length) * 32 };
        let (payload, rest) = rest.split_at(length.min(rest.len()));
        data = rest;
        pcm.clear();
        let expected = match kind % 4 {
            0 | 1 => match decoder.decode(payload, &mut pcm) {
                Ok(samples) => {
                    assert!(samples * 1000 <= rate * MAX_PACKET.as_millis() as usize);
                    if codec.is_audio() && rate == codec.native_rate() as usize {
                        let ticks = codec.duration(payload);
                        assert_eq!(samples, codec.samples(ticks, codec.native_rate()), "{codec:?}");
                    }
                    samples
                }
                Err(_) => 0,
            },
            2 => {
                decoder.recover(length, payload, &mut pcm);
                length
            }
            _ if kind & 0x20 == 0 => {
                decoder.conceal(length, &mut pcm);
                length
            }
            _ => {
                decoder.idle(length, &mut pcm);
                length
            }
        };
        assert_eq!(pcm.len(), expected * channels);
        band.push(&pcm, &mut analysed);
        total += expected;
    }
    assert_eq!(analysed.len(), (total * 8000).div_ceil(rate));
}

/// Codecs as SDP may describe them.
pub fn rtpmap(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut fields = text.splitn(4, ['/', ' ', '\n']);
    let encoding = fields.next().unwrap_or_default();
    let clock_rate = fields.next().and_then(|f| f.parse().ok()).unwrap_or(8000);
    let channels = fields.next().and_then(|f| f.parse().ok()).unwrap_or(0);
    let fmtp = fields.next().unwrap_or_default();
    if let Some(codec) = Codec::from_rtpmap(encoding, clock_rate, channels, fmtp) {
        assert!(codec.name().eq_ignore_ascii_case(encoding));
        assert!(codec.clock_rate() > 0);
        if codec.is_audio() {
            assert!(Decoder::new(&codec).is_ok() && Decoder::for_analysis(&codec).is_ok());
        }
    }
}
