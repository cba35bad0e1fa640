//! `sidetone demo --pages`, with everything that it shows: half a day of calls and one that goes on.

use std::net::SocketAddr;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::Process;
use crate::sidetone::binary;
use crate::until_within;

/// The half day is made first, which takes a while on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(180);

/// A running demo; ended when dropped.
#[derive(Debug)]
pub struct Demo {
    process: Process,
    _folder: TempDir,
    /// Where its pages are.
    pub pages: SocketAddr,
    /// The secret of a supervisor's token.
    pub supervisor: String,
    /// Of a director's.
    pub director: String,
    /// Of the agent's who has the call.
    pub agent: String,
    /// Of an operator's.
    pub operator: String,
}

impl Demo {
    /// Starts it, and waits until its half day is there.
    ///
    /// # Panics
    /// When it does not get there.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("sidetone-demo-").tempdir().unwrap();
        let arguments = ["demo", "--pages"].map(str::to_owned);
        let mut process = Process::start("demo", &binary(), &arguments, folder.path());
        until_within(PATIENCE, "the demo's half day", || {
            assert!(process.is_running(), "the demo ended:\n{}", process.output());
            process.output().contains("the call begins in").then_some(())
        });
        let said = process.output();
        let after = |mark: &str| {
            let lines = said.lines().map(|line| line.trim_start_matches("sidetone: "));
            let mut lines = lines.skip_while(|line| !line.starts_with(mark)).skip(1);
            lines.next().unwrap_or_else(|| panic!("no {mark} in:\n{said}")).trim().to_owned()
        };
        let address = said.split_once("http://").expect("an address").1;
        let pages = address.split('/').next().unwrap().parse().unwrap();
        Self {
            pages,
            supervisor: after("as a supervisor"),
            director: after("as a director"),
            agent: after("as the call's agent"),
            operator: after("as an operator"),
            process,
            _folder: folder,
        }
    }

    /// What it has printed.
    #[must_use]
    pub fn output(&self) -> String {
        self.process.output()
    }

    /// Waits until its call is over; the pages stay.
    pub fn call_over(&self) {
        until_within(PATIENCE, "the end of the demo's call", || {
            self.output().contains("the pages stay open").then_some(())
        });
    }

    /// Ends it by SIGTERM, as Ctrl-C does.
    ///
    /// # Panics
    /// When it ends badly.
    pub fn stop(mut self) {
        self.process.signal("TERM");
        let status = self.process.wait();
        assert!(status.success(), "the demo ended with {status}:\n{}", self.process.output());
    }
}
