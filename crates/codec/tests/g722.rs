//! G.722 bit by bit against FFmpeg's codec, which passes ITU-T's test sequences. How the fixtures were
//! made: `fixtures/make.sh`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod common;

use sidetone_codec::g722::{Decoder, Encoder};

use common::samples;

const SIGNAL: &[u8] = include_bytes!("fixtures/g722/signal.s16");
const SIGNAL_CODED: &[u8] = include_bytes!("fixtures/g722/signal.g722");
const SIGNAL_DECODED: &[u8] = include_bytes!("fixtures/g722/signal.decoded.s16");
const RANDOM_CODED: &[u8] = include_bytes!("fixtures/g722/random.g722");
const RANDOM_DECODED: &[u8] = include_bytes!("fixtures/g722/random.decoded.s16");

fn decode(coded: &[u8], packet: usize) -> Vec<i16> {
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    for payload in coded.chunks(packet) {
        decoder.decode(payload, &mut out);
    }
    out
}

#[test]
fn the_signal_decodes_bit_exactly() {
    assert_eq!(decode(SIGNAL_CODED, 160), samples(SIGNAL_DECODED));
}

#[test]
fn random_code_words_decode_bit_exactly() {
    assert_eq!(decode(RANDOM_CODED, 160), samples(RANDOM_DECODED));
}

#[test]
fn packets_of_any_size_are_one_stream() {
    let whole = decode(RANDOM_CODED, RANDOM_CODED.len());
    for packet in [1, 79, 80, 81, 480] {
        assert_eq!(decode(RANDOM_CODED, packet), whole, "{packet}");
    }
}

#[test]
fn the_signal_encodes_bit_exactly() {
    let mut encoder = Encoder::default();
    let mut coded = Vec::new();
    for pcm in samples(SIGNAL).chunks(320) {
        encoder.encode(pcm, &mut coded);
    }
    let first = coded.iter().zip(SIGNAL_CODED).position(|(a, b)| a != b);
    assert_eq!((first, coded.len()), (None, SIGNAL_CODED.len()));
}

#[test]
fn both_ways_a_voice_stays_itself() {
    let voice = common::voice(16_000, 120.0, 1.0);
    let mut coded = Vec::new();
    Encoder::default().encode(&voice, &mut coded);
    let decoded = decode(&coded, 160);
    assert_eq!((coded.len(), decoded.len()), (8000, 16_000));
    // The two filters delay by 22 samples.
    assert!(common::snr(&voice, &decoded, 30) > 20.0);
}
