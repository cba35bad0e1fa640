//! Reads the configuration again while calls are up: the changes that take effect, and those that need a restart.

use std::sync::{Arc, Mutex};

use serde::Serialize;

use super::assembly::{links_of, rules};
use super::in_force::{InForce, lock};
use super::lists::{Missing, numbers};
use super::prepared::rule_faults;
use crate::config::{Config, LogFormat};
use sidetone_book::Calls;
use sidetone_events::Sinks;
use sidetone_hear::config::Analysis;
use sidetone_hear::{Language, Scribe};
use sidetone_proxy::config::{Fault, Peer, Sip, Tls};
use sidetone_proxy::signalling::Signalling;
use sidetone_relay::config::Media;
use sidetone_serve::control::{NotReloaded, Reloaded};

/// Reads the configuration again and prepares it as for a start.
pub(crate) type ReadAgain = Box<dyn Fn() -> Result<Reread, NotReloaded> + Send + Sync>;

/// A configuration that is fit for a start.
pub(crate) struct Reread {
    /// The new configuration.
    pub(crate) config: Config,
    /// Faults that do not keep it from running.
    pub(crate) warnings: Vec<String>,
    /// The steps to take once it is in force, and only then.
    pub(crate) taken: Box<dyn FnOnce() + Send>,
}

/// The parts that a reload changes.
pub(crate) struct Reloader {
    signalling: Arc<Signalling>,
    calls: Arc<Calls>,
    sinks: Arc<Mutex<Option<Sinks>>>,
    in_force: Arc<InForce>,
    /// Where words are recognised, if they are.
    scribe: Option<Scribe>,
    read_again: Mutex<ReadAgain>,
}

impl Reloader {
    pub(super) fn new(
        signalling: &Arc<Signalling>,
        calls: &Arc<Calls>,
        sinks: &Arc<Mutex<Option<Sinks>>>,
        in_force: &Arc<InForce>,
        scribe: Option<Scribe>,
        read_again: ReadAgain,
    ) -> Self {
        let (signalling, calls) = (Arc::clone(signalling), Arc::clone(calls));
        let (sinks, in_force) = (Arc::clone(sinks), Arc::clone(in_force));
        Self { signalling, calls, sinks, in_force, scribe, read_again: Mutex::new(read_again) }
    }

    /// Reads and takes the configuration. Models and announcements are loaded to try them, which takes time.
    pub(super) fn reload(&self) -> Result<Reloaded, NotReloaded> {
        self.take().inspect_err(|error| {
            tracing::error!(%error, "the configuration could not be reloaded; the old one stays in force");
        })
    }

    /// Whether by the file another process would bind and open what this one has: this one could not go back to a
    /// configuration that is in no file any more.
    pub(super) fn is_fit_to_go_back_to(&self) -> Result<(), String> {
        let Reread { config, .. } = lock(&self.read_again)().map_err(|error| error.to_string())?;
        let changed = frozen(&self.in_force.get(), &config);
        if changed.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{} of the configuration file changed since the start, and take effect by a restart alone, not by an upgrade: write back what was there, or restart",
            changed.join(", ")
        ))
    }

    fn take(&self) -> Result<Reloaded, NotReloaded> {
        if let Some(sinks) = &*lock(&self.sinks) {
            sinks.reopen();
        }
        // Held to the end: of two concurrent reloads the later one is in force afterwards.
        let read_again = lock(&self.read_again);
        let Reread { config, warnings, taken } = read_again()?;
        let old = self.in_force.get();
        let needs_restart = frozen(&old, &config);
        self.can_be_told(&config)?;
        // Settings that can't change while sockets are open stay, so that the shown configuration is the one in force.
        let sip = Sip {
            nameservers: config.sip.nameservers.clone(),
            tls: certificates(&old, &config),
            websocket: config.sip.websocket.clone(),
            ..old.sip.clone()
        };
        let numbers = numbers(&config, Some(&old), Missing::Begun)
            .map_err(|error| NotReloaded(vec![in_words(&error.fault())]))?;
        // First of all that takes effect, and last of all that may fail: a file may have changed since it was checked.
        let renewed = self.signalling.renew_certificates(&sip);
        renewed.map_err(|fault| NotReloaded(vec![in_words(&fault)]))?;
        let language = Language {
            trunks: config.language.trunks.clone(),
            queues: config.language.queues.clone(),
            tiers: config.language.tiers.clone(),
            raise: config.language.raise.clone(),
            ..old.language.clone()
        };
        let config = Config { language, ..config };
        self.calls.reload(rules(&config, numbers, self.scribe.as_ref()));
        self.signalling.set_nameservers(&config.sip.nameservers);
        let media = Media { timeout: config.media.timeout, ..old.media.clone() };
        let analysis = Analysis { thresholds: config.analysis.thresholds.clone(), ..old.analysis.clone() };
        let (events, http, control) = (old.events.clone(), old.http.clone(), old.control.clone());
        let (journal, spool, store) = (old.journal.clone(), old.spool.clone(), old.store.clone());
        let announcement = old.announcement.clone();
        let pbxs = config.pbxs.into_iter().map(|pbx| {
            let links = old.pbxs.iter().find(|it| it.name == pbx.name).map(Peer::links);
            pbx.with_links(links.unwrap_or_default())
        });
        let pbxs = pbxs.collect();
        let config = Config {
            sip,
            media,
            analysis,
            announcement,
            events,
            journal,
            spool,
            store,
            http,
            control,
            pbxs,
            ..config
        };
        let config = Arc::new(config);
        self.signalling.core().reload(Arc::new(config.proxy()));
        self.in_force.set(config);
        taken();
        tracing::info!(?needs_restart, "configuration reloaded");
        Ok(Reloaded { needs_restart, warnings })
    }

    /// Whether the rules ask for announcements that this process has loaded: it loads no others before a restart, and
    /// callers under such a rule could not be told.
    fn can_be_told(&self, config: &Config) -> Result<(), NotReloaded> {
        let Some(prompter) = self.calls.prompter() else { return Ok(()) };
        let faults = rule_faults(config, prompter.library());
        if faults.is_empty() {
            return Ok(());
        }
        let mut problems: Vec<String> = faults.iter().map(in_words).collect();
        problems.push("recordings that were added are there after a restart".to_owned());
        Err(NotReloaded(problems))
    }
}

