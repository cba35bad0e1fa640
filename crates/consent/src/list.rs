//! The list of numbers that are never analysed.
//!
//! A text file, one hashed number a line. The numbers themselves are stored nowhere: each is kept as HMAC-SHA-256 under
//! the list's salt, which stands in its first line, together with the operator's own salt if one was given.
//!
//! ```text
//! sidetone-do-not-analyse 1 salt=3f… keyed=no check=a1…
//! 5be2… 2026-11-23
//! ```
//!
//! As there are only some 10^10 telephone numbers, a thief of a file without an operator's salt can try them all. So
//! the file is made readable for its owner only, and `keyed=yes` is the better choice.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::hex;
use crate::moment::Moment;
use crate::numbering::Numbering;
use crate::replace;

const MAGIC: &str = "sidetone-do-not-analyse";
/// Hexadecimal digits of a hashed number: all 256 bits, so that no unlisted number is taken for a listed one.
const DIGITS: usize = 64;
/// The largest list that is read: a million numbers.
const LARGEST: u64 = 128 << 20;

/// The list, as it was last read.
#[derive(Clone)]
pub struct List {
    path: PathBuf,
    salt: String,
    keyed: bool,
    key: Hmac<Sha256>,
    /// The date of each entry, as it stands in the file.
    numbers: HashMap<String, String>,
    numbering: Numbering,
}

/// The result of a look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// The number is on the list: never analyse.
    Listed,
    /// The number is not on the list.
    NotListed,
    /// There is no number to look up.
    Withheld,
}

/// Why a list can't be used. Until it can be, nothing may be analysed.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    /// The list's file can't be read or written.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: io::Error,
    },
    /// The file is no such list.
    #[error("{}:{line}: {problem}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The problem.
        problem: &'static str,
    },
    /// The list was made with the operator's salt, and none was given.
    #[error(
        "{}: was made with the operator's number_salt; give the configuration that has it, with --config", .0.display()
    )]
    NeedsKey(PathBuf),
    /// The list was made with another salt of the operator's.
    #[error("{}: was made with another number_salt; its numbers have to be entered again", .0.display())]
    OtherKey(PathBuf),
    /// The number is withheld or empty.
    #[error("there is no number in `{0}`; write it as +49301234567")]
    NoNumber(String),
    /// The text is neither a number nor written as a name.
    #[error(
        "`{0}` is no telephone number; write one as +49301234567, an extension as 1001, a name without a number as \
         sip:alice@example.org"
    )]
    NoTelephone(String),
    /// The system gives no random numbers.
    #[error("no random salt can be had for a new list: {0}")]
    NoRandom(getrandom::Error),
}

impl List {
    /// Reads the list. `key` is the operator's own salt, `numbering` the rules for numbers without a country code.
    ///
    /// # Errors
    /// When the list can't be read and understood completely: a partial list is not used.
    pub fn open(path: &Path, key: Option<&[u8]>, numbering: &Numbering) -> Result<Self, ListError> {
        let file = |why| ListError::File { path: path.to_owned(), why };
        let there = fs::metadata(path).map_err(file)?;
        if !there.is_file() {
            return Err(file(io::Error::other("it is no regular file")));
        }
        if there.len() > LARGEST {
            return Err(file(io::Error::new(io::ErrorKind::FileTooLarge, "larger than any list")));
        }
        Self::read(path, &fs::read_to_string(path).map_err(file)?, key, numbering)
    }

    /// As [`List::open`], from the file's text.
    pub(crate) fn read(
        path: &Path,
        text: &str,
        key: Option<&[u8]>,
        numbering: &Numbering,
    ) -> Result<Self, ListError> {
        let mut lines = text.lines().enumerate();
        let format = |line, problem| ListError::Format { path: path.to_owned(), line, problem };
        let header = lines.next().map(|(_, line)| line).unwrap_or_default();
        let (salt, keyed, check) = read_header(header)
            .ok_or_else(|| format(1, "is no list of numbers; begin one with `sidetone consent exclude`"))?;
        let key = match (keyed, key) {
            (true, None) => return Err(ListError::NeedsKey(path.to_owned())),
            (true, key) => key,
            // A list made without a key stays without one, whatever the configuration has by now.
            (false, _) => None,
        };
        let mut list = Self {
            path: path.to_owned(),
            key: combined(&salt, key),
            salt,
            keyed,
            numbers: HashMap::new(),
            numbering: numbering.clone(),
        };
        if list.check() != check {
            return Err(ListError::OtherKey(path.to_owned()));
        }
        for (index, line) in lines {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (number, since) = line.split_once(' ').unwrap_or((line, ""));
            if !hex::is(number, DIGITS) {
                return Err(format(
                    index + 1,
                    "is no hashed number; enter numbers with `sidetone consent exclude`",
                ));
            }
            list.numbers.insert(number.to_owned(), since.trim().to_owned());
        }
        Ok(list)
    }

    /// As [`List::open`], but makes a list where there is none; returns whether it did.
    ///
    /// # Errors
    /// As [`List::open`], and when the list can't be written.
    pub fn open_or_begin(
        path: &Path,
        key: Option<&[u8]>,
        numbering: &Numbering,
    ) -> Result<(Self, bool), ListError> {
        if fs::symlink_metadata(path).is_ok() {
            return Self::open(path, key, numbering).map(|list| (list, false));
        }
        let list = Self::empty(path, key, numbering)?;
        list.save()?;
        Ok((list, true))
    }

