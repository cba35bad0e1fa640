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
    /// By the id of an agent's token.
    seats: Arc<Mutex<HashMap<String, Seat>>>,
}

/// Where an agent who practises is.
#[derive(Debug, Clone)]
enum Seat {
    /// The recorded call is being heard, since then.
    Waits(Instant),
    /// It plays, or is over.
    Plays(Playing),
}

impl Seat {
    fn since(&self) -> Instant {
        match self {
            Self::Waits(since) => *since,
            Self::Plays(playing) => playing.began,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        let length = match self {
            Self::Waits(_) => Duration::ZERO,
            Self::Plays(playing) => playing.script.length,
        };
        now.saturating_duration_since(self.since()) >= length + SHOWN
    }
}

/// A recorded call as an agent's page shows it.
#[derive(Debug)]
pub(crate) enum State {
    /// It is being heard.
    Waits,
    /// It plays, or is over.
    Plays(Box<Practising>),
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
        Self { recordings: recordings.into(), rehearse, scripts: Arc::default(), seats: Arc::default() }
    }

    /// The recorded calls that can be played.
    #[must_use]
    pub fn recordings(&self) -> &[Recording] {
        &self.recordings
    }

    fn seats(&self) -> MutexGuard<'_, HashMap<String, Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Begins a recorded call for whoever has this token, as soon as it has been heard; `false` if there is no such
    /// recording.
    pub(crate) fn begin(&self, token: &str, id: &str, cues: Arc<CueSet>) -> bool {
        let Some(recording) = self.recordings.iter().find(|recording| recording.id == id).copied() else {
            return false;
        };
        let now = Instant::now();
        {
            let mut seats = self.seats();
            seats.retain(|_, seat| !seat.is_over(now));
            if seats.len() >= MOST
                && let Some(first) =
                    seats.iter().min_by_key(|(_, seat)| seat.since()).map(|(token, _)| token.clone())
            {
                seats.remove(&first);
            }
            seats.insert(token.to_owned(), Seat::Waits(now));
        }
        // Not awaited here: a browser would wait for some seconds, on a busy machine for longer than it may.
        let (practice, token) = (self.clone(), token.to_owned());
        tokio::spawn(async move {
            let script = practice.script(recording.id, &cues).await;
            let mut seats = practice.seats();
            // They may have left meanwhile, or begun another one.
            if matches!(seats.get(&token), Some(Seat::Waits(since)) if *since == now) {
                match script {
                    Some(script) => {
                        let (id, began, answers) = (recording.id, Instant::now(), HashMap::new());
                        seats.insert(token, Seat::Plays(Playing { id, script, began, answers }));
                    }
                    None => drop(seats.remove(&token)),
                }
            }
        });
        true
    }

    /// Ends it, and forgets it.
    pub(crate) fn stop(&self, token: &str) {
        self.seats().remove(token);
    }

    /// The recorded call as it is now; `None` if none is played.
    pub(crate) fn state(&self, token: &str, wall_ms: u64) -> Option<State> {
        let seat = self.seats().get(token).cloned()?;
        match seat {
            Seat::Waits(_) => Some(State::Waits),
            Seat::Plays(playing) => {
                let now = playing.began.elapsed();
                let shown = now < playing.script.length + SHOWN;
                shown.then(|| State::Plays(Box::new(playing.at(now, wall_ms))))
            }
        }
    }

    /// Takes an answer to a cue. One that is not shown, or no longer, needs none.
    pub(crate) fn answer(&self, token: &str, number: u32, answer: Answer) {
        if let Some(Seat::Plays(playing)) = self.seats().get_mut(token) {
            playing.answer(playing.began.elapsed(), number, answer);
        }
    }
}
