//! The list of clips: a CSV with the columns `path`, `emotion`, `speaker`, `corpus`; `sex`, `lang`, `intensity` and
//! `sentence` if there are.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crate::{class::Class, corpus::CorpusError};

/// The label of speech that nobody has labelled: it serves distillation alone.
pub const UNLABELLED: &str = "unlabelled";

/// One clip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where the audio is: absolute, or from the corpus root.
    pub path: PathBuf,
    /// The label as the corpus has it.
    pub emotion: String,
    /// Who speaks; unique over all corpora.
    pub speaker: String,
    /// The corpus.
    pub corpus: String,
    /// `m` or `f`, empty if unknown.
    pub sex: String,
    /// Language, empty if unknown.
    pub lang: String,
    /// Acted intensity, empty if unknown.
    pub intensity: String,
}

impl Entry {
    /// The class that the label means here, if any.
    pub fn class(&self) -> Option<Class> {
        Class::from_label(&self.emotion)
    }
}

/// A manifest's clips, in its order.
#[derive(Debug, Clone, Default)]
pub struct Manifest {
    /// The clips.
    pub entries: Vec<Entry>,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// An unreadable file, a missing column, or an empty path, emotion, speaker or corpus.
    pub fn read(path: &Path) -> Result<Self, CorpusError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| CorpusError::Read { path: path.to_owned(), source })?;
        let wrong = |line: u64, reason: String| CorpusError::Manifest { path: path.to_owned(), line, reason };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let headers = reader.headers().map_err(|error| wrong(1, error.to_string()))?.clone();
        let place = |name: &str| headers.iter().position(|header| header == name);
        let needed = |name: &str| place(name).ok_or_else(|| wrong(1, format!("there is no column {name:?}")));
        let columns = (needed("path")?, needed("emotion")?, needed("speaker")?, needed("corpus")?);
        let optional = (place("sex"), place("lang"), place("intensity"));

        let mut entries = Vec::new();
        for record in reader.records() {
            let record = record
                .map_err(|error| wrong(error.position().map_or(0, csv::Position::line), error.to_string()))?;
            let line = record.position().map_or(0, csv::Position::line);
            let cell = |column: usize| record.get(column).unwrap_or_default().to_owned();
            let filled = |column: usize| match record.get(column) {
                Some(text) if !text.is_empty() => Ok(text.to_owned()),
                _ => Err(wrong(line, format!("{} is empty", headers.get(column).unwrap_or_default()))),
            };
            let path = PathBuf::from(filled(columns.0)?);
            entries.push(Entry {
                path,
                emotion: filled(columns.1)?,
                speaker: filled(columns.2)?,
                corpus: filled(columns.3)?,
                sex: optional.0.map(cell).unwrap_or_default(),
                lang: optional.1.map(cell).unwrap_or_default(),
                intensity: optional.2.map(cell).unwrap_or_default(),
            });
        }
        Ok(Self { entries })
    }

    /// The clips for which `keep` holds.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&Entry) -> bool) -> Self {
        Self { entries: self.entries.iter().filter(|entry| keep(entry)).cloned().collect() }
    }

    /// The corpora in it, by name.
    pub fn corpora(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.corpus.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The speakers of a corpus, by name.
    pub fn speakers(&self, corpus: &str) -> Vec<String> {
        let of_corpus = self.entries.iter().filter(|entry| entry.corpus == corpus);
        of_corpus.map(|entry| entry.speaker.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Whether nothing of a corpus is labelled.
    pub fn is_unlabelled(&self, corpus: &str) -> bool {
        let mut own = self.entries.iter().filter(|entry| entry.corpus == corpus);
        own.all(|entry| entry.emotion == UNLABELLED)
    }

    /// The classes that a corpus has labels for.
    pub fn classes(&self, corpus: &str) -> BTreeSet<Class> {
        self.entries.iter().filter(|entry| entry.corpus == corpus).filter_map(Entry::class).collect()
    }
}
