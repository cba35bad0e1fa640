//! The list of clips: a CSV with the columns `path`, `emotion`, `speaker`, `corpus`; `sex`, `lang` and `intensity` if
//! there are; and columns named after classes, with what several listeners or a teacher made of a clip.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::{
    class::{CLASSES, from_label},
    corpus::CorpusError,
};
use sidetone_call::Class;

/// The label of speech that nobody has labelled: it serves distillation alone.
pub const UNLABELLED: &str = "unlabelled";

/// One clip.
#[derive(Debug, Clone, PartialEq)]
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
    /// How listeners, or a teacher, divide between the classes; sums to 1. `None` if nobody was asked. Counts beside a
    /// label only: a clip without one teaches nothing by it.
    pub shares: Option<[f32; CLASSES]>,
}

impl Entry {
    /// The class that the label means here, if any.
    pub fn class(&self) -> Option<Class> {
        from_label(&self.emotion)
    }
}

/// What is wrong with a line of a manifest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not CSV.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// The first line lacks a column that is needed.
    #[error("there is no column {0:?}")]
    NoColumn(String),
    /// A cell of a column that is needed is empty.
    #[error("{0} is empty")]
    Empty(String),
    /// A cell of votes holds something else.
    #[error("{} is {text:?}: write a number of votes or a share", class.name())]
    Votes {
        /// The class voted for.
        class: Class,
        /// What stands there.
        text: String,
    },
}

/// The shares in a line, brought to a sum of 1; an empty cell is 0, and a line of zeros says nothing.
fn shares(
    record: &csv::StringRecord,
    columns: &[(Class, usize)],
) -> Result<Option<[f32; CLASSES]>, ManifestError> {
    let mut shares = [0.0f32; CLASSES];
    for (class, column) in columns {
        let text = record.get(*column).unwrap_or_default();
        let share = if text.is_empty() { Some(0.0) } else { text.parse().ok() };
        let share = share.filter(|share: &f32| share.is_finite() && *share >= 0.0);
        let Some(share) = share else {
            return Err(ManifestError::Votes { class: *class, text: text.to_owned() });
        };
        if let Some(slot) = shares.get_mut(class.index()) {
            *slot = share;
        }
    }
    let sum: f32 = shares.iter().sum();
    Ok((sum > 0.0).then(|| shares.map(|share| share / sum)))
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
    /// An unreadable file, a missing column, an empty path, emotion, speaker or corpus, or a share that is no number
    /// from 0 on.
    pub fn read(path: &Path) -> Result<Self, CorpusError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| CorpusError::Read { path: path.to_owned(), source })?;
        let wrong =
            |line: u64, reason: ManifestError| CorpusError::Manifest { path: path.to_owned(), line, reason };
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let headers = reader.headers().map_err(|error| wrong(1, error.into()))?.clone();
        let place = |name: &str| headers.iter().position(|header| header == name);
        let needed =
            |name: &str| place(name).ok_or_else(|| wrong(1, ManifestError::NoColumn(name.to_owned())));
        let columns = (needed("path")?, needed("emotion")?, needed("speaker")?, needed("corpus")?);
        let optional = (place("sex"), place("lang"), place("intensity"));
        let classes: Vec<(Class, usize)> =
            Class::ALL.into_iter().filter_map(|class| Some((class, place(class.name())?))).collect();

        let mut entries = Vec::new();
        for record in reader.records() {
            let record = record
                .map_err(|error| wrong(error.position().map_or(0, csv::Position::line), error.into()))?;
            let line = record.position().map_or(0, csv::Position::line);
            let cell = |column: usize| record.get(column).unwrap_or_default().to_owned();
            let filled = |column: usize| match record.get(column) {
                Some(text) if !text.is_empty() => Ok(text.to_owned()),
                _ => {
                    Err(wrong(line, ManifestError::Empty(headers.get(column).unwrap_or_default().to_owned())))
                }
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
                shares: shares(&record, &classes).map_err(|reason| wrong(line, reason))?,
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

    /// At most `most` clips of each corpus, evenly spaced.
    #[must_use]
    pub fn evenly(&self, most: usize) -> Self {
        let mut by_corpus: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in &self.entries {
            by_corpus.entry(&entry.corpus).or_default().push(entry);
        }
        let spaced = |of: Vec<&Entry>| -> Vec<Entry> {
            let stride = of.len().div_ceil(most.max(1)).max(1);
            of.into_iter().step_by(stride).cloned().collect()
        };
        Self { entries: by_corpus.into_values().flat_map(spaced).collect() }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Manifest, CorpusError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clips.csv");
        std::fs::write(&path, format!("path,emotion,speaker,corpus,neutral,anger\n{line}\n")).unwrap();
        Manifest::read(&path)
    }

    #[test]
    fn votes_become_shares() {
        let shares = |line| read(line).unwrap().entries.first().unwrap().shares;
        let mut expected = [0.0; CLASSES];
        (expected[Class::Anger.index()], expected[Class::Neutral.index()]) = (0.75, 0.25);
        assert_eq!(shares("a.wav,anger,s,c,1,3"), Some(expected));
        assert_eq!(shares("a.wav,anger,s,c,,"), None);
        for wrong in ["x", "-1", "NaN", "inf"] {
            let error = read(&format!("a.wav,anger,s,c,0,{wrong}")).unwrap_err().to_string();
            assert!(error.contains('2') && error.contains("anger"), "{error}");
        }
    }
}
