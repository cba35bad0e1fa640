//! An evaluation's plots: confusion, reliability, risk against coverage; each as SVG and PNG.

use std::path::Path;

use anyhow::{Context, anyhow};
use sidetone_chart::Scene;
use sidetone_chart::figures::{Bin, Confusion, Curve, Reliability, RiskCoverage};
use sidetone_emotion::eval::{CorpusReport, Evaluation, SetReport};

use super::eval::figure;

/// Tenths of confidence that a reliability diagram has.
const BINS: usize = 10;

pub(super) fn draw(evaluation: &Evaluation, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
    for corpus in &evaluation.corpora {
        for set in &corpus.sets {
            let title = format!("{}, {} set, {} weights", corpus.corpus, set.set, evaluation.licence.name());
            let name = |what: &str| folder.join(format!("{}-{}-{what}.svg", corpus.corpus, set.set));
            let scene = Confusion {
                title: title.clone(),
                note: note(evaluation, corpus, set),
                labels: set.classes.iter().map(|class| class.name().to_owned()).collect(),
                counts: set.confusion.0.clone(),
            };
            write(&scene.scene(), &name("confusion"))?;
            write(&reliability(set, &title).scene(), &name("reliability"))?;
        }
        let scene = RiskCoverage {
            title: format!("{}, {} weights", corpus.corpus, evaluation.licence.name()),
            note: format!("{} clips, band {}", corpus.clips, evaluation.band.name()),
            curves: corpus.sets.iter().map(curve).collect(),
        };
        write(&scene.scene(), &folder.join(format!("{}-risk-coverage.svg", corpus.corpus)))?;
    }
    Ok(())
}

fn reliability(set: &SetReport, title: &str) -> Reliability {
    let bins = (0..BINS).map(|tenth| {
        let place = |confidence: f64| ((confidence * BINS as f64) as usize).min(BINS - 1);
        let full = set.reliability.iter().find(|bin| place(bin.confidence) == tenth);
        full.map_or_else(Bin::default, |bin| Bin {
            confidence: bin.confidence as f32,
            accuracy: bin.accuracy as f32,
            count: u32::try_from(bin.clips).unwrap_or(u32::MAX),
        })
    });
    Reliability {
        title: title.to_owned(),
        note: format!("expected calibration error {:.3}; {} clips", set.calibration_error, set.clips),
        bins: bins.collect(),
    }
}

fn curve(set: &SetReport) -> Curve {
    let points = set.risk_coverage.iter().map(|point| [point.coverage as f32, point.risk as f32]);
    Curve { name: format!("{} classes ({})", set.classes.len(), set.set), points: points.collect() }
}

fn write(scene: &Scene, path: &Path) -> anyhow::Result<()> {
    let failed = || format!("{} can't be written", path.display());
    std::fs::write(path, scene.svg()).with_context(failed)?;
    let png = scene.png(sidetone_chart::Theme::Light, 2.0).map_err(|error| anyhow!("{error}"))?;
    std::fs::write(path.with_extension("png"), png).with_context(failed)
}

fn note(evaluation: &Evaluation, corpus: &CorpusReport, set: &SetReport) -> String {
    format!(
        "UAR {}; {} clips of {} unseen speakers, band {}",
        figure(set.uar.as_ref()),
        set.clips,
        corpus.speakers,
        evaluation.band.name()
    )
}
