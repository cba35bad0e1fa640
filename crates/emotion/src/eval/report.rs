//! The figures on one corpus: recall, calibration, areas, slices, leaks.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{hearing::Heard, leaks};
use crate::{
    class::{CLASSES, ClassSet, affect_of_shares},
    corpus::Entry,
    metrics::{
        Confusion, Figure, RiskPoint, auc, bootstrap, calibration_error, calibration_noise, concordance,
        risk_coverage,
    },
};
use sidetone_call::Class;

/// The figures on one corpus.
#[derive(Debug, Clone, Serialize)]
pub struct CorpusReport {
    /// The corpus.
    pub corpus: String,
    /// Clips.
    pub clips: usize,
    /// Speakers.
    pub speakers: usize,
    /// Class set by class set.
    pub sets: Vec<SetReport>,
    /// Anger, fear, sadness and disgust against all other clips, by the distress output: area under the curve.
    pub distress_against_rest: Option<Figure>,
    /// Anger, fear, sadness and disgust against calm and neutral.
    pub distress_against_calm: Option<Figure>,
    /// Anger and fear against calm and neutral.
    pub alarm_against_calm: Option<Figure>,
    /// Concordance of valence and arousal with what listeners heard, where any were asked: the mean of the places of
    /// the classes that they named.
    pub concordance: Option<Concordance>,
    /// Native recall by sex and by language.
    pub slices: Vec<Slice>,
    /// Native recall as recorded less through the band.
    pub wide_less_band: Option<f64>,
    /// What knowing nothing but the clip's length would give, speakers apart.
    pub length_only: Option<f64>,
    /// What knowing nothing but the clip's level would give, speakers apart.
    pub level_only: Option<f64>,
}

/// How well valence and arousal agree with listeners: see [`concordance`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Concordance {
    /// Of valence.
    pub valence: Figure,
    /// Of arousal.
    pub arousal: Figure,
}

/// The figures over one set of classes.
#[derive(Debug, Clone, Serialize)]
pub struct SetReport {
    /// Its name.
    pub set: &'static str,
    /// The classes of it that the corpus has.
    pub classes: Vec<Class>,
    /// Clips of these classes.
    pub clips: usize,
    /// Unweighted average recall, with its interval over speakers.
    pub uar: Option<Figure>,
    /// Rows are what was meant, columns what was heard, in the order of `classes`.
    pub confusion: Confusion,
    /// Expected calibration error.
    pub calibration_error: f64,
    /// What it would be by chance, were the model perfectly calibrated: see [`calibration_noise`].
    pub calibration_noise: f64,
    /// Risk against coverage.
    pub risk_coverage: Vec<RiskPoint>,
    /// Confidence against accuracy, in tenths of confidence; empty tenths are left out.
    pub reliability: Vec<ReliabilityBin>,
}

/// The clips of a tenth of confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ReliabilityBin {
    /// Mean confidence.
    pub confidence: f64,
    /// Share that was right.
    pub accuracy: f64,
    /// Clips.
    pub clips: usize,
}

/// Recall on a part of the clips.
#[derive(Debug, Clone, Serialize)]
pub struct Slice {
    /// `sex` or `lang`.
    pub by: &'static str,
    /// Its value.
    pub value: String,
    /// Clips.
    pub clips: usize,
    /// Unweighted average recall.
    pub uar: f64,
}

pub(super) fn report(corpus: &str, heard: &[Heard], wide: Option<&[Heard]>, draws: usize) -> CorpusReport {
    let own: Vec<&Heard> = heard.iter().filter(|clip| clip.entry.corpus == corpus).collect();
    let native = native_recall(&own);
    let wide_less_band = wide.map(|wide| {
        let own: Vec<&Heard> = wide.iter().filter(|clip| clip.entry.corpus == corpus).collect();
        native_recall(&own) - native
    });
    let troubled =
        |class: Class| matches!(class, Class::Anger | Class::Fear | Class::Sadness | Class::Disgust);
    let area = |positive: &dyn Fn(Class) -> bool, negative: &dyn Fn(Class) -> bool| {
        let picked = own.iter().copied().filter(|clip| positive(clip.class) || negative(clip.class));
        bootstrap(&by_speaker(picked, |clip| (clip.distress, positive(clip.class))), draws, auc)
    };
    let classes: BTreeSet<Class> = own.iter().map(|clip| clip.class).collect();
    let mut sets: Vec<SetReport> = Vec::new();
    for set in ClassSet::ALL {
        let of: Vec<Class> = classes.iter().copied().filter(|class| set.contains(*class)).collect();
        // A set that leaves the corpus as it is would only repeat the row before.
        if of.len() >= 2 && sets.iter().all(|other| other.classes != of) {
            sets.push(set_report(set, &of, &own, draws));
        }
    }
    CorpusReport {
        corpus: corpus.to_owned(),
        clips: own.len(),
        speakers: own.iter().map(|clip| &clip.entry.speaker).collect::<BTreeSet<_>>().len(),
        sets,
        distress_against_rest: area(&troubled, &|class| !troubled(class)),
        distress_against_calm: area(&troubled, &quiet),
        alarm_against_calm: area(&alarmed, &quiet),
        concordance: agreement(&own, draws),
        slices: slices(&own),
        wide_less_band,
        length_only: leaks::alone(
            &own.iter().map(|c| (c.entry.speaker.as_str(), c.class, c.length)).collect::<Vec<_>>(),
        ),
        level_only: leaks::alone(
            &own.iter().map(|c| (c.entry.speaker.as_str(), c.class, c.level)).collect::<Vec<_>>(),
        ),
    }
}

