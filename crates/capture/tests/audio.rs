//! FLAC, Ogg Opus and Ogg Vorbis as flac 1.4.2, opusenc 0.2 and oggenc 1.4.2 write them: two seconds of two speakers.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use sidetone_capture::audio::{AudioError, Container, Defect, Format, Reader};
use sidetone_capture::{Kind, open};

const FLAC: &[u8] = include_bytes!("fixtures/call.flac");
const OPUS: &[u8] = include_bytes!("fixtures/call-opus.ogg");
const VORBIS: &[u8] = include_bytes!("fixtures/call-vorbis.ogg");

fn whole(file: &[u8]) -> (Format, Vec<Vec<i16>>, Option<Defect>) {
    let (kind, input) = open(file).unwrap();
    let Kind::Audio(container) = kind else { panic!("{kind:?}") };
    let mut reader = Reader::new(container, input).unwrap();
    let mut channels = vec![Vec::new(); reader.format().channels];
    while reader.read(&mut channels).unwrap() > 0 {}
    (reader.format(), channels, reader.defect())
}

/// How alike two sounds of one length are: their normalised correlation.
fn alike(a: &[i16], b: &[i16]) -> f64 {
    let product =
        |a: &[i16], b: &[i16]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    product(a, b) / (product(a, a) * product(b, b)).sqrt()
}

#[test]
fn flac_is_read_to_the_sample() {
    let (format, channels, defect) = whole(FLAC);
    assert_eq!((format, defect), (Format { rate: 8000, channels: 2 }, None));
    assert_eq!(channels.iter().map(Vec::len).collect::<Vec<_>>(), [16_000, 16_000]);
    assert!(channels[0].iter().any(|sample| sample.abs() > 1000));
}

#[test]
fn opus_and_vorbis_sound_as_the_original_and_keep_the_legs_apart() {
    let (_, original, _) = whole(FLAC);
    for (file, rate) in [(VORBIS, 8000), (OPUS, 48_000)] {
        let (format, channels, defect) = whole(file);
        assert_eq!((format, defect), (Format { rate, channels: 2 }, None));
        let every = rate as usize / 8000;
        assert_eq!(channels[0].len(), 16_000 * every, "what the encoder added is left out");
        let telephone: Vec<Vec<i16>> =
            channels.iter().map(|channel| channel.iter().step_by(every).copied().collect()).collect();
        for leg in 0..2 {
            assert!(
                alike(&telephone[leg], &original[leg]) > 0.85,
                "{rate}: {}",
                alike(&telephone[leg], &original[leg])
            );
            assert!(alike(&telephone[leg], &original[1 - leg]).abs() < 0.3);
        }
    }
}

#[test]
fn of_a_cut_file_is_read_what_is_there() {
    for file in [FLAC, OPUS, VORBIS] {
        let (_, all, _) = whole(file);
        let (_, some, defect) = whole(&file[..file.len() * 3 / 4]);
        assert!(!some[0].is_empty() && some[0].len() < all[0].len(), "{} of {}", some[0].len(), all[0].len());
        assert_eq!(some[0].len(), some[1].len());
        assert_eq!(defect, Some(Defect::Cut));
    }
}

#[test]
fn a_damaged_page_is_left_out_and_counted() {
    let mut file = OPUS.to_vec();
    let last = file.len() - 1;
    file[last] ^= 1;
    let (_, _, defect) = whole(&file);
    assert!(defect.is_some(), "{defect:?}");
}

#[test]
fn streams_one_behind_the_other_are_read_on() {
    for file in [OPUS, VORBIS] {
        let (_, once, _) = whole(file);
        let (_, twice, defect) = whole(&[file, file].concat());
        assert_eq!((twice[0].len(), defect), (2 * once[0].len(), None));
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let refused = |container, file: &[u8]| Reader::new(container, file).unwrap_err();
    assert!(matches!(refused(Container::Flac, b"fLaC\0\0\0"), AudioError::Damaged("FLAC file", _)));
    assert!(matches!(refused(Container::Ogg, b"OggS"), AudioError::Damaged("Ogg file", _)));
    // A page whose checksum doesn't fit what stands in it is no page.
    let speex = [&OPUS[..28], b"Speex   ", &OPUS[36..]].concat();
    assert!(matches!(refused(Container::Ogg, &speex), AudioError::Damaged(..) | AudioError::Ogg(_)));
}
