//! Concealment: a voice goes on, fades, ends, and comes back without a click.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use sidetone_codec::conceal::Concealer;
use sidetone_codec::{Codec, Decoder, Encoder};

use common::{rms, snr, voice};

/// The signal with the packets of 20 ms whose numbers are `lost` concealed.
fn through(rate: u32, pcm: &[i16], lost: &[usize]) -> Vec<i16> {
    let mut concealer = Concealer::new(rate);
    let mut out = pcm.to_vec();
    for (n, packet) in out.chunks_mut(rate as usize / 50).enumerate() {
        if lost.contains(&n) { concealer.conceal(packet) } else { concealer.pass(packet) }
    }
    out
}

fn largest_step(pcm: &[i16]) -> i32 {
    pcm.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap()
}

#[test]
fn without_loss_nothing_changes() {
    let pcm = voice(8000, 120.0, 0.5);
    assert_eq!(through(8000, &pcm, &[]), pcm);
}

#[test]
fn a_lost_packet_of_a_steady_voice_is_hardly_missed() {
    // Periods of whole samples are repeated exactly, and only the fading is heard; between samples,
    // high harmonics drift off.
    for (pitch, least) in
        [(80.0, 17.0), (125.0, 17.0), (160.0, 17.0), (75.0, 3.0), (121.0, 3.0), (190.0, 3.0)]
    {
        for rate in [8_000, 16_000, 48_000] {
            let pcm = voice(rate, pitch, 0.6);
            let packet = rate as usize / 50;
            let out = through(rate, &pcm, &[15]);
            let gap = 15 * packet..16 * packet;
            let quality = snr(&pcm[gap.clone()], &out[gap], 0);
            assert!(quality > least, "{rate} Hz, {pitch} Hz: {quality:.1} dB");
            assert_eq!(out[17 * packet..], pcm[17 * packet..], "and then all is as it was");
        }
    }
}

#[test]
fn nothing_clicks() {
    for lost in [&[10usize][..], &[10, 11], &[10, 11, 12, 13, 14], &[10, 12, 14]] {
        let pcm = voice(8000, 130.0, 0.6);
        let out = through(8000, &pcm, lost);
        let most = largest_step(&pcm);
        assert!(largest_step(&out) < most * 5 / 4, "{lost:?}: {} against {most}", largest_step(&out));
    }
}

#[test]
fn a_long_gap_fades_to_silence() {
    let pcm = voice(8000, 130.0, 0.6);
    let out = through(8000, &pcm, &[10, 11, 12, 13, 14]);
    let level = |from_ms: usize, to_ms: usize| rms(&out[1600 + from_ms * 8..1600 + to_ms * 8]);
    let before = rms(&pcm);
    assert!(level(0, 10) > before * 0.8);
    assert!(level(30, 40) < level(10, 20));
    assert!(level(50, 60) < before * 0.2);
    assert!(out[1600 + 480..2400].iter().all(|&s| s == 0));
}

#[test]
fn silence_stays_silent_and_full_scale_in_range() {
    assert!(through(8000, &[0; 4000], &[5, 6, 7]).iter().all(|&s| s == 0));
    let square: Vec<i16> = (0..4000).map(|n| if n / 31 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    assert_eq!(through(8000, &square, &[5, 6, 7, 9]).len(), 4000);
}

#[test]
fn a_gap_before_anything_was_heard_is_silent() {
    let pcm = voice(8000, 130.0, 0.1);
    assert!(through(8000, &pcm, &[0])[..160].iter().all(|&s| s == 0));
}

/// What the decoders make of 5 % loss is clearly better than silence in its place.
#[test]
fn every_waveform_codec_conceals() {
    for codec in [
        Codec::Pcmu,
        Codec::Pcma,
        Codec::G722,
        Codec::L16 { rate: 16_000, channels: 1 },
        Codec::L16 { rate: 44_100, channels: 2 },
    ] {
        let rate = codec.native_rate();
        let mut encoder = Encoder::new(&codec).unwrap();
        let channels = usize::from(encoder.channels());
        let mono = voice(rate, 110.0, 1.0);
        let pcm: Vec<i16> = mono.iter().flat_map(|&s| vec![s; channels]).collect();
        let packet = rate as usize / 50;
        let run = |concealed: bool| {
            let mut encoder = Encoder::new(&codec).unwrap();
            let mut decoder = Decoder::new(&codec).unwrap();
            let mut out = Vec::new();
            for (n, frame) in pcm.chunks(packet * channels).enumerate() {
                let mut payload = Vec::new();
                encoder.encode(frame, &mut payload).unwrap();
                match (n % 20 == 15, concealed) {
                    (true, true) => decoder.conceal(packet, &mut out),
                    (true, false) => decoder.idle(packet, &mut out),
                    _ => assert_eq!(decoder.decode(&payload, &mut out), Ok(packet)),
                }
            }
            assert_eq!(out.len(), pcm.len());
            snr(&pcm, &out, 30 * channels)
        };
        let (with, without) = (run(true), run(false));
        assert!(with > without + 3.0, "{codec:?}: {with:.1} dB against {without:.1} dB");
        assert_eq!(encoder.encode(&[], &mut Vec::new()), Ok(0));
    }
}
