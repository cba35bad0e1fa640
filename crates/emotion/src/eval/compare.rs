//! Two models beside each other, paired by clip: which is righter, and whether that may be chance.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use serde::Serialize;

use super::{
    EvalError, EvalOptions,
    hearing::{Heard, Hearing},
    report::{alarmed, answer, by_speaker, quiet},
};
use crate::{
    class::ClassSet,
    corpus::Manifest,
    metrics::{Confusion, Figure, auc, bootstrap},
    model::Model,
    rng::Rng,
};
use sidetone_call::Class;

/// Drawings of the test.
const FLIPS: usize = 10_000;

/// How two models differ on one corpus. Differences are the first model's figure less the second's.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    /// The corpus.
    pub corpus: String,
    /// Clips that both have heard.
    pub clips: usize,
    /// Their speakers.
    pub speakers: usize,
    /// Class set by class set.
    pub sets: Vec<SetComparison>,
    /// Of the area for anger and fear against calm and neutral.
    pub alarm_area: Option<Figure>,
}

/// How two models differ over one set of classes.
#[derive(Debug, Clone, Serialize)]
pub struct SetComparison {
    /// Its name.
    pub set: &'static str,
    /// Unweighted average recall of the first.
    pub first: f64,
    /// Of the second.
    pub second: f64,
    /// The difference, with its interval over speakers.
    pub difference: Option<Figure>,
    /// Clips that only the first has right.
    pub first_only: usize,
    /// Clips that only the second has right.
    pub second_only: usize,
    /// How often chance alone would make a difference as large: each speaker's difference in clips that are right
    /// gets a sign by lot (a sign-flip test over speakers, for clips of one speaker are not independent).
    pub p: f64,
}

