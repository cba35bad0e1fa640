//! Every estimate, written down: to choose thresholds by.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use serde_json::json;
use sidetone_call::Estimate;

/// Where in which call an estimate was given.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    /// The kind of call, or the caller who grows upset.
    pub(super) scene: &'a str,
    /// The call's number among these.
    pub(super) call: usize,
    /// `calm`; or `before`, `upset` and `after` of who grows upset.
    pub(super) phase: &'a str,
}

/// Where estimates are written, if anywhere.
pub(super) struct Trace(Option<BufWriter<File>>);

impl Trace {
    pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let open = |path: &Path| {
            File::create(path)
                .map(BufWriter::new)
                .with_context(|| format!("{} can't be written", path.display()))
        };
        Ok(Self(path.map(open).transpose()?))
    }

    /// One estimate.
    pub(super) fn note(&mut self, at: At<'_>, estimate: &Estimate) -> anyhow::Result<()> {
        let Some(file) = &mut self.0 else { return Ok(()) };
        let classes: BTreeMap<&str, f32> =
            estimate.classes.iter().map(|(class, share)| (class.name(), *share)).collect();
        let line = json!({
            "scene": at.scene,
            "call": at.call,
            "phase": at.phase,
            "at": estimate.at.as_secs_f64(),
            "valence": estimate.valence,
            "arousal": estimate.arousal,
            "distress": estimate.distress,
            "confidence": estimate.confidence,
            "abstained": estimate.abstained.is_some(),
            "classes": classes,
        });
        Ok(writeln!(file, "{line}")?)
    }
}
