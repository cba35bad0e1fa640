//! Verification of a log.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;

use super::file::{HEAD, Lines, Segment, read_head, segments};
use super::line::{self, Line, Unbelievable};
use super::{Entry, Head, LogError, at};
use crate::hex;

/// Most findings that are listed; further ones are counted.
const MOST: usize = 100;

/// The result of [`verify`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The log's id.
    pub log: Option<String>,
    /// Files read.
    pub files: usize,
    /// Lines read.
    pub lines: u64,
    /// Receipts among them.
    pub receipts: u64,
    /// Receipts that the log itself says could not be written.
    pub lost: u64,
    /// Number of the first line there is.
    pub first: Option<u64>,
    /// The newest line. Note it elsewhere, to compare a later log with.
    pub head: Option<Head>,
    /// All findings, by place.
    pub findings: Vec<Findings>,
    /// Findings beyond those listed.
    pub further_findings: u64,
    /// Notable facts that are no findings.
    pub notes: Vec<String>,
}

impl Report {
    /// Whether the log is unchanged, as far as it can prove by itself.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        self.findings.is_empty()
    }
}

/// A finding and its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// The file.
    pub file: PathBuf,
    /// The line in it, from 1; `None` where it concerns no line.
    pub line: Option<usize>,
    /// The problem.
    #[serde(flatten)]
    pub problem: Problem,
}

/// A problem of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "problem")]
pub enum Problem {
    /// The line was changed.
    Changed {
        /// The fields that differ, as far as that can be told.
        fields: Vec<String>,
    },
    /// Another line was put in its place: it is valid in itself, but the next one refers to a different one.
    Replaced,
    /// The text is no line of a log.
    Unreadable,
    /// The last line is incomplete, as a crash leaves it. The next start removes it.
    Torn,
    /// Lines are missing before this one.
    Missing {
        /// Number of the first.
        from: u64,
        /// Number of the last.
        to: u64,
    },
    /// The line stands after one with a higher number.
    OutOfOrder,
    /// The file doesn't begin with an opening.
    NoOpening,
    /// The line belongs to another log.
    OtherLog,
    /// Lines are missing at the end: the head records newer ones.
    CutOff {
        /// Their number.
        lines: u64,
    },
    /// The head is missing or unreadable: lines may be missing at the end.
    NoHead,
    /// The head records this line with another hash.
    NotTheHead,
    /// The line differs from the one that was noted.
    NotAsNoted,
    /// The noted line is missing.
    NotedIsGone,
    /// There is nothing to verify.
    Empty,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { fields } if fields.is_empty() => f.write_str("was changed"),
            Self::Changed { fields } => write!(f, "was changed, in {}", fields.join(", ")),
            Self::Replaced => f.write_str("is not the line that was written: the next one refers to another"),
            Self::Unreadable => f.write_str("is no line of a log"),
            Self::Torn => f.write_str("is cut short, as by a crash; the next start removes it"),
            Self::Missing { from, to } if from == to => write!(f, "line number {from} is missing before it"),
            Self::Missing { from, to } => write!(f, "lines number {from} to {to} are missing before it"),
            Self::OutOfOrder => f.write_str("stands where it does not belong"),
            Self::NoOpening => f.write_str("the file does not begin as one of a log does"),
            Self::OtherLog => f.write_str("belongs to another log"),
            Self::CutOff { lines: 1 } => f.write_str("the newest line is missing"),
            Self::CutOff { lines } => write!(f, "the {lines} newest lines are missing"),
            Self::NoHead => f.write_str("there is none that can be read, so lines may be missing at the end"),
            Self::NotTheHead => f.write_str("is not the line that the head knows"),
            Self::NotAsNoted => f.write_str("is not the line that was noted"),
            Self::NotedIsGone => f.write_str("the line that was noted is not there"),
            Self::Empty => f.write_str("there is no file of a log here"),
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// A head that was noted elsewhere: number and hash, `4711:9f1c…`; 16 digits of the hash are enough.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    seq: u64,
    hash: String,
}

