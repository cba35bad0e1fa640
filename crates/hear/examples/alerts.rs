//! What words add to alerts by voice: strings calls together, hears them, and counts upsets heard and false alerts.
//!
//!     RAYON_NUM_THREADS=1 alerts RECOGNISER SORTED SPEECH CORPORA MUSIC KEEP [--tell] [words=.6,usual=.2 ...]
//!
//! RECOGNISER is a folder as `sidetone model fetch` installs it; SORTED is models/recognition/sorted.tsv; SPEECH is
//! what models/recognition/speak.py has written; CORPORA holds `labels.csv` and `crema_d/labels.csv` with their clips;
//! MUSIC holds hold music. What was recognised is kept in KEEP, so that another run need not do it again. Each argument
//! with values is a setting of `[analysis.thresholds.fusion]` to count under. Every second speaker and voice is for
//! choosing settings by; with `--tell` the others are counted. docs/LANGUAGE.md says how the calls are made.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sidetone_call::{Estimate, Leg, Utterance};
use sidetone_codec::file::read;
use sidetone_codec::resample::Resampler;
use sidetone_consent::RecordingPermit;
use sidetone_consent::permit::Stated;
use sidetone_emotion::corpus::telephony::Band;
use sidetone_emotion::listener::{Listener, estimate_due};
use sidetone_emotion::mark::FrameMark;
use sidetone_emotion::model::Model;
use sidetone_emotion::rng::Rng;
use sidetone_insight::{Call, Insight, Phase, Thresholds};
use sidetone_language::party::{Customer, Mouth};
use sidetone_language::reader::{Reader, Said, Speaker};
use sidetone_language::recognise::{Installed, open};
use sidetone_language::text::Scorer;
use sidetone_language::tongue::Language;
use sidetone_language::utterance::{Piece, Utterances};

type Any<T> = Result<T, Box<dyn Error>>;

const RATE: u32 = 8_000;
/// Level of a clip: root of the mean square.
const LEVEL: f32 = 0.06;
/// Noise of the line: -62 dBFS.
const NOISE: f32 = 0.000_8;
/// Speakers of CREMA-D that have a part in it.
const SPEAKERS: usize = 40;
/// Calm calls, and upset ones, that each synthetic voice has: as many upset by words as by voice, with eight voices.
const TURNS: u64 = 6;
/// An alert this long after the last upset word still tells of it.
const LATE: Duration = Duration::from_secs(2);

/// A call, as it is heard.
struct Strung {
    name: String,
    kind: &'static str,
    /// Whether it is for choosing by.
    choosing: bool,
    pcm: Vec<i16>,
    upset: Option<(Duration, Duration)>,
}

/// What reaches the insight of a call, in order.
enum Fact {
    Speech(Duration, Duration),
    Affect(Estimate),
    Said(Box<Utterance>),
    Now(Duration),
}

/// The facts of a call, and what it is to be judged by.
struct Heard {
    call: Strung,
    facts: Vec<Fact>,
}

fn main() -> Any<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (options, names): (Vec<&str>, Vec<&str>) =
        arguments.iter().map(String::as_str).partition(|argument| argument.starts_with("--"));
    let [recogniser, sorted, speech, corpora, music, keep, settings @ ..] = names.as_slice() else {
        return Err(
            "usage: alerts RECOGNISER SORTED SPEECH CORPORA MUSIC KEEP [--tell] [KEY=VALUE,...]...".into()
        );
    };
    let told = options.contains(&"--tell");
    let mut calls = synthetic(Path::new(sorted), Path::new(speech))?;
    calls.extend(acted(Path::new(corpora))?);
    calls.extend(hold(Path::new(music))?);
    calls.retain(|call| call.choosing != told);
    let model = Arc::new(Model::embedded()?);
    let scorer = Arc::new(Scorer::embedded()?);
    let recogniser = open(Path::new(recogniser), "en")?;
    let mut heard = Vec::new();
    for (number, call) in calls.into_iter().enumerate() {
        eprintln!("{number} {}", call.name);
        let kept = PathBuf::from(keep).join(format!("{}.tsv", call.name));
        let facts = listen(&call, &model, &scorer, &recogniser, &kept)?;
        heard.push(Heard { call: Strung { pcm: Vec::new(), ..call }, facts });
    }
    let usual = Thresholds::default();
    let mut all = vec![("as shipped".to_owned(), usual.clone())];
    for setting in settings {
        all.push(((*setting).to_owned(), with(usual.clone(), setting)?));
    }
    for (name, thresholds) in all {
        println!("\n{name}\n");
        table(&heard, &thresholds);
    }
    Ok(())
}

