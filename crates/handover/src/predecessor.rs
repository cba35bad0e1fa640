//! The successor's side.

use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use crate::channel::{Channel, Message, Trouble};
use crate::inherited::{Inherited, doubled};

/// How long the process before may take to let go: it waits for a moment without calls that would be cut off.
const LETS_GO_WITHIN: Duration = Duration::from_secs(900);

/// The process before, which waits for this one to get ready.
#[derive(Debug)]
pub struct Predecessor(Channel);

impl Predecessor {
    /// Finds it behind the standard input, in whose place there is nothing to read afterwards.
    ///
    /// # Errors
    /// When it can't be had.
    pub fn behind_stdin() -> std::io::Result<Self> {
        let channel = Channel::of(doubled(std::io::stdin())?);
        // Nobody reads from it any more, and it must not keep the channel open.
        nix::unistd::dup2_stdin(File::open("/dev/null")?.as_fd())?;
        Ok(Self(channel))
    }

    /// Whether it has let go already: it was this very process, which began anew since its successor did not get up.
    #[must_use]
    pub fn has_let_go(&self) -> bool {
        self.0.has_message()
    }

    /// Says that this process could run, and where and in which format it reads the calls.
    ///
    /// # Errors
    /// When nobody is there to hear it.
    pub fn prepared(&self, version: &str, journal: u32, path: &Path) -> Result<(), Trouble> {
        self.0.send(&Message::Prepared { version: version.to_owned(), journal, path: path.to_owned() })
    }

    /// Says why this process can't run.
    pub fn unfit(&self, why: &str) {
        let why = why.chars().take(4_000).collect();
        // If nobody hears it, this process's end says as much.
        let _ = self.0.send(&Message::Unfit { why });
    }

    /// Waits until the process before lets go, and takes its sockets.
    ///
    /// # Errors
    /// When it does not, or has ended: its calls are its own then.
    pub fn take_over(&self) -> Result<Inherited, Trouble> {
        let inherited = Inherited::default();
        loop {
            match self.0.receive(LETS_GO_WITHIN)? {
                (Message::Sockets, sockets) => sockets.into_iter().for_each(|socket| inherited.add(socket)),
                (Message::Go, _) => return Ok(inherited),
                _ => return Err(Trouble::Strange),
            }
        }
    }

    /// Says that this process is up, with so many calls. Nobody may be there to hear it: where it went back to itself,
    /// the process before is this one.
    pub fn up(&self, calls: u64) {
        let _ = self.0.send(&Message::Up { calls });
    }
}
