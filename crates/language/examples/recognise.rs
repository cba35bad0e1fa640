//! Recognises recordings as a call's sound is recognised, and prints a line of JSON for each utterance: what was
//! recognised, and what it cost on this thread.
//!
//!     RAYON_NUM_THREADS=1 recognise FOLDER [--line] [--whole] [--language=de] FILE...
//!
//! `--line` sends the sound through G.711 µ-law in packets of 20 ms, of which one in a hundred is lost and concealed.
//! Then the detector of speech hears it, and it is cut at its pauses; with `--whole` it isn't.

#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs::File;
use std::path::Path;

use nix::sys::time::TimeValLike;
use nix::time::{ClockId, clock_gettime};
use serde_json::json;
use sidetone_codec::file::read;
use sidetone_codec::resample::Resampler;
use sidetone_emotion::SpeechDetector;
use sidetone_emotion::corpus::telephony::Band;
use sidetone_emotion::mark::FrameMark;
use sidetone_emotion::rng::Rng;
use sidetone_language::recognise::{open, widen};
use sidetone_language::utterance::{Piece, Utterances};

const RATE: u32 = 8_000;
/// Packets that are lost.
const LOSS: f32 = 0.01;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (options, names): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|argument| argument.starts_with("--"));
    let (folder, files) = names.split_first().ok_or("usage: recognise FOLDER [--line] [--whole] FILE...")?;
    let language = options.iter().find_map(|option| option.strip_prefix("--language=")).unwrap_or("en");
    let recogniser = open(Path::new(folder), language)?;
    for (number, file) in (0u64..).zip(files) {
        let sound = read(File::open(file)?)?;
        let pcm: Vec<i16> = sound.samples.iter().map(|x| (x * 32_767.0) as i16).collect();
        let mut narrow = Vec::new();
        Resampler::new(sound.rate, RATE)?.push(&pcm, &mut narrow);
        if options.contains(&"--line") {
            narrow = Band::G711.over_line(&narrow, 0.0, LOSS, &mut Rng::new(number + 1));
        }
        let pieces = if options.contains(&"--whole") { vec![(0.0, narrow)] } else { cut(&narrow) };
        for (from, piece) in pieces {
            let begin = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
            let transcript = recogniser.transcribe_wide(&widen(&piece), &|| false)?;
            let spent = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)? - begin;
            let words = transcript.words.iter();
            let words: Vec<_> = words
                .map(|word| (&word.text, from + word.from.as_secs_f64(), from + word.to.as_secs_f64()))
                .collect();
            let line = json!({
                "file": file,
                "from": from,
                "seconds": piece.len() as f64 / f64::from(RATE),
                "text": transcript.text,
                "confidence": transcript.confidence,
                "doubt": transcript.doubt.map(|doubt| format!("{doubt:?}")),
                "milliseconds": spent.num_microseconds() as f64 / 1e3,
                "words": words,
            });
            println!("{line}");
        }
    }
    Ok(())
}

/// The utterances in a recording, each with its beginning in seconds.
fn cut(pcm: &[i16]) -> Vec<(f64, Vec<i16>)> {
    let (mut detector, mut utterances) = (SpeechDetector::new(), Utterances::default());
    let mut found = Vec::new();
    let mut take = |utterances: &mut Utterances| {
        let whole = std::iter::from_fn(|| utterances.poll()).filter(|piece| piece.whole);
        found.extend(whole.map(|Piece { from, sound, .. }| (from.as_secs_f64(), sound)));
    };
    for block in pcm.chunks(160) {
        detector.push(block, FrameMark::Audio);
        utterances.push(block, detector.is_speaking());
        while let Some(segment) = detector.poll() {
            utterances.speech(segment.from, segment.to, segment.ended);
        }
        take(&mut utterances);
    }
    detector.finish();
    while let Some(segment) = detector.poll() {
        utterances.speech(segment.from, segment.to, segment.ended);
    }
    utterances.finish();
    take(&mut utterances);
    found
}
