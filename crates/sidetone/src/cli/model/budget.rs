//! `sidetone model budget`: calls of a corpus's speakers as the shipped alert logic hears them. How many alerts an hour
//! without any reason for one raises, how soon an upset is told, and how soon that it is over; whether one is told that
//! was there from the first word, and how often joy is taken for one.

mod course;
mod line;
mod trace;
mod upset;
mod voices;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use sidetone_emotion::corpus::{Manifest, audio};
use sidetone_emotion::model::Model as Network;
use sidetone_emotion::rng::Rng;
use sidetone_insight::{Phase, Thresholds};

use super::arguments::share;
use super::eval::figure;
use crate::cli::model::weights::{Weights, bar, there};
use crate::cli::output::{Output, say, say_json};
use course::{Alerted, Number, Stage};
use line::Line;
use trace::{At, Trace};
use upset::{Turns, Upsets};
use voices::{Speaker, Speakers, late, mixed, string};

/// Samples in a second.
const RATE: usize = 8000;
/// How long a call of strung clips is, in samples: ten minutes.
const CALL: usize = 600 * RATE;
/// Prompts that are no longer are single words, in samples: 1.2 s.
const PROMPT: usize = 9600;
/// What a caller says calmly before something upsets them, in samples: 30 s with the pauses between clips, some 15 s of
/// speech.
const BEFORE: usize = 30 * RATE;
/// What they say while upset: some 15 s of speech.
const UPSET: usize = 30 * RATE;
/// What they say when calm again: some 20 s of speech.
const AFTER: usize = 45 * RATE;
/// How loud babble behind a voice is, as a share of it: 10 dB below.
const BABBLE: f32 = 0.316;
/// How loud the agent comes back on the caller's leg: 30 dB below.
const CROSSTALK: f32 = 0.032;
/// How loud the line's noise is behind a voice, as a share of it: 20 dB below.
const HISS: f32 = 0.1;
/// How late the agent comes back, in samples: 120 ms, two legs of a carrier's network and a telephone's buffer.
const LATE: usize = 960;

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
    /// Only these corpora.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    corpora: Vec<String>,
    /// Files, or folders of them, in which nobody speaks with feeling: hold music, prompts. Each is counted by itself.
    #[arg(long, value_name = "PATHS", value_delimiter = ',')]
    sounds: Vec<PathBuf>,
    /// Folders of prompts, each spoken by one voice: strung together into two calls of ten minutes.
    #[arg(long, value_name = "DIRS", value_delimiter = ',')]
    prompts: Vec<PathBuf>,
    /// Hours of each kind of calm speech to string together, in calls of ten minutes.
    #[arg(long, default_value_t = 2.0)]
    hours: f64,
    /// Calls in which each speaker grows upset and calms down; as many in which they are upset from the first word, and
    /// grow happy. Every second one has a calm agent who comes back, and noise on the line.
    #[arg(long, default_value_t = 2, value_name = "CALLS")]
    upsets: usize,
    /// Share of a clip's listeners, where it has votes, that must have heard it as calm, or as angry or afraid.
    #[arg(long, default_value_t = 0.0, value_name = "SHARE", value_parser = share)]
    agreed: f32,
    /// Writes every estimate, a JSON object a line: to choose thresholds by.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// What order clips come in, and how long the pauses are, comes from this.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What came of one kind of call in which nothing is wrong.
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

impl Scene {
    fn new(name: &str) -> Self {
        Self { scene: name.to_owned(), ..Self::default() }
    }