impl FromStr for Noted {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong =
            "write a noted head as NUMBER:HASH, with at least 16 digits of the hash, as `verify` prints it";
        let (seq, hash) = text.split_once(':').ok_or(wrong)?;
        let seq = seq.parse().map_err(|_| wrong)?;
        if !(16..=64).contains(&hash.len()) || !hex::is(hash, hash.len()) {
            return Err(wrong);
        }
        Ok(Self { seq, hash: hash.to_owned() })
    }
}

/// The expected predecessor of a line.
#[derive(Debug, Clone)]
struct Before {
    seq: u64,
    /// `None` after an invalid line.
    hash: Option<String>,
    file: PathBuf,
    line: usize,
}

struct Verifier<'a> {
    report: Report,
    before: Option<Before>,
    /// Number and hash that the first remaining line refers to.
    missing_start: Option<(u64, String, PathBuf)>,
    expired: Vec<(u64, String)>,
    head: Option<Head>,
    noted: Option<&'a Noted>,
    noted_seen: bool,
}

/// Reads a log, or one of its files, and returns all findings. `noted` is a head noted elsewhere: only that reveals a
/// chain that was written anew.
///
/// # Errors
/// When a file can't be read.
pub fn verify(log: &Path, noted: Option<&Noted>) -> Result<Report, LogError> {
    let whole = at(log, std::fs::metadata(log))?.is_dir();
    let files = if whole {
        segments(log)?
    } else {
        vec![Segment::named(log).unwrap_or(Segment { path: log.to_owned(), day: String::new(), first: 0 })]
    };
    let head = if whole { read_head(log)? } else { None };
    let mut verifier = Verifier {
        report: Report::default(),
        before: None,
        missing_start: None,
        expired: Vec::new(),
        head,
        noted,
        noted_seen: false,
    };
    if whole && files.is_empty() {
        verifier.find(log, None, Problem::Empty);
    }
    for (index, file) in files.iter().enumerate() {
        verifier.file(&file.path, index + 1 == files.len())?;
    }
    verifier.finish(log, whole);
    Ok(verifier.report)
}

