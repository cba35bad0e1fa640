//! The command line: one subject a file, every command with `--json`.

mod analyze;
mod calls;
mod chaos;
mod check;
mod compliance;
mod consent;
mod control;
mod cue_lines;
mod cues;
mod demo;
mod man;
mod model;
pub(crate) mod output;
mod run;
mod score;
mod spool;
mod stats;
mod store;
mod story;
mod texts;
mod token;
mod trace;
mod upgrade;
mod user;
mod view;

use crate::cli::output::Output;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A media-plane sidecar for contact centres: it carries the call untouched, and hears how the caller feels.
#[derive(Debug, Parser)]
#[command(name = "sidetone", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // The only value is made once.
enum Command {
    /// Run the proxy in the foreground until SIGTERM or Ctrl-C.
    Run(run::Run),
    /// Check a configuration file: what is wrong, where, and what to write instead.
    Check(check::Check),
    /// List the calls that are up.
    Calls(calls::Calls),
    /// Show one call, whole.
    Call(calls::Call),
    /// Follow events as they happen.
    Tail(control::Tail),
    /// Follow the signalling of a call as a ladder, and write it into a capture; redacted.
    Trace(trace::Trace),
    /// Show counters.
    Stats(stats::Stats),
    /// Ask the running process whether it is well: exit status 0 if it answers, and with --ready if calls may come.
    Health(control::Health),
    /// Take no new calls (those that are up go on), or take them again with --cancel.
    Drain(control::Drain),
    /// Read the configuration again without dropping calls.
    Reload(control::Reload),
    /// Let this program take over from the one that runs, without a call hanging up.
    Upgrade(upgrade::Upgrade),
    /// Break a part on purpose, and see that calls have nothing of it: a drill, in a maintenance window.
    Chaos(chaos::Chaos),
    /// Tell Sidetone something of a call: consent, queue, agent, tier, and what else it may go by.
    Tell(control::Tell),
    /// Play an announcement into a call that is up.
    Announce(control::Announce),
    /// Put recordings (audio files, packet captures) through the very same pipeline, faster than real time.
    Analyze(analyze::Analyze),
    /// Read what messages tell: feelings, topics, urgency; chats, mails, comments, one or many thousand.
    Score(score::Score),
    /// Place a real call through Sidetone on this machine and watch it, no PBX needed.
    Demo(demo::Demo),
    /// List the cues that agents may be shown, test them, and see which ones a call would have had.
    #[command(subcommand)]
    Cues(cues::Cues),
    /// Look at, train or evaluate the network that hears feeling.
    #[command(subcommand)]
    Model(model::Model),
    /// Check, show and export receipts of consent; keep the list of numbers that are never analysed.
    #[command(subcommand)]
    Consent(consent::Consent),
    /// Read the events that are kept for readers that must not miss one.
    #[command(subcommand)]
    Spool(spool::Spool),
    /// Look at, export and erase from the store of what happened in calls.
    #[command(subcommand)]
    Store(store::Store),
    /// Say who may ask the store by HTTP and look at pages.
    #[command(subcommand)]
    Token(token::Token),
    /// People who sign in to the pages by name and password.
    #[command(subcommand)]
    User(user::User),
    /// Print the texts of the pages, as a file to translate into a further language.
    Texts(texts::Texts),
    /// What a compliance officer asks for.
    #[command(subcommand)]
    Compliance(compliance::Compliance),
    /// Print shell completions: `sidetone completions bash > /etc/bash_completion.d/sidetone`.
    Completions(man::Completions),
    /// Write man pages into a folder.
    Man(man::Man),
}

impl Cli {
    /// Whether this trains or evaluates a network, with every core there is, rather than listening to calls.
    pub(crate) fn trains(&self) -> bool {
        matches!(self.command, Command::Model(_))
    }

    /// Whether results and errors are printed as JSON.
    pub(crate) fn json(&self) -> bool {
        self.output.json
    }

    /// Runs the command.
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let output = self.output;
        match self.command {
            Command::Run(run) => run.run(output),
            Command::Check(check) => check.run(output),
            Command::Calls(calls) => calls.run(output),
            Command::Call(call) => call.run(output),
            Command::Tail(tail) => tail.run(output),
            Command::Trace(trace) => trace.run(output),
            Command::Stats(stats) => stats.run(output),
            Command::Health(health) => health.run(output),
            Command::Drain(drain) => drain.run(output),
            Command::Reload(reload) => reload.run(output),
            Command::Upgrade(upgrade) => upgrade.run(output),
            Command::Chaos(chaos) => chaos.run(output),
            Command::Tell(tell) => tell.run(output),
            Command::Announce(announce) => announce.run(output),
            Command::Analyze(analyze) => analyze.run(output),
            Command::Score(score) => score.run(output),
            Command::Demo(demo) => demo.run(output),
            Command::Cues(cues) => cues.run(output),
            Command::Model(model) => model.run(output),
            Command::Consent(consent) => consent.run(output),
            Command::Spool(spool) => spool.run(output),
            Command::Store(store) => store.run(output),
            Command::Token(token) => token.run(output),
            Command::User(user) => user.run(output),
            Command::Texts(texts) => texts.run(output),
            Command::Compliance(compliance) => compliance.run(output),
            Command::Completions(completions) => completions.run(),
            Command::Man(man) => man.run(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::cli::output::causes;

    #[test]
    fn no_cause_is_said_twice() {
        let error = anyhow::Error::msg("a secret holds at least 16 bytes");
        let error = error.context("number_salt: a secret holds at least 16 bytes").context("x.toml");
        assert_eq!(causes(&error), "x.toml: number_salt: a secret holds at least 16 bytes");
        assert_eq!(causes(&anyhow::Error::msg("is empty")), "is empty");
    }
}