    /// One call whose customer is heard saying `voice` while the agent says `agent`.
    fn hear(
        &mut self,
        model: &Arc<Network>,
        voice: &[i16],
        agent: &[i16],
        trace: &mut Trace,
    ) -> anyhow::Result<()> {
        let mut bare = Thresholds::default();
        bare.alerts.allowance = 0.0;
        bare.alerts.arousal_gain = 2.0;
        let mut lines = [Line::new(model, Thresholds::default()), Line::new(model, bare)];
        let [shipped, without] = &mut lines;
        let at = At { scene: &self.scene, call: self.calls, phase: "calm" };
        shipped.hear(voice, agent, &mut |estimate| trace.note(at, estimate))?;
        without.hear(voice, agent, &mut |_| Ok(()))?;
        let rising =
            |line: &Line| line.alerts.iter().filter(|(_, alert)| alert.phase == Phase::Rising).count();
        self.abstained = (self.abstained * self.estimates as f64 + shipped.abstained as f64)
            / (self.estimates + shipped.estimates).max(1) as f64;
        self.estimates += shipped.estimates;
        self.calls += 1;
        self.hours += shipped.now().as_secs_f64() / 3600.0;
        self.speech_hours += shipped.speech_between(Default::default(), shipped.now()).as_secs_f64() / 3600.0;
        self.alerts += rising(shipped);
        self.alerts_without_baseline += rising(without);
        self.calls_with_alert += usize::from(rising(shipped) > 0);
        self.alerts_an_hour = self.alerts as f64 / self.hours.max(1e-9);
        Ok(())
    }
}

impl Budget {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        there(&self.manifest, &self.root)?;
        let model = self.weights.load()?;
        let heard = &model.meta().heard;
        let manifest = Manifest::read(&self.manifest)?.filtered(|entry| {
            !heard.contains(&entry.speaker)
                && (self.corpora.is_empty() || self.corpora.contains(&entry.corpus))
        });
        let speakers = Speakers::read(&manifest, &self.root, self.agreed)?;
        if speakers.0.is_empty() {
            bail!("no speaker that the model does not know has a neutral or calm clip: name other speakers");
        }
        let sounds: Vec<Vec<PathBuf>> =
            self.sounds.iter().map(|path| files(std::slice::from_ref(path))).collect::<Result<_, _>>()?;
        let calls = (self.hours * 3600.0 * RATE as f64 / CALL as f64).ceil() as usize;
        let bar = bar("listening");
        bar.set_length(
            (3 * calls + sounds.iter().map(Vec::len).sum::<usize>() + 3 * self.upsets * speakers.0.len())
                as u64,
        );
        let mut trace = Trace::open(self.trace.as_deref())?;
        let mut rng = Rng::new(self.seed);

        let mut calm = Scene::new("calm speech, one speaker a call");
        let mut crowd = Scene::new("calm speech over babble, 10 dB below");
        let mut echo = Scene::new("calm speech, an agent's calm and upset voice 30 dB below");
        for number in 0..calls {
            let place = number % speakers.0.len();
            let Some(speaker) = speakers.0.get(place) else { continue };
            let voice = string(&speaker.calm, CALL, &mut rng);
            calm.hear(&model, &voice, &[], &mut trace)?;
            bar.inc(1);
            let babble = speakers.babble(CALL, &mut rng);
            crowd.hear(&model, &mixed(&voice, &babble, BABBLE), &[], &mut trace)?;
            bar.inc(1);
            let agent = speakers.other(place, CALL, true, &mut rng);
            echo.hear(&model, &mixed(&voice, &late(&agent, LATE), CROSSTALK), &agent, &mut trace)?;
            bar.inc(1);
        }
        let mut scenes = vec![calm, crowd, echo];

        let mut turns: BTreeMap<String, Vec<Turns>> = BTreeMap::new();
        let mut by_line: [BTreeMap<String, Vec<Turns>>; 2] = Default::default();
        let [mut at_once, mut happy]: [BTreeMap<String, Vec<bool>>; 2] = Default::default();
        let mut stage = Stage { model: &model, speakers: &speakers, rng: &mut rng, trace: &mut trace };
        let calls_of = |upsets: usize, which: fn(&Speaker) -> bool| {
            let places = speakers.0.iter().enumerate().filter(move |(_, speaker)| which(speaker));
            places.flat_map(move |(place, speaker)| {
                (0..upsets).map(move |call| (Number { place, call }, speaker.name.clone()))
            })
        };
        for (number, name) in calls_of(self.upsets, |speaker| !speaker.upset.is_empty()) {
            let turn = stage.upset(number)?;
            let [quiet_line, busy_line] = &mut by_line;
            for of in [&mut turns, if number.busy() { busy_line } else { quiet_line }] {
                of.entry(name.clone()).or_default().push(turn);
            }
            bar.inc(1);
        }
        for (number, name) in calls_of(self.upsets, |speaker| !speaker.upset.is_empty()) {
            at_once.entry(name).or_default().push(stage.at_once(number)?);
            bar.inc(1);
        }
        for (number, name) in calls_of(self.upsets, |speaker| !speaker.happy.is_empty()) {
            happy.entry(name).or_default().push(stage.happy(number)?);
            bar.inc(1);
        }
        let upsets = Upsets::of(&turns);
        let [quiet, busy] = by_line.map(|turns| Upsets::of(&turns));
        let (at_once, happy) = (Alerted::of(&at_once), Alerted::of(&happy));