/// Thresholds with some of the fusion's changed.
fn with(mut thresholds: Thresholds, setting: &str) -> Any<Thresholds> {
    for (key, value) in setting.split(',').filter_map(|part| part.split_once('=')) {
        let value: f32 = value.parse()?;
        let fusion = &mut thresholds.fusion;
        match key {
            "words" => fusion.words = value,
            "usual" => fusion.usual = value,
            "doubt" => fusion.doubt = value,
            "calm" => fusion.calm = value,
            "most" => fusion.most = value,
            "memory" => fusion.memory = sidetone_insight::Period::from_millis((value * 1e3) as u64),
            _ => return Err(format!("{key} is no threshold of the fusion").into()),
        }
    }
    thresholds.validate()?;
    Ok(thresholds)
}

/// Calls of one kind, counted.
#[derive(Default)]
struct Count {
    calls: u32,
    seconds: f64,
    upsets: u32,
    heard: [u32; 2],
    wrong: [u32; 2],
}

fn table(heard: &[Heard], thresholds: &Thresholds) {
    let mut kinds: BTreeMap<&str, Count> = BTreeMap::new();
    for one in heard {
        for kind in [one.call.kind, "~ all"] {
            let count = kinds.entry(kind).or_default();
            count.calls += 1;
            count.seconds += length(one).as_secs_f64();
            count.upsets += u32::from(one.call.upset.is_some());
            for (words, (found, wrong)) in
                [false, true].into_iter().zip(count.heard.iter_mut().zip(&mut count.wrong))
            {
                let rises = rises(one, words, thresholds);
                let is_upset = |at: &&Duration| {
                    one.call.upset.is_some_and(|(from, to)| (from..=to + LATE).contains(*at))
                };
                *found += u32::from(rises.iter().any(|at| is_upset(&at)));
                *wrong += u32::try_from(rises.iter().filter(|at| !is_upset(at)).count()).unwrap_or(u32::MAX);
            }
        }
    }
    println!(
        "| calls | calls, hours | heard, voice alone | heard, voice and words | false, voice alone | false, voice and words |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    for (kind, Count { calls, seconds, upsets, heard, wrong }) in kinds {
        let share = |heard: u32| {
            if upsets == 0 {
                return "-".to_owned();
            }
            let (low, high) = wilson(heard, upsets);
            let percent = 100.0 * f64::from(heard) / f64::from(upsets);
            format!("{percent:.0} % [{low:.0}, {high:.0}] ({heard} of {upsets})")
        };
        let ([voice, both], [false_voice, false_both], hours) = (heard.map(share), wrong, seconds / 3600.0);
        println!("| {kind} | {calls}, {hours:.2} h | {voice} | {both} | {false_voice} | {false_both} |");
    }
}

/// When alerts rise in a call, with or without its words.
fn rises(one: &Heard, words: bool, thresholds: &Thresholds) -> Vec<Duration> {
    let mut call = Call::new(thresholds.clone());
    call.one_sided();
    let mut rises = Vec::new();
    for fact in &one.facts {
        match fact {
            Fact::Speech(from, to) => call.speech(Leg::Customer, *from, *to),
            Fact::Affect(estimate) => call.affect(estimate.at, estimate),
            Fact::Said(utterance) if words => call.said(utterance),
            Fact::Said(_) => {}
            Fact::Now(at) => call.advance(*at),
        }
        while let Some((at, told)) = call.poll() {
            if matches!(told, Insight::Alert(alert) if alert.phase == Phase::Rising) {
                rises.push(at);
            }
        }
    }
    rises
}

