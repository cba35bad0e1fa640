//! `sidetone score`: what messages tell, one by one and thread by thread. Nothing is printed that was not redacted.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use clap::Args;
use indicatif::ProgressBar;
use serde::{Deserialize, Serialize};
use sidetone_call::Told;
use sidetone_language::text::{LONGEST, Reading, Scorer, Thread, Tongue};
use sidetone_language::written;

use crate::cli::model::weights::bar;
use crate::cli::output::{Output, flush, remark, say, say_json};

/// Characters of an id or a thread's name that count.
const LONGEST_NAME: usize = 100;
/// No file of one message, and no line of many, is longer, in bytes.
const LARGEST: u64 = 1 << 20;
/// So many threads are kept apart at most; each costs some hundred bytes.
const MOST_THREADS: usize = 1_000_000;

#[derive(Debug, Args)]
pub(super) struct Score {
    /// A message. Given several times: messages of one thread, oldest first.
    #[arg(long, value_name = "TEXT", conflicts_with = "jsonl", required_unless_present_any = ["file", "jsonl"])]
    text: Vec<String>,
    /// A file with one message, such as a mail; `-` is standard input. Given several times: messages of one thread.
    #[arg(long, value_name = "FILE", conflicts_with = "jsonl")]
    file: Vec<PathBuf>,
    /// A file with a JSON object a line: `text`, and if known `id` and `thread`; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    jsonl: Option<PathBuf>,
    /// Read quoted mails, signatures and disclaimers too.
    #[arg(long)]
    whole: bool,
    /// Weights other than those built in: a folder that `sidetone model train-text` wrote.
    #[arg(long, value_name = "DIR")]
    weights: Option<PathBuf>,
}

/// A line of `--jsonl`. Other keys are not looked at.
#[derive(Debug, Deserialize)]
struct Line {
    text: String,
    #[serde(default)]
    id: Option<serde_json::Value>,
    #[serde(default)]
    thread: Option<serde_json::Value>,
}

/// What is printed of a message.
#[derive(Debug, Serialize)]
struct Message<'a> {
    message: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread: Option<&'a str>,
    language: Tongue,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cut: bool,
    #[serde(flatten)]
    told: &'a Told,
}

/// What is printed of a thread.
#[derive(Debug, Serialize)]
struct Together<'a> {
    thread: &'a str,
    #[serde(flatten)]
    told: &'a Thread,
}

impl Score {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let scorer = match &self.weights {
            Some(folder) => Scorer::from_folder(folder)?,
            None => Scorer::embedded()?,
        };
        let mut desk = Desk { scorer, whole: self.whole, output, messages: 0, threads: BTreeMap::new() };
        if let Some(path) = &self.jsonl {
            desk.many(path)?;
        }
        for text in &self.text {
            desk.one(text, None, Some("1"))?;
        }
        for path in &self.file {
            let text = whole(path)?;
            desk.one(&text, None, Some("1"))?;
        }
        desk.threads()?;
        flush();
        Ok(ExitCode::SUCCESS)
    }
}

/// Reads messages and prints what they tell.
struct Desk {
    scorer: Scorer,
    whole: bool,
    output: Output,
    messages: usize,
    threads: BTreeMap<String, Thread>,
}

impl Desk {
    fn one(
        &mut self,
        text: &str,
        id: Option<&serde_json::Value>,
        thread: Option<&str>,
    ) -> anyhow::Result<()> {
        let reading = self.read(text);
        self.messages += 1;
        if let Some(thread) = thread {
            if let Some(known) = self.threads.get_mut(thread) {
                known.push(&reading.told);
            } else if self.threads.len() < MOST_THREADS {
                self.threads.entry(thread.to_owned()).or_default().push(&reading.told);
            }
        }
        let message = self.messages;
        if self.output.json {
            let (language, cut, told) = (reading.tongue, reading.cut, &reading.told);
            return say_json(&Message { message, id, thread, language, cut, told });
        }
        let name = id.map_or_else(|| message.to_string(), name);
        say(format_args!("{name:<8} {}", feelings(&reading)));
        for found in &reading.told.topics {
            say(format_args!(
                "         {:<15} {:.2}  \"{}\"",
                found.topic.name(),
                found.probability,
                found.phrase
            ));
        }
        Ok(())
    }

