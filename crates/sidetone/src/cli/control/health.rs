//! `sidetone health`: a probe for containers and scripts that works without curl or a shell.

use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use sidetone_serve::control::Request;

use super::Running;
use crate::cli::output::{Output, say, say_json};

#[derive(Debug, Args)]
pub(crate) struct Health {
    /// Succeed only if new calls may be sent here: not draining, and on each side some host is up.
    #[arg(long)]
    ready: bool,
    #[command(flatten)]
    running: Running,
}

impl Health {
    /// Exit status 0 if healthy, 1 if not: the convention of Docker and systemd.
    pub(crate) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let answer = self.running.ask_once(&Request::Health)?;
        let unready = answer.get("unready").and_then(Value::as_str);
        if output.json {
            say_json(&answer)?;
        } else {
            match unready {
                None => say("alive, and ready for calls"),
                Some(why) => say(format_args!("alive, and not ready for calls: {why}")),
            }
        }
        let healthy = !self.ready || unready.is_none();
        Ok(if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
