//! The shape of `sidetone.toml`, assembled from each crate's section.
//!
//! Every key is documented in `deploy/sidetone.example.toml`, which a test loads. Unknown keys are refused.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sidetone_announce::Announcements;
use sidetone_call::{Node, Teams};
use sidetone_consent::Policy;
use sidetone_consent::policy::Settings as Consent;
use sidetone_events::config::EventsConfig;
use sidetone_hear::config::Analysis;
use sidetone_hear::{Cues, Language};
use sidetone_journal::JournalConfig;
use sidetone_proxy::config::{Config as Proxy, Health, Limits, Peer, Sip};
use sidetone_relay::config::Media;
use sidetone_serve::config::{Chaos, Control, Http};
use sidetone_spool::SpoolConfig;
use sidetone_store::StoreConfig;

/// The whole configuration.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The name of this node.
    #[serde(default)]
    pub(crate) node: Option<Node>,
    /// Where Sidetone listens for SIP.
    pub(crate) sip: Sip,
    /// Where the relay anchors media.
    pub(crate) media: Media,
    /// The carriers, in order of preference.
    #[serde(rename = "trunk", default)]
    pub(crate) trunks: Vec<Peer>,
    /// The PBXs, in order of preference.
    #[serde(rename = "pbx", default)]
    pub(crate) pbxs: Vec<Peer>,
    /// Limits on the load.
    #[serde(default)]
    pub(crate) limits: Limits,
    /// How peers are watched.
    #[serde(default)]
    pub(crate) health: Health,
    /// The analysis.
    #[serde(default)]
    pub(crate) analysis: Analysis,
    /// What customers say.
    #[serde(default)]
    pub(crate) language: Language,
    /// The cues that agents are shown.
    #[serde(default)]
    pub(crate) cues: Cues,
    /// How callers are told, and who is never listened to.
    #[serde(default)]
    pub(crate) consent: Consent,
    /// The agents of each team.
    #[serde(default)]
    pub(crate) teams: Teams,
    /// The sound of announcements.
    #[serde(default)]
    pub(crate) announcement: Announcements,
    /// The destinations of events.
    #[serde(default)]
    pub(crate) events: EventsConfig,
    /// Calls that are up are written down, and carried on by the next process.
    pub(crate) journal: Option<JournalConfig>,
    /// Events kept on the disk until their readers have had them.
    pub(crate) spool: Option<SpoolConfig>,
    /// What happened in calls, kept to be asked about.
    pub(crate) store: Option<StoreConfig>,
    /// The Unix socket that the command line talks to.
    #[serde(default)]
    pub(crate) control: Control,
    /// Metrics, health and the live event stream.
    #[serde(default)]
    pub(crate) http: Http,
    /// When drills may be held.
    #[serde(default)]
    pub(crate) chaos: Chaos,
    /// The log.
    #[serde(default)]
    pub(crate) log: Log,
}

impl Config {
    /// Whether any trunk or rule lets callers be listened to.
    #[must_use]
    pub(crate) fn listens_to_any(&self) -> bool {
        let rules = self.consent.rules.iter().map(|rule| rule.policy.unwrap_or_default());
        let trunks = self.trunks.iter().map(|trunk| trunk.disclosure);
        trunks.chain(rules).any(|policy| policy != Policy::Never)
    }

    /// The file with the secret by which dialogs are recognised after a restart, where the configuration leads to one.
    #[must_use]
    pub(crate) fn dialog_key(&self) -> Option<PathBuf> {
        // Where systemd gives a folder, the key lies there as it always did.
        let beside = || {
            let journal = self.journal.as_ref()?;
            std::env::var_os("STATE_DIRECTORY").is_none().then(|| journal.dialog_key())
        };
        self.sip.dialog_key.clone().or_else(beside)
    }

    /// The proxy's part of the configuration.
    #[must_use]
    pub(crate) fn proxy(&self) -> Proxy {
        Proxy {
            sip: self.sip.clone(),
            media: self.media.clone(),
            trunks: self.trunks.clone(),
            pbxs: self.pbxs.clone(),
            limits: self.limits.clone(),
            health: self.health.clone(),
            http: self.http.listen.address(),
        }
    }
}

/// `[log]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,sidetone_sip=debug`.
    pub(crate) level: String,
    /// `text` or `json`.
    pub(crate) format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Text }
    }
}

/// The format of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}