    /// A list without a number, and without a file so far.
    ///
    /// # Errors
    /// When no salt can be generated.
    pub fn empty(path: &Path, key: Option<&[u8]>, numbering: &Numbering) -> Result<Self, ListError> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(ListError::NoRandom)?;
        let salt = hex::encode(&salt);
        Ok(Self {
            path: path.to_owned(),
            key: combined(&salt, key),
            salt,
            keyed: key.is_some(),
            numbers: HashMap::new(),
            numbering: numbering.clone(),
        })
    }

    /// Reads the file again.
    ///
    /// # Errors
    /// As [`List::open`]. The list then stays unchanged.
    pub fn reload(&mut self, key: Option<&[u8]>) -> Result<(), ListError> {
        *self = Self::open(&self.path, key, &self.numbering)?;
        Ok(())
    }

    /// Whether `number` (a number, the user part of a SIP or tel URI, or the URI) is on the list, in any of its
    /// possible readings: taking one caller too many for a listed one does no harm.
    #[must_use]
    pub fn look_up(&self, number: &str) -> Lookup {
        let readings = self.numbering.readings(number);
        if readings.is_empty() {
            Lookup::Withheld
        } else if readings.iter().any(|reading| self.numbers.contains_key(&self.hash(reading))) {
            Lookup::Listed
        } else {
            Lookup::NotListed
        }
    }

    /// Puts a number on the list and writes the file; returns whether the number is new.
    ///
    /// # Errors
    /// When the text holds no number, or the file can't be written.
    pub fn exclude(&mut self, entered: &str, now: Moment) -> Result<bool, ListError> {
        let number =
            self.numbering.canonical(entered).ok_or_else(|| ListError::NoNumber(entered.to_owned()))?;
        // A typing error would be listed as a name that no caller has, and the caller be listened to.
        if !self.numbering.is_meant(entered) {
            return Err(ListError::NoTelephone(entered.to_owned()));
        }
        let hash = self.hash(&number);
        if self.numbers.contains_key(&hash) {
            return Ok(false);
        }
        self.numbers.insert(hash, now.day());
        self.save()?;
        Ok(true)
    }

    /// Takes a number off the list, in any spelling, and writes the file; returns whether the number was there.
    ///
    /// # Errors
    /// When the text holds no number, or the file can't be written.
    pub fn include(&mut self, number: &str) -> Result<bool, ListError> {
        let readings = self.numbering.readings(number);
        if readings.is_empty() {
            return Err(ListError::NoNumber(number.to_owned()));
        }
        let before = self.numbers.len();
        for reading in readings {
            self.numbers.remove(&self.hash(&reading));
        }
        let removed = self.numbers.len() < before;
        if removed {
            self.save()?;
        }
        Ok(removed)
    }

    /// Whether `number` lacks a known country code, so that the same number in the international format would not be
    /// recognised.
    #[must_use]
    pub fn is_ambiguous(&self, number: &str) -> bool {
        self.numbering.is_ambiguous(number)
    }

    /// How many numbers are on the list.
    #[must_use]
    pub fn len(&self) -> usize {
        self.numbers.len()
    }

    /// Whether the list is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    fn hash(&self, number: &str) -> String {
        self.digest("number", number)
    }

    /// Distinguishes keys without revealing one.
    fn check(&self) -> String {
        self.digest("check", "")
    }

    fn digest(&self, domain: &str, text: &str) -> String {
        let mut mac = self.key.clone();
        mac.update(domain.as_bytes());
        mac.update(&[0]);
        mac.update(text.as_bytes());
        hex::encode(&mac.finalize().into_bytes())
    }

    fn save(&self) -> Result<(), ListError> {
        let keyed = if self.keyed { "yes" } else { "no" };
        let mut text = format!("{MAGIC} 1 salt={} keyed={keyed} check={}\n", self.salt, self.check());
        let mut numbers: Vec<_> = self.numbers.iter().collect();
        numbers.sort();
        for (number, since) in numbers {
            let _ = writeln!(text, "{}", format_args!("{number} {since}").to_string().trim_end());
        }
        replace::replace(&self.path, text.as_bytes())
            .map_err(|why| ListError::File { path: self.path.clone(), why })
    }
}

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "List({}, {} numbers)", self.path.display(), self.numbers.len())
    }
}

fn combined(salt: &str, key: Option<&[u8]>) -> Hmac<Sha256> {
    let key = [salt.as_bytes(), key.unwrap_or_default()].concat();
    // HMAC takes keys of any length; only the type says that it might not.
    Hmac::new_from_slice(&key).unwrap_or_else(|_| Hmac::new(&Default::default()))
}

/// Reads the salt, whether an operator's key belongs to it, and the check.
fn read_header(line: &str) -> Option<(String, bool, String)> {
    let mut parts = line.strip_prefix(MAGIC)?.strip_prefix(" 1 ")?.split(' ');
    let salt = parts.next()?.strip_prefix("salt=").filter(|salt| hex::is(salt, 32))?;
    let keyed = match parts.next()? {
        "keyed=yes" => true,
        "keyed=no" => false,
        _ => return None,
    };
    let check = parts.next()?.strip_prefix("check=").filter(|check| hex::is(check, DIGITS))?;
    Some((salt.to_owned(), keyed, check.to_owned()))
}
