//! The voice activity network in `third_party/earshot` computes otherwise than the published one, and says the same.

use std::path::Path;

use sidetone_emotion::corpus::audio;

/// Scores of the published crate, 1.2.2, for the demo's caller, block by block.
const PUBLISHED: &str = include_str!("fixtures/earshot-1.2.2-scores.txt");

#[test]
fn scores_are_those_of_the_published_network() {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/caller.wav");
    let pcm = audio::read(&recording).unwrap();
    let mut detector = earshot::Detector::default();
    for (number, (block, published)) in pcm.chunks_exact(256).zip(PUBLISHED.lines()).enumerate() {
        let (score, published): (f32, f32) = (detector.predict_i16(block), published.parse().unwrap());
        assert!((score - published).abs() < 1e-3, "block {number}: {score}, and {published} as published");
    }
}