impl Verifier<'_> {
    fn find(&mut self, file: &Path, line: Option<usize>, problem: Problem) {
        if self.report.findings.len() < MOST {
            self.report.findings.push(Findings { file: file.to_owned(), line, problem });
        } else {
            self.report.further_findings += 1;
        }
    }

    fn file(&mut self, path: &Path, newest: bool) -> Result<(), LogError> {
        self.report.files += 1;
        let mut lines = Lines::open(path)?;
        let mut raw = lines.next()?;
        while let Some(line) = raw {
            raw = lines.next()?;
            let last = newest && raw.is_none();
            self.report.lines += 1;
            match Line::read(&line.text) {
                Ok(right) => self.line(path, line.number, right),
                Err(Unbelievable::Unreadable) if last => self.find(path, Some(line.number), Problem::Torn),
                Err(wrong) => {
                    let problem = match wrong {
                        Unbelievable::Changed { fields, .. } => Problem::Changed { fields },
                        Unbelievable::Unreadable => Problem::Unreadable,
                    };
                    self.find(path, Some(line.number), problem);
                    if let Some(before) = &mut self.before {
                        *before =
                            Before { seq: before.seq + 1, hash: None, file: path.into(), line: line.number };
                    }
                }
            }
        }
        Ok(())
    }

    fn line(&mut self, path: &Path, number: usize, line: Line) {
        self.follows(path, number, &line);
        if number == 1 && !matches!(line.entry, Entry::Opening(_)) {
            self.find(path, Some(number), Problem::NoOpening);
        }
        match &line.entry {
            Entry::Opening(opening) => {
                if self.report.log.get_or_insert_with(|| opening.log.clone()) != &opening.log {
                    self.find(path, Some(number), Problem::OtherLog);
                }
                if let Some(after) = &opening.after {
                    let note = format!("{}: begun at {} after damage: {after}", path.display(), opening.at);
                    self.report.notes.push(note);
                }
            }
            Entry::Receipt(_) => self.report.receipts += 1,
            Entry::Lost(lost) => self.report.lost += lost.receipts,
            Entry::Recovered(recovered) => {
                let (at, bytes) = (recovered.at, recovered.bytes);
                let note =
                    format!("{}: {bytes} bytes of an unfinished line were removed at {at}", path.display());
                self.report.notes.push(note);
            }
            Entry::Expired(expired) => {
                self.expired.push((expired.through, expired.through_hash.clone()));
            }
        }
        if self.head.as_ref().is_some_and(|head| head.seq == line.seq && head.hash != line.hash) {
            self.find(path, Some(number), Problem::NotTheHead);
        }
        if let Some(noted) = self.noted.filter(|noted| noted.seq == line.seq) {
            self.noted_seen = true;
            if !line.hash.starts_with(&noted.hash) {
                self.find(path, Some(number), Problem::NotAsNoted);
            }
        }
        self.report.first.get_or_insert(line.seq);
        let log = self.report.log.clone().unwrap_or_default();
        self.report.head = Some(Head { log, seq: line.seq, hash: line.hash.clone() });
        self.before = Some(Before { seq: line.seq, hash: Some(line.hash), file: path.into(), line: number });
    }

    fn follows(&mut self, path: &Path, number: usize, line: &Line) {
        let Some(before) = self.before.clone() else {
            if (line.seq, line.previous.as_str()) != (1, line::NOTHING) {
                self.missing_start = Some((line.seq.saturating_sub(1), line.previous.clone(), path.into()));
            }
            return;
        };
        if line.seq > before.seq + 1 {
            let problem = Problem::Missing { from: before.seq + 1, to: line.seq - 1 };
            self.find(path, Some(number), problem);
        } else if line.seq <= before.seq {
            self.find(path, Some(number), Problem::OutOfOrder);
        } else if before.hash.is_some_and(|hash| hash != line.previous) {
            self.find(&before.file, Some(before.line), Problem::Replaced);
        }
    }

    fn finish(&mut self, log: &Path, whole: bool) {
        if let Some((seq, hash, file)) = self.missing_start.take() {
            if self.expired.contains(&(seq, hash)) {
                self.report
                    .notes
                    .push(format!("lines up to number {seq} were deleted when their time was over"));
            } else if whole {
                self.find(&file, Some(1), Problem::Missing { from: 1, to: seq });
            } else {
                self.report
                    .notes
                    .push(format!("one file only: the {seq} lines before it were not looked at"));
            }
        }
        if !whole {
            self.report.notes.push("one file only: lines missing at its end can't be found".to_owned());
        } else if self.report.files > 0 {
            let newest = self.before.as_ref().map_or(0, |before| before.seq);
            let path = log.join(HEAD);
            match self.head.clone() {
                None => self.find(&path, None, Problem::NoHead),
                Some(head) => {
                    if self.report.log.as_ref().is_some_and(|log| *log != head.log) {
                        self.find(&path, None, Problem::OtherLog);
                    }
                    if head.seq > newest {
                        self.find(&path, None, Problem::CutOff { lines: head.seq - newest });
                    } else if head.seq < newest {
                        let ahead = newest - head.seq;
                        self.report
                            .notes
                            .push(format!("{ahead} lines are newer than the head, as after a crash"));
                    }
                }
            }
        }
        if self.noted.is_some() && !self.noted_seen {
            self.find(log, None, Problem::NotedIsGone);
        }
    }
}

/// The receipts of one call, and the log's id. Only lines with a valid hash are returned.
///
/// # Errors
/// When a file can't be read.
pub fn find(log: &Path, call: &str) -> Result<(String, Vec<Line>), LogError> {
    let files = if at(log, std::fs::metadata(log))?.is_dir() {
        segments(log)?.into_iter().map(|segment| segment.path).collect()
    } else {
        vec![log.to_owned()]
    };
    let mut id = String::new();
    let mut found = Vec::new();
    for path in files {
        let mut lines = Lines::open(&path)?;
        while let Some(raw) = lines.next()? {
            // Most lines belong to other calls: hashing them all would take far longer.
            let opening = raw.number == 1;
            if !opening && !raw.text.contains(call) {
                continue;
            }
            let Ok(line) = Line::read(&raw.text) else { continue };
            match &line.entry {
                Entry::Opening(opening) => id.clone_from(&opening.log),
                Entry::Receipt(receipt) if receipt.call == call => found.push(line),
                _ => {}
            }
        }
    }
    Ok((id, found))
}
