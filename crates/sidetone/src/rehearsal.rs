//! The project's own recorded conversation, sent through the very pipeline of a live call: for the demo's half day, and
//! for agents who practise.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde::Deserialize;
use sidetone_call::{Leg, Side};
use sidetone_consent::permit::{RecordingPermit, Stated};
use sidetone_emotion::model::Model;
use sidetone_hear::{CallAnalysis, Scribe, Wording};
use sidetone_insight::cues::{Coach, CueSet};
use sidetone_insight::{Insight, Summary, Thresholds};
use sidetone_serve::practice::{Practice, Recording, Script, Turn as Spoken};
use sidetone_softphone::Clip;

/// The two sides of the conversation with their transcript; `demo/README.md` tells how they were made.
pub(crate) const CALLER: &[u8] = include_bytes!("../../../demo/caller.wav");
pub(crate) const AGENT: &[u8] = include_bytes!("../../../demo/agent.wav");
const TIMELINE: &str = include_str!("../../../demo/timeline.json");

/// Samples a second of it.
const RATE: usize = 8_000;
/// The pipeline is given sound in pieces of 100 ms.
const PIECE: usize = RATE / 10;
/// A hold lasts this long: enough for the cue on holds.
const HOLD: Duration = Duration::from_secs(55);
/// Behind the last sound.
const TAIL: Duration = Duration::from_secs(1);
/// Longer than the conversation, in seconds.
const END: usize = 120;

/// A stretch of the conversation, and what else happens in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stretch {
    /// From this second of the conversation
    pub(crate) from: usize,
    /// to this one.
    pub(crate) to: usize,
    /// Nobody talks from so many milliseconds after its beginning on, for so many.
    pub(crate) pauses: &'static [(usize, usize)],
    /// The agent holds after it.
    pub(crate) holds: bool,
}

impl Stretch {
    pub(crate) const fn new(from: usize, to: usize) -> Self {
        Self { from, to, pauses: &[], holds: false }
    }

    pub(crate) const fn then_held(self) -> Self {
        Self { holds: true, ..self }
    }

    pub(crate) const fn with_pauses(self, pauses: &'static [(usize, usize)]) -> Self {
        Self { pauses, ..self }
    }

    /// One side's sound of it.
    fn of(&self, clip: &Clip) -> Vec<i16> {
        let mut sound = Vec::new();
        let mut rest = cut(clip, self.from, self.to);
        let mut heard = 0;
        for (at, length) in self.pauses {
            let before = (at * RATE / 1_000).saturating_sub(heard).min(rest.len());
            let (talk, after) = rest.split_at(before);
            sound.extend_from_slice(talk);
            sound.resize(sound.len() + length * RATE / 1_000, 0);
            (heard, rest) = (heard + before, after);
        }
        sound.extend_from_slice(rest);
        sound
    }
}

/// What agents may practise with: a name, and the stretch of the conversation.
const RECORDINGS: [(&str, Stretch); 3] = [
    ("whole", Stretch::new(0, END)),
    ("late", Stretch::new(24, END)),
    ("hold", Stretch::new(0, 46).then_held()),
];

/// What a model is tried out on.
const TRIAL: Stretch = Stretch::new(24, 32);

/// One turn of the conversation; times in seconds.
#[derive(Debug, Deserialize)]
pub(crate) struct Turn {
    pub(crate) who: String,
    pub(crate) start: f64,
    pub(crate) end: f64,
    pub(crate) text: String,
}

/// What is said in it.
pub(crate) fn turns() -> anyhow::Result<Vec<Turn>> {
    serde_json::from_str(TIMELINE).context("the demo's timeline can't be read")
}

/// The agent looks something up in silence, and talks again.
pub(crate) const LOOKED_UP: &[(usize, usize)] = &[(11_000, 14_000)];
/// And is silent again half a minute later.
pub(crate) const SILENT_AGAIN: &[(usize, usize)] = &[(11_000, 14_000), (20_400, 20_000)];

/// A stretch of the conversation as it was heard.
pub(crate) struct Heard {
    pub(crate) insights: Vec<(Duration, Insight)>,
    pub(crate) held: Option<(Duration, Duration)>,
    pub(crate) length: Duration,
    pub(crate) summary: Summary,
}

/// Both sides of the conversation, and what hears them.
pub(crate) struct Rehearsal {
    caller: Clip,
    agent: Clip,
    model: Arc<Model>,
    /// Where words are recognised, if they are.
    scribe: Option<Scribe>,
}

impl Rehearsal {
    pub(crate) fn new(scribe: Option<Scribe>) -> anyhow::Result<Self> {
        let clip = |wav| Clip::from_wav(wav).context("the demo's speech can't be read");
        Ok(Self { caller: clip(CALLER)?, agent: clip(AGENT)?, model: Model::embedded()?, scribe })
    }

