//! `sidetone analyze`: recordings through the very same pipeline as live calls, as fast as the machine can.

mod audio;
mod bench;
mod capture;
mod drawing;
mod inputs;
mod key_log;
mod outcome;
mod pauses;
mod replay;
mod report;

use crate::cli::analyze::bench::Bench;
use std::collections::HashSet;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use anyhow::Context;
use clap::Args;
use sidetone_capture::Kind;
use sidetone_capture::audio::Defect;
use sidetone_capture::calls::Customer;
use sidetone_emotion::model::Model;
use sidetone_events::{Happening, NumberHasher, NumberHasherError, Secret};
use sidetone_hear::{Language, Scribe};
use sidetone_insight::cues::{CueSet, CueTold};

use super::cue_lines;
use super::model::weights;
use super::story::Page;
use crate::cli::output::{Output, causes, complain, remark, remark_with, say, say_json};
use crate::server::Words;
use inputs::Input;
use outcome::Outcome;
use replay::{Heard, Protection, Roles};
use report::Row;

#[derive(Debug, Args)]
#[command(after_help = outcome::EXIT_STATUSES)]
pub(super) struct Analyze {
    /// WAV, FLAC, Ogg Opus or Vorbis (mono: the customer; stereo: a leg a channel), pcap or pcapng (SIP and RTP, or
    /// bare RTP); folders with such files; - for standard input.
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    /// Who the customer is: caller or left, callee or right, or the address that their audio comes from (10.1.2.3 or
    /// 10.1.2.3:4000). In a stereo file the caller is on the left, the callee on the right. By default it is who placed
    /// the call; where a capture doesn't show that (no INVITE) or contradicts it (both legs of a dialler, transfers),
    /// nobody is judged until this says.
    #[arg(long, value_name = "PARTY")]
    customer: Option<Customer>,
    /// Draw each call's timeline into this folder, as SVG and PNG.
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Print events as they come, not only the summary. With --json they are always printed.
    #[arg(long)]
    events: bool,
    /// Print one line a call, as the table that closes a report of several calls.
    #[arg(long, conflicts_with = "events")]
    table: bool,
    /// Formats of bare RTP, beside those with fixed payload types: 111=opus/48000/2.
    #[arg(long = "codec", value_name = "PT=NAME/RATE", value_parser = sidetone_capture::calls::format)]
    codecs: Vec<sidetone_call::Format>,
    /// A key log (SSLKEYLOGFILE of a browser, `openssl s_client -keylogfile`) with the secrets of the DTLS handshakes
    /// in the captures: their SRTP is opened. Keys that stand in SDP are taken from there by themselves.
    #[arg(long, value_name = "FILE")]
    dtls_keylog: Option<PathBuf>,
    /// A safetensors file with weights. Without it, the open weights inside the binary.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Recognise what the customer says, and print it, redacted: by the recogniser of that name or folder,
    /// moonshine-tiny if none is named. `sidetone model fetch` installs one.
    #[arg(long, value_name = "RECOGNISER", num_args = 0..=1, require_equals = true, default_missing_value = "moonshine-tiny")]
    words: Option<String>,
    /// The language that the customer speaks, as in BCP 47, for a recogniser that knows several.
    #[arg(long, value_name = "TAG", requires = "words", default_value = "en")]
    spoken: String,
    /// Salt for the hashes of the numbers in a capture. Without one it is random, and hashes differ each time.
    #[arg(long, env = "SIDETONE_NUMBER_SALT", value_name = "SALT", hide_env_values = true)]
    salt: Option<String>,
    /// The cues to replay instead of the whole report.
    #[arg(skip)]
    cues: Option<Arc<CueSet>>,
}

