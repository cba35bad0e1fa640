//! Comfort noise (RFC 3389): its level, its colour, its payload.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use proptest::prelude::*;
use sidetone_codec::noise::{Description, Generator, MAX_ORDER};
use sidetone_codec::{Codec, Decoder};

use common::{decibels, rms};

fn made(description: Description, samples: usize) -> Vec<i16> {
    let mut generator = Generator::new(8000);
    generator.describe(description);
    let mut out = Vec::new();
    generator.generate(2000, &mut out);
    out.clear();
    generator.generate(samples, &mut out);
    out
}

#[test]
fn the_level_is_as_described() {
    for level in [20u8, 30, 45, 60] {
        let out = made(Description::white(level), 16_000);
        let got = decibels(rms(&out) / 32_767.0);
        assert!((got + f64::from(level)).abs() < 0.5, "-{level} dBov: {got:.1}");
    }
    assert!(made(Description::white(127), 1000).iter().all(|&s| s == 0));
}

#[test]
fn coloured_noise_keeps_level_and_colour() {
    // 127 + k * 32768 / 258: k1 = -0.9 is dull, +0.6 bright; a second coefficient makes a peak.
    for payload in [&[40u8, 13][..], &[40, 203], &[40, 20, 220], &[35, 30, 200, 90, 140, 120, 130]] {
        let described = Description::parse(payload).unwrap();
        let out = made(described, 64_000);
        let mut again = Vec::new();
        Description::measure(&out, payload.len() - 1).write(&mut again);
        for (n, (&a, &b)) in payload.iter().zip(&again).enumerate() {
            let most = if n == 0 { 1 } else { 6 };
            assert!(a.abs_diff(b) <= most, "{payload:?} came back as {again:?}");
        }
    }
}

#[test]
fn a_change_of_level_fades() {
    let mut generator = Generator::new(8000);
    let mut out = Vec::new();
    generator.describe(Description::white(30));
    generator.generate(80, &mut out);
    assert!(rms(&out[..20]) < 0.3 * rms(&made(Description::white(30), 1000)));
}

#[test]
fn a_comfort_noise_decoder_sounds_as_described() {
    let mut decoder = Decoder::new(&Codec::ComfortNoise { rate: 8000 }).unwrap();
    let mut out = Vec::new();
    decoder.idle(800, &mut out);
    assert!(out.iter().all(|&s| s == 0), "silent until described");
    assert_eq!(decoder.decode(&[40], &mut out), Ok(0));
    decoder.idle(8000, &mut out);
    assert_eq!(out.len(), 8800);
    assert!((decibels(rms(&out[2000..]) / 32_767.0) + 40.0).abs() < 1.0);
    assert!(decoder.decode(&[], &mut out).is_err());
}

proptest! {
    #[test]
    fn payloads_there_and_back(level in 0u8..128, indices in proptest::collection::vec(0u8..255, 0..=MAX_ORDER)) {
        let mut payload = vec![level];
        payload.extend(&indices);
        let mut again = Vec::new();
        Description::parse(&payload).unwrap().write(&mut again);
        prop_assert_eq!(again, payload);
    }

    #[test]
    fn any_payload_makes_bounded_noise(payload in proptest::collection::vec(any::<u8>(), 1..40)) {
        let out = made(Description::parse(&payload).unwrap(), 4000);
        prop_assert_eq!(out.len(), 4000);
        // A resonant filter may ring, but not beyond what its level describes by much.
        let level = 32_767.0 * 10f64.powf(-f64::from(payload[0] & 0x7f) / 20.0);
        prop_assert!(rms(&out) <= level * 6.0 + 1.0, "{} against {level}", rms(&out));
    }

    #[test]
    fn anything_can_be_measured(pcm in proptest::collection::vec(any::<i16>(), 0..400), order in 0usize..20) {
        let mut payload = Vec::new();
        Description::measure(&pcm, order).write(&mut payload);
        prop_assert!(payload.len() <= MAX_ORDER + 1 && payload[0] <= 127);
    }
}
