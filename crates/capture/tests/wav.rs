//! WAV files as recorders leave them, read back sample by sample.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::Cursor;

use sidetone_capture::wav::{Encoding, Reader, WavError};

/// A WAV file: the RIFF size, the body of `fmt `, the size that `data` states, and the audio.
fn file(riff_size: u32, fmt: &[u8], data_size: u32, audio: &[u8]) -> Vec<u8> {
    let mut file = b"RIFF".to_vec();
    file.extend(riff_size.to_le_bytes());
    file.extend(b"WAVEfmt ");
    file.extend((fmt.len() as u32).to_le_bytes());
    file.extend(fmt);
    file.extend(b"data");
    file.extend(data_size.to_le_bytes());
    file.extend(audio);
    file
}

/// The body of a `fmt ` chunk.
fn fmt(tag: u16, channels: u16, rate: u32, bits: u16) -> Vec<u8> {
    let align = channels * bits / 8;
    let mut body = Vec::new();
    body.extend(tag.to_le_bytes());
    body.extend(channels.to_le_bytes());
    body.extend(rate.to_le_bytes());
    body.extend((rate * u32::from(align)).to_le_bytes());
    body.extend(align.to_le_bytes());
    body.extend(bits.to_le_bytes());
    body
}

fn whole(file: &[u8]) -> (Reader<Cursor<Vec<u8>>>, Vec<Vec<i16>>) {
    let mut reader = Reader::new(Cursor::new(file.to_vec())).unwrap();
    let mut channels = vec![Vec::new(); reader.format().channels];
    while reader.read(&mut channels).unwrap() > 0 {}
    (reader, channels)
}

#[test]
fn each_coding_is_read() {
    let le16: Vec<u8> = [0i16, 1000, -1000].iter().flat_map(|s| s.to_le_bytes()).collect();
    let le32: Vec<u8> = [0i32, 1000 << 16, -1000 << 16].iter().flat_map(|s| s.to_le_bytes()).collect();
    let le24: Vec<u8> =
        [0i32, 1000 << 8, -1000 << 8].iter().flat_map(|s| s.to_le_bytes()[..3].to_vec()).collect();
    let f32s: Vec<u8> =
        [0f32, 1000.0 / 32768.0, -1000.0 / 32768.0].iter().flat_map(|s| s.to_le_bytes()).collect();
    let f64s: Vec<u8> =
        [0f64, 1000.0 / 32768.0, -1000.0 / 32768.0].iter().flat_map(|s| s.to_le_bytes()).collect();
    let cases = [
        (1, 8, Encoding::Unsigned8, &[128, 132, 124][..], [0, 1024, -1024]),
        (1, 16, Encoding::Signed16, &le16, [0, 1000, -1000]),
        (1, 24, Encoding::Signed24, &le24, [0, 1000, -1000]),
        (1, 32, Encoding::Signed32, &le32, [0, 1000, -1000]),
        (3, 32, Encoding::Float32, &f32s, [0, 1000, -1000]),
        (3, 64, Encoding::Float64, &f64s, [0, 1000, -1000]),
        (6, 8, Encoding::ALaw, &[0xD5, 0xAA, 0x2A], [8, 32_256, -32_256]),
        (7, 8, Encoding::MuLaw, &[0xFF, 0x80, 0x00], [0, 32_124, -32_124]),
    ];
    for (tag, bits, encoding, audio, expected) in cases {
        let file = file(0, &fmt(tag, 1, 8000, bits), audio.len() as u32, audio);
        let (reader, channels) = whole(&file);
        assert_eq!(reader.format().encoding, encoding);
        assert_eq!(reader.frames(), Some(3));
        assert_eq!(channels, [expected], "{encoding:?}");
        assert!(!reader.truncated());
    }
}

#[test]
fn two_channels_are_two_legs() {
    let audio: Vec<u8> = (0..30_000i16).flat_map(|n| [n, -n]).flat_map(i16::to_le_bytes).collect();
    let (reader, channels) = whole(&file(0, &fmt(1, 2, 16_000, 16), audio.len() as u32, &audio));
    assert_eq!((reader.format().rate, reader.frames()), (16_000, Some(30_000)));
    assert!(channels[0].iter().zip(0..30_000i16).all(|(sample, n)| *sample == n));
    assert!(channels[1].iter().zip(0..30_000i16).all(|(sample, n)| *sample == -n));
    assert_eq!((channels[0].len(), channels[1].len()), (30_000, 30_000));
}

#[test]
fn hound_and_we_agree() {
    for bits in [8, 16, 24, 32] {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 44_100,
            bits_per_sample: bits,
            sample_format: hound::SampleFormat::Int,
        };
        let mut file = Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
        for n in -100..100i32 {
            writer.write_sample(n << (bits - 8)).unwrap();
        }
        writer.finalize().unwrap();
        let (reader, channels) = whole(file.get_ref());
        assert_eq!(reader.format().rate, 44_100);
        let together: Vec<i16> = channels[0].iter().zip(&channels[1]).flat_map(|(l, r)| [*l, *r]).collect();
        let expected: Vec<i16> = (-100..100).map(|n| n << 8).collect();
        assert_eq!(together, expected, "{bits} bits (hound writes 24 and more with the extensible header)");
    }
}

