//! `sidetone token`: who may ask the store by HTTP and look at pages.

use std::process::ExitCode;

use anyhow::{Context, anyhow};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;
use sidetone_call::Label;
use sidetone_events::Timestamp;
use sidetone_store::{Role, Store, StoreError};

use crate::cli::output::{Output, remark, say, say_json};
use crate::cli::store::Place;

const DAY_MS: u64 = 86_400_000;

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Make a token. Its secret is shown once, and not kept.
    Create(Create),
    /// List the tokens there are.
    List(List),
    /// Revoke a token, and end its sessions.
    Revoke(Revoke),
    /// Show who has looked at which call, the newest first.
    Accesses(Accesses),
}

impl Token {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        match self {
            Self::Create(create) => create.run(output),
            Self::List(list) => list.run(output),
            Self::Revoke(revoke) => revoke.run(output),
            Self::Accesses(accesses) => accesses.run(output),
        }
    }
}

/// A role, as the command line names it.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// One agent's own calls; neither others' nor figures.
    Agent,
    /// Calls, their timelines, figures.
    Supervisor,
    /// Figures of groups; never one call.
    Director,
    /// The running of Sidetone; neither calls nor figures.
    Operator,
    /// Calls and figures, for a program.
    Integration,
}

impl From<Which> for Role {
    fn from(which: Which) -> Self {
        match which {
            Which::Agent => Self::Agent,
            Which::Supervisor => Self::Supervisor,
            Which::Director => Self::Director,
            Which::Operator => Self::Operator,
            Which::Integration => Self::Integration,
        }
    }
}

pub(in crate::cli) fn explained(error: &StoreError) -> anyhow::Error {
    anyhow!("{error}; {}", error.remedy())
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// Whose it is, in your words: "wall screen, second floor".
    name: String,
    /// What it allows.
    #[arg(long, value_enum)]
    role: Which,
    /// With the role agent: the label that the PBX gives the agent, whose calls alone the token shows.
    #[arg(long, value_name = "LABEL", required_if_eq("role", "agent"))]
    agent: Option<Label>,
    /// Days after which it ends by itself; without this it does not.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: Option<u32>,
    #[command(flatten)]
    place: Place,
}

impl Create {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let now = Timestamp::now();
        let expires =
            self.days.map(|days| Timestamp::from_unix_millis(now.unix_millis() + u64::from(days) * DAY_MS));
        // A token may be made before the first start.
        let config = self.place.config()?;
        let mut store = Store::create(&config).map_err(|error| explained(&error))?;
        let made = match (self.role, &self.agent) {
            (Which::Agent, Some(agent)) => store.create_agent_token(&self.name, agent, expires, now),
            (role, None) => store.create_token(&self.name, role.into(), expires, now),
            (_, Some(_)) => anyhow::bail!("--agent goes with --role agent alone; leave it out"),
        };
        let made = made.map_err(|error| explained(&error))?;
        if output.json {
            say_json(&made)?;
        } else {
            say(&made.secret);
            let until = expires.map_or_else(String::new, |expires| format!(" until {expires}"));
            remark(
                output.json,
                &format!(
                    "token {} of {}, {}{until}. This is the only time that it is shown.",
                    made.token.id,
                    made.token.name,
                    role(&made.token)
                ),
            );
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A line of a list of tokens, or of people: the role with its agent, the state, the name.
pub(in crate::cli) fn line(token: &sidetone_store::Token, state: &str) -> String {
    format!("{:16}  {state:11}  {}", role(token), token.name)
}

/// The role, and the agent whose calls a token shows.
fn role(token: &sidetone_store::Token) -> String {
    let agent = token.agent.as_ref().map_or_else(String::new, |agent| format!(" {agent}"));
    format!("{}{agent}", token.role.name())
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    place: Place,
}

impl List {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let tokens = self.place.open()?.tokens().map_err(|error| explained(&error))?;
        if output.json {
            say_json(&tokens)?;
            return Ok(ExitCode::SUCCESS);
        }
        if tokens.is_empty() {
            say("no token yet: `sidetone token create NAME --role supervisor` makes one");
        }
        let now = Timestamp::now().unix_millis();
        for token in tokens {
            let state = match (token.revoked, token.expires) {
                (Some(_), _) => "revoked".to_owned(),
                (None, Some(expires)) if expires <= now => "ended".to_owned(),
                (None, Some(expires)) => format!("until {}", Timestamp::from_unix_millis(expires)),
                (None, None) => "valid".to_owned(),
            };
            say(format_args!("{}  {}", token.id, line(&token, &state)));
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The token's id, as `sidetone token list` shows it.
    id: String,
    #[command(flatten)]
    place: Place,
}

impl Revoke {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let mut store = self.place.open()?;
        let revoked = store.revoke_token(&self.id, Timestamp::now()).map_err(|error| explained(&error))?;
        revoked.then_some(()).with_context(|| {
            format!("no valid token has the id {}; `sidetone token list` shows them", self.id)
        })?;
        if output.json {
            say_json(&json!({ "revoked": self.id }))?;
        } else {
            say(format_args!("{} is revoked, and its sessions have ended", self.id));
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub(super) struct Accesses {
    /// Most lines.
    #[arg(long, default_value_t = 100, value_name = "LINES")]
    most: u32,
    #[command(flatten)]
    place: Place,
}

impl Accesses {
    fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let accesses = self.place.open()?.accesses(self.most, None).map_err(|error| explained(&error))?;
        if output.json {
            say_json(&accesses)?;
            return Ok(ExitCode::SUCCESS);
        }
        if accesses.is_empty() {
            say("nobody has looked at a call yet");
        }
        for access in accesses {
            let time = Timestamp::from_unix_millis(access.time);
            say(format_args!(
                "{time}  {}  {} ({})  {}",
                access.action, access.name, access.token, access.subject
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_the_agent_whose_calls_are_shown() {
        let token = sidetone_store::Token {
            id: "t1".to_owned(),
            name: "Anna".to_owned(),
            role: Role::Agent,
            agent: Some("1001".to_owned()),
            created: 0,
            expires: None,
            revoked: None,
        };
        assert_eq!(line(&token, "can sign in"), "agent 1001        can sign in  Anna");
    }
}
