//! The control socket of a configuration, for commands that need nothing else of it.

use std::path::{Path, PathBuf};

use sidetone_serve::config::Control;
use toml::de::{DeTable, DeValue};

use super::{Problem, read, shape};

/// Where the process that runs by `file` listens for commands, and what is wrong with the file if it can't be read
/// whole. A mistake elsewhere in it does not stop whoever wants to look at the calls that are up.
///
/// # Errors
/// When the file can't be read at all.
pub(crate) fn control_socket(file: &Path) -> Result<(PathBuf, Vec<Problem>), Vec<Problem>> {
    let text = read(file)?;
    match shape::read(file, &text) {
        Ok(config) => Ok((config.control.served(), Vec::new())),
        Err(problems) => Ok((named(&text).unwrap_or_else(|| Control::default().served()), problems)),
    }
}

/// `control.socket`, from whatever of the text can be read.
fn named(text: &str) -> Option<PathBuf> {
    let (tree, _) = DeTable::parse_recoverable(text);
    let (_, control) = tree.get_ref().iter().find(|(name, _)| name.get_ref() == "control")?;
    let DeValue::Table(control) = control.get_ref() else { return None };
    let (_, socket) = control.iter().find(|(name, _)| name.get_ref() == "socket")?;
    match socket.get_ref() {
        DeValue::String(path) if !path.is_empty() => Some(PathBuf::from(path.as_ref())),
        _ => None,
    }
}
