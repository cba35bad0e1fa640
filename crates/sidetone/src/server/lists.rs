//! The lists of numbers that a configuration names.

use std::path::{Path, PathBuf};

use crate::config::Config;
use sidetone_book::{Numbers, OnList};
use sidetone_consent::list::{List, ListError, Lookup};
use sidetone_events::{Revealed, SecretError};
use sidetone_proxy::config::Fault;

/// The treatment of a list that does not exist yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// An empty list is written.
    Begun,
    /// The list counts as empty, and no file is written.
    Empty,
}

/// Why a list of numbers can't be obtained.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListFault {
    #[error("{0}")]
    Salt(SecretError),
    #[error("{error}")]
    List { key: &'static str, error: ListError },
    #[error("{} is gone", .path.display())]
    Gone { key: &'static str, path: PathBuf },
    #[error("the folder of {} is missing", .path.display())]
    NoFolder { key: &'static str, path: PathBuf },
}

impl ListFault {
    /// The fault with its key and the remedy.
    pub(super) fn fault(&self) -> Fault {
        let (key, remedy) = match self {
            Self::Salt(error) => ("events.number_salt", error.remedy()),
            Self::Gone { key, .. } => {
                (*key, "restore it, or begin a new one with `sidetone consent exclude`")
            }
            Self::NoFolder { key, .. } => (*key, "make it, or mend the path"),
            Self::List { key, error } => (*key, remedy(error)),
        };
        let parting = if remedy.is_empty() { "" } else { "; " };
        Fault::fatal(key, format!("can't be used: {self}{parting}{remedy}"))
    }
}

/// The remedy for an unusable list, where its error does not say so itself.
fn remedy(error: &ListError) -> &'static str {
    match error {
        ListError::File { why, .. } if why.kind() == std::io::ErrorKind::PermissionDenied => {
            "let Sidetone's user read and write it"
        }
        error if error.to_string().contains("; ") => "",
        _ => "`sidetone consent exclude NUMBER --list FILE` begins a list",
    }
}

/// The lists of numbers. `before` is the configuration that was in force until now.
pub(super) fn numbers(
    config: &Config,
    before: Option<&Config>,
    missing: Missing,
) -> Result<Numbers, ListFault> {
    let before = before.map(|config| &config.consent);
    let withheld = config.consent.exclude_withheld;
    let excluded = config.consent.do_not_analyse.as_ref();
    let excluded = excluded.map(|path| {
        let had = before.is_some_and(|before| before.do_not_analyse.as_ref() == Some(path));
        list(config, "consent.do_not_analyse", path, had, missing)
    });
    let agents = config.consent.agent_numbers.as_ref();
    let agents = agents.map(|path| {
        let had = before.is_some_and(|before| before.agent_numbers.as_ref() == Some(path));
        list(config, "consent.agent_numbers", path, had, missing)
    });
    let (excluded, agents) = (excluded.transpose()?, agents.transpose()?);
    let is_on = |list: &List, number: &&str| list.look_up(number) == Lookup::Listed;
    Ok(Numbers {
        excluded: excluded.map(|list| -> OnList {
            Box::new(move |numbers: &[&str]| {
                let unknown = || numbers.first().is_none_or(|it| list.look_up(it) == Lookup::Withheld);
                numbers.iter().any(|number| is_on(&list, number)) || (withheld && unknown())
            })
        }),
        agents: agents.map(|list| -> OnList {
            Box::new(move |numbers: &[&str]| numbers.iter().any(|number| is_on(&list, number)))
        }),
    })
}

/// A list of numbers. An unreadable one ends the start: the numbers on it are unknown. A missing one is usually new, so
/// it is begun; unless it existed before (`had`), or even its folder is missing.
fn list(
    config: &Config,
    key: &'static str,
    path: &Path,
    had: bool,
    missing: Missing,
) -> Result<List, ListFault> {
    let salt = config.events.number_salt.as_ref().map(|salt| salt.reveal(1)).transpose();
    let salt = salt.map_err(ListFault::Salt)?;
    let salt = salt.as_ref().map(Revealed::bytes);
    let numbering = &config.consent.numbering;
    let wrong = |error| ListFault::List { key, error };
    if path.try_exists().unwrap_or(true) {
        return List::open(path, salt, numbering).map_err(wrong);
    }
    let name = path.display();
    if had {
        return Err(ListFault::Gone { key, path: path.to_owned() });
    }
    if !path.parent().is_none_or(|folder| folder.as_os_str().is_empty() || folder.is_dir()) {
        return Err(ListFault::NoFolder { key, path: path.to_owned() });
    }
    if missing == Missing::Empty {
        return List::empty(path, salt, numbering).map_err(wrong);
    }
    match List::open_or_begin(path, salt, numbering) {
        Ok((list, _)) => {
            tracing::warn!(key, path = %name, "there was no list; an empty one has been begun. If there should have been one, restore it and reload");
            Ok(list)
        }
        Err(error) => {
            tracing::warn!(key, path = %name, %error, "there is no list, and none can be begun here: no number is on it. If there should have been one, restore it and reload");
            List::empty(path, salt, numbering).map_err(wrong)
        }
    }
}