fn length(one: &Heard) -> Duration {
    one.facts
        .iter()
        .rev()
        .find_map(|fact| if let Fact::Now(at) = fact { Some(*at) } else { None })
        .unwrap_or_default()
}

/// Wilson's interval of 95 %, in per cent.
fn wilson(heard: u32, of: u32) -> (f64, f64) {
    let (n, p, z) = (f64::from(of), f64::from(heard) / f64::from(of), 1.96f64);
    let middle = p + z * z / (2.0 * n);
    let width = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let whole = 1.0 + z * z / n;
    (100.0 * (middle - width) / whole, 100.0 * (middle + width) / whole)
}

/// Hears a call as a recording is heard, twenty milliseconds at a time.
fn listen(
    call: &Strung,
    model: &Arc<Model>,
    scorer: &Arc<Scorer>,
    recogniser: &Installed,
    kept: &Path,
) -> Any<Vec<Fact>> {
    let mut listener = Listener::new(RecordingPermit::new(Stated::Customer), Arc::clone(model));
    let (mut utterances, mut facts) = (Utterances::default(), Vec::new());
    let mut words = Words::new(scorer, recogniser, kept)?;
    for (block, at) in call.pcm.chunks(160).zip(1u64..) {
        listener.push(block, FrameMark::Audio);
        utterances.push(block, listener.is_speaking());
        hear(&mut listener, &mut utterances, &mut words, &mut facts)?;
        facts.push(Fact::Now(Duration::from_millis(20 * at)));
    }
    listener.finish();
    hear(&mut listener, &mut utterances, &mut words, &mut facts)?;
    utterances.finish();
    hear(&mut listener, &mut utterances, &mut words, &mut facts)?;
    words.keep(kept)?;
    Ok(facts)
}

fn hear(
    listener: &mut Listener,
    utterances: &mut Utterances,
    words: &mut Words,
    facts: &mut Vec<Fact>,
) -> Any<()> {
    while let Some(segment) = listener.poll_speech() {
        utterances.speech(segment.from, segment.to, segment.ended);
        facts.push(Fact::Speech(segment.from, segment.to));
    }
    while let Some(piece) = utterances.poll() {
        facts.extend(words.read(&piece)?.map(|utterance| Fact::Said(Box::new(utterance))));
    }
    facts.extend(estimate_due(&mut [listener]).into_iter().map(|(_, estimate)| Fact::Affect(estimate)));
    Ok(())
}

/// The words of one call: recognised, or known from another run.
struct Words {
    reader: Reader,
    speaker: Speaker,
    scorer: Arc<Scorer>,
    mouth: Mouth<Customer>,
    known: Option<BTreeMap<u32, (f32, String)>>,
    found: Vec<(u32, f32, String)>,
}

impl Words {
    fn new(scorer: &Arc<Scorer>, recogniser: &Installed, kept: &Path) -> Any<Self> {
        let known = fs::read_to_string(kept).ok();
        let known = known.map(|text| text.lines().filter_map(line).collect());
        let reader = Reader::new(Box::new(recogniser.clone()), Arc::clone(scorer));
        let mouth = Mouth::of_customer(Language::English);
        Ok(Self {
            reader,
            speaker: Speaker::customer(),
            scorer: Arc::clone(scorer),
            mouth,
            known,
            found: Vec::new(),
        })
    }

    fn read(&mut self, piece: &Piece) -> Any<Option<Utterance>> {
        if !piece.whole {
            return Ok(None);
        }
        let Some(known) = &self.known else {
            let Some(Said::Customer(said)) = self.reader.read(None, &mut self.speaker, piece, &|| false)?
            else {
                return Ok(None);
            };
            self.found.push((said.number, said.confidence, said.text.clone()));
            return Ok(Some(*said));
        };
        let Some((confidence, text)) = known.get(&piece.number) else { return Ok(None) };
        let spoken = self.mouth.utterance(text);
        Ok(Some(Utterance {
            number: piece.number,
            from: piece.from,
            to: piece.to,
            text: spoken.to_string(),
            language: "en".to_owned(),
            confidence: *confidence,
            told: self.scorer.read_spoken(&spoken, Language::English),
        }))
    }

