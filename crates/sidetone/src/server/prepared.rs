//! All that running needs, up to binding sockets. One function loads and checks it: `sidetone run` continues with its
//! result, `sidetone check` only reports it. So the two can't disagree.

mod files;
mod same;
mod sockets;

use std::path::Path;
use std::sync::Arc;

use sidetone_announce::library::silent_about_words;
use sidetone_announce::{Library, Subject};
use sidetone_consent::log::Log;
use sidetone_emotion::model::Model;
use sidetone_events::{NumberHasher, Revealed};
use sidetone_insight::did_you_mean;
use sidetone_oidc::Oidc;
use sidetone_pbx::PbxLinks;
use sidetone_spool::SpoolFile;
use sidetone_store::Store;

use super::faults::{Faults, Held, NoSecret, receipts_fault, spool_fault, store_fault};
use super::lists::{Missing, numbers};
use super::recognising::Words;
use crate::config::{Config, check, events_fault};
use sidetone_consent::Policy;
use sidetone_proxy::config::Fault;
use sidetone_proxy::tls::Tls;

/// A shorter token could be guessed, in bytes.
const LEAST_TOKEN: usize = 16;

/// A configuration with all that it names loaded. [`super::Server::launch`] runs it.
pub(crate) struct Prepared {
    pub(super) config: Arc<Config>,
    pub(super) hasher: NumberHasher,
    pub(super) library: Library,
    /// Absent when it can't be loaded: then calls are carried without analysis.
    pub(super) model: Option<Arc<Model>>,
    /// Absent unless words are to be recognised and can be.
    pub(super) words: Option<Words>,
    pub(super) http_token: Option<Revealed>,
    pub(super) oidc: Option<Oidc>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Prepared {
    /// Loads all that a configuration names, without binding, starting or making anything. Returns all of its faults
    /// too; a configuration that can't be run is not prepared.
    ///
    /// One fatal fault does not keep Sidetone from running: a model that can't be loaded. Calls come first, so they are
    /// carried without analysis, and `/readyz` says so.
    #[must_use]
    pub(crate) fn new(config: Config) -> (Option<Self>, Vec<Fault>) {
        Self::load(config, Held::ByNobody)
    }

    /// As [`Self::new`], for the process that runs already: its own sockets are no conflict.
    #[must_use]
    pub(crate) fn again(config: Config) -> (Option<Self>, Vec<Fault>) {
        Self::load(config, Held::ByThisProcess)
    }

    /// As [`Self::new`], while the process before still runs: it will give its sockets and files.
    #[must_use]
    pub(crate) fn to_take_over(config: Config) -> (Option<Self>, Vec<Fault>) {
        Self::load(config, Held::ByTheProcessBefore)
    }

    /// As [`Self::new`], for another machine: its addresses are not checked.
    #[must_use]
    pub(crate) fn elsewhere(config: Config) -> (Option<Self>, Vec<Fault>) {
        Self::load(config, Held::Elsewhere)
    }

    fn load(config: Config, held: Held) -> (Option<Self>, Vec<Fault>) {
        let mut faults = Faults(check(&config));
        let hasher = match &config.events.number_salt {
            Some(salt) => NumberHasher::salted(salt),
            None => NumberHasher::with_random_salt(),
        };
        let hasher = faults.secret("events.number_salt", hasher.map_err(NoSecret::from));
        let library = library(&config, &mut faults);
        // A fault of the salt has been reported already. `Server::launch` reads the lists again when it begins them.
        if hasher.is_some()
            && let Err(error) = numbers(&config, None, Missing::Empty)
        {
            faults.add(error.fault());
        }
        let token = match (&config.http.token, config.http.listen.address()) {
            (Some(token), Some(_)) => {
                faults.secret("http.token", token.reveal(LEAST_TOKEN).map(Some).map_err(NoSecret::from))
            }
            _ => Some(None),
        };
        let oidc = match &config.http.oidc {
            Some(oidc) if oidc.fault().is_none() => {
                let remedy = "see docs/STORE.md on signing in";
                faults.taken("http.oidc", Oidc::new(oidc.clone()), remedy).map(Some)
            }
            _ => Some(None),
        };
        for (webhook, error) in config.events.examine() {
            faults.add(events_fault(webhook, &error));
        }
        for (index, pbx) in config.pbxs.iter().enumerate() {
            for error in PbxLinks::examine(&pbx.name, &pbx.links()) {
                faults.add(Fault::fatal(format!("pbx.{index}.{}", error.key), error.why));
            }
        }
        if let Some(folder) = &config.consent.receipts
            && let Err(error) = Log::examine(folder)
        {
            faults.add(receipts_fault(&error));
        }
        // This process writes to it, or does not before it is started anew.
        if let Some(spool) = &config.spool
            && !held.in_use()
            && let Err(error) = SpoolFile::examine(&spool.path)
        {
            faults.add(spool_fault(&error));
        }
        if let Some(store) = &config.store
            && store.fault().is_none()
            && !held.in_use()
            && let Err(error) = Store::examine(store)
        {
            faults.add(store_fault(store, &error));
        }
        if let Some(tls) = &config.sip.tls {
            let found = match Tls::load(tls) {
                Ok((_, warnings)) => warnings,
                Err(faults) => faults,
            };
            found.into_iter().for_each(|fault| faults.add(fault));
        }
        files::check(&config, &mut faults);
        for fault in same::check(&config, files::secrets(&config)) {
            faults.add(fault);
        }
        sockets::check(&config, held, &mut faults);
        let fatal = faults.0.iter().any(|fault| fault.fatal);
        let model = model(&config, &mut faults);
        let words = words(&config, held, &mut faults);
        let parts = (hasher, library, token, oidc);
        let prepared = match parts {
            (Some(hasher), Some(library), Some(http_token), Some(oidc)) if !fatal => {
                let config = Arc::new(config);
                Some(Self { config, hasher, library, model, words, http_token, oidc })
            }
            _ => None,
        };
        (prepared, faults.0)
    }

    /// The configuration, without the data loaded for it.
    #[must_use]
    pub(crate) fn into_config(self) -> Config {
        Arc::unwrap_or_clone(self.config)
    }

    /// The configuration.
    #[must_use]
    pub(crate) fn config(&self) -> &Config {
        &self.config
    }
}

/// The faults of a configuration in which a key names its own file, `file`.
#[must_use]
pub(crate) fn naming(config: &Config, file: &Path) -> Vec<Fault> {
    same::naming(config, files::secrets(config), file)
}

fn model(config: &Config, faults: &mut Faults) -> Option<Arc<Model>> {
    let opened = match &config.analysis.model {
        Some(path) => Model::open(path),
        None => Model::embedded(),
    };
    let remedy =
        "calls would be carried and none analysed; leave it out for the open weights inside the binary";
    faults.taken("analysis.model", opened, remedy)
}

/// What recognises words. Calls are carried and heard without it, so its want is no reason to refuse the configuration.
fn words(config: &Config, held: Held, faults: &mut Faults) -> Option<Words> {
    // This process goes on with the recogniser that it has, and another machine has its own.
    if !config.language.enabled || matches!(held, Held::ByThisProcess | Held::Elsewhere) {
        return None;
    }
    match Words::open(&config.language) {
        Ok(words) => Some(words),
        Err(why) => {
            let problem = format!(
                "{why}: no words are recognised; `sidetone model fetch {}` installs it, or name another recogniser",
                why.to_fetch()
            );
            let also = config.language.also.iter().position(|other| other.model == why.model);
            let also = also.filter(|_| config.language.model != why.model);
            let key =
                also.map_or("language.model".to_owned(), |place| format!("language.also.{place}.model"));
            faults.add(Fault::warning(key, problem));
            None
        }
    }
}

/// The announcements. Reports each that a rule asks for and that exists in no suitable language.
fn library(config: &Config, faults: &mut Faults) -> Option<Library> {
    let language = &config.consent.language;
    let subject = if config.language.enabled { Subject::Words } else { Subject::Tone };
    let library = match Library::load(&config.announcement, language, subject) {
        Ok(library) => library,
        Err(bad) => {
            for bad in bad {
                let key = format!("announcement.files.{}.{}", bad.name, bad.language);
                let problem = format!(
                    "can't be played: {}; name a WAV, FLAC or Ogg Opus file, or leave it out",
                    bad.error
                );
                faults.add(Fault::fatal(key, problem));
            }
            return None;
        }
    };
    for fault in rule_faults(config, &library) {
        faults.add(fault);
    }
    if config.language.enabled {
        for (name, language) in silent_about_words(&config.announcement) {
            let problem = format!(
                "is what callers hear, and words are recognised, so it must say that too; name one that says so under [announcement.files.{name}-words], be it the same file"
            );
            faults.add(Fault::warning(format!("announcement.files.{name}.{language}"), problem));
        }
    }
    let announced = config.consent.announces()
        || config.trunks.iter().any(|trunk| matches!(trunk.disclosure, Policy::Notice | Policy::OptIn));
    let found = library.find("notice", None).map(|found| found.language);
    let base = language.split('-').next().unwrap_or_default();
    if announced && found.as_deref().is_some_and(|found| found != language.as_str() && found != base) {
        let problem = format!(
            "`{language}` has no announcement, so callers hear English; record one for [announcement.files.notice]"
        );
        faults.add(Fault::warning("consent.language", problem));
    }
    Some(library)
}

/// Rules that ask for an announcement which does not exist, or not in a suitable language.
pub(super) fn rule_faults(config: &Config, library: &Library) -> Vec<Fault> {
    let (language, mut faults) = (&config.consent.language, Vec::new());
    for (index, rule) in config.consent.rules.iter().enumerate() {
        let Some(name) = rule.announcement.as_deref() else { continue };
        let key = format!("consent.rules.{index}.announcement");
        let mut names: Vec<&str> = library.names().map(|(name, _)| name).collect();
        names.dedup();
        if !names.contains(&name) {
            let problem = format!(
                "`{name}` is no announcement, so nobody under this rule could be told; {}",
                did_you_mean(name, names)
            );
            faults.push(Fault::fatal(key, problem));
        } else if library.find(name, rule.language.as_deref()).is_none() {
            let spoken: Vec<&str> =
                library.names().filter(|(known, _)| *known == name).map(|(_, language)| language).collect();
            let asked = rule.language.as_deref().unwrap_or(language);
            let problem = format!(
                "`{name}` is there in {} only, and not in {asked}, {language} or en; add a recording, or set the rule's language",
                spoken.join(", ")
            );
            faults.push(Fault::fatal(key, problem));
        }
    }
    faults
}
