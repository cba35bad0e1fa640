//! The recognisers' threads.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use sidetone_hear::{Language, Recognition, Scribe};
use sidetone_language::models;
use sidetone_language::reader::Reader;
use sidetone_language::recognise::{self, Installed};
use sidetone_language::text::Scorer;
use sidetone_watch::{Alarm, Heartbeat};

/// How much less than others these threads get when processors are short: media and voices come first.
const NICE: i32 = 10;

/// What recognises and reads, loaded.
#[derive(Clone)]
pub(crate) struct Words {
    /// One for each language, the usual one first.
    recognisers: Vec<Installed>,
    scorer: Arc<Scorer>,
}

impl Words {
    /// Loads what `[language]` names.
    ///
    /// # Errors
    /// [`NotOpened`].
    pub(crate) fn open(language: &Language) -> Result<Self, NotOpened> {
        let mut opened: Vec<(&str, Installed)> = Vec::new();
        for (tag, model) in language.recognisers() {
            // A network of many languages is loaded once for all of them.
            let shared = opened.iter().filter(|(name, _)| *name == model);
            let shared = shared.filter_map(|(_, recogniser)| recogniser.in_language(tag)).next();
            let recogniser = match shared {
                Some(recogniser) => recogniser,
                None => open(&language.folder(model, &models::folder()), tag)
                    .map_err(|why| NotOpened { model: model.to_owned(), why })?,
            };
            opened.push((model, recogniser));
        }
        let scorer = Scorer::embedded()
            .map_err(|error| NotOpened { model: language.model.clone(), why: error.to_string() })?;
        let recognisers = opened.into_iter().map(|(_, recogniser)| recogniser).collect();
        Ok(Self { recognisers, scorer: Arc::new(scorer) })
    }

    /// One reader, for a thread or a recording.
    pub(crate) fn reader(&self) -> Reader {
        let none = Reader::none(Arc::clone(&self.scorer));
        self.recognisers.iter().fold(none, |reader, recogniser| reader.with(Box::new(recogniser.clone())))
    }
}

/// A recogniser that can't be loaded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(crate) struct NotOpened {
    /// Its name, or its folder.
    pub(crate) model: String,
    why: String,
}

impl NotOpened {
    /// What `sidetone model fetch` could bring instead: a folder is no name.
    pub(crate) fn to_fetch(&self) -> &str {
        if self.model.contains('/') { "moonshine-tiny" } else { &self.model }
    }
}

fn open(folder: &Path, language: &str) -> Result<Installed, String> {
    models::verify(folder)?;
    recognise::open(folder, language).map_err(|error| error.to_string())
}

/// Starts the threads. Unlike other threads they don't count for readiness: a call without words is a call.
pub(super) fn start(
    words: &Words,
    language: &Language,
    epoch: Instant,
    alarm: &Alarm,
) -> io::Result<Arc<Recognition>> {
    let threads = language.threads();
    let recognition = Recognition::new(threads, language.calls, epoch);
    for number in 0..threads {
        let (recognition, reader, alarm) = (Arc::clone(&recognition), words.reader(), alarm.clone());
        let name = format!("words-{number}");
        let beat = Heartbeat::new(&name, epoch.elapsed());
        std::thread::Builder::new().name(name).spawn(move || {
            if let Err(error) = rustix::process::nice(NICE) {
                tracing::debug!(%error, "recognisers can't be given less of the processors");
            }
            recognition.run(reader, &beat, &alarm);
        })?;
    }
    Ok(recognition)
}

/// Where calls have their words recognised.
pub(super) fn scribe(recognition: &Arc<Recognition>) -> Scribe {
    Scribe::Elsewhere(Arc::clone(recognition))
}
