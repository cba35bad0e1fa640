//! The compliance report: every path by which something is inferred, its conditions, its retention, and the build and
//! model that run.
//!
//! It is made from the configuration and the build, not from anyone's memory. Facts, not legal advice.

mod html;
mod paths;
mod text;
mod words;

use serde::Serialize;

pub use paths::{InferencePath, Subject};

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
    pub remarks: Vec<String>,
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
            remarks: remarks(facts),
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

fn remarks(facts: &ReportFacts) -> Vec<String> {
    let settings = &facts.settings;
    let mut remarks = Vec::new();
    let mut remark = |when: bool, text: &str| {
        if when {
            remarks.push(text.to_owned());
        }
    };
    let policies = facts.policies();
    let analyses = facts.analyses();
    remark(!analyses, "nothing is analysed: no policy allows it, or there is no model");
    remark(
        analyses && settings.receipts.is_none(),
        "no receipts are kept: set consent.receipts, or nobody can prove who was told what",
    );
    remark(
        settings.receipts.is_some() && settings.receipts_days.is_none(),
        "receipts are kept for ever: set consent.receipts_days (GDPR Art. 5(1)(e))",
    );
    remark(
        analyses && settings.do_not_analyse.is_none(),
        "there is no do-not-analyse list: set consent.do_not_analyse, so that an objection holds for later calls",
    );
    remark(
        analyses && !facts.outbound.is_empty() && settings.agent_numbers.is_none(),
        "calls out are analysed, and there is no list of the agents' own numbers: set consent.agent_numbers, or an agent \
         who is called at a mobile or at home is taken for a customer",
    );
    remark(
        analyses && settings.do_not_analyse.is_some() && settings.numbering.country.is_none(),
        "consent.numbering.country is not set: a number listed as +49… is not recognised when the carrier sends 0…",
    );
    remark(
        analyses && !settings.in_band_digits,
        "keys are not heard by their tones: callers whose carrier sends no telephone-events can't refuse by key",
    );
    remark(
        policies.contains(&Policy::GivenUpstream),
        "on trunks with given-upstream it is your statement that every caller has been told; Sidetone can't check it",
    );
    remark(
        policies.contains(&Policy::AnnounceElsewhere),
        "under announce-elsewhere Sidetone relies on what the PBX says; its dialplan is part of the evidence",
    );
    remark(
        analyses && settings.late_opt_in,
        "late_opt_in is on: a key pressed in a menu of the PBX may be taken for agreement",
    );
    remark(
        analyses && !facts.numbers_salted,
        "events.number_salt is not set: a receipt's hashed number can't be matched with a later request",
    );
    remark(
        analyses && settings.operator.email.is_none() && settings.operator.phone.is_none(),
        "consent.operator has neither email nor phone: the policy page can't say where to object",
    );
    remarks
}
