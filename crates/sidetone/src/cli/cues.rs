//! `sidetone cues`: what agents may be shown, tried before anybody is.

mod replay;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use sidetone_hear::Cues as Section;
use sidetone_insight::Period;
use sidetone_insight::cues::{Aspect, Cue, CueSet, Example, Measure, Scale};

use crate::cli::output::{Output, remark, say, say_json};

#[derive(Debug, Subcommand)]
pub(super) enum Cues {
    /// List the cues, highest priority first; with --measures what their conditions may be about.
    List(List),
    /// Run a table of examples: what is so in a call, and which cue that is to show.
    Test(Test),
    /// Show which cues a recorded call would have been shown, and why.
    Replay(replay::Replay),
}

impl Cues {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Self::List(list) => list.run(output),
            Self::Test(test) => test.run(output),
            Self::Replay(replay) => replay.run(output),
        }
    }
}

/// Which cues.
#[derive(Debug, Args)]
struct Which {
    /// A file of cues beside those that Sidetone brings, as `cues.files` names them; may be given more than once.
    #[arg(long = "file", value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Leave out those that Sidetone brings.
    #[arg(long)]
    only: bool,
    /// The language of their lines.
    #[arg(long, default_value = "en", value_name = "TAG")]
    language: String,
}

impl Which {
    fn load(&self, json: bool) -> anyhow::Result<Arc<CueSet>> {
        let section = Section {
            language: self.language.clone(),
            shipped: !self.only,
            files: self.files.clone(),
            ..Section::default()
        };
        let set = section.load()?.context("no cue is enabled")?;
        let has = |cue: &Cue| {
            cue.in_language(&self.language).is_some_and(|(tag, ..)| self.language.starts_with(tag))
        };
        if !set.cues.iter().any(has) {
            remark(
                json,
                &format!(
                    "no cue has a line in `{}`: they are shown in the language that they have",
                    self.language
                ),
            );
        }
        Ok(set)
    }
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    which: Which,
    /// List what conditions may be about instead: measures and aspects, each with its values.
    #[arg(long)]
    measures: bool,
    /// Print the file of the cues that Sidetone brings, to copy from.
    #[arg(long, conflicts_with = "measures")]
    toml: bool,
}

impl List {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        if self.toml {
            say(CueSet::DEFAULT.trim_end());
            return Ok(ExitCode::SUCCESS);
        }
        if self.measures {
            measures(output)?;
            return Ok(ExitCode::SUCCESS);
        }
        let set = self.which.load(output.json)?;
        let mut cues: Vec<&Cue> = set.cues.iter().collect();
        cues.sort_by_key(|cue| std::cmp::Reverse(cue.priority));
        for cue in cues {
            let (_, line, reason) = cue.in_language(&set.language).context("a cue has no line")?;
            let when = conditions(cue);
            if output.json {
                say_json(&json!({
                    "cue": cue.id, "enabled": cue.enabled, "priority": cue.priority, "when": when,
                    "for_ms": cue.lasting.as_millis(), "show_ms": cue.show.as_millis(),
                    "cooldown_ms": cue.cooldown.as_millis(), "once": cue.once,
                    "line": line.to_string(), "reason": reason, "source": cue.source,
                }))?;
                continue;
            }
            let off = if cue.enabled { "" } else { "  (off)" };
            say(format_args!("{:>4}  {}{off}", cue.priority, cue.id));
            say(format_args!("      {line}"));
            let lasting =
                if cue.lasting.is_zero() { String::new() } else { format!(" for {}", Period(cue.lasting)) };
            say(format_args!("      when {}{lasting}", when.join("; ")));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The conditions in words, as they are written.
fn conditions(cue: &Cue) -> Vec<String> {
    let all = cue.when.iter().map(ToString::to_string);
    let any = cue.any.iter().map(|condition| format!("any: {condition}"));
    let none = cue.unless.iter().map(|condition| format!("unless {condition}"));
    all.chain(any).chain(none).collect()
}

fn measures(output: Output) -> anyhow::Result<()> {
    for measure in Measure::ALL {
        let (least, most) = measure.range();
        let scale = match measure.scale() {
            Scale::Plain => format!("{least} to {most}"),
            Scale::Share => "0 to 1, or 0 % to 100 %".to_owned(),
            Scale::Time => "a time, as 25s".to_owned(),
        };
        if output.json {
            say_json(&json!({ "name": measure.name(), "values": scale, "is": measure.meaning() }))?;
        } else {
            say(format_args!("{:<15} > <   {scale:<24} {}", measure.name(), measure.meaning()));
        }
    }
    for aspect in Aspect::ALL {
        let words = aspect.words();
        let words = if words.is_empty() { "as the PBX tells it".to_owned() } else { words.join(", ") };
        if output.json {
            say_json(&json!({ "name": aspect.name(), "values": words, "is": aspect.meaning() }))?;
        } else {
            say(format_args!("{:<15} = !=  {words}. {}", aspect.name(), aspect.meaning()));
        }
    }
    Ok(())
}

#[derive(Debug, Args)]
pub(super) struct Test {
    /// The table: a TOML file of examples, as docs/CUES.md describes it.
    #[arg(value_name = "FILE")]
    table: PathBuf,
    #[command(flatten)]
    which: Which,
}

impl Test {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let set = self.which.load(output.json)?;
        let path = self.table.display();
        let text = std::fs::read_to_string(&self.table).with_context(|| format!("{path} can't be read"))?;
        let examples =
            Example::read(&text, &set).with_context(|| format!("{path} is no table of examples"))?;
        if examples.is_empty() {
            bail!("{path} has no [[example]]");
        }
        let mut wrong = 0;
        for example in &examples {
            let shown = example.shown(&set);
            let right = shown == example.shows;
            wrong += usize::from(!right);
            let word = |cue: &Option<String>| cue.clone().unwrap_or_else(|| "no cue".to_owned());
            if output.json {
                say_json(&json!({
                    "example": example.name, "right": right, "shows": shown, "expected": example.shows,
                }))?;
            } else if right {
                say(format_args!("right  {}: {}", example.name, word(&shown)));
            } else {
                say(format_args!(
                    "WRONG  {}: {}, and not {}",
                    example.name,
                    word(&shown),
                    word(&example.shows)
                ));
            }
        }
        if !output.json {
            say(format_args!("{} of {} right", examples.len() - wrong, examples.len()));
        }
        Ok(if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
