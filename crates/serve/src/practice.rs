//! Recorded calls that agents play on their desks to practise. Nothing of it leaves this module: no event, no row in
//! the store, no metric, no call of the call book. Who practises what is known while it plays, in memory, and then
//! forgotten.

mod playing;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sidetone_call::Leg;
use sidetone_insight::cues::{Answer, CueSet};
use sidetone_insight::{Insight, Summary};
use sidetone_pages::Practising;
use tokio::time::Instant;

/// Most agents who practise at once; the one who began first gives way.
const MOST: usize = 200;
/// What is over is shown for so long after its end.
const SHOWN: Duration = Duration::from_secs(600);

/// A recorded call, as the pipeline has heard it.
#[derive(Debug)]
pub struct Script {
    /// What was told of it, in order of time.
    pub told: Vec<(Duration, Insight)>,
    /// When the agent put the customer on hold, and when they took them back.
    pub held: Option<(Duration, Duration)>,
    /// What is said in it.
    pub turns: Vec<Turn>,
    /// Its length.
    pub length: Duration,
    /// Its summary.
    pub summary: Summary,
    /// Its sound, a WAV file.
    pub sound: Vec<u8>,
}

/// Something that is said in a recorded call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// By whom.
    pub who: Leg,
    /// From when
    pub from: Duration,
    /// to when.
    pub to: Duration,
    /// The words.
    pub text: String,
}

/// A recorded call that can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recording {
    /// Its name.
    pub id: &'static str,
    /// Its length.
    pub length: Duration,
}

/// Sends a recorded call through the pipeline, with these cues; takes some seconds, on a thread that may block.
pub type Rehearse = Arc<dyn Fn(&str, &Arc<CueSet>) -> Option<Script> + Send + Sync>;

/// Scripts by their recordings' names, each with the cues that it was made with.
type Scripts = HashMap<&'static str, (Arc<CueSet>, Arc<Script>)>;

/// The recorded calls, and the agents who play one.
#[derive(Clone)]
pub struct Practice {
    recordings: Arc<[Recording]>,
    rehearse: Rehearse,
    /// Each script with the cues that it was made with: a reload may bring others.
    scripts: Arc<tokio::sync::Mutex<Scripts>>,
    playing: Arc<Mutex<HashMap<String, Playing>>>,
}

/// A recorded call that an agent plays.
#[derive(Debug, Clone)]
struct Playing {
    id: &'static str,
    script: Arc<Script>,
    began: Instant,
    /// What was answered to which cue, and when.
    answers: HashMap<u32, (Answer, Duration)>,
}

impl Practice {
    /// These recordings.
    #[must_use]
    pub fn new(recordings: Vec<Recording>, rehearse: Rehearse) -> Self {
        Self { recordings: recordings.into(), rehearse, scripts: Arc::default(), playing: Arc::default() }
    }

    /// The recorded calls that can be played.
    #[must_use]
    pub fn recordings(&self) -> &[Recording] {
        &self.recordings
    }

    fn playing(&self) -> MutexGuard<'_, HashMap<String, Playing>> {
        self.playing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The script of a recording with these cues; `None` if there is no such recording, or it can't be read.
    pub(crate) async fn script(&self, id: &str, cues: &Arc<CueSet>) -> Option<Arc<Script>> {
        let id = self.recordings.iter().find(|recording| recording.id == id)?.id;
        // Held while one is made: two who start at once must not both make it.
        let mut scripts = self.scripts.lock().await;
        if let Some((made_with, script)) = scripts.get(id)
            && **made_with == **cues
        {
            return Some(Arc::clone(script));
        }
        let (rehearse, with) = (Arc::clone(&self.rehearse), Arc::clone(cues));
        let made = tokio::task::spawn_blocking(move || rehearse(id, &with)).await.ok().flatten();
        let script = Arc::new(made?);
        scripts.insert(id, (Arc::clone(cues), Arc::clone(&script)));
        Some(script)
    }

    /// Begins a recorded call for whoever has this token; `false` if there is no such recording.
    pub(crate) async fn begin(&self, token: &str, id: &str, cues: &Arc<CueSet>) -> bool {
        let Some(recording) = self.recordings.iter().find(|recording| recording.id == id).copied() else {
            return false;
        };
        let Some(script) = self.script(id, cues).await else { return false };
        let now = Instant::now();
        let mut playing = self.playing();
        playing.retain(|_, it| now.saturating_duration_since(it.began) < it.script.length + SHOWN);
        if playing.len() >= MOST
            && let Some(first) = playing.iter().min_by_key(|(_, it)| it.began).map(|(token, _)| token.clone())
        {
            playing.remove(&first);
        }
        let fresh = Playing { id: recording.id, script, began: now, answers: HashMap::new() };
        playing.insert(token.to_owned(), fresh);
        true
    }

    /// Ends it, and forgets it.
    pub(crate) fn stop(&self, token: &str) {
        self.playing().remove(token);
    }

    /// The recorded call as it is now; `None` if none is played.
    pub(crate) fn state(&self, token: &str, wall_ms: u64) -> Option<Practising> {
        let playing = self.playing().get(token).cloned()?;
        let now = playing.began.elapsed();
        (now < playing.script.length + SHOWN).then(|| playing.at(now, wall_ms))
    }

    /// Takes an answer to a cue. One that is not shown, or no longer, needs none.
    pub(crate) fn answer(&self, token: &str, number: u32, answer: Answer) {
        if let Some(playing) = self.playing().get_mut(token) {
            playing.answer(playing.began.elapsed(), number, answer);
        }
    }
}
