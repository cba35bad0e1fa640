//! A configuration file made ready to be run.

use std::path::Path;

use sidetone_proxy::config::Fault;

use super::prepared::{Prepared, naming};
use crate::config::{Config, Problem, explained, level_fault, parse};

/// Reads a file and loads everything that it names, up to binding: what `run` goes on from, and all that `check` does.
///
/// What comes is everything that was found wrong, and what can be run. The one fatal problem that does not keep it from
/// running is that of a model: see [`Prepared::new`].
pub(crate) fn prepare(file: &Path) -> (Option<Prepared>, Vec<Problem>) {
    prepare_by(file, Prepared::new)
}

/// As [`prepare`], of a file for another machine.
pub(crate) fn prepare_elsewhere(file: &Path) -> (Option<Prepared>, Vec<Problem>) {
    prepare_by(file, Prepared::elsewhere)
}

/// As [`prepare`], in the process that runs by the file already: what a reload does.
pub(crate) fn prepare_again(file: &Path) -> (Option<Prepared>, Vec<Problem>) {
    prepare_by(file, Prepared::again)
}

fn prepare_by(
    file: &Path,
    prepare: impl Fn(Config) -> (Option<Prepared>, Vec<Fault>),
) -> (Option<Prepared>, Vec<Problem>) {
    let (config, text) = match parse(file) {
        Ok(read) => read,
        Err(problems) => return (None, problems),
    };
    let level = level_fault(&config.log.level);
    let own = naming(&config, file);
    let (prepared, mut faults) = prepare(config);
    let prepared = prepared.filter(|_| level.is_none() && own.is_empty());
    faults.extend(level);
    faults.extend(own);
    (prepared, explained(file, &text, faults))
}
