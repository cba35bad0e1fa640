//! The output of commands.

use clap::Args;
use serde::Serialize;
use std::io::Write as _;
use std::path::PathBuf;

/// How results are printed.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Output {
    /// Print JSON: one object, or one a line where there are many.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// The default path of the configuration.
pub(crate) const DEFAULT_CONFIG: &str = "/etc/sidetone/sidetone.toml";

/// The `--config` option.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigFile {
    /// The configuration file.
    #[arg(long, short, env = "SIDETONE_CONFIG", default_value = DEFAULT_CONFIG, value_name = "FILE")]
    pub(crate) config: PathBuf,
}

/// Prints a line to standard output. A reader that has gone away ends the program quietly; a disk that is full does
/// not.
pub(crate) fn say(line: impl std::fmt::Display) {
    if let Err(error) = writeln!(std::io::stdout(), "{line}") {
        give_up_output(&error);
    }
}

/// Brings what was printed to where it goes.
pub(crate) fn flush() {
    if let Err(error) = std::io::stdout().flush() {
        give_up_output(&error);
    }
}

fn give_up_output(error: &std::io::Error) -> ! {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        std::process::exit(0);
    }
    eprintln!("sidetone: standard output can't be written: {error}");
    std::process::exit(1);
}

/// Prints one JSON object on one line.
pub(crate) fn say_json(value: &impl Serialize) -> anyhow::Result<()> {
    say(serde_json::to_string(value)?);
    Ok(())
}

/// An error on standard error: a line, or with `--json` an object.
pub(crate) fn complain(json: bool, error: &str) {
    on_standard_error(json, "error", error);
}

/// A remark that is no error, on standard error: a line, or with `--json` an object.
pub(crate) fn remark(json: bool, note: &str) {
    on_standard_error(json, "note", note);
}

/// As [`remark`] in JSON, with further members.
pub(crate) fn remark_with(note: &str, mut more: serde_json::Value) {
    if let Some(object) = more.as_object_mut() {
        object.insert("note".to_owned(), note.into());
    }
    eprintln!("{more}");
}

pub(crate) fn on_standard_error(json: bool, key: &str, text: &str) {
    if json {
        eprintln!("{}", serde_json::json!({ key: text }));
    } else {
        eprintln!("sidetone: {text}");
    }
}

/// An error with its causes. A cause that repeats the end of the text before it is left out.
pub(crate) fn causes(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |mut said, cause| {
        let cause = cause.to_string();
        if !said.ends_with(&cause) {
            if !said.is_empty() {
                said.push_str(": ");
            }
            said.push_str(&cause);
        }
        said
    })
}
