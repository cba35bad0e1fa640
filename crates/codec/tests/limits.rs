//! What decoders do with payloads that are too long, too short or not theirs.
#![allow(clippy::unwrap_used)]

use sidetone_codec::{Codec, CodecError, Decoder, Encoder};

#[test]
fn more_than_200_ms_is_refused() {
    for (codec, most) in [
        (Codec::Pcmu, 1600),
        (Codec::Pcma, 1600),
        (Codec::G722, 1600),
        (Codec::L16 { rate: 48_000, channels: 2 }, 38_400),
    ] {
        let mut decoder = Decoder::new(&codec).unwrap();
        let mut out = Vec::new();
        assert!(decoder.decode(&vec![0; most], &mut out).is_ok());
        let before = out.len();
        let bytes = most + 4;
        assert_eq!(decoder.decode(&vec![0; bytes], &mut out), Err(CodecError::TooLong { bytes }));
        assert_eq!(out.len(), before);
    }
}

#[test]
fn half_a_sample_is_refused() {
    let mut decoder = Decoder::new(&Codec::L16 { rate: 8000, channels: 2 }).unwrap();
    let mut out = Vec::new();
    assert_eq!(decoder.decode(&[0; 6], &mut out), Err(CodecError::Malformed { bytes: 6 }));
    let mut encoder = Encoder::new(&Codec::G722).unwrap();
    assert_eq!(encoder.encode(&[0; 3], &mut Vec::new()), Err(CodecError::FrameSize { samples: 3 }));
}

#[test]
fn l16_is_in_network_order_and_interleaved() {
    let codec = Codec::L16 { rate: 8000, channels: 2 };
    let mut out = Vec::new();
    assert_eq!(Decoder::new(&codec).unwrap().decode(&[0x12, 0x34, 0xff, 0xfe], &mut out), Ok(1));
    assert_eq!(out, [0x1234, -2]);
    let mut payload = Vec::new();
    assert_eq!(Encoder::new(&codec).unwrap().encode(&out, &mut payload), Ok(4));
    assert_eq!(payload, [0x12, 0x34, 0xff, 0xfe]);
}

#[test]
fn an_empty_payload_is_no_audio() {
    for codec in [Codec::Pcmu, Codec::G722, Codec::L16 { rate: 8000, channels: 1 }] {
        let mut out = Vec::new();
        assert_eq!(Decoder::new(&codec).unwrap().decode(&[], &mut out), Ok(0));
        assert!(out.is_empty());
    }
}

#[test]
fn events_and_noise_are_told_apart_from_audio() {
    let event = Codec::TelephoneEvent { rate: 8000 };
    assert_eq!(Decoder::new(&event).unwrap_err(), CodecError::NotAudio("telephone-event"));
    assert_eq!(Encoder::new(&Codec::ComfortNoise { rate: 8000 }).unwrap_err(), CodecError::NotAudio("CN"));
}
