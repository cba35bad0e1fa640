//! Child processes that never outlive their test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::{GUARD, until_within};

/// A running child; killed when dropped, and by the kernel if the test itself is killed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: PathBuf,
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
        Self { name: name.to_owned(), child, output }
    }

    /// The output so far.
    #[must_use]
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, as in `TERM`.
    ///
    /// # Panics
    /// When the process is no longer there.
    pub fn signal(&self, signal: &str) {
        let line = format!("kill -{signal} {}", self.child.id());
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
        let child = &mut self.child;
        let start = std::time::Instant::now();
        until_within(guard + Duration::from_secs(1), &format!("the end of {name}"), || {
            let ended = child.try_wait().unwrap();
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
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
