//! Words that come while somebody speaks, beside those of the same utterances recognised afterwards.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // helpers of tests

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sidetone_codec::file::read;
use sidetone_language::reader::{Reader, Said, Speaker};
use sidetone_language::recognise::Recogniser;
use sidetone_language::text::Scorer;
use sidetone_language::utterance::{Piece, Utterances};

/// 20 ms.
const BLOCK: usize = 160;
/// Blocks without speech behind which a turn has ended, as the detector of calls has it: 240 ms.
const HANGOVER: usize = 12;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn reader() -> Reader {
    let peers = std::env::var_os("SIDETONE_PEERS").map_or_else(|| root().join(".peers"), PathBuf::from);
    let weights = peers.join("models/moonshine-tiny");
    assert!(weights.is_dir(), "run `tools/peers/install.sh recogniser` first");
    Reader::new(Box::new(Recogniser::open(&weights).unwrap()), Arc::new(Scorer::embedded().unwrap()))
}

/// The demo's caller between two of its seconds.
fn caller(from: usize, to: usize) -> Vec<i16> {
    let sound = read(File::open(root().join("demo/caller.wav")).unwrap()).unwrap();
    assert_eq!(sound.rate, 8_000);
    sound.samples[from * 8_000..to * 8_000].iter().map(|x| (x * 32_767.0) as i16).collect()
}

/// What a cutter gives out of it block by block. Speech is what is louder than -45 dBFS.
fn pieces(pcm: &[i16]) -> Vec<Piece> {
    let time = |blocks: usize| Duration::from_millis(20 * blocks as u64);
    let mut utterances = Utterances::default();
    let mut pieces = Vec::new();
    // Where the turn in progress began, or was last told of, and the end of its newest speech.
    let mut turn: Option<(usize, usize)> = None;
    for (at, block) in pcm.chunks_exact(BLOCK).enumerate() {
        let power = block.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / BLOCK as f64;
        if power.sqrt() > 184.0 {
            turn = Some((turn.map_or(at, |(from, _)| from), at + 1));
        }
        utterances.push(block, turn.is_some());
        if let Some((from, to)) = turn {
            if at + 1 >= to + HANGOVER {
                utterances.speech(time(from), time(to), true);
                turn = None;
            } else if to >= from + 50 {
                utterances.speech(time(from), time(to), false);
                turn = Some((to, to));
            }
        }
        pieces.extend(std::iter::from_fn(|| utterances.poll()));
    }
    utterances.finish();
    pieces.extend(std::iter::from_fn(|| utterances.poll()));
    pieces
}

#[test]
fn what_is_told_while_somebody_speaks_is_what_is_recognised_afterwards() {
    let pieces = pieces(&caller(24, 42));
    let heard = |pieces: &[&Piece]| -> Vec<Said> {
        let (mut reader, mut speaker) = (reader(), Speaker::customer());
        let read = pieces.iter().map(|piece| reader.read(None, &mut speaker, piece, &|| false).unwrap());
        read.flatten().collect()
    };
    let all: Vec<&Piece> = pieces.iter().collect();
    let wholes: Vec<&Piece> = pieces.iter().filter(|piece| piece.whole).collect();
    assert!(all.len() > wholes.len() && wholes.len() > 1, "{} of {}", wholes.len(), all.len());
    let live = heard(&all);
    let so_far = live.iter().filter(|said| matches!(said, Said::SoFar { .. })).count();
    assert!(so_far > wholes.len(), "words so far come every second: {so_far}");
    let live: Vec<&Said> = live.iter().filter(|said| !matches!(said, Said::SoFar { .. })).collect();
    let afterwards = heard(&wholes);
    assert!(afterwards.len() > 1);
    assert_eq!(live, afterwards.iter().collect::<Vec<_>>());
}
