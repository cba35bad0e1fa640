//! Faults that are made on purpose, for an operator's drill (`sidetone chaos`): each part that can break asks here
//! whether it shall.
//!
//! What is on is the process's, as its disk and its network are, so it is no value that parts hand to each other. At
//! most one fault is on at a time, and it is off again when its [`UnderWay`] is dropped. Nothing that carries calls
//! asks: there is no drill that takes a packet.

mod windows;

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use serde::{Deserialize, Serialize};
pub use windows::{NotAWindow, Window, Windows};

/// What is on: 0 for nothing, else the number of a fault in [`Fault::ALL`], from 1.
static ON: AtomicU8 = AtomicU8::new(0);
/// How much longer a run of a slow network takes.
pub const SLOWER: Duration = Duration::from_secs(3);
/// How often a part that stands still looks whether it may go on.
const LOOKS_EVERY: Duration = Duration::from_millis(20);

/// A fault that a drill can make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// The threads that listen stand still.
    ModelFrozen,
    /// Each run of the network takes [`SLOWER`].
    ModelSlow,
    /// What the network gives is no number.
    ModelNan,
    /// The threads that recognise words stand still.
    WordsFrozen,
    /// Each relay thread panics at an order, once.
    RelayPanics,
    /// Spool, journal, receipts and store find no room on the disk.
    DiskFull,
    /// No receipt can be written.
    Receipts,
    /// No webhook's receiver can be reached.
    Webhook,
    /// No PBX can be reached by its links; its SIP is not touched.
    Pbx,
    /// The store can't be reached.
    Store,
    /// A reader of events takes none.
    Reader,
    /// Whoever reads the log takes no line.
    Log,
    /// Each run of the network panics.
    ModelPanics,
    /// The threads that listen panic outside of any call.
    HearPanics,
}

impl Fault {
    /// All of them, in the order in which `sidetone chaos` tells of them and holds them: last those that cost the calls
    /// that are up what is listened to in them.
    pub const ALL: [Self; 14] = [
        Self::ModelFrozen,
        Self::ModelSlow,
        Self::ModelNan,
        Self::WordsFrozen,
        Self::RelayPanics,
        Self::DiskFull,
        Self::Receipts,
        Self::Webhook,
        Self::Pbx,
        Self::Store,
        Self::Reader,
        Self::Log,
        Self::ModelPanics,
        Self::HearPanics,
    ];

    /// Its name, as on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ModelFrozen => "model-frozen",
            Self::ModelSlow => "model-slow",
            Self::ModelPanics => "model-panics",
            Self::ModelNan => "model-nan",
            Self::HearPanics => "hear-panics",
            Self::WordsFrozen => "words-frozen",
            Self::RelayPanics => "relay-panics",
            Self::DiskFull => "disk-full",
            Self::Receipts => "receipts",
            Self::Webhook => "webhook",
            Self::Pbx => "pbx",
            Self::Store => "store",
            Self::Reader => "reader",
            Self::Log => "log",
        }
    }

    /// What breaks, and what that costs, in a line.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::ModelFrozen => {
                "the threads that listen stand still: sound is lost, and an objection by key is late"
            }
            Self::ModelSlow => "each run of the network takes 3 s longer: sound is shed",
            Self::ModelPanics => "each run of the network panics: calls that are up are listened to no more",
            Self::ModelNan => "the network's answers are no numbers: estimates abstain",
            Self::HearPanics => {
                "the threads that listen panic: calls that are up are listened to no more, for keys neither"
            }
            Self::WordsFrozen => "the recognisers stand still: words are shed",
            Self::RelayPanics => "each relay thread panics at an order, once: nothing is lost",
            Self::DiskFull => "spool, journal, receipts and store find no room: events wait in memory",
            Self::Receipts => "no receipt can be written: they wait in memory",
            Self::Webhook => "no webhook's receiver can be reached: events are tried again, and given up",
            Self::Pbx => {
                "no PBX can be reached by AMI, ARI or ESL: what they were to be told is late or lost"
            }
            Self::Store => "the store can't be reached: the spool keeps what it is to have",
            Self::Reader => "a reader of events takes none: its oldest are lost to it",
            Self::Log => "nobody takes log lines: they wait, and are lost beyond 2 MiB",
        }
    }

    const fn number(self) -> u8 {
        self as u8 + 1
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that is the name of no fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no fault of a drill; `sidetone chaos` lists them")]
pub struct NoFault(String);

impl FromStr for Fault {
    type Err = NoFault;

    fn from_str(name: &str) -> Result<Self, NoFault> {
        let found = Self::ALL.into_iter().find(|fault| fault.name() == name);
        found.ok_or_else(|| NoFault(name.to_owned()))
    }
}

/// Whether a part shall break in this way now.
#[must_use]
pub fn is_on(fault: Fault) -> bool {
    ON.load(Relaxed) == fault.number()
}

/// What is on.
#[must_use]
pub fn under_way() -> Option<Fault> {
    let number = ON.load(Relaxed);
    Fault::ALL.into_iter().find(|fault| fault.number() == number)
}

/// Stands still, on a thread of its own, as long as a fault says so.
pub fn stand_still_by(fault: Fault) {
    while is_on(fault) {
        std::thread::sleep(LOOKS_EVERY);
    }
}

/// Panics if a fault says so.
///
/// # Panics
/// While the fault is on.
#[allow(clippy::panic)] // What it is for.
pub fn panic_by(fault: Fault) {
    assert!(!is_on(fault), "a drill asks for it: {fault}");
}

/// The error of a disk without room, if one is to be made.
///
/// # Errors
/// `ENOSPC` while the fault is on.
pub fn room_on_disk(fault: Fault) -> std::io::Result<()> {
    if is_on(fault) || is_on(Fault::DiskFull) {
        let full = std::io::ErrorKind::StorageFull;
        return Err(std::io::Error::new(full, "no room on the disk, as a drill has it"));
    }
    Ok(())
}

/// A fault that is on; dropping this ends it.
#[derive(Debug)]
pub struct UnderWay(Fault);

/// Another one is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("another drill is under way: {0}")]
pub struct Another(pub Fault);

/// Begins a fault.
///
/// # Errors
/// [`Another`].
pub fn begin(fault: Fault) -> Result<UnderWay, Another> {
    match ON.compare_exchange(0, fault.number(), Relaxed, Relaxed) {
        Ok(_) => Ok(UnderWay(fault)),
        Err(_) => Err(Another(under_way().unwrap_or(fault))),
    }
}

impl UnderWay {
    /// Which one.
    #[must_use]
    pub const fn fault(&self) -> Fault {
        self.0
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        ON.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_fault_is_on_at_a_time_and_off_again_when_it_is_dropped() {
        assert_eq!(under_way(), None);
        let first = begin(Fault::Store).unwrap();
        assert!(is_on(Fault::Store) && !is_on(Fault::Log));
        assert_eq!(begin(Fault::Log).unwrap_err(), Another(Fault::Store));
        room_on_disk(Fault::Receipts).unwrap();
        room_on_disk(Fault::Store).unwrap_err();
        drop(first);
        stand_still_by(Fault::Store);
        let _second = begin(Fault::DiskFull).unwrap();
        assert_eq!(under_way(), Some(Fault::DiskFull));
        room_on_disk(Fault::Receipts).unwrap_err();
    }

    #[test]
    fn each_has_a_name_by_which_it_is_found() {
        for (place, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault.name().parse(), Ok(fault));
            assert_eq!(usize::from(fault.number()), place + 1);
        }
        assert!("model".parse::<Fault>().is_err());
    }
}
