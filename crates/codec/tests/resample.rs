//! Resampling: what passes, what is kept out, and that every sample is accounted for.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use proptest::collection::vec;
use proptest::prelude::*;
use sidetone_codec::{AnalysisBand, Resampler, UnsupportedRate};

use common::{decibels, rms, tone};

const RATES: [u32; 10] = [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000];

fn resample(from: u32, to: u32, pcm: &[i16]) -> Vec<i16> {
    let mut out = Vec::new();
    Resampler::new(from, to).unwrap().push(pcm, &mut out);
    out
}

/// Level of a tone after resampling, against before, in dB; the ends left out.
fn response(from: u32, to: u32, hertz: f64) -> f64 {
    let pcm = tone(from, hertz, 10_000.0, 0.5);
    let out = resample(from, to, &pcm);
    decibels(rms(&out[out.len() / 4..out.len() / 4 * 3]).max(0.01) / rms(&pcm))
}

#[test]
fn the_telephone_band_passes_unchanged() {
    for from in RATES {
        for hertz in [50.0, 300.0, 1000.0, 2500.0, 3000.0, 3400.0] {
            let response = response(from, 8000, hertz);
            assert!(response.abs() < 0.1, "{hertz} Hz from {from}: {response:.2} dB");
        }
    }
}

#[test]
fn what_lies_above_does_not_fold_back() {
    for from in RATES {
        for hertz in [4000.0, 4200.0, 4600.0, 5000.0, 7000.0, 9000.0, 15_000.0, 23_000.0] {
            if hertz < f64::from(from) / 2.0 {
                let response = response(from, 8000, hertz);
                assert!(response < -65.0, "{hertz} Hz from {from}: {response:.1} dB");
            }
        }
    }
}

#[test]
fn upwards_no_images_appear() {
    for to in [16_000, 24_000, 44_100, 48_000] {
        let pcm = tone(8000, 1000.0, 10_000.0, 0.5);
        let out = resample(8000, to, &pcm);
        assert!(response(8000, to, 1000.0).abs() < 0.1);
        // What remains when the tone itself is fitted and taken away.
        let steady = &out[out.len() / 4..out.len() / 4 * 3];
        let angle = |n: usize| std::f64::consts::TAU * 1000.0 * n as f64 / f64::from(to);
        let (mut re, mut im) = (0.0, 0.0);
        for (n, &s) in steady.iter().enumerate() {
            re += f64::from(s) * angle(n).cos() * 2.0 / steady.len() as f64;
            im += f64::from(s) * angle(n).sin() * 2.0 / steady.len() as f64;
        }
        let rest: Vec<i16> = steady
            .iter()
            .enumerate()
            .map(|(n, &s)| (f64::from(s) - re * angle(n).cos() - im * angle(n).sin()).round() as i16)
            .collect();
        assert!(decibels(rms(&rest) / 7071.0) < -60.0, "to {to}: {:.1} dB", decibels(rms(&rest) / 7071.0));
    }
}

#[test]
fn a_constant_stays_constant_to_the_last_bit() {
    for from in RATES {
        for to in [8_000, 16_000, 48_000] {
            if let Ok(mut resampler) = Resampler::new(from, to) {
                let mut out = Vec::new();
                resampler.push(&vec![12_345; from as usize / 4], &mut out);
                let settled = &out[out.len() / 2..];
                assert!(settled.iter().all(|&s| s == 12_345), "{from} to {to}");
            }
        }
    }
}

