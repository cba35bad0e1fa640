//! `sidetone model budget`: the alerts that an hour without any reason for one raises, and what raises them when there
//! is one.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use sidetone_call::{Class, Estimate, Leg as Side};
use sidetone_consent::permit::{RecordingPermit, Stated};
use sidetone_emotion::corpus::{Band, Manifest, audio};
use sidetone_emotion::model::Model as Network;
use sidetone_emotion::rng::Rng;
use sidetone_emotion::{FrameMark, Listener, estimate_due};
use sidetone_insight::{Call, Insight, Phase, Thresholds};

use crate::cli::model::weights::{Weights, bar, there};
use crate::cli::output::{Output, say, say_json};

/// Samples that a packet brings.
const PACKET: usize = 160;
/// How long a call of strung clips is, in samples: ten minutes.
const CALL: usize = 600 * 8000;
/// What a caller says calmly before something upsets them, in samples: half a minute.
const BEFORE: usize = 30 * 8000;
/// What they say after that.
const AFTER: usize = 20 * 8000;

#[derive(Debug, Args)]
pub(crate) struct Budget {
    #[command(flatten)]
    weights: Weights,
    /// CSV with the columns path, emotion, speaker, corpus. Speakers that the model was trained on are left out.
    #[arg(long, value_name = "CSV")]
    manifest: PathBuf,
    /// The folder that the manifest's relative paths are in.
    #[arg(long, value_name = "DIR")]
    root: PathBuf,
    /// Files, or folders of them, in which nobody speaks with feeling: hold music, prompts.
    #[arg(long, value_name = "PATHS", value_delimiter = ',')]
    sounds: Vec<PathBuf>,
    /// Hours of calm speech to string together.
    #[arg(long, default_value_t = 2.0)]
    hours: f64,
    /// Writes every estimate, a JSON object a line: to choose thresholds by.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// What order clips come in, and how long the pauses are, comes from this.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What came of one kind of call.
#[derive(Debug, Default, Serialize)]
struct Scene {
    scene: String,
    calls: usize,
    hours: f64,
    /// Of speech, as the voice detector hears it.
    speech_hours: f64,
    estimates: usize,
    /// Share of the estimates that abstained.
    abstained: f64,
    alerts: usize,
    alerts_an_hour: f64,
    /// The same with no allowance for how a caller sounded at first.
    alerts_without_baseline: usize,
    /// Calls with an alert.
    calls_with_alert: usize,
}

impl Budget {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        there(&self.manifest, &self.root)?;
        let model = self.weights.load()?;
        let manifest =
            Manifest::read(&self.manifest)?.filtered(|entry| !model.meta().heard.contains(&entry.speaker));
        let speakers = Speakers::read(&manifest, &self.root)?;
        if speakers.0.is_empty() {
            bail!("no speaker that the model does not know has a neutral or calm clip: name other speakers");
        }
        let sounds = files(&self.sounds)?;
        let calls = ((self.hours * 3600.0 * 8000.0 / CALL as f64).ceil() as usize).max(1);
        let bar = bar("listening");
        bar.set_length((2 * calls + sounds.len() + speakers.0.len()) as u64);
        let mut scenes = Vec::new();
        let mut trace = Trace::open(self.trace.as_deref())?;
        let mut rng = Rng::new(self.seed);

        let mut calm = Tally::new("calm speech, one speaker a call");
        let mut crowd = Tally::new("calm speech over babble, 10 dB below");
        for number in 0..calls {
            let Some(speaker) = speakers.0.get(number % speakers.0.len()) else { continue };
            let voice = string(&speaker.calm, CALL, &mut rng);
            calm.hear(&model, &voice, &mut trace)?;
            bar.inc(1);
            let babble = speakers.babble(CALL, &mut rng);
            let mixed: Vec<i16> = voice
                .iter()
                .zip(&babble)
                .map(|(x, y)| (f32::from(*x) + 0.316 * y).clamp(-32768.0, 32767.0) as i16)
                .collect();
            crowd.hear(&model, &mixed, &mut trace)?;
            bar.inc(1);
        }
        scenes.extend([calm.done(), crowd.done()]);

