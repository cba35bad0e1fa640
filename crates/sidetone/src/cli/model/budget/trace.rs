//! Every estimate, written down: to choose thresholds by.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use serde_json::json;
use sidetone_call::Estimate;

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

    /// One estimate of a scene's call by its number.
    pub(super) fn note(&mut self, scene: &str, call: usize, estimate: &Estimate) -> anyhow::Result<()> {
        let Some(file) = &mut self.0 else { return Ok(()) };
        let classes: BTreeMap<&str, f32> =
            estimate.classes.iter().map(|(class, share)| (class.name(), *share)).collect();
        let line = json!({
            "scene": scene,
            "call": call,
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
