//! Fuzz bodies: each takes bytes as they may come and asserts what must hold whatever they are.

#![allow(clippy::expect_used, clippy::panic, clippy::missing_panics_doc)] // a broken invariant has to be seen

use std::sync::Arc;
use std::time::Duration;

use crate::audio;
use crate::calls::options::Options;
use crate::calls::{Calls, Happening, Recording};
use crate::datagrams::{Datagrams, Transport, Unwrap};
use crate::dtls::KeyLog;
use crate::dtls::hello::Hellos;
use crate::pcap::record::Link;
use crate::pcap::{self};
use crate::wav;
use crate::{Kind, open};

/// A WAV file: channels stay equally long, and no more comes out than went in.
pub fn wav(bytes: &[u8]) {
    let Ok(mut reader) = wav::Reader::new(bytes) else { return };
    let mut channels = vec![Vec::new(); reader.format().channels];
    while reader.read(&mut channels).expect("memory can be read") > 0 {}
    let samples: usize = channels.iter().map(Vec::len).sum();
    assert!(channels.iter().all(|channel| channel.len() * channels.len() == samples));
    // No coding makes more of a byte than GSM: 320 samples of 65.
    assert!(samples <= bytes.len() * 5);
}

/// An audio file of any kind: it ends, its channels stay equally long, and what comes out is bounded by what went in.
pub fn audio(bytes: &[u8]) {
    let Ok((Kind::Audio(container), input)) = open(bytes) else { return };
    let Ok(mut reader) = audio::Reader::new(container, input) else { return };
    let mut channels = vec![Vec::new(); reader.format().channels];
    let mut samples = 0;
    while reader.read(&mut channels).expect("memory can be read") > 0 {
        let length = channels.first().map_or(0, Vec::len);
        assert!(channels.iter().all(|channel| channel.len() == length));
        samples += length;
        channels.iter_mut().for_each(Vec::clear);
    }
    // A byte of FLAC can stand for a block of 65,535 equal samples, a byte of Opus for 120 ms.
    assert!(samples <= (bytes.len() + 1) * 65_535);
    let _ = reader.defect();
}

/// A capture file: it ends, and no more comes out than went in.
pub fn pcap(bytes: &[u8]) {
    let Ok(mut reader) = pcap::Reader::new(bytes) else { return };
    let mut total = 0;
    while let Ok(Some(frame)) = reader.next_frame() {
        total += frame.bytes.len();
    }
    assert!(total <= bytes.len());
    assert!(matches!(reader.next_frame(), Ok(None)), "the end is the end");
    assert!(reader.position() <= bytes.len() as u64);
}

/// A capture file's datagrams.
pub fn datagrams(bytes: &[u8]) {
    let Ok(datagrams) = Datagrams::new(bytes) else { return };
    let total: usize = datagrams.map(|datagram| datagram.payload.len()).sum();
    assert!(total <= bytes.len());
}

/// Frames of the link type that the first byte chooses, each preceded by its length in one byte: so that bytes far
/// apart can become fragments and segments of one another.
pub fn frames(bytes: &[u8]) {
    let Some((choice, mut rest)) = bytes.split_first() else { return };
    let link: Link = [101, 1, 113, 276, 0, 9, 51, 104, 204, 239, 252, 7]
        .map(Link::from)
        .into_iter()
        .cycle()
        .nth(usize::from(*choice))
        .expect("endless");
    let mut unwrap = Unwrap::default();
    let mut at = Duration::ZERO;
    let mut total = 0;
    while let Some((length, after)) = rest.split_first() {
        let (frame, after) = after.split_at(usize::from(*length).min(after.len()));
        at += Duration::from_millis(u64::from(*length));
        unwrap.frame(at, link, frame, length % 2 == 0);
        total += unwrap.take().map(|datagram| datagram.payload.len()).sum::<usize>();
        rest = after;
    }
    unwrap.end();
    for datagram in unwrap.take() {
        assert!(matches!(datagram.transport, Transport::Tcp { .. }), "only streams hold back what is whole");
        total += datagram.payload.len();
    }
    assert!(total <= bytes.len());
}

/// A key log, and datagrams of a handshake, each preceded by its length in one byte.
pub fn handshakes(bytes: &[u8]) {
    let _ = KeyLog::parse(bytes);
    let mut hellos = Hellos::default();
    let mut rest = bytes;
    while let Some((length, after)) = rest.split_first() {
        let (datagram, after) = after.split_at(usize::from(*length).min(after.len()));
        hellos.read(datagram);
        rest = after;
    }
}

/// The calls in a capture file: time goes on, and every packet was in the file.
pub fn calls(bytes: &[u8]) {
    protected_calls(bytes, b"");
}

/// The same with a key log.
pub fn protected_calls(bytes: &[u8], key_log: &[u8]) {
    let Ok(mut datagrams) = Datagrams::new(bytes) else { return };
    let key_log = KeyLog::parse(key_log).ok().map(Arc::new);
    let mut calls = Calls::new(Options { most_bytes: 1 << 20, key_log, ..Options::default() });
    let mut given = 0;
    for datagram in datagrams.by_ref() {
        given += datagram.payload.len();
        calls.observe(datagram);
    }
    let (recordings, _) = calls.finish();
    let mut heard = 0;
    for recording in &recordings {
        let mut last = Duration::ZERO;
        for (at, happening) in recording.replay() {
            assert!(at >= last, "time goes on");
            last = at;
            if let Happening::Packet { rtp, .. } = happening {
                heard += rtp.len();
            }
        }
        assert!(recording.duration() >= recording.ended().unwrap_or_default());
        let _ = recording.unknown_payload_types();
    }
    assert!(heard <= given);
    assert!(recordings.is_sorted_by_key(Recording::began));
}