/// Compares two models on the speakers of a manifest that neither has heard.
///
/// # Errors
/// Unreadable speech, or nothing to compare on.
pub fn compare(
    first: &Arc<Model>,
    second: &Arc<Model>,
    manifest: &Manifest,
    root: &Path,
    options: &EvalOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Comparison>, EvalError> {
    let known: BTreeSet<&String> =
        [first, second].into_iter().flat_map(|model| &model.meta().heard).collect();
    let fresh = manifest.filtered(|entry| !known.contains(&entry.speaker));
    let usable = fresh.filtered(|entry| entry.class().is_some());
    if usable.entries.is_empty() {
        return Err(EvalError::Nothing {
            heard_before: manifest.entries.len() - fresh.entries.len(),
            unmapped: fresh.entries.len(),
        });
    }
    let mut hearing = Hearing::new(root, options, 2 * usable.entries.len(), progress);
    let mut hear = |model: &Arc<Model>| hearing.hear(model, &model.meta().calibration, &usable, options.band);
    let (first, second) = (hear(first)?, hear(second)?);
    Ok(usable.corpora().iter().map(|corpus| on_corpus(corpus, &first, &second, options.draws)).collect())
}

/// Both models hear the same clips in the same order: the same front end drops the same ones.
fn on_corpus(corpus: &str, first: &[Heard], second: &[Heard], draws: usize) -> Comparison {
    let pairs: Vec<(&Heard, &Heard)> =
        first.iter().zip(second).filter(|(clip, _)| clip.entry.corpus == corpus).collect();
    let classes: BTreeSet<Class> = pairs.iter().map(|(clip, _)| clip.class).collect();
    let mut seen: Vec<Vec<Class>> = Vec::new();
    let mut sets = Vec::new();
    for set in ClassSet::ALL {
        let of: Vec<Class> = classes.iter().copied().filter(|class| set.contains(*class)).collect();
        if of.len() >= 2 && !seen.contains(&of) {
            sets.push(over_set(set, &of, &pairs, draws));
            seen.push(of);
        }
    }
    let either = pairs.iter().filter(|(clip, _)| alarmed(clip.class) || quiet(clip.class));
    let mut groups: BTreeMap<String, Vec<(f32, f32, bool)>> = BTreeMap::new();
    for (one, other) in either {
        let scores = (one.distress, other.distress, alarmed(one.class));
        groups.entry(one.entry.speaker.clone()).or_default().push(scores);
    }
    let alarm_area = bootstrap(&groups, draws, |clips| {
        let area = |score: fn(&(f32, f32, bool)) -> f32| {
            auc(&clips.iter().map(|clip| (score(clip), clip.2)).collect::<Vec<_>>())
        };
        Some(area(|clip| clip.0)? - area(|clip| clip.1)?)
    });
    let speakers = by_speaker(pairs.iter().map(|(clip, _)| *clip), |_| ()).len();
    Comparison { corpus: corpus.to_owned(), clips: pairs.len(), speakers, sets, alarm_area }
}

fn over_set(set: ClassSet, classes: &[Class], pairs: &[(&Heard, &Heard)], draws: usize) -> SetComparison {
    // Meant, and what each has answered.
    let mut groups: BTreeMap<String, Vec<(usize, usize, usize)>> = BTreeMap::new();
    for (one, other) in pairs {
        if let (Some((clip, meant, given, _)), Some((_, _, other, _))) =
            (answer(one, classes), answer(other, classes))
        {
            groups.entry(clip.entry.speaker.clone()).or_default().push((meant, given, other));
        }
    }
    let recall = |pairs: &mut dyn Iterator<Item = (usize, usize)>| Confusion::new(classes.len(), pairs).uar();
    let both = |clips: &[(usize, usize, usize)]| {
        let first = recall(&mut clips.iter().map(|(meant, given, _)| (*meant, *given)));
        let second = recall(&mut clips.iter().map(|(meant, _, given)| (*meant, *given)));
        (first, second)
    };
    let all: Vec<(usize, usize, usize)> = groups.values().flatten().copied().collect();
    let (first, second) = both(&all);
    let right = |clips: &[(usize, usize, usize)]| {
        let first = clips.iter().filter(|(meant, one, other)| one == meant && other != meant).count();
        let second = clips.iter().filter(|(meant, one, other)| one != meant && other == meant).count();
        (first, second)
    };
    let (first_only, second_only) = right(&all);
    let differences: Vec<f64> = groups
        .values()
        .map(|clips| {
            let (first, second) = right(clips);
            first as f64 - second as f64
        })
        .collect();
    SetComparison {
        set: set.name(),
        first,
        second,
        difference: bootstrap(&groups, draws, |clips| {
            let (first, second) = both(clips);
            Some(first - second)
        }),
        first_only,
        second_only,
        p: sign_flips(&differences),
    }
}

/// How often the sum of `differences`, each with a sign by lot, is at least as far from 0 as it is. Seeded.
fn sign_flips(differences: &[f64]) -> f64 {
    let seen = differences.iter().sum::<f64>().abs();
    let mut rng = Rng::new(17);
    let as_far = (0..FLIPS)
        .filter(|_| {
            let sum: f64 = differences.iter().map(|x| if rng.chance(0.5) { *x } else { -*x }).sum();
            sum.abs() >= seen - 1e-9
        })
        .count();
    (as_far + 1) as f64 / (FLIPS + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{corpus::Entry, model::Calibration};

    fn heard(speaker: usize, class: Class, answered: Class) -> Heard {
        let mut logits = vec![0.0; Class::ALL.len()];
        logits[answered.index()] = 5.0;
        Heard {
            pooled: Vec::new(),
            steps: 0,
            entry: Entry {
                path: "a.wav".into(),
                emotion: class.name().into(),
                speaker: format!("s{speaker}"),
                corpus: "c".into(),
                sex: String::new(),
                lang: String::new(),
                intensity: String::new(),
                shares: None,
            },
            class,
            logits,
            calibration: Arc::new(Calibration::default()),
            distress: if alarmed(answered) { 0.9 } else { 0.1 },
            valence: 0.0,
            arousal: 0.0,
            length: 1.0,
            level: 0.0,
        }
    }

    #[test]
    fn a_righter_model_is_told_from_an_equal_one() {
        let meant = |n: usize| if n.is_multiple_of(2) { Class::Anger } else { Class::Neutral };
        let wrong = |n: usize| meant(n + 1);
        let all = |answer: &dyn Fn(usize) -> Class| -> Vec<Heard> {
            (0..160).map(|n| heard(n / 16, meant(n), answer(n))).collect()
        };
        let good = all(&|n| if n % 16 == 3 { wrong(n) } else { meant(n) });
        let poor = all(&|n| if n % 4 < 2 { wrong(n) } else { meant(n) });
        let other = all(&|n| if n % 16 == 5 { wrong(n) } else { meant(n) });
        let better = on_corpus("c", &good, &poor, 200);
        assert_eq!((better.clips, better.speakers), (160, 10));
        assert!(better.sets[0].p < 0.01 && better.sets[0].difference.unwrap().low > 0.2);
        assert!(better.alarm_area.unwrap().low > 0.0);
        let same = on_corpus("c", &good, &other, 200);
        assert!(same.sets[0].p > 0.5, "{same:?}");
        assert_eq!((same.sets[0].first_only, same.sets[0].second_only), (10, 10));
    }

    #[test]
    fn a_speaker_counts_as_one_however_many_clips_there_are() {
        assert!(sign_flips(&[500.0]) > 0.9);
        assert!(sign_flips(&[3.0; 12]) < 0.01);
        assert!(sign_flips(&[]) > 0.9);
    }
}
