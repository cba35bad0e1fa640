//! Opus: packets both ways, discontinuous transmission, error correction, concealment.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use sidetone_codec::{Codec, CodecError, Decoder, Encoder, OpusFormat, OpusSettings};

use common::{rms, snr, voice};

const MONO: Codec = Codec::Opus(OpusFormat {
    stereo: false,
    inband_fec: false,
    dtx: false,
    max_average_bitrate: None,
    max_playback_rate: None,
});

fn packets(codec: &Codec, rate: u32, settings: &OpusSettings, pcm: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::with(codec, rate, settings).unwrap();
    let frame = rate as usize / 50 * usize::from(encoder.channels());
    pcm.chunks_exact(frame)
        .map(|frame| {
            let mut packet = Vec::new();
            encoder.encode(frame, &mut packet).unwrap();
            packet
        })
        .collect()
}

#[test]
fn a_voice_comes_through_at_every_rate() {
    for rate in [8_000, 16_000, 48_000] {
        let pcm = voice(rate, 120.0, 1.0);
        let settings = OpusSettings { bitrate: Some(40_000), ..OpusSettings::default() };
        let sent = packets(&MONO, rate, &settings, &pcm);
        let mut analysis = Decoder::for_analysis(&MONO).unwrap();
        let mut full = Decoder::new(&MONO).unwrap();
        assert_eq!((analysis.native_rate(), full.native_rate()), (8_000, 48_000));
        let (mut narrow, mut wide) = (Vec::new(), Vec::new());
        for packet in &sent {
            assert_eq!(MONO.duration(packet), 960);
            assert_eq!(analysis.decode(packet, &mut narrow), Ok(160));
            assert_eq!(full.decode(packet, &mut wide), Ok(960));
        }
        assert_eq!((narrow.len(), wide.len()), (8_000, 48_000));
        let reference = voice(8_000, 120.0, 1.0);
        assert!(snr(&reference[..7000], &narrow, 400) > 6.0, "{rate}: {}", snr(&reference, &narrow, 400));
    }
}

#[test]
fn stereo_is_decoded_as_stereo_and_analysed_as_mono() {
    let stereo = Codec::Opus(OpusFormat { stereo: true, ..OpusFormat::default() });
    let left = voice(48_000, 120.0, 0.4);
    let pcm: Vec<i16> = left.iter().flat_map(|&s| [s, s / 4]).collect();
    let settings = OpusSettings { bitrate: Some(96_000), ..OpusSettings::default() };
    let sent = packets(&stereo, 48_000, &settings, &pcm);
    let mut decoder = Decoder::new(&stereo).unwrap();
    let mut analysis = Decoder::for_analysis(&stereo).unwrap();
    assert_eq!((decoder.channels(), analysis.channels()), (2, 1));
    let (mut out, mut mono) = (Vec::new(), Vec::new());
    for packet in &sent {
        assert_eq!(decoder.decode(packet, &mut out), Ok(960));
        assert_eq!(analysis.decode(packet, &mut mono), Ok(160));
    }
    let one = |channel: usize| rms(&out.iter().skip(channel).step_by(2).copied().collect::<Vec<_>>()[4800..]);
    assert!(one(0) > one(1) * 2.0);
    assert!(rms(&mono[800..]) > one(1));
}

#[test]
fn silence_need_not_be_sent() {
    let settings = OpusSettings { dtx: true, ..OpusSettings::default() };
    let mut pcm = voice(16_000, 120.0, 0.5);
    pcm.extend(vec![0; 16_000]);
    let sent = packets(&MONO, 16_000, &settings, &pcm);
    let unsent = sent.iter().filter(|packet| packet.is_empty()).count();
    assert!(unsent > 20, "{unsent} of 50 silent packets were not sent");
    // The decoder fills the time: what it is told, to the sample.
    let mut decoder = Decoder::for_analysis(&MONO).unwrap();
    let mut out = Vec::new();
    for packet in &sent {
        if packet.is_empty() {
            decoder.idle(160, &mut out);
        } else {
            decoder.decode(packet, &mut out).unwrap();
        }
    }
    assert_eq!(out.len(), 12_000);
    assert!(rms(&out[8000..]) < 30.0);
}

#[test]
fn a_lost_packet_is_restored_from_the_next() {
    let settings = OpusSettings {
        bitrate: Some(24_000),
        inband_fec: true,
        expected_loss: 20,
        ..OpusSettings::default()
    };
    // A voice whose pitch moves, so that extrapolation can't know.
    let mut pcm = Vec::new();
    for n in 0..20 {
        pcm.extend(voice(16_000, 90.0 + f64::from(n * 37 % 100), 0.06));
    }
    let sent = packets(&MONO, 16_000, &settings, &pcm);
    let run = |lossy: bool, with_fec: bool| {
        let mut decoder = Decoder::for_analysis(&MONO).unwrap();
        let mut out = Vec::new();
        for (n, packet) in sent.iter().enumerate() {
            let lost = lossy && n % 5 == 4;
            match sent.get(n + 1) {
                Some(next) if lost && with_fec => decoder.recover(160, next, &mut out),
                _ if lost => decoder.conceal(160, &mut out),
                _ => assert_eq!(decoder.decode(packet, &mut out), Ok(160)),
            }
        }
        assert_eq!(out.len(), sent.len() * 160);
        out
    };
    let whole = run(false, false);
    let (with, without) = (snr(&whole, &run(true, true), 0), snr(&whole, &run(true, false), 0));
    assert!(with > without + 3.0, "{with:.1} dB with error correction, {without:.1} dB without");
}

#[test]
fn concealment_lasts_as_long_as_asked_and_dies_away() {
    let sent = packets(&MONO, 16_000, &OpusSettings::default(), &voice(16_000, 120.0, 0.4));
    let mut decoder = Decoder::for_analysis(&MONO).unwrap();
    let mut out = Vec::new();
    for packet in &sent {
        decoder.decode(packet, &mut out).unwrap();
    }
    for samples in [0, 1, 19, 20, 161, 1000, 20_000] {
        let mut gap = Vec::new();
        decoder.conceal(samples, &mut gap);
        assert_eq!(gap.len(), samples);
    }
    let mut late = Vec::new();
    decoder.conceal(160, &mut late);
    assert!(late.iter().all(|&s| s == 0));
    assert!(decoder.decode(&sent[0], &mut late).is_ok());
}

#[test]
fn what_is_no_packet_is_refused() {
    let mut decoder = Decoder::for_analysis(&MONO).unwrap();
    let mut out = vec![7];
    assert_eq!(decoder.decode(&[], &mut out), Err(CodecError::Malformed { bytes: 0 }));
    assert_eq!(decoder.decode(&[0xff, 0xff], &mut out), Err(CodecError::Malformed { bytes: 2 }));
    assert_eq!(out, [7], "what was there stays, nothing is added");
    let mut encoder = Encoder::new(&MONO).unwrap();
    assert_eq!(encoder.encode(&[0; 961], &mut Vec::new()), Err(CodecError::FrameSize { samples: 961 }));
    assert!(Encoder::with(&MONO, 44_100, &OpusSettings::default()).is_err());
}
