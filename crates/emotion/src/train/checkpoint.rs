//! Checkpoints: a training taken up again ends in the same weights as one that was never stopped.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{Epoch, TrainError, trainer::Trainer};

#[derive(Deserialize)]
struct Stored {
    steps: u64,
    best: usize,
    history: Vec<Epoch>,
}

impl Trainer<'_> {
    fn checkpoint(&self) -> PathBuf {
        self.options.out.join("checkpoint.safetensors")
    }

    /// What must agree for a checkpoint to be this training's.
    fn fingerprint(&self) -> String {
        // Where things lie does not matter, nor when to stop: a finished training may be taken up for more epochs,
        // though its learning rate then fell earlier than in one that knew from the start.
        let mut options = self.options.clone();
        (options.epochs, options.patience) = (0, 0);
        options.name = String::new();
        (options.manifest, options.root, options.out) = Default::default();
        options.teacher = options.teacher.map(|_| PathBuf::new());
        options.start = options.start.map(|_| PathBuf::new());
        options.teacher_cache = None;
        serde_json::to_string(&options).unwrap_or_default()
    }

    /// Writes where this training stands.
    pub(super) fn store(&self) -> Result<(), TrainError> {
        let (steps, mut tensors) = self.optimiser.stored()?;
        tensors
            .extend(self.best_weights.iter().map(|(name, tensor)| (format!("best/{name}"), tensor.clone())));
        let state = serde_json::json!({ "steps": steps, "best": self.best, "history": self.history });
        let entries = HashMap::from([
            ("options".to_owned(), self.fingerprint()),
            ("state".to_owned(), state.to_string()),
        ]);
        let path = self.checkpoint();
        let partial = path.with_extension("partial");
        let bytes = safetensors::serialize(&tensors, Some(entries))
            .map_err(|error| TrainError::Nothing(format!("checkpoint: {error}")))?;
        save(&partial, &bytes)?;
        std::fs::rename(&partial, &path).map_err(|source| TrainError::Output { path, source })
    }

    /// Goes on from the checkpoint in the output folder if there is one.
    pub(super) fn restore(&mut self) -> Result<(), TrainError> {
        let path = self.checkpoint();
        if !path.exists() {
            return Ok(());
        }
        let bytes = read(&path)?;
        let broken = |reason: String| TrainError::Nothing(format!("{}: {reason}", path.display()));
        let (_, header) =
            safetensors::SafeTensors::read_metadata(&bytes).map_err(|error| broken(error.to_string()))?;
        let entries = header.metadata().clone().unwrap_or_default();
        if entries.get("options") != Some(&self.fingerprint()) {
            return Err(TrainError::OtherCheckpoint { path });
        }
        let state = entries.get("state").map(String::as_str).unwrap_or_default();
        let stored: Stored = serde_json::from_str(state).map_err(|error| broken(error.to_string()))?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &self.device)?;
        self.optimiser.restore(stored.steps, &tensors)?;
        self.best_weights = tensors
            .into_iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix("best/")?.to_owned(), tensor)))
            .collect();
        self.best = stored.best;
        self.history = stored.history;
        Ok(())
    }
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, TrainError> {
    std::fs::read(path).map_err(|source| TrainError::Output { path: path.to_owned(), source })
}

pub(super) fn save(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    std::fs::write(path, bytes).map_err(|source| TrainError::Output { path: path.to_owned(), source })
}
