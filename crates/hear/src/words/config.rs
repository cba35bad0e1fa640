//! `[language]` of the configuration, and which calls it lets be recognised.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sidetone_call::{Label, Labels, Topic};
use sidetone_language::tongue::same;

use super::backlog::Rank;

/// More threads than this bring no gain on any machine.
const MOST_WORKERS: usize = 256;
/// More calls than this can't be meant.
const MOST_CALLS: usize = 100_000;
/// More languages than this can't be meant.
const MOST_LANGUAGES: usize = 16;
/// The rank of a caller of whom no tier is known.
const ORDINARY: Rank = 3;

/// The language that a party speaks, as in BCP 47; without one, the recogniser's usual.
pub type Tongue = Option<Arc<str>>;

/// `[[language.also]]`: a language that other callers speak.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OtherLanguage {
    /// The language, as in BCP 47: `de`. Calls whose label says so are recognised in it.
    pub language: String,
    /// The recogniser: a name that `sidetone model fetch` knows, or a folder.
    pub model: String,
    /// Calls by these trunks whose label says no language are recognised in it.
    #[serde(default)]
    pub trunks: Vec<String>,
    /// Calls of these queues whose label says no language are recognised in it.
    #[serde(default)]
    pub queues: Vec<Label>,
}

/// `[language]`
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Language {
    /// Whether customers' words are recognised, where they may be listened to.
    pub enabled: bool,
    /// The recogniser: a name that `sidetone model fetch` knows, or a folder.
    pub model: String,
    /// The language that callers speak where nothing says otherwise, as in BCP 47.
    pub language: String,
    /// Languages that other callers speak.
    pub also: Vec<OtherLanguage>,
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
            language: "en".to_owned(),
            also: Vec::new(),
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
        if !is_tag(&self.language) {
            fault("language", format!("{:?} is no language; a tag such as \"en\" names one", self.language));
        }
        if self.also.len() > MOST_LANGUAGES {
            fault(
                "also",
                format!("has more than {MOST_LANGUAGES} languages; each takes memory for its recogniser"),
            );
        }
        let mut known = vec![self.language.as_str()];
        for (place, other) in self.also.iter().enumerate() {
            let mut fault = |key: &str, problem: String| fault(&format!("also.{place}.{key}"), problem);
            if !is_tag(&other.language) {
                fault(
                    "language",
                    format!("{:?} is no language; a tag such as \"de\" names one", other.language),
                );
            } else if known.iter().any(|it| same(it, &other.language)) {
                fault(
                    "language",
                    format!("{:?} is there twice; one recogniser serves a language", other.language),
                );
            }
            known.push(&other.language);
            if other.model.is_empty() {
                fault("model", "is empty; `sidetone model list` names the recognisers".to_owned());
            }
        }
        faults
    }

    /// Threads that recognise.
    #[must_use]
    pub fn threads(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        if self.workers > 0 { self.workers } else { (cores / 2).max(1) }
    }

    /// The folder that holds a recogniser; `usual` is where recognisers are if nothing is configured.
    #[must_use]
    pub fn folder(&self, model: &str, usual: &Path) -> PathBuf {
        if model.contains('/') {
            return PathBuf::from(model);
        }
        self.models.as_deref().unwrap_or(usual).join(model)
    }

    /// Every language that is recognised and its recogniser, the usual one first.
    pub fn recognisers(&self) -> impl Iterator<Item = (&str, &str)> {
        let also = self.also.iter().map(|it| (it.language.as_str(), it.model.as_str()));
        std::iter::once((self.language.as_str(), self.model.as_str())).chain(also)
    }

    /// What it says of calls by that trunk; `None` if their words are never recognised.
    #[must_use]
    pub fn wording(self: &Arc<Self>, trunk: &str) -> Option<Wording> {
        let wanted = self.trunks.is_empty() || self.trunks.iter().any(|wanted| wanted == trunk);
        let whole = || Wording {
            rules: Arc::clone(self),
            trunk: trunk.to_owned(),
            labels: Labels::default(),
            any: false,
        };
        (self.enabled && wanted).then(whole)
    }
}

/// Whether one call's words may be recognised, by its labels, and how much its caller matters.
#[derive(Debug, Clone, Default)]
pub struct Wording {
    rules: Arc<Language>,
    trunk: String,
    labels: Labels,
    /// Whether it is recognised in the recogniser's usual language, whatever labels say.
    any: bool,
}

