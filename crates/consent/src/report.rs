//! The compliance report: every path by which something is inferred, its conditions, its retention, and the build and
//! model that run.
//!
//! It is made from the configuration and the build, not from anyone's memory. Facts, not legal advice.

mod html;
mod paths;
mod remark;
mod text;
mod words;

use serde::Serialize;

pub use paths::{InferencePath, Subject};
pub use remark::Remark;

use crate::Policy;
use crate::moment::Moment;
use crate::policy::{Rule, Settings};

/// The input of the report.
#[derive(Debug, Clone)]
pub struct ReportFacts {
    /// The build, as `sidetone 0.1.0`.
    pub build: String,
    /// SHA-256 of the program's file, in hexadecimal, if it could be read.
    pub program_sha256: Option<String>,
    /// When the report is made.
    pub made: Moment,
    /// The table `[consent]`.
    pub settings: Settings,
    /// Name and `disclosure` of each trunk.
    pub trunks: Vec<(String, Policy)>,
    /// Names of the trunks and PBXs with `analyse_outbound`: the parties they call are taken for customers.
    pub outbound: Vec<String>,
    /// The model; `None` if analysis is switched off.
    pub model: Option<ModelFacts>,
    /// The sinks of results, and how long they keep them.
    pub sinks: Vec<SinkFacts>,
    /// Whether hashed numbers are salted by the operator, and so the same after a restart.
    pub numbers_salted: bool,
}

/// The model that infers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelFacts {
    /// Its name.
    pub name: String,
    /// SHA-256 of its weights, in hexadecimal.
    pub sha256: String,
    /// SHA-256 of its card, in hexadecimal; empty if it has none.
    pub card_sha256: String,
    /// The licence for its use.
    pub licence: String,
    /// How many parameters it has.
    pub parameters: usize,
}

/// A sink of results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SinkFacts {
    /// Its key in the configuration, as `events.webhook.0`.
    pub key: String,
    /// The kind of sink.
    pub what: String,
    /// How long it keeps results, as far as the configuration tells.
    pub kept: String,
}

/// The report.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Version of this report's format.
    pub version: u32,
    /// When the report was made.
    pub made: Moment,
    /// The build.
    pub build: String,
    /// SHA-256 of the program's file.
    pub program_sha256: Option<String>,
    /// The model.
    pub model: Option<ModelFacts>,
    /// Every path by which something is inferred.
    pub paths: Vec<InferencePath>,
    /// Inferences that this build can't make, whatever is configured.
    pub absent: Vec<&'static str>,
    /// How callers are told, by trunk.
    pub trunks: Vec<TrunkPolicy>,
    /// The trunks and PBXs whose outbound calls are analysed; on others, only calls of which the PBX says that a
    /// customer is reached.
    pub outbound: Vec<String>,
    /// The rules that depart from that.
    pub rules: Vec<Rule>,
    /// Tiers never analysed.
    pub never_tiers: Vec<String>,
    /// The key that refuses.
    pub opt_out_digit: char,
    /// The kept data, and for how long.
    pub retention: Vec<Retention>,
    /// Points that an operator should look at.
    pub remarks: Vec<Remark>,
}

/// How callers on a trunk are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrunkPolicy {
    /// The trunk.
    pub trunk: String,
    /// The trunk's policy where no rule says otherwise.
    pub policy: Policy,
}

/// Kept data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Retention {
    /// The data.
    pub what: String,
    /// The place.
    pub at: String,
    /// The retention time.
    pub kept: String,
}

impl Report {
    /// Makes the report.
    #[must_use]
    pub fn new(facts: &ReportFacts) -> Self {
        let settings = &facts.settings;
        Self {
            version: 1,
            made: facts.made,
            build: facts.build.clone(),
            program_sha256: facts.program_sha256.clone(),
            model: facts.model.clone(),
            paths: paths::all(facts),
            absent: paths::ABSENT.to_vec(),
            trunks: facts
                .trunks
                .iter()
                .map(|(trunk, policy)| TrunkPolicy { trunk: trunk.clone(), policy: *policy })
                .collect(),
            outbound: facts.outbound.clone(),
            rules: settings.rules.clone(),
            never_tiers: settings.never_tiers.clone(),
            opt_out_digit: settings.opt_out_digit,
            retention: retention(facts),
            remarks: Remark::all(facts),
        }
    }
}

impl ReportFacts {
    /// Every policy that some call may be under.
    #[must_use]
    pub fn policies(&self) -> Vec<Policy> {
        let ruled = self.settings.rules.iter().filter_map(|rule| rule.policy);
        let mut policies: Vec<Policy> = Vec::new();
        for policy in self.trunks.iter().map(|(_, policy)| *policy).chain(ruled) {
            if !policies.contains(&policy) {
                policies.push(policy);
            }
        }
        policies
    }

    fn analyses(&self) -> bool {
        self.model.is_some() && self.policies().iter().any(|policy| *policy != Policy::Never)
    }
}

fn retention(facts: &ReportFacts) -> Vec<Retention> {
    let entry = |what: &str, at: &str, kept: String| Retention { what: what.into(), at: at.into(), kept };
    let mut kept = vec![
        entry("audio", "memory", "seconds, until it is analysed; never written to disk".into()),
        entry(
            "estimates of a call",
            "memory",
            "until the call ends; erased at once when the customer refuses".into(),
        ),
    ];
    if let Some(path) = &facts.settings.receipts {
        let long = match facts.settings.receipts_days {
            Some(days) => format!("{days} days, then deleted by whole files"),
            None => "until somebody deletes them".to_owned(),
        };
        kept.push(entry("consent receipts (numbers hashed)", &path.display().to_string(), long));
    }
    if let Some(path) = &facts.settings.do_not_analyse {
        let long = "until the number is taken off the list".to_owned();
        kept.push(entry("do-not-analyse list (numbers hashed)", &path.display().to_string(), long));
    }
    if let Some(path) = &facts.settings.agent_numbers {
        let long = "until the number is taken off the list".to_owned();
        kept.push(entry("list of the agents' own numbers (hashed)", &path.display().to_string(), long));
    }
    kept.extend(facts.sinks.iter().map(|sink| entry("events", &sink.key, sink.kept.clone())));
    kept
}