#[test]
fn sizes_that_were_never_filled_in_mean_up_to_the_end() {
    let audio = [1, 0, 2, 0, 3, 0];
    let fmt = fmt(1, 1, 8000, 16);
    for (riff, data) in
        [(0, 0), (36, 0), (u32::MAX, u32::MAX), (u32::MAX, 0), (0, u32::MAX), (0x7FFF_F024, 0x7FFF_F000)]
    {
        let (reader, channels) = whole(&file(riff, &fmt, data, &audio));
        assert_eq!(channels, [[1, 2, 3]], "RIFF {riff:#x}, data {data:#x}");
        assert_eq!(reader.frames(), None);
        assert!(!reader.truncated());
    }
}

#[test]
fn an_empty_recording_is_empty() {
    // The RIFF size covers a chunk behind the empty data chunk, so the zero is meant.
    let mut file = file(44, &fmt(1, 1, 8000, 16), 0, &[]);
    file.extend(b"LIST\0\0\0\0");
    let (reader, channels) = whole(&file);
    assert_eq!((channels, reader.frames()), (vec![vec![]], Some(0)));
}

#[test]
fn what_is_there_of_a_truncated_file_is_read() {
    let (reader, channels) = whole(&file(1036, &fmt(1, 2, 8000, 16), 1000, &[1, 0, 2, 0, 3, 0, 4, 0, 5]));
    assert_eq!(channels, [[1, 3], [2, 4]]);
    assert_eq!(reader.frames(), Some(250));
    assert!(reader.truncated());
}

#[test]
fn what_follows_the_audio_is_not_audio() {
    let mut file = file(0, &fmt(1, 1, 8000, 16), 4, &[1, 0, 2, 0]);
    file.extend(b"LIST\x04\0\0\0abcd");
    assert_eq!(whole(&file).1, [[1, 2]]);
}

#[test]
fn chunks_before_the_audio_are_passed_over() {
    let mut file = b"RIFF\0\0\0\0WAVEbext\x03\0\0\0abc\0fmt ".to_vec();
    let mut fmt = fmt(7, 1, 8000, 8);
    fmt.extend([0, 0]);
    file.extend((fmt.len() as u32).to_le_bytes());
    file.extend(&fmt);
    file.extend(b"fact\x04\0\0\0\x01\0\0\0data\x01\0\0\0\x80");
    assert_eq!(whole(&file).1, [[32_124]]);
}

#[test]
fn the_extensible_header_tells_the_real_coding() {
    let mut body = fmt(0xFFFE, 1, 8000, 8);
    body.extend([22, 0, 8, 0, 4, 0, 0, 0, 6, 0]);
    body.extend([0, 0, 0, 0, 16, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71]);
    let (reader, channels) = whole(&file(0, &body, 1, &[0xAA]));
    assert_eq!((reader.format().encoding, channels), (Encoding::ALaw, vec![vec![32_256]]));
    let short = file(0, &body[..20], 1, &[0xAA]);
    assert!(matches!(Reader::new(&short[..]), Err(WavError::Damaged(_))));
}

#[test]
fn samples_of_20_bits_stand_in_24() {
    let mut body = fmt(1, 1, 8000, 24);
    body[14] = 20;
    assert_eq!(whole(&file(0, &body, 3, &[0xF0, 0x34, 0x12])).1, [[0x1235]]);
}

#[test]
fn rf64_keeps_its_size_elsewhere() {
    let mut file = b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0".to_vec();
    file.extend(0u64.to_le_bytes());
    file.extend(4u64.to_le_bytes());
    file.extend([0; 12]);
    file.extend(b"fmt \x10\0\0\0");
    file.extend(fmt(1, 1, 8000, 16));
    file.extend(b"data\xff\xff\xff\xff\x01\0\x02\0more");
    let (reader, channels) = whole(&file);
    assert_eq!((reader.frames(), channels), (Some(2), vec![vec![1, 2]]));
}

#[test]
fn what_cannot_be_read_is_told() {
    let refused = |fmt: &[u8]| Reader::new(&file(0, fmt, 0, &[])[..]).unwrap_err();
    assert!(matches!(refused(&fmt(1, 6, 8000, 16)), WavError::Channels(6)));
    assert!(matches!(refused(&fmt(1, 0, 8000, 16)), WavError::Channels(0)));
    assert!(matches!(refused(&fmt(1, 1, 0, 16)), WavError::Rate(0)));
    assert!(matches!(refused(&fmt(1, 1, 4_000_000, 16)), WavError::Rate(_)));
    assert!(matches!(refused(&fmt(0x55, 1, 8000, 16)), WavError::Encoding { tag: 0x55, .. }));
    assert!(matches!(refused(&fmt(1, 1, 8000, 16)[..15]), WavError::Damaged(_)));
    assert!(matches!(Reader::new(&b"RIFF\0\0\0\0AVI LIST"[..]), Err(WavError::NotWav)));
    assert!(matches!(Reader::new(&b"fLaC"[..]), Err(WavError::Damaged(_))));
    assert!(matches!(Reader::new(&b"RIFF\0\0\0\0WAVEdata\0\0\0\0"[..]), Err(WavError::Damaged(_))));
}

