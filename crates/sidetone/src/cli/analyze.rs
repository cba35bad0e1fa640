//! `sidetone analyze`: recordings through the very same pipeline as live calls, as fast as the machine can.

mod capture;
mod drawing;
mod replay;
mod wav;

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use sidetone_capture::Kind;
use sidetone_emotion::model::Model;
use sidetone_events::{Event, Happening, NumberHasher, Secret};
use sidetone_insight::Summary;

use super::view::{Paint, clock, kind_word};
use super::{Output, model, say, say_json};
use replay::Heard;

#[derive(Debug, Args)]
pub(super) struct Analyze {
    /// WAV (mono: the customer; stereo: a leg a channel), pcap or pcapng (SIP and RTP, or bare RTP).
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,
    /// Who the customer is: in a stereo WAV the party on the left is the caller, on the right the callee.
    #[arg(long, value_enum, default_value = "caller")]
    customer: Party,
    /// Draw each call's timeline into this folder, as SVG and PNG.
    #[arg(long, value_name = "DIR")]
    plots: Option<PathBuf>,
    /// Print events as they come, not only the summary. With --json they are always printed.
    #[arg(long)]
    events: bool,
    /// Formats of bare RTP, beside those with fixed payload types: 111=opus/48000/2.
    #[arg(long = "codec", value_name = "PT=NAME/RATE", value_parser = sidetone_capture::calls::format)]
    codecs: Vec<sidetone_sip::anchor::Format>,
    /// A safetensors file with weights. Without it, the open weights inside the binary.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Salt for the hashes of the numbers in a capture. Without one it is random, and hashes differ each time.
    #[arg(long, env = "SIDETONE_NUMBER_SALT", value_name = "SALT", hide_env_values = true)]
    salt: Option<String>,
}

/// A party of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Party {
    /// Who calls.
    Caller,
    /// Who is called.
    Callee,
}

/// What every file is analysed with.
struct Bench {
    customer: Party,
    model: Arc<Model>,
    hasher: NumberHasher,
    formats: Vec<sidetone_sip::anchor::Format>,
}

impl Analyze {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let model = match &self.model {
            Some(path) => Model::open(path).with_context(|| format!("{} can't be loaded", path.display()))?,
            None => Model::embedded()?,
        };
        let hasher = match &self.salt {
            Some(salt) => NumberHasher::salted(&Secret::new(salt.as_str())),
            None => NumberHasher::with_random_salt(),
        }?;
        let bench = Bench { customer: self.customer, model, hasher, formats: self.codecs.clone() };
        let mut failed = false;
        let mut names = Names::default();
        for file in &self.files {
            if let Err(error) = self.one(file, &bench, &mut names, output) {
                failed = true;
                eprintln!("sidetone: {}: {error:#}", file.display());
            }
        }
        Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    fn one(&self, file: &Path, bench: &Bench, names: &mut Names, output: Output) -> anyhow::Result<()> {
        let mut input = File::open(file).context("can't be opened; is the path right?")?;
        let size = input.metadata().map_or(0, |metadata| metadata.len());
        let mut beginning = Vec::new();
        input.by_ref().take(12).read_to_end(&mut beginning)?;
        input.rewind()?;
        let bar = model::bar("hearing");
        bar.set_length(size);
        let input = BufReader::new(bar.wrap_read(input));
        let calls = match Kind::of(&beginning) {
            Some(Kind::Wav) => vec![wav::analyse(file, input, bench)?],
            Some(Kind::Capture) => capture::analyse(input, bench)?,
            None => bail!("is neither WAV nor pcap nor pcapng; convert it to one of them"),
        };
        bar.finish_and_clear();
        if calls.is_empty() {
            bail!(
                "holds no call: neither SIP with RTP nor RTP of a known payload type (name others with --codec)"
            );
        }
        for (number, call) in calls.iter().enumerate() {
            self.report(file, number, call, names, output)?;
        }
        Ok(())
    }

    fn report(
        &self,
        file: &Path,
        number: usize,
        call: &Heard,
        names: &mut Names,
        output: Output,
    ) -> anyhow::Result<()> {
        if output.json {
            call.events.iter().try_for_each(say_json)?;
        } else {
            if self.events {
                let paint = Paint::detect();
                for event in &call.events {
                    // By way of text, in which a single-precision number has no more digits than it means.
                    let event = serde_json::from_str(&serde_json::to_string(event)?)?;
                    say(super::control::one_line(&event, paint));
                }
            }
            say(format_args!(
                "{}{}",
                file.display(),
                if number > 0 { format!(", call {}", number + 1) } else { String::new() }
            ));
            sum_up(call);
        }
        if let Some(folder) = &self.plots {
            std::fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
            let name = names.free(&file.file_stem().unwrap_or_default().to_string_lossy());
            let path = drawing::draw(&name, call, folder)?;
            if !output.json {
                say(format_args!("  drawn as {} and .png", path.display()));
            }
        }
        Ok(())
    }
}

/// The names of pictures drawn so far: neither a file's further calls nor a file of the same name in another folder
/// may take the place of an earlier one.
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

fn sum_up(call: &Heard) {
    let Summary { duration, sentiment, conduct, analysis, .. } = &call.summary;
    say(format_args!(
        "  {} of call, {:.0} s of the customer's speech judged, {} estimates, {} declined",
        clock(*duration),
        analysis.judged.as_secs_f32(),
        analysis.estimates,
        analysis.abstained
    ));
    match sentiment {
        Some(sentiment) => say(format_args!(
            "  sounds {:+.2} at the start, {:+.2} at the end (shift {:+.2}); lowest {:+.2} at {}",
            sentiment.start,
            sentiment.end,
            sentiment.shift,
            sentiment.lowest.valence,
            clock(sentiment.lowest.at)
        )),
        None => say("  too little speech to say how the customer sounds"),
    }
    for alert in call.events.iter().filter_map(alert) {
        say(alert);
    }
    if let Some(share) = conduct.customer.talk_share {
        say(format_args!(
            "  talk: customer {:.0} %, agent {:.0} %; overlap {:.1} s, longest silence {:.1} s, on hold {:.0} s",
            share * 100.0,
            (1.0 - share) * 100.0,
            conduct.overlap.as_secs_f32(),
            conduct.longest_silence.as_secs_f32(),
            conduct.hold.as_secs_f32()
        ));
    }
    let speed = call.summary.duration.as_secs_f64() / call.took.as_secs_f64().max(1e-6);
    say(format_args!("  heard in {:.2} s: {speed:.0} times faster than real time", call.took.as_secs_f64()));
}

fn alert(event: &Event) -> Option<String> {
    match &event.happening {
        Happening::AffectAlert(alert) => Some(
            format!(
                "  {}  {} {:?}, score {:.2}",
                clock(event.at),
                kind_word(alert.alert),
                alert.phase,
                alert.score
            )
            .to_lowercase(),
        ),
        _ => None,
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
