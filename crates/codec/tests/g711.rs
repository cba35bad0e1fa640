//! G.711 against the decision and output values of its own tables, for every code and every sample.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use sidetone_codec::g711::{from_alaw, from_ulaw, to_alaw, to_ulaw};

/// One quantising interval: magnitudes from `low` up to but without `high`, and what it decodes to.
struct Interval {
    low: i32,
    high: i32,
    output: i32,
}

/// G.711 tables 1a/1b: 13 segments of A-law. Decision values in the table run to 4096; here they are
/// times 8, so that 16-bit samples fit. Two segments of step 2, then each twice the one before.
fn alaw_intervals() -> Vec<Interval> {
    let mut decisions = vec![0];
    for (segment, count) in [(2, 32), (4, 16), (8, 16), (16, 16), (32, 16), (64, 16), (128, 16)] {
        for _ in 0..count {
            decisions.push(decisions.last().unwrap() + segment * 8);
        }
    }
    decisions
        .windows(2)
        .map(|pair| Interval { low: pair[0], high: pair[1], output: (pair[0] + pair[1]) / 2 })
        .collect()
}

/// G.711 tables 2a/2b: 15 segments of µ-law, to 8159; here times 4. The first interval is half as wide,
/// and decodes to zero.
fn ulaw_intervals() -> Vec<Interval> {
    let mut decisions = vec![0, 4];
    for segment in 0..8 {
        let count = if segment == 0 { 15 } else { 16 };
        for _ in 0..count {
            decisions.push(decisions.last().unwrap() + (2 << segment) * 4);
        }
    }
    decisions
        .windows(2)
        .enumerate()
        .map(|(n, pair)| Interval {
            low: pair[0],
            high: if n == 127 { i32::MAX } else { pair[1] },
            output: if n == 0 { 0 } else { (pair[0] + pair[1]) / 2 },
        })
        .collect()
}

/// G.191 takes negative samples by their one's complement: -1 is as far from the middle as 0.
fn magnitude(sample: i16) -> i32 {
    if sample < 0 { -i32::from(sample) - 1 } else { i32::from(sample) }
}

fn index(intervals: &[Interval], sample: i16) -> u8 {
    let magnitude = magnitude(sample);
    let found = intervals.iter().position(|i| (i.low..i.high).contains(&magnitude));
    found.unwrap() as u8
}

/// Codes as tables 1 and 2 number them: the positive half has the first bit set; A-law is sent with
/// its even bits inverted, µ-law with all but the sign inverted.
fn alaw_code(index: u8, negative: bool) -> u8 {
    (index | if negative { 0 } else { 0x80 }) ^ 0x55
}

fn ulaw_code(index: u8, negative: bool) -> u8 {
    (0x7f - index) | if negative { 0 } else { 0x80 }
}

#[test]
fn the_tables_end_where_the_standard_says() {
    let (a, mu) = (alaw_intervals(), ulaw_intervals());
    assert_eq!((a.len(), mu.len()), (128, 128));
    assert_eq!(a[127].high, 4096 * 8);
    assert_eq!((mu[127].low, mu[127].output), (7903 * 4, 8031 * 4));
}

#[test]
fn every_sample_is_encoded_as_the_tables_say() {
    let (a, mu) = (alaw_intervals(), ulaw_intervals());
    for sample in i16::MIN..=i16::MAX {
        assert_eq!(to_alaw(sample), alaw_code(index(&a, sample), sample < 0), "A-law of {sample}");
        assert_eq!(to_ulaw(sample), ulaw_code(index(&mu, sample), sample < 0), "µ-law of {sample}");
    }
}

#[test]
fn every_code_is_decoded_as_the_tables_say() {
    let (a, mu) = (alaw_intervals(), ulaw_intervals());
    for n in 0..128u8 {
        for negative in [false, true] {
            let sign = if negative { -1 } else { 1 };
            assert_eq!(i32::from(from_alaw(alaw_code(n, negative))), sign * a[usize::from(n)].output);
            assert_eq!(i32::from(from_ulaw(ulaw_code(n, negative))), sign * mu[usize::from(n)].output);
        }
    }
}

#[test]
fn every_code_is_decoded_as_ffmpeg_does() {
    let alaw = common::samples(include_bytes!("fixtures/g711/alaw.decoded.s16"));
    let mulaw = common::samples(include_bytes!("fixtures/g711/mulaw.decoded.s16"));
    for code in 0..=255u8 {
        assert_eq!(from_alaw(code), alaw[usize::from(code)]);
        assert_eq!(from_ulaw(code), mulaw[usize::from(code)]);
    }
}

#[test]
fn what_was_decoded_is_encoded_to_the_same_code() {
    for code in 0..=255u8 {
        assert_eq!(to_alaw(from_alaw(code)), code);
        if code != 0x7f {
            // Negative zero is lost on the way: it decodes to 0.
            assert_eq!(to_ulaw(from_ulaw(code)), code);
        }
    }
}
