//! The recognisers' threads.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use sidetone_hear::{Language, Recognition, Scribe};
use sidetone_language::models;
use sidetone_language::reader::Reader;
use sidetone_language::recognise::Recogniser;
use sidetone_language::text::Scorer;
use sidetone_watch::{Alarm, Heartbeat};

/// How much less than others these threads get when processors are short: media and voices come first.
const NICE: i32 = 10;

/// What recognises and reads, loaded.
#[derive(Clone)]
pub(crate) struct Words {
    pub(super) recogniser: Recogniser,
    pub(super) scorer: Arc<Scorer>,
}

impl Words {
    /// Loads what `[language]` names.
    ///
    /// # Errors
    /// Why it can't be loaded, in words.
    pub(crate) fn open(language: &Language) -> Result<Self, String> {
        let folder = language.folder(&models::folder());
        models::verify(&folder)?;
        let recogniser = Recogniser::open(&folder).map_err(|error| error.to_string())?;
        let scorer = Scorer::embedded().map_err(|error| error.to_string())?;
        Ok(Self { recogniser, scorer: Arc::new(scorer) })
    }

    /// One reader, for a thread or a recording.
    pub(crate) fn reader(&self) -> Reader {
        Reader::new(Box::new(self.recogniser.clone()), Arc::clone(&self.scorer))
    }
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
