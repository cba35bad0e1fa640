//! Who trains, who validates, who tests: whole speakers, never clips.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{corpus::Manifest, rng::Rng};

/// Named among the test or validation speakers, it has nobody drawn for a corpus that names none. Without validation
/// speakers training goes to its last epoch and nothing is calibrated; without test speakers the card has no figures.
pub const NOBODY: &str = "none";

/// Speakers by what they are for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The weights are fitted on these.
    pub train: BTreeSet<String>,
    /// Stopping and calibration are decided on these.
    pub validation: BTreeSet<String>,
    /// Nothing is decided on these; the card's figures come from them.
    pub test: BTreeSet<String>,
}

impl Split {
    /// Splits each corpus: `test` and `validation` name speakers to be kept apart; in a corpus where one of them names
    /// none, a fifth of the rest are drawn for testing, a seventh for validation, at least one each if there are
    /// enough, unless it names [`NOBODY`]. A corpus without labels is for training alone.
    pub fn new(manifest: &Manifest, test: &[String], validation: &[String], seed: u64) -> Self {
        let mut split = Self::default();
        for corpus in manifest.corpora() {
            let speakers = manifest.speakers(&corpus);
            if manifest.is_unlabelled(&corpus) {
                split.train.extend(speakers);
                continue;
            }
            let named = |list: &[String]| -> Vec<String> {
                speakers.iter().filter(|speaker| list.contains(speaker)).cloned().collect()
            };
            let (mut kept, mut tuned) = (named(test), named(validation));
            let mut others: Vec<String> = speakers
                .iter()
                .filter(|speaker| !kept.contains(speaker) && !tuned.contains(speaker))
                .cloned()
                .collect();
            Rng::derive(seed, speakers.len() as u64).shuffle(&mut others);
            let drawn = |list: &[String]| !list.iter().any(|name| name == NOBODY);
            if kept.is_empty() && others.len() >= 3 && drawn(test) {
                kept = others.split_off(others.len() - (others.len() / 5).max(1));
            }
            if tuned.is_empty() && others.len() >= 2 && drawn(validation) {
                tuned = others.split_off(others.len() - (others.len() / 7).max(1));
            }
            split.test.extend(kept);
            split.validation.extend(tuned);
            split.train.extend(others);
        }
        split
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Entry;

    #[test]
    fn no_speaker_is_on_two_sides_and_none_is_lost() {
        let entry = |n: usize| Entry {
            path: format!("{n}.wav").into(),
            emotion: "anger".into(),
            speaker: format!("s{}", n % 11),
            corpus: "c".into(),
            sex: String::new(),
            lang: String::new(),
            intensity: String::new(),
            shares: None,
        };
        let manifest = Manifest { entries: (0..60).map(entry).collect() };
        let nobody = [NOBODY.to_owned()];
        let validated = Split::new(&manifest, &["s3".to_owned()], &nobody, 1);
        assert!(validated.validation.is_empty() && validated.train.len() == 10);
        let all = Split::new(&manifest, &nobody, &nobody, 1);
        assert_eq!(all.train.len(), 11);
        for (test, seed) in [(vec![], 1), (vec!["s3".to_owned()], 2)] {
            let split = Split::new(&manifest, &test, &[], seed);
            assert!(split.train.is_disjoint(&split.test) && split.train.is_disjoint(&split.validation));
            assert!(split.validation.is_disjoint(&split.test));
            assert_eq!(split.train.len() + split.validation.len() + split.test.len(), 11);
            assert!(test.iter().all(|speaker| split.test.contains(speaker)));
        }
    }
}