        let mut upset = Tally::new("calm for 30 s, then angry or afraid for 20 s");
        for speaker in speakers.0.iter().filter(|speaker| !speaker.alarmed.is_empty()) {
            let mut voice = string(&speaker.calm, BEFORE, &mut rng);
            voice.extend(string(&speaker.alarmed, AFTER, &mut rng));
            upset.hear(&model, &voice, &mut trace)?;
            bar.inc(1);
        }
        scenes.push(upset.done());

        let mut others = Tally::new("music and prompts");
        for file in &sounds {
            others.hear(&model, &audio::read(file)?, &mut trace)?;
            bar.inc(1);
        }
        if !sounds.is_empty() {
            scenes.push(others.done());
        }
        bar.finish_and_clear();
        if output.json {
            say_json(&scenes)?;
        } else {
            print(&model, &scenes);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(model: &Network, scenes: &[Scene]) {
    say(format_args!("{} ({} weights), G.711 µ-law", model.meta().name, model.meta().licence.name()));
    for scene in scenes {
        say(format_args!(
            "\n{}: {} calls, {:.2} h, {:.2} h of it speech",
            scene.scene, scene.calls, scene.hours, scene.speech_hours
        ));
        say(format_args!("  alerts                 {}, {:.2} an hour", scene.alerts, scene.alerts_an_hour));
        say(format_args!("  without the baseline   {}", scene.alerts_without_baseline));
        say(format_args!("  calls with an alert    {}", scene.calls_with_alert));
        say(format_args!(
            "  estimates              {}, {:.0} % of them abstentions",
            scene.estimates,
            scene.abstained * 100.0
        ));
    }
}

/// Every file named, and every audio file of every folder named.
fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let mut inside = std::fs::read_dir(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .with_context(|| format!("{} can't be listed", path.display()))?;
        inside.sort_by_key(std::fs::DirEntry::path);
        let heard = |path: &Path| {
            let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
            ["wav", "flac", "opus", "ogg"].contains(&kind.to_ascii_lowercase().as_str())
        };
        all.extend(inside.into_iter().map(|entry| entry.path()).filter(|path| heard(path)));
    }
    Ok(all)
}

/// A speaker's clips, at one level.
#[derive(Debug, Default)]
struct Speaker {
    calm: Vec<Vec<i16>>,
    alarmed: Vec<Vec<i16>>,
}

struct Speakers(Vec<Speaker>);

impl Speakers {
    fn read(manifest: &Manifest, root: &Path) -> anyhow::Result<Self> {
        let mut speakers: BTreeMap<&str, Speaker> = BTreeMap::new();
        for entry in &manifest.entries {
            let speaker = speakers.entry(&entry.speaker).or_default();
            let clips = match entry.class() {
                Some(Class::Neutral | Class::Calm) => &mut speaker.calm,
                Some(Class::Anger | Class::Fear) => &mut speaker.alarmed,
                _ => continue,
            };
            clips.push(audio::read(&root.join(&entry.path))?);
        }
        Ok(Self(speakers.into_values().filter(|speaker| !speaker.calm.is_empty()).collect()))
    }