    fn keep(&self, kept: &Path) -> Any<()> {
        if self.known.is_none() {
            let lines = self
                .found
                .iter()
                .map(|(number, confidence, text)| format!("{number}\t{confidence}\t{text}\n"));
            fs::create_dir_all(kept.parent().unwrap_or(Path::new(".")))?;
            fs::write(kept, lines.collect::<String>())?;
        }
        Ok(())
    }
}

fn line(line: &str) -> Option<(u32, (f32, String))> {
    let mut parts = line.splitn(3, '\t');
    let (number, confidence, text) = (parts.next()?, parts.next()?, parts.next()?);
    Some((number.parse().ok()?, (confidence.parse().ok()?, text.to_owned())))
}

/// Calm calls and ones that grow upset by their words for each voice.
fn synthetic(sorted: &Path, speech: &Path) -> Any<Vec<Strung>> {
    let sorted = fs::read_to_string(sorted)?;
    let kinds: BTreeMap<&str, &str> =
        sorted.lines().filter_map(|line| line.split_once('\t')).map(|(kind, text)| (text, kind)).collect();
    let said = fs::read_to_string(speech.join("said.tsv"))?;
    let mut voices: BTreeMap<&str, [Vec<&str>; 2]> = BTreeMap::new();
    for line in said.lines() {
        let mut parts = line.splitn(3, '\t');
        let (Some(file), Some(voice), Some(text)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let [calm, upset] = voices.entry(voice).or_default();
        match kinds.get(text).copied() {
            Some("upset") => upset.push(file),
            Some("polite" | "plain") => calm.push(file),
            _ => {}
        }
    }
    let mut calls = Vec::new();
    for (number, (voice, [calm, upset])) in voices.into_iter().enumerate() {
        for turn in 0..TURNS {
            let mut rng = Rng::derive(number as u64, turn);
            let mut draw = |from: &[&str], count: usize| -> Any<Vec<Vec<i16>>> {
                let mut files = from.to_vec();
                rng.shuffle(&mut files);
                files
                    .iter()
                    .cycle()
                    .take(count.min(3 * from.len()))
                    .map(|file| clip(&speech.join(file)))
                    .collect()
            };
            let quiet = draw(&calm, 12)?;
            let (before, during, after) = (draw(&calm, 5)?, draw(&upset, 5)?, draw(&calm, 4)?);
            let choosing = number.is_multiple_of(2);
            let name = |kind: &str| format!("{voice}-{kind}-{turn}");
            calls.push(string(name("calm"), "synthetic, calm", choosing, [&quiet, &[], &[]], &mut rng));
            let parts = [before.as_slice(), &during, &after];
            calls.push(string(name("upset"), "synthetic, upset by words", choosing, parts, &mut rng));
        }
    }
    Ok(calls)
}

/// A calm call and one that grows upset by its voice for each speaker of the corpora.
fn acted(corpora: &Path) -> Any<Vec<Strung>> {
    let mut all: BTreeMap<(&'static str, String), [Vec<PathBuf>; 2]> = BTreeMap::new();
    for labels in ["labels.csv", "crema_d/labels.csv"] {
        let labels = fs::read_to_string(corpora.join(labels))?;
        for line in labels.lines().skip(1) {
            let parts: Vec<&str> = line.split(',').collect();
            let [path, corpus, speaker, _, _, _, _, emotion, ..] = parts.as_slice() else { continue };
            let corpus = match *corpus {
                "crema_d" => "CREMA-D",
                "ravdess" => "RAVDESS",
                _ => continue,
            };
            let [calm, upset] = all.entry((corpus, (*speaker).to_owned())).or_default();
            match *emotion {
                "neutral" | "calm" => calm.push(corpora.join(path)),
                "anger" | "fear" => upset.push(corpora.join(path)),
                _ => {}
            }
        }
    }
    let mut calls = Vec::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for ((corpus, speaker), [calm, upset]) in all {
        let number = counts.entry(corpus).or_default();
        if *number == SPEAKERS {
            continue;
        }
        let choosing = number.is_multiple_of(2);
        *number += 1;
        let mut rng = Rng::derive(0xac7ed, calls.len() as u64);
        let mut draw = |from: &[PathBuf], count: usize| -> Any<Vec<Vec<i16>>> {
            let mut files = from.to_vec();
            rng.shuffle(&mut files);
            files.iter().cycle().take(count.min(3 * from.len())).map(|file| clip(file)).collect()
        };
        let quiet = draw(&calm, 15)?;
        let (before, during, after) = (draw(&calm, 6)?, draw(&upset, 6)?, draw(&calm, 5)?);
        let kinds = match corpus {
            "CREMA-D" => ["CREMA-D, calm", "CREMA-D, upset by voice"],
            _ => ["RAVDESS, calm", "RAVDESS, upset by voice"],
        };
        let [calm, upset] = kinds;
        calls.push(string(format!("{speaker}-calm"), calm, choosing, [&quiet, &[], &[]], &mut rng));
        let parts = [before.as_slice(), &during, &after];
        calls.push(string(format!("{speaker}-upset"), upset, choosing, parts, &mut rng));
    }
    Ok(calls)
}

/// A minute and a half of each piece of hold music.
fn hold(music: &Path) -> Any<Vec<Strung>> {
    let mut files: Vec<PathBuf> = fs::read_dir(music)?.map(|file| Ok(file?.path())).collect::<Any<_>>()?;
    files.sort();
    let mut calls = Vec::new();
    for (number, file) in files.iter().enumerate() {
        let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let mut pcm = clip(file)?;
        pcm.truncate(90 * RATE as usize);
        calls.push(Strung { name, kind: "hold music", choosing: number.is_multiple_of(2), pcm, upset: None });
    }
    Ok(calls)
}

/// A recording at 8 kHz and at the level of all.
fn clip(file: &Path) -> Any<Vec<i16>> {
    let sound = read(File::open(file)?)?;
    let power = sound.samples.iter().map(|x| x * x).sum::<f32>() / sound.samples.len().max(1) as f32;
    let gain = LEVEL / power.sqrt().max(1e-5);
    let pcm: Vec<i16> =
        sound.samples.iter().map(|x| (x * gain * 32_767.0).clamp(-32_768.0, 32_767.0) as i16).collect();
    let mut narrow = Vec::new();
    Resampler::new(sound.rate, RATE)?.push(&pcm, &mut narrow);
    Ok(narrow)
}

/// A call of clips with pauses of two to six seconds between, over a line with a little noise. The second part is the
/// upset.
fn string(
    name: String,
    kind: &'static str,
    choosing: bool,
    parts: [&[Vec<i16>]; 3],
    rng: &mut Rng,
) -> Strung {
    let mut pcm: Vec<i16> = vec![0; RATE as usize];
    let time = |pcm: &[i16]| Duration::from_secs_f64(pcm.len() as f64 / f64::from(RATE));
    let mut upset = None;
    for (part, clips) in parts.into_iter().enumerate() {
        for clip in clips {
            let from = time(&pcm);
            pcm.extend(clip);
            if part == 1 {
                let (first, _) = upset.unwrap_or((from, from));
                upset = Some((first, time(&pcm)));
            }
            let pause = (rng.between(2.0, 6.0) * RATE as f32) as usize;
            pcm.resize(pcm.len() + pause, 0);
        }
    }
    for sample in &mut pcm {
        *sample = sample.saturating_add((rng.normal() * NOISE * 32_767.0) as i16);
    }
    let pcm = Band::G711.over_line(&pcm, 0.0, 0.0, rng);
    Strung { name, kind, choosing, pcm, upset }
}
