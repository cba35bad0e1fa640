//! The inputs of an analysis: files, folders with their content, and standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;
use sidetone_capture::{Kind, Opened, open};

/// Most levels of nested folders that are searched.
const DEEPEST: usize = 32;

/// One recording.
#[derive(Debug)]
pub(super) enum Input {
    /// Named by the user: it has to be a recording.
    File(PathBuf),
    /// Found in a folder: other files may lie there too.
    Found(PathBuf),
    /// Standard input.
    Standard,
}

impl Input {
    /// The input's name in messages and headings.
    pub(super) fn name(&self) -> String {
        match self {
            Self::File(path) | Self::Found(path) => path.display().to_string(),
            Self::Standard => "standard input".to_owned(),
        }
    }

    /// The file's path, if it is one.
    pub(super) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) | Self::Found(path) => Some(path),
            Self::Standard => None,
        }
    }

    /// The time of the recording, as far as it is known: a file's own date; for a pipe the present.
    pub(super) fn modified(&self) -> SystemTime {
        let path = self.path().unwrap_or(Path::new("/dev/stdin"));
        let file = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file);
        file.and_then(|file| file.modified().ok()).unwrap_or_else(SystemTime::now)
    }

    /// Opens the input, counting the bytes read on `wrap`; returns its length too, if that is known.
    pub(super) fn open(
        &self,
        wrap: impl FnOnce(Box<dyn Read>, Option<u64>) -> Box<dyn Read>,
    ) -> anyhow::Result<Opened<Box<dyn Read>>> {
        let (input, size): (Box<dyn Read>, _) = match self.path() {
            Some(path) => {
                let file = File::open(path).context("can't be opened; is the path right?")?;
                let size =
                    file.metadata().ok().filter(std::fs::Metadata::is_file).map(|metadata| metadata.len());
                (Box::new(file), size)
            }
            None => (Box::new(io::stdin().lock()), None),
        };
        open(wrap(input, size)).context("can't be read")
    }

    /// Whether a file of this kind is skipped silently, since it only lies beside recordings.
    pub(super) fn passes_over(&self, kind: Kind) -> bool {
        matches!(self, Self::Found(_)) && matches!(kind, Kind::Other(None))
    }
}

/// The recordings that the arguments name; folders in order of their files' names. Files whose names begin with a dot,
/// and links to folders, are skipped. A folder that can't be listed yields the reason.
pub(super) fn gather(arguments: &[PathBuf]) -> Vec<Result<Input, String>> {
    let mut inputs = Vec::new();
    for path in arguments {
        if path.as_os_str() == "-" {
            inputs.push(Ok(Input::Standard));
        } else if path.is_dir() {
            folder(path, 0, &mut inputs);
        } else {
            inputs.push(Ok(Input::File(path.clone())));
        }
    }
    inputs
}

fn folder(path: &Path, depth: usize, inputs: &mut Vec<Result<Input, String>>) {
    let entries = match std::fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
        Ok(mut entries) => {
            entries.sort_by_key(std::fs::DirEntry::file_name);
            entries
        }
        Err(error) => return inputs.push(Err(format!("{}: can't be listed: {error}", path.display()))),
    };
    for entry in entries {
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < DEEPEST => folder(&entry.path(), depth + 1, inputs),
            // A pipe or a device in a folder would block.
            Ok(kind) if kind.is_file() || kind.is_symlink() && entry.path().is_file() => {
                inputs.push(Ok(Input::Found(entry.path())));
            }
            _ => {}
        }
    }
}