impl Analyze {
    /// Tells which of these cues the agents of a recording would have been shown, and nothing else of it.
    pub(super) fn of_cues(
        file: PathBuf,
        customer: Option<Customer>,
        dtls_keylog: Option<PathBuf>,
        words: Option<String>,
        spoken: String,
        cues: Arc<CueSet>,
    ) -> Self {
        Self {
            files: vec![file],
            customer,
            dtls_keylog,
            plots: None,
            events: false,
            table: false,
            codecs: Vec::new(),
            model: None,
            words,
            spoken,
            salt: None,
            cues: Some(cues),
        }
    }

    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let model = match &self.model {
            Some(path) => Model::open(path).with_context(|| format!("{} can't be loaded", path.display()))?,
            None => Model::embedded()?,
        };
        let hasher = match &self.salt {
            Some(salt) => NumberHasher::salted(&Secret::new(salt.as_str())).map_err(|error| match error {
                NumberHasherError::Salt(why) => anyhow::anyhow!("--salt (or SIDETONE_NUMBER_SALT): {why}"),
                other => other.into(),
            }),
            None => NumberHasher::with_random_salt().map_err(Into::into),
        }?;
        if let Some(folder) = &self.plots {
            std::fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
        }
        let scribe = self.words.as_deref().map(|words| scribe(words, &self.spoken)).transpose()?;
        let key_log = self.dtls_keylog.as_deref().map(key_log::read).transpose()?.map(Arc::new);
        let bench = Bench {
            key_log,
            customer: self.customer,
            model,
            hasher,
            formats: self.codecs.clone(),
            cues: self.cues.clone(),
            scribe,
        };
        let mut report = Report { names: Names::default(), rows: Vec::new(), passed_over: 0, read: 0 };
        let mut worst = Outcome::Whole;
        let json = output.json;
        for input in inputs::gather(&self.files) {
            let outcome = match input {
                Ok(input) => self.one(&input, &bench, &mut report, output).unwrap_or_else(|error| {
                    complain(json, &format!("{}: {}", input.name(), causes(&error)));
                    Outcome::Unread
                }),
                Err(reason) => {
                    complain(json, &reason);
                    Outcome::Unread
                }
            };
            worst = worst.min(outcome);
        }
        if report.passed_over > 0 {
            let passed_over = report.passed_over;
            remark(json, &format!("files in folders that are no recordings, and passed over: {passed_over}"));
        }
        if report.read == 0 && worst == Outcome::Whole {
            complain(json, "no recording is there to be analysed");
            worst = Outcome::Nothing;
        }
        if !output.json && (self.table || report.rows.len() > 1) {
            if !self.table {
                say("");
            }
            report::table(report.rows).into_iter().for_each(say);
        }
        Ok(worst.into())
    }

    fn one(
        &self,
        input: &Input,
        bench: &Bench,
        report: &mut Report,
        output: Output,
    ) -> anyhow::Result<Outcome> {
        // Long: a recording from its opening to its report.
        let bar = weights::bar("hearing");
        let counted = bar.clone();
        let (kind, file) = input.open(|file, size| {
            counted.set_length(size.unwrap_or(0));
            Box::new(counted.wrap_read(file)) as Box<dyn Read>
        })?;
        if input.passes_over(kind) {
            bar.finish_and_clear();
            report.passed_over += 1;
            return Ok(Outcome::Whole);
        }
        report.read += 1;
        let name = input.name();
        let note = |text: &dyn std::fmt::Display| remark(output.json, &format!("{name}: {text}"));
        let wrong = |text: &dyn std::fmt::Display| complain(output.json, &format!("{name}: {text}"));
        let file = BufReader::new(file);
        let (calls, damaged) = match kind {
            Kind::Audio(container) => {
                let (heard, defect) = audio::analyse(input, container, file, bench)?;
                bar.finish_and_clear();
                if let Some(defect) = &defect {
                    wrong(defect);
                }
                (Vec::from_iter(heard), defect.is_some_and(|defect| defect != Defect::Size))
            }
            Kind::Capture => {
                let found = capture::analyse(file, bench)?;
                bar.finish_and_clear();
                found.notes.iter().for_each(|text| note(text));
                (found.calls, found.damaged)
            }
            Kind::Empty => {
                wrong(&"is empty");
                return Ok(Outcome::Nothing);
            }
            Kind::Other(Some((what, remedy))) => anyhow::bail!("is {what}, which isn't read; {remedy}"),
            Kind::Other(None) => anyhow::bail!(
                "is neither audio (WAV, FLAC, Ogg) nor a capture (pcap, pcapng); convert it to one of them"
            ),
        };
        for (number, call) in calls.iter().enumerate() {
            let name = if number > 0 { format!("{name}, call {}", number + 1) } else { name.clone() };
            self.report(&name, input, call, report, output)?;
        }
        let mut outcome = if damaged { Outcome::Damaged } else { Outcome::Whole };
        if calls.is_empty() {
            wrong(
                &"holds nothing to analyse: no audio, no SIP with RTP, and no RTP of a known payload type (name others with --codec)",
            );
        }
        if !calls.iter().any(|call| call.has_audio) {
            outcome = outcome.min(Outcome::Nothing);
        }
        let mut unknown = calls.iter().filter(|call| call.has_audio).filter_map(|call| match &call.roles {
            Roles::Unknown { one, other, doubt } => Some((one, other, doubt)),
            Roles::Known(_) => None,
        });
        if let Some((one, other, doubt)) = unknown.next() {
            let parties = [one, other].into_iter().filter(|party| *party != capture::NOBODY);
            let remedy = parties.map(|party| format!("--customer {party}")).collect::<Vec<_>>().join(" or ");
            let why = doubt.map_or_else(String::new, |doubt| format!(" ({doubt})"));
            let more = match unknown.count() {
                0 => String::new(),
                more => format!("; the same holds of {more} more calls here"),
            };
            wrong(&format_args!(
                "it isn't known who the customer is{why}, so nobody is judged: say {remedy}{more}"
            ));
            outcome = outcome.min(Outcome::NobodyJudged);
        }
        Ok(outcome)
    }

    fn report(
        &self,
        name: &str,
        input: &Input,
        call: &Heard,
        report: &mut Report,
        output: Output,
    ) -> anyhow::Result<()> {
        if self.cues.is_some() {
            replay_cues(name, call, output)?;
        } else if output.json {
            call.events.iter().try_for_each(say_json)?;
            for Protection { address, opened, sealed, note } in &call.protection {
                let counts = serde_json::json!({
                    "call": call.call.id, "address": address, "opened": opened, "sealed": sealed
                });
                remark_with(&format!("{name}: {note}"), counts);
            }
        } else if !self.table {
            if self.events {
                let mut page = Page::detect();
                for event in &call.events {
                    // Through text, so that a single-precision number has no more digits than its precision.
                    let event = serde_json::from_str(&serde_json::to_string(event)?)?;
                    page.lines(&event).into_iter().for_each(say);
                }
            }
            report::call(name, call);
        }
        report.rows.push(Row::of(name, call));
        if let Some(folder) = &self.plots {
            let stem = input.path().and_then(Path::file_stem).unwrap_or_else(|| "standard-input".as_ref());
            let path = drawing::draw(&report.names.free(&stem.to_string_lossy()), call, folder)?;
            if !output.json && !self.table {
                say(format_args!("  drawn as {} and .png", path.display()));
            }
        }
        Ok(())
    }
}