/// The certificates after a reload. Whether there are any is as fixed as the sockets that need them, and so is the name
/// that peers have been told.
fn certificates(old: &Config, new: &Config) -> Option<Tls> {
    let old = old.sip.tls.as_ref()?;
    let new = new.sip.tls.as_ref().unwrap_or(old);
    Some(Tls { name: old.name.clone(), ..new.clone() })
}

fn in_words(fault: &Fault) -> String {
    format!("{} {}", fault.key, fault.problem)
}

/// Tables whose change needs a restart.
fn frozen(old: &Config, new: &Config) -> Vec<&'static str> {
    fn differ<T: Serialize>(old: &T, new: &T) -> bool {
        serde_json::to_value(old).ok() != serde_json::to_value(new).ok()
    }
    let (mut old_sip, mut new_sip) = (old.sip.clone(), new.sip.clone());
    old_sip.nameservers.clear();
    new_sip.nameservers.clear();
    old_sip.websocket = new_sip.websocket.clone();
    if let (Some(old_tls), Some(new_tls)) = (&mut old_sip.tls, &new_sip.tls) {
        *old_tls = Tls { name: old_tls.name.clone(), ..new_tls.clone() };
    }
    let (mut old_media, new_media) = (old.media.clone(), new.media.clone());
    old_media.timeout = new_media.timeout;
    let formats: [&LogFormat; 2] = [&old.log.format, &new.log.format];
    [
        ("sip", differ(&old_sip, &new_sip)),
        ("media", differ(&old_media, &new_media)),
        ("analysis.model", old.analysis.model != new.analysis.model),
        ("analysis.workers", old.analysis.workers != new.analysis.workers),
        ("language.enabled, agents, keep, language, model, also, models, workers, calls", {
            let parts = |it: &Language| Language {
                trunks: Vec::new(),
                queues: Vec::new(),
                tiers: Vec::new(),
                raise: std::collections::BTreeMap::new(),
                ..it.clone()
            };
            parts(&old.language) != parts(&new.language)
        }),
        ("announcement", old.announcement != new.announcement),
        ("pbx.ami, pbx.ari, pbx.esl, pbx.sip", links_of(old) != links_of(new)),
        ("limits.ring", old.limits.ring != new.limits.ring),
        ("consent.receipts", old.consent.receipts != new.consent.receipts),
        ("events", old.events != new.events),
        ("journal", old.journal != new.journal),
        ("spool", old.spool != new.spool),
        ("store", old.store != new.store),
        ("http", differ(&old.http, &new.http)),
        ("control", differ(&old.control, &new.control)),
        ("log.format", formats[0] != formats[1]),
    ]
    .into_iter()
    .filter_map(|(table, changed)| changed.then_some(table))
    .collect()
}
