//! `sidetone demo`, with everything that it shows: half a day of calls and one that goes on; or a phone in a browser.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
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

/// A running `sidetone demo --browser`; ended when dropped.
#[derive(Debug)]
pub struct PhoneDemo {
    process: Process,
    folder: TempDir,
    /// Where its phone is.
    pub phone: SocketAddr,
    /// Where its pages are, and a supervisor's token for them, if it has any.
    pub pages: Option<(SocketAddr, String)>,
}

impl PhoneDemo {
    /// Starts it, with its pages or without, and waits until its phone is there.
    ///
    /// # Panics
    /// When it does not get there.
    #[must_use]
    pub fn start(with_pages: bool) -> Self {
        let folder = tempfile::Builder::new().prefix("sidetone-demo-").tempdir().unwrap();
        let mut arguments = ["demo", "--browser", "--json"].map(str::to_owned).to_vec();
        arguments.extend((!with_pages).then(|| "--no-pages".to_owned()));
        let mut process = Process::start("demo", &binary(), &arguments, folder.path());
        until_within(PATIENCE, "the demo's phone", || {
            assert!(process.is_running(), "the demo ended:\n{}", process.output());
            process.output().contains("open it in a browser").then_some(())
        });
        let remarks: Vec<String> =
            lines(&process.output()).filter_map(|line| Some(line["note"].as_str()?.to_owned())).collect();
        let address = |what: &str| {
            let line = remarks.iter().find_map(|line| line.strip_prefix(what)?.strip_prefix(": http://"));
            line.map(|rest| rest.trim_end_matches('/').parse().unwrap())
        };
        let token = remarks.iter().skip_while(|line| !line.starts_with("as a supervisor")).nth(1);
        let pages = address("pages").zip(token.cloned());
        Self { phone: address("phone").expect("an address"), pages, process, folder }
    }

    /// A folder that goes with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its events so far.
    #[must_use]
    pub fn events(&self) -> Vec<Value> {
        lines(&self.process.output()).filter(|line| line["kind"].is_string()).collect()
    }

    /// Ends it by SIGTERM, as Ctrl-C does; its outcome.
    ///
    /// # Panics
    /// When it ends badly.
    pub fn stop(mut self) -> Value {
        self.process.signal("TERM");
        let status = self.process.wait();
        assert!(status.success(), "the demo ended with {status}:\n{}", self.process.output());
        lines(&self.process.output()).find(|line| line["demo"].is_object()).expect("an outcome")["demo"]
            .clone()
    }
}

/// The lines that are JSON.
fn lines(output: &str) -> impl Iterator<Item = Value> {
    output.lines().filter_map(|line| serde_json::from_str(line).ok())
}