/// Valence and arousal beside those of the classes that listeners named.
fn agreement(own: &[&Heard], draws: usize) -> Option<Concordance> {
    let rated = own.iter().copied().filter(|clip| clip.entry.shares.is_some());
    let meant = |clip: &Heard| affect_of_shares(clip.entry.shares.as_ref().map_or(&[], |shares| shares));
    let valence = by_speaker(rated.clone(), |clip| (clip.valence, meant(clip)[0]));
    let arousal = by_speaker(rated, |clip| (clip.arousal, meant(clip)[1]));
    let figure = |pairs| bootstrap(pairs, draws, concordance);
    Some(Concordance { valence: figure(&valence)?, arousal: figure(&arousal)? })
}

/// What a person should come to the caller's help for most.
pub(super) fn alarmed(class: Class) -> bool {
    matches!(class, Class::Anger | Class::Fear)
}

/// What a caller sounds like whom nothing ails.
pub(super) fn quiet(class: Class) -> bool {
    matches!(class, Class::Calm | Class::Neutral)
}

fn set_report(set: ClassSet, classes: &[Class], own: &[&Heard], draws: usize) -> SetReport {
    let answers: Vec<(&Heard, usize, usize, f32)> =
        own.iter().filter_map(|clip| answer(clip, classes)).collect();
    let scored: Vec<(f32, bool)> =
        answers.iter().map(|(_, meant, given, confidence)| (*confidence, meant == given)).collect();
    let mut groups: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
    for (clip, meant, given, _) in &answers {
        groups.entry(clip.entry.speaker.clone()).or_default().push((*meant, *given));
    }
    let recall = |pairs: &[(usize, usize)]| Some(Confusion::new(classes.len(), pairs.iter().copied()).uar());
    let reliability = (0..10)
        .filter_map(|tenth| {
            let bin: Vec<_> = scored
                .iter()
                .filter(|(confidence, _)| ((confidence * 10.0) as usize).min(9) == tenth)
                .collect();
            let count = bin.len() as f64;
            (!bin.is_empty()).then(|| {
                let confidence =
                    bin.iter().map(|(confidence, _)| f64::from(*confidence)).sum::<f64>() / count;
                let accuracy = bin.iter().filter(|(_, right)| *right).count() as f64 / count;
                ReliabilityBin { confidence, accuracy, clips: bin.len() }
            })
        })
        .collect();
    SetReport {
        set: set.name(),
        classes: classes.to_vec(),
        clips: answers.len(),
        uar: bootstrap(&groups, draws, recall),
        confusion: Confusion::new(classes.len(), answers.iter().map(|(_, meant, given, _)| (*meant, *given))),
        calibration_error: calibration_error(&scored),
        calibration_noise: calibration_noise(&scored),
        risk_coverage: risk_coverage(&scored),
        reliability,
    }
}

/// What the model answers when only `classes` are possible: places of the meant and of the given class, and the
/// confidence. `None` for a clip of another class.
pub(super) fn answer<'c>(clip: &'c Heard, classes: &[Class]) -> Option<(&'c Heard, usize, usize, f32)> {
    let meant = classes.iter().position(|class| *class == clip.class)?;
    let probabilities = clip.calibration.probabilities(&clip.logits, |class| classes.contains(&class));
    let (given, confidence) = classes
        .iter()
        .map(|class| probabilities.get(class.index()).copied().unwrap_or(0.0))
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some((clip, meant, given, confidence))
}

fn native_recall(own: &[&Heard]) -> f64 {
    let classes: Vec<Class> =
        own.iter().map(|clip| clip.class).collect::<BTreeSet<_>>().into_iter().collect();
    let pairs = own.iter().filter_map(|clip| answer(clip, &classes));
    Confusion::new(CLASSES, pairs.map(|(_, meant, given, _)| (meant, given))).uar()
}

fn slices(own: &[&Heard]) -> Vec<Slice> {
    let classes: Vec<Class> =
        own.iter().map(|clip| clip.class).collect::<BTreeSet<_>>().into_iter().collect();
    let mut slices = Vec::new();
    for (by, get) in [("sex", (|entry| &entry.sex) as fn(&Entry) -> &String), ("lang", |entry| &entry.lang)] {
        let mut parts: BTreeMap<&String, Vec<(usize, usize)>> = BTreeMap::new();
        for (clip, meant, given, _) in own.iter().filter_map(|clip| answer(clip, &classes)) {
            parts.entry(get(&clip.entry)).or_default().push((meant, given));
        }
        for (value, pairs) in parts.into_iter().filter(|(value, _)| !value.is_empty()) {
            let uar = Confusion::new(CLASSES, pairs.iter().copied()).uar();
            slices.push(Slice { by, value: value.clone(), clips: pairs.len(), uar });
        }
    }
    slices
}

pub(super) fn by_speaker<'c, T>(
    clips: impl Iterator<Item = &'c Heard>,
    get: impl Fn(&Heard) -> T,
) -> BTreeMap<String, Vec<T>> {
    let mut groups: BTreeMap<String, Vec<T>> = BTreeMap::new();
    for clip in clips {
        groups.entry(clip.entry.speaker.clone()).or_default().push(get(clip));
    }
    groups
}
