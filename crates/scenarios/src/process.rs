//! Child processes that never outlive their test.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::{GUARD, until_within};

/// A running child; killed when dropped, and by the kernel if the test itself is killed.
#[derive(Debug)]
pub struct Process {
    name: String,
    running: Running,
    output: PathBuf,
}

#[derive(Debug)]
enum Running {
    Child(Child),
    /// A child's child, which went on when that ended.
    Left(Pid, Option<ExitStatus>),
}

impl Running {
    fn id(&self) -> u32 {
        match self {
            Self::Child(child) => child.id(),
            Self::Left(pid, _) => pid.as_raw().unsigned_abs(),
        }
    }

    fn try_wait(&mut self) -> Option<ExitStatus> {
        match self {
            Self::Child(child) => child.try_wait().unwrap_or_default(),
            Self::Left(_, Some(status)) => Some(*status),
            Self::Left(pid, status) => {
                *status = match waitpid(*pid, Some(WaitPidFlag::WNOHANG)).unwrap() {
                    WaitStatus::Exited(_, code) => Some(ExitStatus::from_raw(code << 8)),
                    WaitStatus::Signaled(_, signal, _) => Some(ExitStatus::from_raw(signal as i32)),
                    _ => None,
                };
                *status
            }
        }
    }

    fn kill(&mut self) {
        match self {
            Self::Child(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            Self::Left(pid, None) => {
                let _ = kill(*pid, Signal::SIGKILL);
                let _ = waitpid(*pid, None);
            }
            Self::Left(_, Some(_)) => {}
        }
    }
}

impl Process {
    /// Starts a program; what it prints goes to `DIR/NAME.out`.
    ///
    /// # Panics
    /// When the program can't be started.
    #[must_use]
    pub fn start(name: &str, program: &Path, arguments: &[String], dir: &Path) -> Self {
        Self::start_with(name, program, arguments, dir, &[])
    }

    /// Starts it as [`Self::start`] does, with environment variables.
    ///
    /// # Panics
    /// When the program can't be started.
    #[must_use]
    pub fn start_with(
        name: &str,
        program: &Path,
        arguments: &[String],
        dir: &Path,
        environment: &[(&str, &str)],
    ) -> Self {
        let output = dir.join(format!("{name}.out"));
        let out = File::create(&output).unwrap();
        // setpriv (util-linux) asks the kernel to kill the child with us; the program takes its place by exec.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL"])
            .arg(program)
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(out.try_clone().unwrap())
            .stderr(out)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {} can't be started: {error}", program.display()));
        Self { name: name.to_owned(), running: Running::Child(child), output }
    }

    /// The output so far.
    #[must_use]
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.running.try_wait().is_none()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// Orphans of its are left to the test from now on: see [`Self::goes_on_as`].
    ///
    /// # Panics
    /// When the system refuses.
    pub fn leaves_its_orphans(&self) {
        nix::sys::prctl::set_child_subreaper(true).unwrap();
    }

    /// It has ended, or is about to, and goes on as a child of its own.
    ///
    /// # Panics
    /// When it does not end.
    pub fn goes_on_as(&mut self, id: u32) {
        self.wait();
        self.running = Running::Left(Pid::from_raw(i32::try_from(id).unwrap()), None);
    }

    /// Sends a signal by its name, as in `TERM`.
    ///
    /// # Panics
    /// When the process is no longer there.
    pub fn signal(&self, signal: &str) {
        let line = format!("kill -{signal} {}", self.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success(), "{line}");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end within [`GUARD`].
    pub fn wait(&mut self) -> ExitStatus {
        self.wait_within(GUARD)
    }

    /// Waits as [`Self::wait`] does, with a guard of its own.
    ///
    /// # Panics
    /// When it does not end in time; says what it printed.
    pub fn wait_within(&mut self, guard: Duration) -> ExitStatus {
        let (name, output) = (self.name.clone(), self.output.clone());
        let running = &mut self.running;
        let start = std::time::Instant::now();
        until_within(guard + Duration::from_secs(1), &format!("the end of {name}"), || {
            let ended = running.try_wait();
            if ended.is_none() && start.elapsed() > guard {
                let printed = std::fs::read(&output).unwrap_or_default();
                panic!(
                    "{name} has not ended after {guard:?}; it printed:\n{}",
                    String::from_utf8_lossy(&printed)
                );
            }
            ended
        })
    }
}

impl Process {
    /// Ends it at once, if it still runs.
    pub fn kill(&mut self) {
        self.running.kill();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
