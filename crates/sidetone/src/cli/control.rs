//! Commands that speak to the running process over its Unix socket: tail, health, drain, reload, tell, announce.

mod health;

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};
use sidetone_serve::control::{Request, Toward};

use super::story::Page;
use crate::cli::output::{Output, say, say_json};
pub(super) use health::Health;

/// How the running process is found.
#[derive(Debug, Args)]
pub(super) struct Running {
    /// Its control socket. Without it, the socket named in the configuration file.
    #[arg(long, env = "SIDETONE_SOCKET", value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The configuration file [default: /etc/sidetone/sidetone.toml, if there is one].
    #[arg(long, short, env = "SIDETONE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Running {
    fn socket(&self) -> anyhow::Result<PathBuf> {
        if let Some(socket) = &self.socket {
            return Ok(socket.clone());
        }
        let default = Path::new(crate::cli::output::DEFAULT_CONFIG);
        let file = match &self.config {
            Some(named) => named,
            // Only the default file may be missing.
            None if matches!(default.try_exists(), Ok(false)) => {
                return Ok(sidetone_serve::config::Control::default().served());
            }
            None => default,
        };
        match crate::config::control_socket(file) {
            Ok((socket, problems)) => {
                for problem in &problems {
                    eprintln!("{problem}");
                }
                if !problems.is_empty() {
                    eprintln!("warning: the file can't be read whole; going on with {}", socket.display());
                }
                Ok(socket)
            }
            Err(problems) => {
                let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
                bail!("{}\nmend the file, or name the socket with --socket", problems.join("\n"));
            }
        }
    }

    /// A request with one answer or many, in order of arrival.
    pub(super) fn ask(
        &self,
        request: &Request,
    ) -> anyhow::Result<impl Iterator<Item = anyhow::Result<Value>> + use<>> {
        let stream = connect(&self.socket()?)?;
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        (&stream).write_all(&line).context("Sidetone hung up before it was asked; see its log")?;
        Ok(BufReader::new(stream).lines().map(|line| {
            let line = line.context("Sidetone hung up in the middle of an answer; see its log")?;
            serde_json::from_str(&line)
                .context("Sidetone's answer can't be read; is this command of the same version as what runs?")
        }))
    }

    /// A request with one answer.
    pub(super) fn ask_once(&self, request: &Request) -> anyhow::Result<Value> {
        let answer =
            self.ask(request)?.next().context("Sidetone hung up without an answer; see its log")??;
        if let Some(error) = answer.get("error").and_then(Value::as_str) {
            bail!("{error}");
        }
        Ok(answer)
    }
}

fn connect(socket: &Path) -> anyhow::Result<UnixStream> {
    UnixStream::connect(socket).with_context(|| {
        format!(
            "no running Sidetone could be reached at {}; is it running, and is this its socket (--socket, --config)?",
            socket.display()
        )
    })
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or("-")
}

#[derive(Debug, Args)]
pub(super) struct Tail {
    /// Only events of this call, until it ends: Sidetone's id, its last letters (six or more), or the SIP Call-ID.
    #[arg(long)]
    call: Option<String>,
    #[command(flatten)]
    running: Running,
}

impl Tail {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let mut page = Page::detect();
        for event in self.running.ask(&Request::Tail { call: self.call.clone() })? {
            let event = event?;
            if let Some(error) = event.get("error").and_then(Value::as_str) {
                bail!("{error}");
            }
            if output.json {
                say_json(&event)?;
            } else {
                page.lines(&event).into_iter().for_each(say);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(super) struct Drain {
    /// Take new calls again.
    #[arg(long)]
    cancel: bool,
    /// Wait until the last call has ended.
    #[arg(long, conflicts_with = "cancel")]
    wait: bool,
    #[command(flatten)]
    running: Running,
}

impl Drain {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let mut state = self.running.ask_once(&Request::Drain { cancel: self.cancel })?;
        let progress = indicatif::ProgressBar::new_spinner();
        while self.wait && state.get("calls").and_then(Value::as_u64).is_some_and(|calls| calls > 0) {
            progress.set_message(format!("{} calls are up", state.get("calls").unwrap_or(&Value::Null)));
            progress.tick();
            std::thread::sleep(std::time::Duration::from_millis(500));
            // Queries the state without repeating the drain: another operator may have cancelled it meanwhile.
            state = self.running.ask_once(&Request::Stats)?;
            if state.get("draining") == Some(&Value::Bool(false)) {
                progress.finish_and_clear();
                bail!("the drain was cancelled by somebody else; `sidetone drain --wait` begins it again");
            }
        }
        progress.finish_and_clear();
        let state = json!({ "draining": state.get("draining"), "calls": state.get("calls") });
        if output.json {
            say_json(&state)?;
        } else {
            let calls = state.get("calls").unwrap_or(&Value::Null);
            match state.get("draining").and_then(Value::as_bool) {
                Some(true) => say(format_args!("draining: new calls get 503; {calls} calls are up")),
                _ => say(format_args!("taking calls; {calls} are up")),
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(super) struct Reload {
    #[command(flatten)]
    running: Running,
}

impl Reload {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let answer = self.running.ask_once(&Request::Reload)?;
        if output.json {
            say_json(&answer)?;
        } else {
            say("reloaded");
            answer
                .get("warnings")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .for_each(say);
            for key in answer.get("needs_restart").and_then(Value::as_array).into_iter().flatten() {
                say(format_args!(
                    "{} has changed and takes effect after a restart",
                    key.as_str().unwrap_or("?")
                ));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(super) struct Tell {
    /// Sidetone's id of the call, its last letters (six or more), or the SIP Call-ID.
    id: String,
    /// What it is about: consent, analysis, queue, agent, team, call-type, tier, language, party or customer.
    name: String,
    /// What there is to say: `granted` or `refused` of consent, `start` or `stop` of analysis, …
    value: String,
    #[command(flatten)]
    running: Running,
}

impl Tell {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let Self { id, name, value, running } = self;
        let answer = running.ask_once(&Request::Tell { id, name, value })?;
        if output.json {
            say_json(&answer)?;
        } else {
            say(format_args!("told; the call's consent is {}", text(&answer, "consent")));
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(super) struct Announce {
    /// Sidetone's id of the call, its last letters (six or more), or the SIP Call-ID.
    id: String,
    /// Which announcement: its name in the configuration, or notice or opt-in.
    name: String,
    /// In which language; else the configured one.
    #[arg(long)]
    language: Option<String>,
    /// Who hears it.
    #[arg(long, value_enum, default_value = "customer")]
    to: Hearer,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Hearer {
    /// The customer.
    Customer,
    /// The agent.
    Agent,
    /// Both.
    Both,
}

impl Announce {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let to = match self.to {
            Hearer::Customer => Toward::Customer,
            Hearer::Agent => Toward::Agent,
            Hearer::Both => Toward::Both,
        };
        let request = Request::Announce { id: self.id, name: self.name, language: self.language, to };
        let answer = self.running.ask_once(&request)?;
        if output.json {
            say_json(&answer)?;
        } else {
            say("it begins in a moment");
        }
        Ok(ExitCode::SUCCESS)
    }
}
