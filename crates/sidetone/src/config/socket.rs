//! The control socket of a configuration, for commands that need no other part of it.

use std::path::{Path, PathBuf};

use sidetone_serve::config::Control;
use toml::de::{DeTable, DeValue};

use super::{Problem, read, shape};

/// The control socket of the process that runs by `file`, and the file's faults if it can't be parsed whole. A mistake
/// elsewhere in the file must not keep an operator from looking at the calls that are up.
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

/// `control.socket`, from any parsable part of the text.
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