        for (path, files) in self.sounds.iter().zip(&sounds) {
            let mut others = Scene::new(&format!("sounds: {}", path.display()));
            for file in files {
                others.hear(&model, &audio::read(file)?, &[], &mut trace)?;
                bar.inc(1);
            }
            scenes.push(others);
        }
        for folder in &self.prompts {
            let spoken: Vec<Vec<i16>> = files(std::slice::from_ref(folder))?
                .iter()
                .map(|file| audio::read(file))
                .collect::<Result<_, _>>()?;
            let spoken: Vec<Vec<i16>> = spoken.into_iter().filter(|clip| clip.len() > PROMPT).collect();
            let mut strung = Scene::new(&format!("prompts: {}", folder.display()));
            for _ in 0..2 {
                strung.hear(&model, &string(&spoken, CALL, &mut rng), &[], &mut trace)?;
            }
            scenes.push(strung);
        }
        bar.finish_and_clear();
        if output.json {
            say_json(&json!({
                "scenes": scenes, "upsets": upsets, "quiet_line": quiet, "busy_line": busy,
                "at_once": at_once, "happy": happy,
            }))?;
        } else {
            print(&model, &scenes, &upsets, [&quiet, &busy]);
            for (course, alerted) in
                [("upset from the first word, told", &at_once), ("calm, then happy, taken for upset", &happy)]
            {
                say(format_args!(
                    "  {course:<36} {} of {} calls, {}",
                    alerted.alerted,
                    alerted.calls,
                    figure(alerted.share.as_ref())
                ));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print(model: &Network, scenes: &[Scene], upsets: &Upsets, by_line: [&Upsets; 2]) {
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
    let hours: f64 = scenes.iter().map(|scene| scene.hours).sum();
    let alerts: usize = scenes.iter().map(|scene| scene.alerts).sum();
    say(format_args!(
        "\nfalse alerts in all: {alerts} in {hours:.1} h, {:.2} in ten hours",
        10.0 * alerts as f64 / hours.max(1e-9)
    ));
    let seconds = |time: Option<f64>| time.map_or_else(|| "-".to_owned(), |time| format!("{time:.1} s"));
    say(format_args!(
        "\ncalm, then angry or afraid, then calm: {} calls of {} speakers; intervals are 95 %, over speakers",
        upsets.calls, upsets.speakers
    ));
    say(format_args!("  told within 10 s of upset speech     {}", figure(upsets.told_soon.as_ref())));
    for (line, upsets) in ["on a quiet line", "beside an agent, with noise"].iter().zip(by_line) {
        say(format_args!("    {line:<33}  {}", figure(upsets.told_soon.as_ref())));
    }
    say(format_args!("  told at all while upset              {}", figure(upsets.told.as_ref())));
    say(format_args!("  after upset speech of, median        {}", seconds(upsets.median_seconds)));
    say(format_args!("  alert before the upset               {} calls", upsets.early));
    say(format_args!("  its end told within 15 s of calm     {}", figure(upsets.calmed_soon.as_ref())));
    say(format_args!("  after calm speech of, median         {}", seconds(upsets.median_calm_seconds)));
    say(format_args!("  summary's shift right both times     {}", figure(upsets.shift_right.as_ref())));
    if let Some((upset, end)) = upsets.mean_shifts {
        say(format_args!("  mean shift, upset and at the end     {upset:+.2} and {end:+.2}"));
    }
}

/// Every file named, and every audio file of every folder named.
pub(super) fn files(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
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
