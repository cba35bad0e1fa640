//! Prepares a configuration file for running.

use std::path::Path;

use sidetone_proxy::config::Fault;

use super::prepared::{Prepared, naming};
use crate::config::{Config, Problem, explained, level_fault, parse};

/// Reads a file and loads everything that it names, up to binding: the first half of `run`, and all of `check`.
///
/// Returns the runnable configuration and all of its faults. One fatal problem does not keep it from running, that of a
/// model: see [`Prepared::new`].
pub(crate) fn prepare(file: &Path) -> (Option<Prepared>, Vec<Problem>) {
    prepare_by(file, Prepared::new)
}

/// As [`prepare`], for a file of another machine.
pub(crate) fn prepare_elsewhere(file: &Path) -> (Option<Prepared>, Vec<Problem>) {
    prepare_by(file, Prepared::elsewhere)
}

/// As [`prepare`], in the process that runs by the file already: a reload.
pub(crate) fn prepare_again(file: &Path) -> (Option<Prepared>, Vec<Problem>) {
    prepare_by(file, Prepared::again)
}

/// As [`prepare`], while the process before still runs by the file: this one takes over from it.
pub(crate) fn prepare_to_take_over(file: &Path) -> (Option<Prepared>, Vec<Problem>) {
    prepare_by(file, Prepared::to_take_over)
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