impl Wording {
    /// Of a recording: all of it.
    #[must_use]
    pub fn of_recording() -> Self {
        Self {
            rules: Arc::new(Language { enabled: true, ..Language::default() }),
            any: true,
            ..Self::default()
        }
    }

    /// The call's labels, as they are now.
    pub(crate) fn labels(&mut self, labels: &Labels) {
        self.labels.clone_from(labels);
    }

    /// The language that the caller speaks: what the label says, else what the queue or the trunk stands for, else the
    /// usual one. Nothing if nobody recognises that language.
    fn language(&self) -> Option<&str> {
        let rules = &*self.rules;
        if let Some(label) = &self.labels.language {
            return rules.recognisers().map(|(known, _)| known).find(|known| same(known, label.as_str()));
        }
        let spoken = |other: &&OtherLanguage| {
            let queue = self.labels.queue.as_ref().is_some_and(|queue| other.queues.contains(queue));
            queue || other.trunks.contains(&self.trunk)
        };
        Some(rules.also.iter().find(spoken).map_or(&*rules.language, |other| &*other.language))
    }

    /// The language in which words are recognised.
    pub(crate) fn tongue(&self) -> Tongue {
        self.language().filter(|_| !self.any).map(Arc::from)
    }

    /// Whether words may be recognised. Where only some queues or tiers are, an unknown one is not; and neither are
    /// words of a language that no recogniser knows.
    pub(crate) fn allows(&self) -> bool {
        let among = |wanted: &[Label], label: Option<&Label>| {
            wanted.is_empty() || label.is_some_and(|label| wanted.contains(label))
        };
        let Language { enabled, queues, tiers, .. } = &*self.rules;
        let known = self.any || self.language().is_some();
        *enabled
            && known
            && among(queues, self.labels.queue.as_ref())
            && among(tiers, self.labels.tier.as_ref())
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

/// Whether it could be a tag as in BCP 47.
fn is_tag(tag: &str) -> bool {
    let primary = tag.split('-').next().unwrap_or_default();
    matches!(primary.len(), 2 | 3)
        && primary.bytes().all(|byte| byte.is_ascii_alphabetic())
        && tag.len() <= 35
}

#[cfg(test)]
mod tests {
    use super::*;

    fn german() -> OtherLanguage {
        OtherLanguage {
            language: "de".to_owned(),
            model: "whisper-base".to_owned(),
            trunks: vec!["berlin".to_owned()],
            queues: vec!["kunden".parse().unwrap()],
        }
    }

    #[test]
    fn the_label_says_which_language_then_the_queue_then_the_trunk() {
        let language = Language { enabled: true, also: vec![german()], ..Language::default() };
        let rules = Arc::new(language);
        let tongue = |trunk: &str, queue: &str, label: Option<&str>| {
            let mut wording = rules.wording(trunk).unwrap();
            let language = label.and_then(|tag| tag.parse().ok());
            wording.labels(&Labels { language, ..labels(queue, "2") });
            (wording.allows(), wording.tongue())
        };
        let (english, german) = (Some(Arc::from("en")), Some(Arc::from("de")));
        assert_eq!(tongue("carrier", "sales", None), (true, english.clone()));
        assert_eq!(tongue("carrier", "kunden", None), (true, german.clone()));
        assert_eq!(tongue("berlin", "sales", None), (true, german.clone()));
        assert_eq!(tongue("carrier", "sales", Some("de-AT")), (true, german));
        assert_eq!(tongue("berlin", "kunden", Some("en-GB")), (true, english));
        assert_eq!(tongue("carrier", "sales", Some("fr")), (false, None), "nobody knows French");
        let recording = Wording::of_recording();
        assert_eq!((recording.allows(), recording.tongue()), (true, None));
    }

    #[test]
    fn a_language_that_is_none_or_there_twice_is_told_with_its_place() {
        let faults = |language: &str, also: Vec<OtherLanguage>| {
            let rules = Language { language: language.to_owned(), also, ..Language::default() };
            rules.faults().into_iter().map(|(key, _)| key).collect::<Vec<_>>()
        };
        assert!(faults("en", vec![german()]).is_empty());
        assert_eq!(faults("english", Vec::new()), ["language"]);
        assert_eq!(faults("de", vec![german()]), ["also.0.language"]);
        let nameless = OtherLanguage { model: String::new(), ..german() };
        assert_eq!(faults("en", vec![german(), nameless]), ["also.1.language", "also.1.model"]);
    }

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
