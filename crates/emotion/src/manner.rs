//! A caller's own manner: the mean of what the network pools of their speech, which later windows are heard beside.
//!
//! It is made of one call's speech alone, is kept nowhere else, and goes with the listener.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::corpus::Entry;
use sidetone_call::Class;

/// Speech after which a caller's manner counts as known: a greeting and a first sentence.
const ENOUGH: Duration = Duration::from_secs(8);
/// Speech over which it is forgotten afterwards: a voice warms up and a line changes, but slower than a mood.
const MEMORY: Duration = Duration::from_secs(60);
/// Distress from which a window says more of the moment than of the caller, once the manner is known.
const UPSET: f32 = 0.4;
/// Steps in a second of speech.
const STEPS_A_SECOND: usize = 40;

/// What is known of a caller's manner as a call goes.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnManner {
    mean: Vec<f32>,
    heard: Duration,
}

impl OwnManner {
    /// Takes a usable window that adds `speech`. Once the manner is known, a window in which the caller sounds upset
    /// changes nothing: or whoever stays angry would in the end be heard as someone who speaks so.
    pub(crate) fn take(&mut self, window: &[f32], speech: Duration, distress: f32) {
        let known = self.known().is_some();
        if known && distress >= UPSET {
            return;
        }
        self.mean.resize(window.len(), 0.0);
        self.heard = self.heard.saturating_add(speech);
        let weight = speech.as_secs_f32();
        let gain = if known {
            1.0 - (-weight / MEMORY.as_secs_f32()).exp()
        } else {
            weight / self.heard.as_secs_f32().max(weight).max(f32::MIN_POSITIVE)
        };
        self.mean.iter_mut().zip(window).for_each(|(mean, x)| *mean += (x - *mean) * gain);
    }

    /// Whether nothing was heard yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.heard.is_zero()
    }

    /// The manner, once enough was heard.
    pub(crate) fn known(&self) -> Option<&[f32]> {
        (self.heard >= ENOUGH).then_some(&self.mean)
    }
}

/// The mean of several pooled windows.
pub(crate) fn mean<'w>(windows: impl Iterator<Item = &'w [f32]>) -> Option<Vec<f32>> {
    let (mut sum, mut count) = (Vec::new(), 0.0f32);
    for window in windows {
        sum.resize(window.len(), 0.0f32);
        sum.iter_mut().zip(window).for_each(|(sum, x)| *sum += x);
        count += 1.0;
    }
    sum.iter_mut().for_each(|x| *x /= count);
    (count > 0.0).then_some(sum)
}

/// Whether a clip is one of those that a call begins with.
pub(crate) fn is_calm(entry: &Entry) -> bool {
    matches!(entry.class(), Some(Class::Neutral | Class::Calm))
}

/// What is known of each speaker from clips that stand in for the beginning of their call, and which clips these are,
/// by place: their first calm ones, up to 8 s of speech. A clip is given with its pooled window and its steps.
pub(crate) fn first_calm<'c>(
    clips: impl Iterator<Item = (&'c Entry, &'c [f32], usize)>,
) -> (BTreeMap<String, Vec<f32>>, BTreeSet<usize>) {
    let mut begun: BTreeMap<&str, (usize, Vec<&[f32]>)> = BTreeMap::new();
    let mut used = BTreeSet::new();
    for (place, (entry, pooled, steps)) in clips.enumerate() {
        if is_calm(entry) {
            let (heard, windows) = begun.entry(&entry.speaker).or_default();
            if *heard < ENOUGH.as_secs() as usize * STEPS_A_SECOND {
                *heard += steps;
                windows.push(pooled);
                used.insert(place);
            }
        }
    }
    let manners = begun
        .into_iter()
        .filter_map(|(speaker, (_, windows))| Some((speaker.to_owned(), mean(windows.into_iter())?)))
        .collect();
    (manners, used)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOP: Duration = Duration::from_millis(500);

    #[test]
    fn a_manner_is_known_after_eight_seconds_and_moves_with_calm_speech_alone() {
        let mut manner = OwnManner::default();
        for n in 0..16 {
            assert_eq!(manner.known(), None, "{n}");
            // Half of it at 0, half at 2; at first an upset voice counts as well, for nothing else is known.
            manner.take(&[if n % 2 == 0 { 0.0 } else { 2.0 }], HOP, 0.9);
        }
        let at = |manner: &OwnManner| manner.known().unwrap()[0];
        assert!((at(&manner) - 1.0).abs() < 1e-5, "{manner:?}");
        for _ in 0..240 {
            manner.take(&[5.0], HOP, 0.9);
        }
        assert!((at(&manner) - 1.0).abs() < 1e-5, "an upset voice changes nothing");
        for _ in 0..240 {
            manner.take(&[5.0], HOP, 0.1);
        }
        assert!(at(&manner) > 4.0, "two minutes of calm speech do");
    }

    #[test]
    fn the_first_calm_clips_stand_for_the_beginning() {
        let entry = |speaker: &str, emotion: &str| Entry {
            path: "a.wav".into(),
            emotion: emotion.into(),
            speaker: speaker.into(),
            corpus: "c".into(),
            sex: String::new(),
            lang: String::new(),
            intensity: String::new(),
            shares: None,
        };
        let clips = [
            (entry("a", "anger"), [9.0], 100),
            (entry("a", "neutral"), [1.0], 200),
            (entry("a", "neutral"), [3.0], 200),
            (entry("a", "neutral"), [7.0], 200),
            (entry("b", "anger"), [9.0], 400),
        ];
        let (manners, used) =
            first_calm(clips.iter().map(|(entry, pooled, steps)| (entry, pooled.as_slice(), *steps)));
        assert_eq!(used, BTreeSet::from([1, 2]));
        assert_eq!(manners, BTreeMap::from([("a".to_owned(), vec![2.0])]));
    }
}