#[test]
fn the_bits_are_believed_before_the_bytes_of_a_frame() {
    let audio: Vec<u8> = [1i16, -1, 2, -2].iter().flat_map(|sample| sample.to_le_bytes()).collect();
    for align in [0u16, 1, 2, 4, 16, 32] {
        for channels in [1, 2] {
            let mut body = fmt(1, channels, 8000, 16);
            body[12..14].copy_from_slice(&align.to_le_bytes());
            let (_, read) = whole(&file(0, &body, audio.len() as u32, &audio));
            assert_eq!(read.len(), usize::from(channels));
            assert_eq!(read.iter().map(Vec::len).sum::<usize>(), 4, "align {align}, {channels} channels");
        }
    }
    // 24 bits that stand in four bytes are the exception: what the frame says is possible there.
    let mut body = fmt(1, 1, 8000, 24);
    body[12..14].copy_from_slice(&4u16.to_le_bytes());
    assert_eq!(whole(&file(0, &body, 4, &[0, 0, 0x34, 0x12])).1, [[0x1234]]);
}

#[test]
fn a_size_that_is_too_small_does_not_hide_the_rest() {
    let audio: Vec<u8> = (0..100u8).flat_map(|n| [n | 0x80, 0x01]).collect();
    for stated in [0, 2, 50] {
        let file = file(36 + audio.len() as u32, &fmt(1, 1, 8000, 16), stated, &audio);
        let (reader, channels) = whole(&file);
        assert_eq!((channels[0].len(), reader.runs_on(), reader.truncated()), (100, true, false), "{stated}");
    }
}

#[test]
fn a_second_chunk_of_audio_is_read_on() {
    let mut file = file(0, &fmt(1, 1, 8000, 16), 2, &[1, 0]);
    file.extend(b"LIST\x03\0\0\0abc\0data\x04\0\0\0\x02\0\x03\0");
    assert_eq!(whole(&file).1, [[1, 2, 3]]);
}

#[test]
fn an_odd_chunk_without_its_padding_is_passed_over() {
    for padding in [&b"\0"[..], b""] {
        let mut file = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc".to_vec();
        file.extend(padding);
        file.extend(b"fmt \x10\0\0\0");
        file.extend(fmt(1, 1, 8000, 16));
        file.extend(b"data\x02\0\0\0\x07\0");
        assert_eq!(whole(&file).1, [[7]]);
    }
}

#[test]
fn rf64_without_its_sizes_runs_to_the_end() {
    let mut file = b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0".to_vec();
    file.extend([0; 28]);
    file.extend(b"fmt \x10\0\0\0");
    file.extend(fmt(1, 1, 8000, 16));
    file.extend(b"data\xff\xff\xff\xff\x01\0\x02\0\x03\0\x04\0\x05\0");
    assert_eq!(whole(&file).1, [[1, 2, 3, 4, 5]]);
}

#[test]
fn rifx_is_big_endian_and_what_only_says_so_is_not() {
    let mut big =
        b"RIFX\0\0\0\x26WAVEfmt \0\0\0\x10\0\x01\0\x01\0\0\x1f\x40\0\0\x3e\x80\0\x02\0\x10data\0\0\0\x02"
            .to_vec();
    big.extend([0x12, 0x34]);
    assert_eq!(whole(&big).1, [[0x1234]]);
    let mut little = file(0, &fmt(1, 1, 8000, 16), 2, &[0x34, 0x12]);
    little[3] = b'X';
    assert_eq!(whole(&little).1, [[0x1234]]);
}

#[test]
fn numbers_that_were_never_scaled_are() {
    let audio: Vec<u8> = [0f32, 1000.0, -20_000.0].iter().flat_map(|sample| sample.to_le_bytes()).collect();
    assert_eq!(whole(&file(0, &fmt(3, 1, 8000, 32), 12, &audio)).1, [[0, 1000, -20_000]]);
}

#[test]
fn gsm_is_decoded() {
    let mut body = fmt(0x31, 1, 8000, 0);
    body[12..14].copy_from_slice(&65u16.to_le_bytes());
    body.extend([2, 0, 0x40, 1]);
    let blocks = [0; 65 * 3];
    let (reader, channels) = whole(&file(0, &body, 195, &blocks));
    assert_eq!((reader.format().encoding, channels[0].len()), (Encoding::Gsm, 960));
}
