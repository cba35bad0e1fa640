//! Programs that the benchmark starts: where they run, and that they never outlive it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sched::{CpuSet, sched_getaffinity};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// Real-time priority (SCHED_FIFO, SCHED_RR) of whatever is measured and of whatever measures.
const FIRST: &str = "20";
/// That of what is measured too, but may take only the time that is left.
const SECOND: &str = "10";

/// Which CPUs the two sides of a measurement have, and whether they may run ahead of everyone else.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage {
    /// The CPU of the program under test.
    pub(crate) subject: Option<usize>,
    /// The CPU of what drives it.
    pub(crate) driver: Option<usize>,
    /// Whether real-time scheduling is permitted.
    pub(crate) real_time: bool,
}

impl Stage {
    /// The first two CPUs that this process may use; with one alone nothing is pinned.
    pub(crate) fn set() -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(Pid::from_raw(0)).context("the CPUs can't be counted")?;
        let mut cpus = (0..CpuSet::count()).filter(|cpu| allowed.is_set(*cpu).unwrap_or(false));
        let (subject, driver) = match (cpus.next(), cpus.next()) {
            (Some(first), Some(second)) => (Some(first), Some(second)),
            _ => (None, None),
        };
        let tried = Command::new("chrt").args(["-f", FIRST, "true"]).stderr(Stdio::null()).status();
        Ok(Self { subject, driver, real_time: tried.is_ok_and(|status| status.success()) })
    }

    /// Moves the calling thread to the driver's CPU and ahead of others.
    pub(crate) fn enter_as_driver(&self) -> anyhow::Result<()> {
        if let Some(cpu) = self.driver {
            let mut only = CpuSet::new();
            only.set(cpu)?;
            nix::sched::sched_setaffinity(Pid::from_raw(0), &only)?;
        }
        self.prioritise(u32::try_from(nix::unistd::gettid().as_raw())?, FIRST)
    }

    /// `wanted`, where it is permitted.
    pub(crate) fn class(&self, wanted: Class) -> Class {
        if self.real_time { wanted } else { Class::Ordinary }
    }

    /// Puts one thread behind others that are measured, and still ahead of ordinary ones.
    pub(crate) fn defer(&self, tid: u32) -> anyhow::Result<()> {
        self.prioritise(tid, SECOND)
    }

    fn prioritise(&self, tid: u32, priority: &str) -> anyhow::Result<()> {
        if self.real_time {
            let status = Command::new("chrt").args(["-f", "-p", priority, &tid.to_string()]).status()?;
            anyhow::ensure!(status.success(), "thread {tid} can't be given priority {priority}");
        }
        Ok(())
    }
}

/// How a program is scheduled against the rest of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The scheduling of any other process.
    Ordinary,
    /// Ahead of all ordinary ones, until it waits.
    First,
    /// The same as `First`, sharing its CPU in turns with others of its class.
    InTurns,
}

/// A program that is about to be started.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    pub(crate) name: &'a str,
    pub(crate) program: &'a Path,
    pub(crate) cpu: Option<usize>,
    pub(crate) class: Class,
    /// Where its output goes, to `NAME.out`.
    pub(crate) dir: &'a Path,
}

impl Launch<'_> {
    /// Starts it. Must be called from the main thread: the kernel ends the program with the thread that started it.
    pub(crate) fn start<A: AsRef<OsStr>>(&self, arguments: &[A]) -> anyhow::Result<Program> {
        let output = self.dir.join(format!("{}.out", self.name));
        let out = File::create(&output)?;
        let mut command = Command::new("setpriv");
        // TERM rather than KILL: a program with children of its own ends them then.
        command.args(["--pdeathsig", "TERM"]);
        if let Some(cpu) = self.cpu {
            command.args(["taskset", "-c", &cpu.to_string()]);
        }
        match self.class {
            Class::Ordinary => {}
            Class::First => _ = command.args(["chrt", "-f", FIRST]),
            Class::InTurns => _ = command.args(["chrt", "-r", FIRST]),
        }
        let child = command
            .arg(self.program)
            .args(arguments)
            .current_dir(self.dir)
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("{} can't be started", self.name))?;
        Ok(Program { name: self.name.to_owned(), child, output })
    }
}

/// A running program; ended when dropped.
#[derive(Debug)]
pub(crate) struct Program {
    name: String,
    child: Child,
    output: PathBuf,
}

impl Program {
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until `ready` gives something; an error if the program ends first.
    pub(crate) fn wait_until<T>(&mut self, mut ready: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended at once ({status}):\n{}", self.name, self.printed());
            }
            if let Some(ready) = ready() {
                return Ok(ready);
            }
            if Instant::now() > deadline {
                bail!("{} is not ready after {PATIENCE:?}:\n{}", self.name, self.printed());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self, patience: Duration) -> anyhow::Result<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("{} has not ended after {patience:?}:\n{}", self.name, self.printed());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The end of what it has printed.
    pub(crate) fn printed(&self) -> String {
        let text = String::from_utf8_lossy(&fs::read(&self.output).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines.get(lines.len().saturating_sub(30)..).unwrap_or_default().join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id())
            && matches!(self.child.try_wait(), Ok(None))
        {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            if self.wait(Duration::from_secs(5)).is_err() {
                let _ = self.child.kill();
                let _ = self.child.wait();
            }
        }
    }
}
