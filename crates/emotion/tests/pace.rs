//! How fast people speak, and until when, held to the script of the demo's call.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::{path::Path, time::Duration};

use serde::Deserialize;
use sidetone_emotion::{
    FrameMark,
    corpus::audio,
    vad::{SpeechDetector, SpeechSegment},
};
use sidetone_insight::ConductThresholds;

/// A turn of `demo/timeline.json`, times in seconds.
#[derive(Deserialize)]
struct Turn {
    who: String,
    start: f64,
    end: f64,
    text: String,
}

fn demo(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo").join(name)
}

fn turns(who: &str) -> Vec<Turn> {
    let all: Vec<Turn> = serde_json::from_slice(&std::fs::read(demo("timeline.json")).unwrap()).unwrap();
    all.into_iter().filter(|turn| turn.who == who).collect()
}

/// The speech of one leg, as a call of G.711 brings it.
fn speech(who: &str) -> Vec<SpeechSegment> {
    let mut detector = SpeechDetector::new();
    let mut pieces = Vec::new();
    for packet in audio::read(&demo(&format!("{who}.wav"))).unwrap().chunks(160) {
        let sent: Vec<u8> = packet.iter().map(|sample| sidetone_codec::g711::to_ulaw(*sample)).collect();
        let heard: Vec<i16> = sent.iter().map(|byte| sidetone_codec::g711::from_ulaw(*byte)).collect();
        detector.push(&heard, FrameMark::Audio);
        pieces.extend(std::iter::from_fn(|| detector.poll()));
    }
    detector.finish();
    pieces.extend(std::iter::from_fn(|| detector.poll()));
    pieces
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

#[test]
fn words_a_minute_are_within_a_seventh_of_the_script() {
    for who in ["agent", "caller"] {
        let (words, time) = turns(who).iter().fold((0, 0.0), |(words, time), turn| {
            (words + turn.text.split_whitespace().count(), time + turn.end - turn.start)
        });
        let spoken = words as f64 / time * 60.0;
        let pieces = speech(who);
        let syllables: u32 = pieces.iter().map(|piece| piece.syllables).sum();
        let speech: f64 = pieces.iter().map(|piece| seconds(piece.to - piece.from)).sum();
        let a_word = f64::from(ConductThresholds::default().syllables_per_word);
        let measured = f64::from(syllables) / a_word / speech * 60.0;
        assert!(
            (measured / spoken - 1.0).abs() < 0.15,
            "{who}: {measured:.0} words a minute, spoken {spoken:.0}"
        );
    }
}

#[test]
fn speech_ends_when_the_party_falls_silent() {
    for who in ["agent", "caller"] {
        let pieces = speech(who);
        for turn in turns(who) {
            let last = pieces
                .iter()
                .map(|piece| (seconds(piece.from), seconds(piece.to)))
                .rfind(|(from, _)| *from < turn.end);
            let (_, end) = last.unwrap();
            assert!(end <= turn.end + 0.1, "{who}: {end} s, the words ended at {} s", turn.end);
        }
    }
}

#[test]
fn parties_who_take_turns_do_not_talk_over_each_other() {
    let (agent, caller) = (speech("agent"), speech("caller"));
    let mut overlap = 0.0;
    for one in &agent {
        for other in &caller {
            overlap += (seconds(one.to.min(other.to)) - seconds(one.from.max(other.from))).max(0.0);
        }
    }
    // The script has one interruption, of half a second.
    assert!((0.2..0.6).contains(&overlap), "{overlap} s");
}
