//! The running process's side.

use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::channel::{Channel, Message, Trouble};

/// This process's own program, even where another file has taken its place.
const OWN: &str = "/proc/self/exe";
/// How long a successor may take to read its configuration and load its models.
const PREPARES_WITHIN: Duration = Duration::from_secs(120);
/// How long it may take from there to being up. Calls have no sound meanwhile, unless the kernel carries it.
const UP_WITHIN: Duration = Duration::from_secs(20);
/// Neither group nor others may write.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// What a successor is started from.
#[derive(Debug, Clone)]
pub struct Program {
    /// The file.
    pub path: PathBuf,
    /// What it is told; it finds its predecessor behind its standard input.
    pub arguments: Vec<OsString>,
}

/// Why a successor does not take over. The running process goes on as it was.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Its file is none that may be run in this process's place.
    #[error("{} {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It says that it can't run.
    #[error("the new program can't run: {0}")]
    Says(String),
    /// It can't be started, or ended, or fell silent.
    #[error("the new program: {0}; its own words are in the log")]
    Trouble(#[from] Trouble),
    /// It could not read this process's calls.
    #[error(
        "the new program {version} keeps calls in format {theirs} of the journal, this one in {ours}: they would end; stop this one and start the other when few calls are up"
    )]
    Journal {
        /// The successor's version.
        version: String,
        /// Its format.
        theirs: u32,
        /// This process's format.
        ours: u32,
    },
    /// It would look for this process's calls elsewhere.
    #[error(
        "the configuration has another journal now, {}, and the calls that are up are in {}: leave journal.path as it is", theirs.display(), ours.display()
    )]
    Elsewhere {
        /// Where it would look.
        theirs: PathBuf,
        /// Where they are.
        ours: PathBuf,
    },
}

/// The successor of this process. Dropping it ends it, unless it has taken over.
#[derive(Debug)]
pub struct Successor {
    child: Child,
    channel: Channel,
    version: String,
    up: bool,
}

impl Successor {
    /// Starts it and waits until it could run. It takes nothing yet: dropped now, it leaves no trace.
    ///
    /// Whoever may ask for an upgrade may not thereby have any program run with this process's rights: its file must
    /// belong to who owns this process's, or to root, and nobody else may write to it.
    ///
    /// # Errors
    /// [`Unfit`]
    pub fn prepare(program: &Program, journal: u32, path: &Path) -> Result<Self, Unfit> {
        may_replace(&program.path)?;
        let (channel, theirs) = Channel::pair()?;
        let child =
            Command::new(&program.path).args(&program.arguments).stdin(Stdio::from(theirs)).spawn().map_err(
                |why| Unfit::File { path: program.path.clone(), why: format!("can't be run: {why}") },
            )?;
        let mut successor = Self { child, channel, version: String::new(), up: false };
        match successor.channel.receive(PREPARES_WITHIN)?.0 {
            Message::Prepared { version, journal: theirs, .. } if theirs != journal => {
                Err(Unfit::Journal { version, theirs, ours: journal })
            }
            Message::Prepared { path: theirs, .. } if theirs != path => {
                Err(Unfit::Elsewhere { theirs, ours: path.to_owned() })
            }
            Message::Prepared { version, .. } => {
                successor.version = version;
                Ok(successor)
            }
            Message::Unfit { why } => Err(Unfit::Says(why)),
            _ => Err(Trouble::Strange.into()),
        }
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Whether it has ended while it waited.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Gives it the sockets, and waits until it is up; tells how many calls it carries on. Nothing of this process may
    /// read from them, or hold the journal, from here on.
    ///
    /// # Errors
    /// When it is not up in time. It has ended then.
    pub fn take_over(&mut self, sockets: &[OwnedFd]) -> Result<u64, Trouble> {
        let up = self.give(sockets);
        self.up = up.is_ok();
        if !self.up {
            self.end();
        }
        up
    }

    fn give(&self, sockets: &[OwnedFd]) -> Result<u64, Trouble> {
        self.channel.send_sockets(sockets)?;
        self.channel.send(&Message::Go)?;
        match self.channel.receive(UP_WITHIN)?.0 {
            Message::Up { calls } => Ok(calls),
            _ => Err(Trouble::Strange),
        }
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        // Waited for, so that its sockets and locks are free.
        let _ = self.child.wait();
    }
}

impl Drop for Successor {
    fn drop(&mut self) {
        if !self.up {
            self.end();
        }
    }
}

/// Whether that file may be run in this process's place.
fn may_replace(path: &Path) -> Result<(), Unfit> {
    let wrong = |why: String| Unfit::File { path: path.to_owned(), why };
    if !path.is_absolute() {
        return Err(wrong("is not named from the root on".to_owned()));
    }
    let told = |error: io::Error| wrong(format!("can't be looked at: {error}"));
    let (file, own) = (path.metadata().map_err(told)?, Path::new(OWN).metadata().map_err(told)?);
    if !file.is_file() {
        return Err(wrong("is no program".to_owned()));
    }
    if file.uid() != 0 && file.uid() != own.uid() {
        return Err(wrong(
            "belongs to somebody else than the program that runs: install it as that one is installed"
                .to_owned(),
        ));
    }
    if file.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(wrong("may be written to by others than its owner: `chmod go-w` it".to_owned()));
    }
    Ok(())
}

/// Executes this process's own program anew, as the successor of itself: nobody else took over. Returns only if that
/// fails too.
pub fn go_back(arguments: &[OsString], sockets: &[OwnedFd]) -> io::Error {
    let given = || -> Result<(Channel, OwnedFd), Trouble> {
        let (channel, theirs) = Channel::pair()?;
        // They wait in the kernel until this process, anew, reads them.
        channel.send_sockets(sockets)?;
        channel.send(&Message::Go)?;
        Ok((channel, theirs))
    };
    match given() {
        Ok((_channel, theirs)) => Command::new(OWN).args(arguments).stdin(Stdio::from(theirs)).exec(),
        Err(why) => io::Error::other(why),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn script(folder: &Path, mode: u32) -> PathBuf {
        let path = folder.join("sidetone");
        std::fs::write(&path, "#!/bin/sh\nexit 3\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn prepared(path: PathBuf) -> Unfit {
        Successor::prepare(&Program { path, arguments: Vec::new() }, 1, Path::new("/journal")).unwrap_err()
    }

    #[test]
    fn a_program_that_others_may_write_to_is_not_run() {
        let folder = tempfile::tempdir().unwrap();
        let why = prepared(script(folder.path(), 0o775)).to_string();
        assert!(why.contains("chmod go-w"), "{why}");
        assert!(prepared(PathBuf::from("sidetone")).to_string().contains("from the root on"));
        assert!(prepared(folder.path().join("nothing")).to_string().contains("can't be looked at"));
        assert!(prepared(folder.path().to_owned()).to_string().contains("is no program"));
    }

    #[test]
    fn a_program_that_ends_at_once_takes_nothing_over() {
        let folder = tempfile::tempdir().unwrap();
        let why = prepared(script(folder.path(), 0o755));
        assert!(matches!(why, Unfit::Trouble(Trouble::Ended)), "{why}");
    }
}