    /// Four of them at once, as loud together as one alone.
    fn babble(&self, length: usize, rng: &mut Rng) -> Vec<f32> {
        let mut sum = vec![0.0f32; length];
        for _ in 0..4 {
            if let Some(speaker) = self.0.get(rng.below(self.0.len())) {
                let voice = string(&speaker.calm, length, rng);
                sum.iter_mut().zip(voice).for_each(|(sum, x)| *sum += 0.5 * f32::from(x));
            }
        }
        sum
    }
}

/// Clips in random order with pauses of a conversation between them.
fn string(clips: &[Vec<i16>], length: usize, rng: &mut Rng) -> Vec<i16> {
    let mut pcm = Vec::with_capacity(length);
    while pcm.len() < length {
        if let Some(clip) = clips.get(rng.below(clips.len())) {
            pcm.extend_from_slice(clip);
        }
        let pause = 2000 + rng.below(20_000);
        // A line is never quite silent.
        pcm.extend((0..pause).map(|_| rng.between(-12.0, 12.0) as i16));
    }
    pcm.truncate(length);
    pcm
}

/// Where estimates are written, if anywhere.
struct Trace(Option<BufWriter<File>>);

impl Trace {
    fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let open = |path: &Path| {
            File::create(path)
                .map(BufWriter::new)
                .with_context(|| format!("{} can't be written", path.display()))
        };
        Ok(Self(path.map(open).transpose()?))
    }

    /// One estimate of the scene's next call.
    fn note(&mut self, scene: &Scene, estimate: &Estimate) -> anyhow::Result<()> {
        let Some(file) = &mut self.0 else { return Ok(()) };
        let classes: BTreeMap<&str, f32> =
            estimate.classes.iter().map(|(class, share)| (class.name(), *share)).collect();
        let line = json!({
            "scene": scene.scene,
            "call": scene.calls,
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

/// Counts over the calls of a scene.
struct Tally {
    scene: Scene,
    abstained: usize,
}

impl Tally {
    fn new(name: &str) -> Self {
        Self { scene: Scene { scene: name.to_owned(), ..Scene::default() }, abstained: 0 }
    }

    /// One call whose customer is heard saying `voice`.
    fn hear(&mut self, model: &Arc<Network>, voice: &[i16], trace: &mut Trace) -> anyhow::Result<()> {
        let mut listener = Listener::new(RecordingPermit::new(Stated::Material), model.clone());
        let mut bare = Thresholds::default();
        bare.alerts.allowance = 0.0;
        bare.alerts.arousal_gain = 2.0;
        let mut calls = [Call::new(Thresholds::default()), Call::new(bare)];
        let mut speech = Duration::ZERO;
        let line = Band::G711.through(voice);
        let mut alerts = [0, 0];
        let mut now = Duration::ZERO;
        for packet in line.chunks(PACKET) {
            listener.push(packet, FrameMark::Audio);
            now += Duration::from_micros(packet.len() as u64 * 125);
            while let Some(segment) = listener.poll_speech() {
                speech += segment.to.saturating_sub(segment.from);
                calls.iter_mut().for_each(|call| call.speech(Side::Customer, segment.from, segment.to));
            }
            for (_, estimate) in estimate_due(&mut [&mut listener]) {
                self.scene.estimates += 1;
                trace.note(&self.scene, &estimate)?;
                self.abstained += usize::from(estimate.abstained.is_some());
                calls.iter_mut().for_each(|call| call.affect(estimate.at, &estimate));
            }
            for (call, alerts) in calls.iter_mut().zip(&mut alerts) {
                call.advance(now);
                while let Some((_, insight)) = call.poll() {
                    if let Insight::Alert(alert) = insight {
                        *alerts += usize::from(alert.phase == Phase::Rising);
                    }
                }
            }
        }
        let [alerts, without] = alerts;
        self.scene.calls += 1;
        self.scene.hours += now.as_secs_f64() / 3600.0;
        self.scene.speech_hours += speech.as_secs_f64() / 3600.0;
        self.scene.alerts += alerts;
        self.scene.alerts_without_baseline += without;
        self.scene.calls_with_alert += usize::from(alerts > 0);
        Ok(())
    }

    fn done(mut self) -> Scene {
        self.scene.abstained = self.abstained as f64 / self.scene.estimates.max(1) as f64;
        self.scene.alerts_an_hour = self.scene.alerts as f64 / self.scene.hours.max(1e-9);
        self.scene
    }
}