#[test]
fn full_scale_saturates_and_does_not_wrap() {
    let square: Vec<i16> = (0..4800).map(|n| if n / 37 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
    for to in [8_000, 16_000, 44_100] {
        let out = resample(48_000, to, &square);
        // A wrapped overshoot would have the other sign: the output would jump by nearly full range.
        let flips = out.windows(2).filter(|w| (i32::from(w[0]) - i32::from(w[1])).abs() > 60_000).count();
        let edges = square.windows(2).filter(|w| w[0] != w[1]).count();
        assert!(flips <= edges, "{flips} flips for {edges} edges");
    }
    let loud = resample(16_000, 8_000, &[i16::MIN; 2000]);
    assert!(loud[500..].iter().all(|&s| s == i16::MIN));
}

#[test]
fn the_delay_is_as_stated() {
    for (from, to) in [(16_000, 8_000), (48_000, 8_000), (44_100, 8_000), (8_000, 16_000), (8_000, 48_000)] {
        let mut resampler = Resampler::new(from, to).unwrap();
        let delay = resampler.delay().as_secs_f64();
        assert!(delay < 0.005, "{delay}");
        let mut impulse = vec![0i16; from as usize / 10];
        let at = from as usize / 20;
        impulse[at] = 30_000;
        let mut out = Vec::new();
        resampler.push(&impulse, &mut out);
        let weight: f64 = out.iter().map(|&s| f64::from(s)).sum();
        let centre: f64 = out.iter().enumerate().map(|(n, &s)| n as f64 * f64::from(s)).sum::<f64>() / weight;
        let expected = at as f64 / f64::from(from) + delay;
        assert!((centre / f64::from(to) - expected).abs() < 20e-6, "{from} to {to}");
    }
}

#[test]
fn eight_khz_passes_as_it_is() {
    let pcm = tone(8000, 440.0, 30_000.0, 0.1);
    assert_eq!(resample(8000, 8000, &pcm), pcm);
    assert!(AnalysisBand::new(8000, 1).unwrap().delay().is_zero());
}

#[test]
fn rates_that_make_no_sense_are_refused() {
    for (from, to) in [(0, 8000), (8000, 0), (3999, 8000), (200_000, 8000), (8000, u32::MAX)] {
        assert_eq!(Resampler::new(from, to).unwrap_err(), UnsupportedRate { from, to });
    }
}

#[test]
fn rates_with_nothing_in_common_are_served_too() {
    for from in [4_001, 7_999, 8_012, 11_127, 44_056, 48_001, 191_999] {
        let seconds = resample(from, 8000, &tone(from, 440.0, 10_000.0, 2.0)).len();
        assert_eq!(seconds, 16_000, "{from}: to the sample");
        for hertz in [300.0, 1000.0, 3000.0].into_iter().filter(|hertz| *hertz < 0.4 * f64::from(from)) {
            let response = response(from, 8000, hertz);
            assert!(response.abs() < 0.1, "{hertz} Hz from {from}: {response:.2} dB");
        }
        for hertz in [4200.0, 9000.0].into_iter().filter(|hertz| *hertz < f64::from(from) / 2.0) {
            let response = response(from, 8000, hertz);
            assert!(response < -45.0, "{hertz} Hz from {from}: {response:.1} dB");
        }
    }
}

#[test]
fn two_channels_are_averaged() {
    let mut band = AnalysisBand::new(8000, 2).unwrap();
    let mut out = Vec::new();
    assert_eq!(band.push(&[100, 300, -32_768, -32_768, 32_767, 32_767, 5], &mut out), 3);
    assert_eq!(out, [200, -32_768, 32_767]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// However the input is cut, the same comes out, and exactly ceil(n L / M) of it at every moment.
    #[test]
    fn every_sample_is_accounted_for(
        from in prop::sample::select(&RATES[..]), to in prop::sample::select(&[8_000u32, 16_000, 48_000][..]),
        cuts in vec(0usize..1200, 1..20), seed: u32,
    ) {
        let Ok(mut resampler) = Resampler::new(from, to) else { return Ok(()) };
        let total: usize = cuts.iter().sum();
        let mut state = seed | 1;
        let pcm: Vec<i16> = (0..total)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as i16
            })
            .collect();
        let mut out = Vec::new();
        let mut given = 0usize;
        for cut in cuts {
            let new = resampler.push(&pcm[given..given + cut], &mut out);
            given += cut;
            prop_assert_eq!(out.len() as u64, (given as u64 * u64::from(to)).div_ceil(u64::from(from)));
            prop_assert!(new <= out.len());
        }
        prop_assert_eq!(&out, &resample(from, to, &pcm));
        resampler.reset();
        let mut again = Vec::new();
        resampler.push(&pcm, &mut again);
        prop_assert_eq!(again, out);
    }
}