    fn read(&self, text: &str) -> Reading {
        written::read(&self.scorer, text, self.whole)
    }

    fn many(&mut self, path: &Path) -> anyhow::Result<()> {
        let (input, size) = open(path)?;
        let (mut input, bar, begun) = (BufReader::new(input), bar("reading messages"), Instant::now());
        bar.set_length(size);
        let mut number = 0usize;
        loop {
            let mut line = Vec::new();
            number += 1;
            let count = input.by_ref().take(LARGEST + 1).read_until(b'\n', &mut line)?;
            if count == 0 {
                break;
            }
            let place = || format!("{}, line {number}", path.display());
            anyhow::ensure!(
                count as u64 <= LARGEST,
                "{}: longer than {LARGEST} bytes; is it one message a line?",
                place()
            );
            bar.inc(count as u64);
            let text = String::from_utf8_lossy(&line);
            if text.trim().is_empty() {
                continue;
            }
            // The parser's own message may quote the text: only its place is told.
            let line: Line = serde_json::from_str(&text).map_err(|error| {
                anyhow::anyhow!("{}, column {}: no JSON object with a `text`", place(), error.column())
            })?;
            let thread = line.thread.as_ref().map(name);
            hidden(&bar, || self.one(&line.text, line.id.as_ref(), thread.as_deref()))?;
        }
        bar.finish_and_clear();
        let seconds = begun.elapsed().as_secs_f64();
        let rate = self.messages as f64 / seconds.max(1e-9);
        remark(
            self.output.json,
            &format!("{} messages in {seconds:.1} s, {rate:.0} a second", self.messages),
        );
        Ok(())
    }

    /// Threads of more than one message.
    fn threads(&self) -> anyhow::Result<()> {
        for (thread, told) in self.threads.iter().filter(|(_, told)| told.messages > 1) {
            if self.output.json {
                say_json(&Together { thread, told })?;
                continue;
            }
            say(format_args!(
                "thread {thread}: {} messages  valence {:+.2}  distress {:.2} (at most {:.2})  urgency {:.2}  satisfaction {:+.2}",
                told.messages,
                told.valence,
                told.distress,
                told.peak_distress,
                told.urgency,
                told.satisfaction
            ));
            for found in &told.topics {
                say(format_args!(
                    "         {:<15} {:.2}  \"{}\"",
                    found.topic.name(),
                    found.probability,
                    found.phrase
                ));
            }
        }
        Ok(())
    }
}

/// Prints without tearing the bar, where both go to a terminal.
fn hidden<T>(bar: &ProgressBar, print: impl FnOnce() -> T) -> T {
    if bar.is_hidden() { print() } else { bar.suspend(print) }
}

fn feelings(reading: &Reading) -> String {
    let (told, affect) = (&reading.told, &reading.told.affect);
    let felt = match affect.abstained {
        Some(_) => "no estimate".to_owned(),
        None => format!(
            "{} {:.2}  valence {:+.2}  arousal {:+.2}  distress {:.2}",
            affect.class().name(),
            affect.confidence,
            affect.valence,
            affect.arousal,
            affect.distress
        ),
    };
    let cut = if reading.cut { format!("  (first {LONGEST} characters)") } else { String::new() };
    format!("{felt}  urgency {:.2}  satisfaction {:+.2}{cut}", told.urgency, told.satisfaction)
}

/// How an `id` or `thread` of any JSON kind is written.
fn name(value: &serde_json::Value) -> String {
    let name = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    name.chars().filter(|letter| !letter.is_control()).take(LONGEST_NAME).collect()
}

fn open(path: &Path) -> anyhow::Result<(Box<dyn Read>, u64)> {
    if path == Path::new("-") {
        return Ok((Box::new(stdin()), 0));
    }
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let size = file.metadata().map_or(0, |about| about.len());
    Ok((Box::new(file), size))
}

fn whole(path: &Path) -> anyhow::Result<String> {
    let (input, _) = open(path)?;
    let mut bytes = Vec::new();
    input.take(LARGEST + 1).read_to_end(&mut bytes).with_context(|| path.display().to_string())?;
    anyhow::ensure!(
        bytes.len() as u64 <= LARGEST,
        "{}: longer than {LARGEST} bytes; is it one message?",
        path.display()
    );
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
