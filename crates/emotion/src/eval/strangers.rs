//! Leave-one-corpus-out: models trained alike, each without a corpus, are asked about what they never had. That is what
//! callers are: speakers, lines and languages of no corpus.

use std::{path::Path, sync::Arc};

use serde::Serialize;

use super::{
    EvalError, EvalOptions,
    hearing::{Heard, Hearing, beside_manner},
    report::{CorpusReport, report},
};
use crate::{class::ClassSet, corpus::Manifest, model::Model};

/// What models make of corpora that they never had.
#[derive(Debug, Clone, Serialize)]
pub struct Strangers {
    /// Model by model, corpus by corpus.
    pub rows: Vec<Row>,
    /// Recall over anger, happiness, sadness and neutral: the mean over the rows that have all of them.
    pub mean_of_four: Option<f64>,
    /// The smallest area for anger and fear against calm and neutral.
    pub worst_alarm_area: Option<f64>,
    /// The largest calibration error over the four classes (or a corpus's own, if it lacks one of them) after what
    /// chance alone would show is taken off.
    pub worst_calibration: Option<f64>,
    /// The same of the models that hear a speaker beside their own manner, with that known from each one's first calm
    /// clips, which are left out.
    pub manner_known: Option<Box<Strangers>>,
}

/// One model on one corpus that it never had.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The model's name.
    pub model: String,
    /// Its checksum.
    pub sha256: String,
    /// The corpora that it was trained on.
    pub trained_on: Vec<String>,
    /// The figures.
    pub report: CorpusReport,
}

impl Row {
    /// The figures over the four classes, or over the corpus's own where it lacks one of them.
    pub fn four(&self) -> Option<&super::SetReport> {
        let of = |set: ClassSet| self.report.sets.iter().find(|report| report.set == set.name());
        of(ClassSet::Four).or_else(|| self.report.sets.last())
    }
}

/// Asks each of `models` about the corpora of a manifest that it was not trained on.
///
/// # Errors
/// Unreadable speech, or models that have had every corpus.
pub fn strangers(
    models: &[Arc<Model>],
    manifest: &Manifest,
    root: &Path,
    options: &EvalOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Strangers, EvalError> {
    let parts: Vec<(&Arc<Model>, String, Manifest)> = models
        .iter()
        .flat_map(|model| {
            let meta = model.meta();
            let unseen = manifest.corpora().into_iter().filter(|corpus| !meta.corpora.contains(corpus));
            unseen.map(move |corpus| {
                let own = manifest.filtered(|entry| {
                    entry.corpus == corpus && entry.class().is_some() && !meta.heard.contains(&entry.speaker)
                });
                (model, corpus, own)
            })
        })
        .filter(|(.., own)| !own.entries.is_empty())
        .collect();
    if parts.is_empty() {
        return Err(EvalError::Nothing { heard_before: manifest.entries.len(), unmapped: 0 });
    }
    let of = parts.iter().map(|(.., own)| own.entries.len()).sum();
    let mut hearing = Hearing::new(root, options, of, progress);
    let (mut rows, mut known) = (Vec::new(), Vec::new());
    for (model, corpus, own) in parts {
        let row = |heard: &[Heard]| Row {
            model: model.meta().name.clone(),
            sha256: model.sha256().to_owned(),
            trained_on: model.meta().corpora.clone(),
            report: report(&corpus, heard, None, options.draws),
        };
        let heard = hearing.hear(model, &model.meta().calibration, &own, options.band)?;
        rows.push(row(&heard));
        let beside = beside_manner(model, model.meta().calibration_for(true), &heard)?;
        known.extend(beside.filter(|heard| !heard.is_empty()).map(|heard| row(&heard)));
    }
    let mut all = summed(rows);
    all.manner_known = (!known.is_empty()).then(|| Box::new(summed(known)));
    Ok(all)
}

fn summed(rows: Vec<Row>) -> Strangers {
    let recalls: Vec<f64> = rows
        .iter()
        .filter_map(Row::four)
        .filter(|set| set.classes.len() == 4)
        .filter_map(|set| Some(set.uar?.value))
        .collect();
    let areas = rows.iter().filter_map(|row| Some(row.report.alarm_against_calm?.value));
    let errors =
        rows.iter().filter_map(Row::four).map(|set| (set.calibration_error - set.calibration_noise).max(0.0));
    Strangers {
        mean_of_four: (!recalls.is_empty()).then(|| recalls.iter().sum::<f64>() / recalls.len() as f64),
        worst_alarm_area: areas.min_by(f64::total_cmp),
        worst_calibration: errors.max_by(f64::total_cmp),
        manner_known: None,
        rows,
    }
}
