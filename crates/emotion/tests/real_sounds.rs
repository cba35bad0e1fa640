//! Real hold music and real prompts, neither of them anybody's feeling, with the weights and the thresholds as shipped.
//! `make peers` fetches them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::path::{Path, PathBuf};

use common::{alerts::alerts, noise, telephone};
use sidetone_emotion::corpus::audio;

/// The sounds in a folder of the peers, in their order.
fn sounds(folder: &str) -> Vec<Vec<i16>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.peers");
    let peers = std::env::var_os("SIDETONE_PEERS").map_or(here, PathBuf::from);
    let folder = peers.join(folder);
    let entries = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}; run `make peers`", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|kind| kind == "wav"));
    files.sort();
    files.iter().map(|path| audio::read(path).unwrap()).collect()
}

#[test]
fn hold_music_raises_no_alert() {
    let pieces = sounds("sounds/music");
    assert!(pieces.len() >= 5);
    for (number, piece) in pieces.iter().enumerate() {
        assert_eq!(alerts(&telephone(piece)), [], "piece {number}");
    }
}

#[test]
fn half_an_hour_of_prompts_raises_at_most_one_alert() {
    let prompts = sounds("asterisk/usr/share/asterisk/sounds/en_US_f_Allison");
    assert!(prompts.len() >= 300);
    let pause = noise(0.7, 10.0, 5);
    // Calls of some ten minutes, in which a voice reads one prompt after another.
    let (mut call, mut raised, mut samples) = (Vec::new(), 0, 0);
    for (number, prompt) in prompts.iter().enumerate() {
        call.extend_from_slice(prompt);
        call.extend_from_slice(&pause);
        if call.len() > 600 * 8000 || number + 1 == prompts.len() {
            raised += alerts(&telephone(&call)).iter().filter(|alert| alert.lasted.is_none()).count();
            samples += call.len();
            call.clear();
        }
    }
    // There is no more of them.
    assert!(samples > 1200 * 8000, "{} s", samples / 8000);
    assert!(raised <= 1, "{raised} alerts");
}