    /// Both sides' sound of a stretch, the caller's first.
    pub(crate) fn sides(&self, stretch: &Stretch) -> [Clip; 2] {
        [&self.caller, &self.agent].map(|clip| Clip::new(clip.rate(), stretch.of(clip)))
    }

    /// A stretch through the pipeline.
    pub(crate) fn hear(&self, stretch: &Stretch, cues: &Arc<CueSet>) -> Heard {
        let (caller, agent) = (stretch.of(&self.caller), stretch.of(&self.agent));
        let mut analysis = CallAnalysis::new(Duration::ZERO, Thresholds::default(), &self.model, false)
            .coached(Some(Coach::new(Arc::clone(cues))))
            .transcribed(self.scribe.clone().map(|scribe| (scribe, Wording::of_recording())));
        // The speech is the project's own.
        analysis.listen_to_recording(RecordingPermit::new(Stated::Customer));
        let (mut now, mut insights) = (Duration::ZERO, Vec::new());
        let mut step = |analysis: &mut CallAnalysis, now: Duration| {
            analysis.advance(now);
            CallAnalysis::estimate(std::iter::once(&mut *analysis));
            insights.extend(std::iter::from_fn(|| analysis.poll()));
        };
        for piece in 0..caller.len().max(agent.len()).div_ceil(PIECE) {
            let cut = |samples: &[i16]| -> Vec<i16> {
                let mut cut: Vec<i16> = samples.iter().skip(piece * PIECE).take(PIECE).copied().collect();
                cut.resize(PIECE, 0);
                cut
            };
            analysis.pcm(Side::Trunk, &cut(&caller));
            analysis.pcm(Side::Pbx, &cut(&agent));
            now += Duration::from_millis(100);
            step(&mut analysis, now);
        }
        let held = stretch.holds.then(|| {
            let since = now;
            analysis.held(Side::Pbx, now);
            while now < since + HOLD {
                now += Duration::from_millis(100);
                step(&mut analysis, now);
            }
            analysis.resumed(Side::Pbx, now);
            (since, now)
        });
        now += TAIL;
        let finished = analysis.finish(now);
        insights.extend(std::iter::from_fn(|| analysis.poll()));
        let nothing = || sidetone_insight::Call::new(Thresholds::default()).summary(now);
        let summary = finished.map_or_else(nothing, |(summary, _)| summary);
        Heard { insights, held, length: now, summary }
    }

    /// Everything that an agent needs to practise with one of the recordings; `None` if there is no such one.
    fn script(&self, id: &str, cues: &Arc<CueSet>) -> anyhow::Result<Option<Script>> {
        let Some((_, stretch)) = RECORDINGS.into_iter().find(|(name, _)| *name == id) else {
            return Ok(None);
        };
        let Heard { insights, held, length, summary } = self.hear(&stretch, cues);
        let Stretch { from, to, .. } = stretch;
        let within = (from as f64)..(to as f64);
        let spoken = turns()?.into_iter().filter(|turn| within.contains(&turn.start)).map(|turn| {
            let at = |second: f64| Duration::from_secs_f64((second - from as f64).max(0.0));
            let who = if turn.who == "caller" { Leg::Customer } else { Leg::Agent };
            Spoken { who, from: at(turn.start), to: at(turn.end), text: turn.text }
        });
        let sound = mixed(&stretch.of(&self.caller), &stretch.of(&self.agent), length);
        Ok(Some(Script { told: insights, held, turns: spoken.collect(), length, summary, sound }))
    }
}

/// How many estimates a model has of the conversation, as a trial of whether it hears at all.
pub(crate) fn estimates(model: &Arc<Model>) -> usize {
    let (Ok(mut rehearsal), Ok(cues)) = (Rehearsal::new(None), CueSet::shipped()) else { return 0 };
    rehearsal.model = Arc::clone(model);
    let heard = rehearsal.hear(&TRIAL, &Arc::new(cues));
    heard.insights.iter().filter(|(_, insight)| matches!(insight, Insight::AffectUpdate(_))).count()
}

/// The calls that agents may practise with.
pub(crate) fn practice() -> Practice {
    let length = |(id, Stretch { from, to, holds, .. }): (&'static str, Stretch)| {
        // The length of the sound, by the size of its file: 16 bits a sample behind 44 bytes of header.
        let all = CALLER.len().saturating_sub(44) / 2;
        let samples = (to * RATE).min(all).saturating_sub(from * RATE);
        let spoken = Duration::from_millis((samples.div_ceil(PIECE) * 100) as u64);
        Recording { id, length: spoken + TAIL + if holds { HOLD } else { Duration::ZERO } }
    };
    let rehearse = |id: &str, cues: &Arc<CueSet>| {
        let script = Rehearsal::new(None).and_then(|rehearsal| rehearsal.script(id, cues));
        script.unwrap_or_else(|error| {
            tracing::error!(%error, recording = id, "the recorded call can't be played");
            None
        })
    };
    Practice::new(RECORDINGS.into_iter().map(length).collect(), Arc::new(rehearse))
}