/// Recognises words while the recording is read.
pub(super) fn scribe(recogniser: &str, spoken: &str) -> anyhow::Result<Scribe> {
    let (model, spoken) = (recogniser.to_owned(), spoken.to_owned());
    let language = Language { model, language: spoken, ..Language::default() };
    let words = Words::open(&language).map_err(|why| {
        anyhow::anyhow!("{why}; `sidetone model fetch {}` installs a recogniser", why.to_fetch())
    })?;
    Ok(Scribe::Here(Arc::new(Mutex::new(words.reader()))))
}

/// Prints the cues of a call.
fn replay_cues(name: &str, call: &Heard, output: Output) -> anyhow::Result<()> {
    if !output.json {
        say(name);
    }
    let mut shown = 0;
    for event in &call.events {
        let told = match &event.happening {
            Happening::CueShown(cue) => CueTold::Shown(cue.clone()),
            Happening::CueCleared(cue) => CueTold::Cleared(cue.clone()),
            Happening::CueJudged(cue) => CueTold::Judged(cue.clone()),
            _ => continue,
        };
        shown += u32::from(matches!(told, CueTold::Shown(_)));
        cue_lines::tell(event.at, &told, output)?;
    }
    if !output.json && shown == 0 {
        say("no cue would have been shown");
    }
    for note in &call.notes {
        remark(output.json, &format!("{name}: {note}"));
    }
    Ok(())
}

/// The results of all inputs.
#[derive(Debug)]
struct Report {
    names: Names,
    rows: Vec<Row>,
    /// Files in folders that are no recordings.
    passed_over: usize,
    /// Number of recordings.
    read: usize,
}

/// The names of the pictures drawn so far: neither a file's further calls nor a file of the same name in another folder
/// may overwrite an earlier picture.
#[derive(Debug, Default)]
struct Names(HashSet<String>);

impl Names {
    /// `stem`, or the first of `stem-2`, `stem-3`, … that is free.
    fn free(&mut self, stem: &str) -> String {
        let mut name = stem.to_owned();
        let mut number = 2_usize;
        while !self.0.insert(name.clone()) {
            name = format!("{stem}-{number}");
            number += 1;
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn no_picture_takes_the_name_of_another() {
        let mut names = Names::default();
        let given = ["x", "x-2", "x", "x", "y"].map(|stem| names.free(stem));
        assert_eq!(given, ["x", "x-2", "x-3", "x-4", "y"]);
    }
}
