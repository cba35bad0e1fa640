//! `sidetone user`: people who sign in to the pages by name and password.

use std::io::BufRead;
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use sidetone_call::Label;
use sidetone_events::Timestamp;
use sidetone_store::{Password, Role, Store};

use crate::cli::output::{Output, remark, say, say_json};
use crate::cli::store::Place;
use crate::cli::token::{explained, line};

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a person. Without --password-stdin a password is made, and shown once.
    Add(Add),
    /// Give a person another password, and end their sessions.
    Password(SetPassword),
    /// Let a person sign in no more, and end their sessions.
    Disable(Named),
    /// Let a disabled person sign in again.
    Enable(Named),
    /// List the people there are.
    List(List),
}

impl User {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Self::Add(add) => add.run(output),
            Self::Password(password) => password.run(output),
            Self::Disable(named) => named.disable(output),
            Self::Enable(named) => named.enable(output),
            Self::List(list) => list.run(output),
        }
    }
}

/// A role that pages are for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// One agent's own calls, by --agent.
    Agent,
    /// Calls, their timelines, figures.
    Supervisor,
    /// Figures of groups and compliance; never one call.
    Director,
    /// The running of Sidetone and compliance; neither calls nor figures.
    Operator,
}

impl From<Which> for Role {
    fn from(which: Which) -> Self {
        match which {
            Which::Agent => Self::Agent,
            Which::Supervisor => Self::Supervisor,
            Which::Director => Self::Director,
            Which::Operator => Self::Operator,
        }
    }
}

/// A password as it is told, and as it is kept.
struct Given {
    text: String,
    made: bool,
    kept: Password,
}

impl Given {
    fn new(from_stdin: bool) -> anyhow::Result<Self> {
        let text = if from_stdin {
            let mut line = String::new();
            std::io::stdin().lock().read_line(&mut line).context("standard input")?;
            line.trim_end_matches(['\r', '\n']).to_owned()
        } else {
            Password::make().map_err(|error| explained(&error))?
        };
        let kept = Password::hash(&text).map_err(|error| explained(&error))?;
        Ok(Self { text, made: !from_stdin, kept })
    }

    /// Shows a password that was made.
    fn tell(&self, output: Output, name: &str) -> anyhow::Result<()> {
        match (output.json, self.made) {
            (true, true) => say_json(&json!({ "name": name, "password": self.text }))?,
            (true, false) => say_json(&json!({ "name": name }))?,
            (false, true) => {
                say(&self.text);
                remark(false, &format!("the password of {name}. This is the only time that it is shown."));
            }
            (false, false) => say(format_args!("{name} can sign in")),
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The name that the person types, as "maria.keller"; capitals don't matter.
    name: String,
    /// What the person may see.
    #[arg(long, value_enum)]
    role: Which,
    /// With the role agent: the agent whose calls are shown, as the PBX labels them.
    #[arg(long, value_name = "LABEL", required_if_eq("role", "agent"))]
    agent: Option<String>,
    /// Read the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    place: Place,
}

impl Add {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        ensure!(
            self.agent.is_none() || matches!(self.role, Which::Agent),
            "--agent goes with --role agent alone; others are of no agent"
        );
        let agent = self.agent.as_deref().map(str::parse::<Label>).transpose().context("--agent")?;
        let given = Given::new(self.password_stdin)?;
        // People may be added before the first start.
        let mut store = Store::create(&self.place.config()?).map_err(|error| explained(&error))?;
        store
            .add_person(&self.name, self.role.into(), agent.as_ref(), &given.kept, Timestamp::now())
            .map_err(|error| explained(&error))?;
        given.tell(output, self.name.trim())?;
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(super) struct SetPassword {
    /// The person's name.
    name: String,
    /// Read the password from the first line of standard input.
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    place: Place,
}

impl SetPassword {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let given = Given::new(self.password_stdin)?;
        let mut store = self.place.open()?;
        let found = store
            .set_password(&self.name, &given.kept, Timestamp::now())
            .map_err(|error| explained(&error))?;
        ensure!(found, "{}", nobody(&self.name));
        given.tell(output, self.name.trim())?;
        Ok(ExitCode::SUCCESS)
    }
}

fn nobody(name: &str) -> String {
    format!("there is no {name}; `sidetone user list` shows the people there are")
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// The person's name.
    name: String,
    #[command(flatten)]
    place: Place,
}

impl Named {
    fn disable(self, output: Output) -> anyhow::Result<ExitCode> {
        let mut store = self.place.open()?;
        let done = store.disable_person(&self.name, Timestamp::now()).map_err(|error| explained(&error))?;
        ensure!(
            done,
            "{} can't sign in as it is; `sidetone user list` shows the people there are",
            self.name
        );
        if output.json {
            say_json(&json!({ "disabled": self.name }))?;
        } else {
            say(format_args!("{} can't sign in any more, and their sessions have ended", self.name));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn enable(self, output: Output) -> anyhow::Result<ExitCode> {
        let enabled = self.place.open()?.enable_person(&self.name).map_err(|error| explained(&error))?;
        ensure!(enabled, "nobody of the name {} is disabled; `sidetone user list` shows them", self.name);
        if output.json {
            say_json(&json!({ "enabled": self.name }))?;
        } else {
            say(format_args!("{} can sign in again", self.name));
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    place: Place,
}

impl List {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let people = self.place.open()?.people().map_err(|error| explained(&error))?;
        if output.json {
            say_json(&people)?;
            return Ok(ExitCode::SUCCESS);
        }
        if people.is_empty() {
            say("nobody yet: `sidetone user add NAME --role supervisor` adds a person");
        }
        for person in people {
            let state = if person.token.revoked.is_some() { "disabled" } else { "can sign in" };
            say(line(&person.token, state));
        }
        Ok(ExitCode::SUCCESS)
    }
}