fn cut(clip: &Clip, from: usize, to: usize) -> &[i16] {
    let samples = clip.samples();
    let (from, to) = ((from * RATE).min(samples.len()), (to * RATE).min(samples.len()));
    samples.get(from..to).unwrap_or_default()
}

/// Both sides in one WAV file of 8 kHz and 16 bits (RIFF, Microsoft 1991), with silence behind them to this length.
fn mixed(caller: &[i16], agent: &[i16], length: Duration) -> Vec<u8> {
    let samples = (length.as_secs_f64() * RATE as f64) as usize;
    let bytes = u32::try_from(samples * 2).unwrap_or(u32::MAX - 36);
    let rate = RATE as u32;
    let mut wav = Vec::with_capacity(44 + samples * 2);
    wav.extend(b"RIFF");
    wav.extend((36 + bytes).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    for (value, size) in [(16, 4), (1, 2), (1, 2), (rate, 4), (rate * 2, 4), (2, 2), (16, 2)] {
        wav.extend(value.to_le_bytes().iter().take(size));
    }
    wav.extend(b"data");
    wav.extend(bytes.to_le_bytes());
    for place in 0..samples {
        let of = |samples: &[i16]| samples.get(place).copied().unwrap_or_default();
        wav.extend(of(caller).saturating_add(of(agent)).to_le_bytes());
    }
    wav
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_recording_is_as_long_as_it_says_and_has_its_sound_and_cues() {
        let cues = Arc::new(CueSet::shipped().unwrap());
        let practice = practice();
        let rehearsal = Rehearsal::new(None).unwrap();
        for (id, _) in RECORDINGS {
            let script = rehearsal.script(id, &cues).unwrap().unwrap();
            let told = practice.recordings().iter().find(|it| it.id == id).unwrap();
            assert_eq!(script.length, told.length, "{id}");
            let cues = script.told.iter().filter(|(_, insight)| matches!(insight, Insight::Cue(_))).count();
            assert!(cues > 0 && !script.turns.is_empty(), "{id}");
            assert_eq!(script.sound.len(), 44 + script.length.as_millis() as usize * RATE / 1_000 * 2);
            let clip = Clip::from_wav(&script.sound).unwrap();
            assert_eq!(clip.samples().len() * 2, script.sound.len() - 44);
        }
        assert!(rehearsal.script("../whole", &cues).unwrap().is_none());
    }

    #[test]
    fn a_pause_puts_silence_between_what_was_said_before_and_after_it() {
        let rehearsal = Rehearsal::new(None).unwrap();
        let plain = Stretch::new(0, 22).of(&rehearsal.caller);
        let paused =
            Stretch::new(0, 22).with_pauses(&[(11_000, 14_000), (20_000, 500)]).of(&rehearsal.caller);
        assert_eq!(paused.len(), plain.len() + 14 * RATE + RATE / 2);
        assert_eq!(paused[..11 * RATE], plain[..11 * RATE]);
        assert!(paused[11 * RATE..25 * RATE].iter().all(|sample| *sample == 0));
        assert_eq!(paused[25 * RATE..34 * RATE], plain[11 * RATE..20 * RATE]);
        assert_eq!(paused[34 * RATE + RATE / 2..], plain[20 * RATE..]);
    }

    #[test]
    fn a_cue_on_what_the_agent_does_is_followed_by_one_who_does_it_and_not_by_one_who_does_not() {
        use sidetone_insight::cues::CueTold;
        let cues = Arc::new(CueSet::shipped().unwrap());
        let rehearsal = Rehearsal::new(None).unwrap();
        let followed = |pauses| -> Vec<(String, Option<bool>)> {
            let heard = rehearsal.hear(&Stretch::new(0, 45).with_pauses(pauses), &cues);
            let judged = heard.insights.into_iter().filter_map(|(_, insight)| match insight {
                Insight::Cue(CueTold::Judged(cue)) => Some((cue.cue, cue.adopted)),
                _ => None,
            });
            judged.filter(|(cue, _)| cue == "say-what-you-do").collect()
        };
        let judged = |adopted| vec![("say-what-you-do".to_owned(), Some(adopted))];
        assert_eq!(followed(LOOKED_UP), judged(true));
        assert_eq!(followed(SILENT_AGAIN), judged(false));
    }
}
