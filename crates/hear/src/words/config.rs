//! `[language]` of the configuration, and which calls it lets be recognised.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sidetone_call::{Label, Labels, Topic};

use super::backlog::Rank;

/// More threads than this bring no gain on any machine.
const MOST_WORKERS: usize = 256;
/// More calls than this can't be meant.
const MOST_CALLS: usize = 100_000;
/// The rank of a caller of whom no tier is known.
const ORDINARY: Rank = 3;

/// `[language]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Language {
    /// Whether customers' words are recognised, where they may be listened to.
    pub enabled: bool,
    /// The recogniser: a name that `sidetone model fetch` knows, or a folder.
    pub model: String,
    /// The folder in which recognisers are installed; without it, the usual one.
    pub models: Option<PathBuf>,
    /// Whether agents' words are recognised too. Only what they do with them is taken: greet, acknowledge, apologise,
    /// promise; never how the agent feels.
    pub agents: bool,
    /// Threads that recognise; 0 is one for every two cores, at least one.
    pub workers: usize,
    /// Most calls that are recognised at once: the most important, then the longest there.
    pub calls: usize,
    /// Only calls by these trunks; empty for all.
    pub trunks: Vec<String>,
    /// Only calls of these queues; empty for all.
    pub queues: Vec<Label>,
    /// Only calls of these tiers; empty for all.
    pub tiers: Vec<Label>,
    /// Whether what was said is kept: in event files, the spool and the store. Without it, words live as long as their
    /// call.
    pub keep: bool,
    /// The tier that a call gets when its customer names a topic.
    pub raise: BTreeMap<Topic, Label>,
}

impl Default for Language {
    fn default() -> Self {
        let bereavement = "bereavement".parse().ok().map(|tier| (Topic::Bereavement, tier));
        Self {
            enabled: false,
            model: "moonshine-tiny".to_owned(),
            models: None,
            agents: false,
            workers: 0,
            calls: 20,
            trunks: Vec::new(),
            queues: Vec::new(),
            tiers: Vec::new(),
            keep: false,
            raise: bereavement.into_iter().collect(),
        }
    }
}

impl Language {
    /// Values that can't be intended: each key within `[language]`, and the remedy.
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        let mut fault = |key: &str, problem: String| faults.push((key.to_owned(), problem));
        if self.workers > MOST_WORKERS {
            fault("workers", format!("is more than {MOST_WORKERS}; 0 takes one for every two cores"));
        }
        if self.calls == 0 || self.calls > MOST_CALLS {
            fault("calls", format!("must be 1 to {MOST_CALLS}; `enabled = false` recognises nobody"));
        }
        if self.model.is_empty() {
            fault("model", "is empty; `sidetone model list` names the recognisers".to_owned());
        }
        faults
    }

    /// Threads that recognise.
    #[must_use]
    pub fn threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if self.workers > 0 { self.workers } else { (cores / 2).max(1) }
    }

    /// The folder that holds the recogniser; `usual` is where recognisers are if nothing is configured.
    #[must_use]
    pub fn folder(&self, usual: &Path) -> PathBuf {
        if self.model.contains('/') {
            return PathBuf::from(&self.model);
        }
        self.models.as_deref().unwrap_or(usual).join(&self.model)
    }

    /// What it says of calls by that trunk; `None` if their words are never recognised.
    #[must_use]
    pub fn wording(self: &Arc<Self>, trunk: &str) -> Option<Wording> {
        let wanted = self.trunks.is_empty() || self.trunks.iter().any(|wanted| wanted == trunk);
        (self.enabled && wanted).then(|| Wording { rules: Arc::clone(self), labels: Labels::default() })
    }
}

/// Whether one call's words may be recognised, by its labels, and how much its caller matters.
#[derive(Debug, Clone, Default)]
pub struct Wording {
    rules: Arc<Language>,
    labels: Labels,
}

impl Wording {
    /// Of a recording: all of it.
    #[must_use]
    pub fn of_recording() -> Self {
        Self { rules: Arc::new(Language { enabled: true, ..Language::default() }), labels: Labels::default() }
    }

    /// The call's labels, as they are now.
    pub(crate) fn labels(&mut self, labels: &Labels) {
        self.labels.clone_from(labels);
    }

    /// Whether words may be recognised. Where only some queues or tiers are, an unknown one is not.
    pub(crate) fn allows(&self) -> bool {
        let among = |wanted: &[Label], label: Option<&Label>| {
            wanted.is_empty() || label.is_some_and(|label| wanted.contains(label))
        };
        let Language { enabled, queues, tiers, .. } = &*self.rules;
        *enabled && among(queues, self.labels.queue.as_ref()) && among(tiers, self.labels.tier.as_ref())
    }

    /// Whether the agent's words may be recognised too.
    pub(crate) fn allows_agent(&self) -> bool {
        self.allows() && self.rules.agents
    }

    /// How much the caller matters: the number in the tier's name, 1 for a tier that words lead to, else the middle.
    pub(crate) fn rank(&self) -> Rank {
        let Some(tier) = &self.labels.tier else { return ORDINARY };
        if self.rules.raise.values().any(|raised| raised == tier) {
            return 1;
        }
        let digits: String = tier.as_str().chars().filter(char::is_ascii_digit).collect();
        digits.parse().unwrap_or(ORDINARY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(queue: &str, tier: &str) -> Labels {
        Labels { queue: queue.parse().ok(), tier: tier.parse().ok(), ..Labels::default() }
    }

    fn wording(language: Language, queue: &str, tier: &str) -> Wording {
        let mut wording = Arc::new(Language { enabled: true, ..language }).wording("carrier").unwrap();
        wording.labels(&labels(queue, tier));
        wording
    }

    #[test]
    fn it_is_off_unless_asked_for() {
        assert!(Arc::new(Language::default()).wording("carrier").is_none());
        assert!(!Wording::default().allows());
    }

    #[test]
    fn trunks_queues_and_tiers_limit_it() {
        let only = |trunk: &str| Language {
            enabled: true,
            trunks: vec![trunk.to_owned()],
            queues: vec!["billing".parse().unwrap()],
            ..Language::default()
        };
        assert!(Arc::new(only("other")).wording("carrier").is_none());
        assert!(wording(only("carrier"), "billing", "2").allows());
        assert!(!wording(only("carrier"), "sales", "2").allows());
        assert!(
            !Arc::new(only("carrier")).wording("carrier").unwrap().allows(),
            "an unknown queue is no billing"
        );
        assert!(wording(Language::default(), "sales", "2").allows());
    }

    #[test]
    fn a_tier_says_who_comes_first() {
        let rank = |tier: &str| wording(Language::default(), "billing", tier).rank();
        assert_eq!([rank("1"), rank("tier 2"), rank("bereavement"), rank("gold"), rank("")], [1, 2, 1, 3, 3]);
        assert_eq!(rank("99999"), 3);
    }
}
