//! An epoch by callers: some of a speaker's clips at a time, after others of theirs that stand for what was heard of
//! them before.

use std::collections::BTreeMap;

use super::sounds::Sound;
use crate::{
    corpus::Clip,
    manner::{is_calm, mean},
    network::Network,
    rng::Rng,
    score::pooled,
};

/// Most clips that are heard of a caller at a time, on one line and with one voice.
const MOST: usize = 8;
/// Most clips that go before.
const MOST_BEFORE: usize = 4;
/// How often only calm ones go before, of who has any: most calls begin calmly, not all.
const CALM_BEFORE: f32 = 0.75;

/// Clips of one speaker to be heard alike, after others.
pub(super) struct Turn<'a> {
    pub(super) before: Vec<&'a Sound>,
    pub(super) clips: Vec<&'a Sound>,
}

/// `count` clips of a corpus by turns of its speakers, in random order, none again before all were heard.
pub(super) fn turns<'a>(sounds: &[&'a Sound], count: usize, rng: &mut Rng) -> Vec<Turn<'a>> {
    let mut by_speaker: BTreeMap<&str, Vec<&'a Sound>> = BTreeMap::new();
    for sound in sounds {
        by_speaker.entry(&sound.entry.speaker).or_default().push(sound);
    }
    let (mut all, mut left) = (Vec::new(), count);
    while left > 0 && !sounds.is_empty() {
        let mut pieces: Vec<(&Vec<&'a Sound>, Vec<&'a Sound>)> = Vec::new();
        for own in by_speaker.values() {
            let mut order = own.clone();
            rng.shuffle(&mut order);
            // Of few clips half are left to go before.
            let most = MOST.min(own.len() / 2).max(1);
            pieces.extend(order.chunks(most).map(|clips| (own, clips.to_vec())));
        }
        rng.shuffle(&mut pieces);
        for (own, mut clips) in pieces {
            clips.truncate(left);
            left -= clips.len();
            if !clips.is_empty() {
                all.push(Turn { before: before(own, &clips, rng), clips });
            }
        }
    }
    all
}

/// What was heard of a speaker before `clips`: some others of theirs.
fn before<'a>(own: &[&'a Sound], clips: &[&'a Sound], rng: &mut Rng) -> Vec<&'a Sound> {
    let mut others: Vec<&'a Sound> =
        own.iter().copied().filter(|sound| clips.iter().all(|clip| clip.key != sound.key)).collect();
    let calm: Vec<&'a Sound> = others.iter().copied().filter(|sound| is_calm(&sound.entry)).collect();
    if rng.chance(CALM_BEFORE) && !calm.is_empty() {
        others = calm;
    }
    rng.shuffle(&mut others);
    others.truncate(1 + rng.below(MOST_BEFORE));
    others
}

/// A caller of an epoch.
pub(super) struct Caller {
    before: Vec<Clip>,
    manner: Option<Vec<f32>>,
}

impl Caller {
    /// Of whom `before` was heard.
    pub(super) fn new(before: Vec<Clip>) -> Self {
        Self { before, manner: None }
    }

    /// Asks the network for the caller's manner, unless that was asked lately. No gradient goes through it: it is what
    /// the network hears, not what it learns.
    pub(super) fn listen(&mut self, network: &Network) -> candle_core::Result<()> {
        if self.manner.is_none() {
            let windows: Vec<Vec<f32>> = self
                .before
                .iter()
                .filter(|clip| clip.steps > 0)
                .map(|clip| pooled(network, clip))
                .collect::<candle_core::Result<_>>()?;
            self.manner = mean(windows.iter().map(Vec::as_slice));
        }
        Ok(())
    }

    /// As last asked.
    pub(super) fn manner(&self) -> Option<&[f32]> {
        self.manner.as_deref()
    }

    /// The network has changed.
    pub(super) fn forget(&mut self) {
        self.manner = None;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::corpus::Entry;

    #[test]
    fn every_clip_has_its_turn_after_others_of_its_speaker() {
        let sounds: Vec<Sound> = (0..60)
            .map(|key| Sound {
                key,
                entry: Entry {
                    path: format!("{key}.wav").into(),
                    emotion: if key % 4 == 0 { "neutral".into() } else { "anger".into() },
                    speaker: format!("s{}", key % 3),
                    corpus: "c".into(),
                    sex: String::new(),
                    lang: String::new(),
                    intensity: String::new(),
                    shares: None,
                },
                pcm: Vec::new(),
            })
            .collect();
        let sounds: Vec<&Sound> = sounds.iter().collect();
        let all = turns(&sounds, 60, &mut Rng::new(1));
        let heard: BTreeSet<usize> = all.iter().flat_map(|turn| &turn.clips).map(|sound| sound.key).collect();
        assert_eq!(heard.len(), 60);
        for turn in &all {
            assert!((1..=MOST).contains(&turn.clips.len()) && (1..=MOST_BEFORE).contains(&turn.before.len()));
            for before in &turn.before {
                assert!(
                    turn.clips
                        .iter()
                        .all(|clip| clip.key != before.key && clip.entry.speaker == before.entry.speaker)
                );
            }
        }
        let calm = |turn: &&Turn<'_>| turn.before.iter().all(|sound| is_calm(&sound.entry));
        let share = |count: usize| {
            let all = turns(&sounds, count, &mut Rng::new(2));
            all.iter().filter(calm).count() as f32 / all.len() as f32
        };
        assert!((0.7..0.95).contains(&share(3000)), "{}", share(3000));
        assert_eq!(turns(&sounds, 7, &mut Rng::new(3)).iter().map(|turn| turn.clips.len()).sum::<usize>(), 7);
    }
}
