//! The operator's decisions: the table `[consent]`, and its meaning for a call.

mod check;
mod matching;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sidetone_insight::Period;

pub use check::Fault;
pub use matching::Dialled;

use crate::machine::Terms;
use crate::numbering::Numbering;
use crate::page::Operator;
use crate::{Policy, Telling};

/// `[consent]`: how callers are told, and who is never listened to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The key that refuses, at any time of the call.
    pub opt_out_digit: char,
    /// The key that agrees, once the announcement has asked for it.
    pub opt_in_digit: char,
    /// How long to wait for the agreeing key after the announcement.
    pub patience: Period,
    /// Whether the agreeing key counts after `patience` too. Leave this off where menus of the PBX use the same key: a
    /// caller who presses 1 for sales has agreed to nothing.
    pub late_opt_in: bool,
    /// Whether keys are also detected by their tones, for callers whose carrier sends no telephone-events.
    pub in_band_digits: bool,
    /// Whether calls to the PBX get the announcement in early media already, before the answer.
    pub early_media: bool,
    /// Language of announcements where no rule and no PBX names one, as an RFC 5646 tag.
    pub language: String,
    /// Empathy tiers whose calls are never analysed, unless a rule names the tier.
    pub never_tiers: Vec<String>,
    /// Folder of the receipts; without it, none are kept.
    pub receipts: Option<PathBuf>,
    /// Days that receipts are kept; without it, until they are deleted by hand.
    pub receipts_days: Option<u32>,
    /// The list of numbers that are never analysed; without it, there is none.
    pub do_not_analyse: Option<PathBuf>,
    /// Whether callers who withhold their number are never analysed: the list can't know them.
    pub exclude_withheld: bool,
    /// The list of the agents' own numbers: a party with one of them is no customer; without it, there is none.
    pub agent_numbers: Option<PathBuf>,
    /// The reading of numbers without a country code.
    pub numbering: Numbering,
    /// The basis on which the operator relies for listening (GDPR Art. 6(1)), for receipts that are exported. Without
    /// it, exports claim none: only the operator can say which one it is.
    pub lawful_basis: Option<LawfulBasis>,
    /// The operator's identity, for the policy page.
    pub operator: Operator,
    /// The rules for calls. The first rule that matches decides; otherwise the trunk's `disclosure` does.
    pub rules: Vec<Rule>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            opt_out_digit: '9',
            opt_in_digit: '1',
            patience: Period::from_secs(10),
            late_opt_in: false,
            in_band_digits: true,
            early_media: false,
            language: "en".to_owned(),
            never_tiers: vec!["bereavement".to_owned(), "health".to_owned()],
            receipts: None,
            receipts_days: None,
            do_not_analyse: None,
            exclude_withheld: false,
            agent_numbers: None,
            numbering: Numbering::default(),
            lawful_basis: None,
            operator: Operator::default(),
            rules: Vec::new(),
        }
    }
}

/// A lawful basis, by the names of draft-howe-vcon-lawful-basis-00 (GDPR Art. 6(1) a to f).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LawfulBasis {
    /// The customer has consented.
    Consent,
    /// A contract with the customer requires it.
    Contract,
    /// The law requires it.
    LegalObligation,
    /// A person's life depends on it.
    VitalInterests,
    /// The analysis is a task in the public interest.
    PublicTask,
    /// The operator's interests outweigh the customer's.
    LegitimateInterests,
}

/// `[[consent.rules]]`: the rule for calls of one kind. Conditions that are left out match every call; those given must
/// all match. Names are compared without regard to case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rule {
    /// Name of the trunk.
    pub trunk: Option<String>,
    /// The number dialled, `+49301234567`, or a prefix of it, `+49*`.
    pub dialled: Option<Dialled>,
    /// The queue, as the PBX names it.
    pub queue: Option<String>,
    /// The empathy tier, as the PBX names it.
    pub tier: Option<String>,
    /// The call's subject, as the PBX names it.
    pub call_type: Option<String>,
    /// How these callers are told; by default as the trunk says.
    pub policy: Option<Policy>,
    /// Language of the announcement, as an RFC 5646 tag; by default `consent.language`.
    pub language: Option<String>,
    /// Name of the announcement; by default `notice` or `opt-in` by policy.
    pub announcement: Option<String>,
}

/// The facts of a call that policy may depend on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Name of the trunk.
    pub trunk: String,
    /// The trunk's own policy (`disclosure`).
    pub trunk_policy: Policy,
    /// The number dialled: the user part of the Request-URI.
    pub dialled: String,
    /// The queue.
    pub queue: Option<String>,
    /// The empathy tier.
    pub tier: Option<String>,
    /// The call was up before this process: whether its caller was told, or has objected, is lost.
    pub resumed: bool,
    /// The call's subject.
    pub call_type: Option<String>,
    /// The customer's language, if the PBX knows it.
    pub language: Option<String>,
    /// The presumed party on the trunk's side, until the PBX names it.
    pub presumed: Presumed,
    /// Whether a customer talks there, as the PBX says.
    pub customer: Option<bool>,
}

/// The presumed party on the trunk's side.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Presumed {
    /// A customer: the caller, or the party that a trunk or PBX with `analyse_outbound` calls.
    #[default]
    Customer,
    /// A party that the PBX has called, and that may be anyone.
    Dialled,
    /// A party that the PBX has called in place of another one: probably an agent's mobile.
    Diverted,
    /// An agent: the number is on the list of agents' numbers.
    Agent,
}

impl Facts {
    /// Why the party on the trunk's side can't be listened to as a customer, if so.
    fn no_customer(&self) -> Option<Reason> {
        match (self.presumed, self.customer) {
            (Presumed::Agent, _) => Some(Reason::AgentNumber),
            (_, Some(false)) => Some(Reason::NoCustomer),
            (Presumed::Customer, _) | (_, Some(true)) => None,
            (Presumed::Dialled, None) => Some(Reason::Outbound),
            (Presumed::Diverted, None) => Some(Reason::Diverted),
        }
    }
}

impl Facts {
    /// Takes a statement, if policy may depend on it; returns whether that changed anything.
    pub fn tell(&mut self, telling: &Telling) -> bool {
        if let Telling::Customer(customer) = telling {
            // A party once said to be no customer does not become one.
            let changed = self.customer != Some(*customer) && self.customer != Some(false);
            if changed {
                self.customer = Some(*customer);
            }
            return changed;
        }
        let (fact, text) = match telling {
            Telling::Queue(text) => (&mut self.queue, text),
            Telling::Tier(text) => (&mut self.tier, text),
            Telling::CallType(text) => (&mut self.call_type, text),
            Telling::Language(text) => (&mut self.language, text),
            Telling::Consent(_)
            | Telling::Analysis(_)
            | Telling::Agent(_)
            | Telling::Team(_)
            | Telling::Party(_)
            | Telling::Customer(_) => {
                return false;
            }
        };
        let changed = fact.as_ref() != Some(text);
        *fact = Some(text.clone());
        changed
    }
}

/// The decision on a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// How the customer is told.
    pub policy: Policy,
    /// The announcement's language, as an RFC 5646 tag.
    pub language: String,
    /// The announcement's name; `None` where Sidetone plays none.
    pub announcement: Option<String>,
    /// The reason for the policy.
    pub reason: Reason,
}

/// The reason why a policy applies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The trunk's `disclosure`.
    Trunk,
    /// This rule of `consent.rules`, from 0.
    Rule(usize),
    /// The empathy tier is never analysed.
    Tier(String),
    /// The call was up before this process.
    Resumed,
    /// Nothing says that the party that the PBX calls is a customer.
    Outbound,
    /// The call was diverted on its way out, and nothing says that the party it reaches is a customer.
    Diverted,
    /// The party on the trunk's side has one of the agents' own numbers.
    AgentNumber,
    /// The PBX says that no customer is on the trunk's side.
    NoCustomer,
}

impl Reason {
    /// Whether the reason forbids analysis for good: no later fact undoes it.
    fn binds(&self) -> bool {
        match self {
            Self::Trunk | Self::Outbound | Self::Diverted => false,
            Self::Rule(_) | Self::Tier(_) | Self::Resumed | Self::AgentNumber | Self::NoCustomer => true,
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Trunk => f.write_str("the trunk's disclosure"),
            Self::Rule(index) => write!(f, "consent.rules.{index}"),
            Self::Tier(tier) => write!(f, "calls of tier {tier} are never analysed"),
            Self::Resumed => {
                f.write_str("a call from before a restart, whose consent is lost, is never analysed")
            }
            Self::Outbound => f.write_str("nobody said that whom the PBX called is a customer"),
            Self::Diverted => f.write_str("the call was diverted on its way out, maybe to an agent"),
            Self::AgentNumber => f.write_str("the number is one of the agents' own"),
            Self::NoCustomer => f.write_str("the PBX said that it was no customer"),
        }
    }
}

impl Settings {
    /// Decides on a call with these facts.
    #[must_use]
    pub fn decide(&self, facts: &Facts) -> Decision {
        if let Some(reason) = facts.no_customer() {
            let language = self.language.clone();
            return Decision { policy: Policy::Never, language, announcement: None, reason };
        }
        let never_tier = facts
            .tier
            .as_deref()
            .filter(|tier| self.never_tiers.iter().any(|never| matching::same_name(never, tier)));
        // A rule for all calls does not consider a grieving caller; the rule for the tier does.
        let rule = self
            .rules
            .iter()
            .enumerate()
            .find(|(_, rule)| (never_tier.is_none() || rule.tier.is_some()) && rule.matches(facts));
        let (policy, reason) = match (rule, never_tier) {
            // No customer is told twice in a call, and an earlier objection must hold.
            _ if facts.resumed => (Policy::Never, Reason::Resumed),
            (None, Some(tier)) => (Policy::Never, Reason::Tier(tier.to_owned())),
            (None, None) => (facts.trunk_policy, Reason::Trunk),
            (Some((index, rule)), _) => match (rule.policy, never_tier) {
                (Some(policy), _) => (policy, Reason::Rule(index)),
                (None, Some(tier)) => (Policy::Never, Reason::Tier(tier.to_owned())),
                (None, None) => (facts.trunk_policy, Reason::Trunk),
            },
        };
        let rule = rule.map(|(_, rule)| rule);
        let language = facts
            .language
            .as_ref()
            .or(rule.and_then(|rule| rule.language.as_ref()))
            .unwrap_or(&self.language)
            .clone();
        let announcement = match policy {
            Policy::Notice => Some("notice"),
            Policy::OptIn => Some("opt-in"),
            Policy::Never | Policy::GivenUpstream | Policy::AnnounceElsewhere => None,
        }
        .map(|usual| rule.and_then(|rule| rule.announcement.as_deref()).unwrap_or(usual).to_owned());
        Decision { policy, language, announcement, reason }
    }

    /// The machine's terms after `decision`. `to_customer`: the call is placed towards the customer, whom early media
    /// can't reach.
    #[must_use]
    pub fn terms(&self, decision: &Decision, to_customer: bool) -> Terms {
        Terms {
            policy: decision.policy,
            binding: decision.policy == Policy::Never && decision.reason.binds(),
            opt_out_digit: self.opt_out_digit,
            opt_in_digit: self.opt_in_digit,
            patience: self.patience.0,
            early: self.early_media && !to_customer,
            late_opt_in: self.late_opt_in,
        }
    }

    /// Whether Sidetone itself may play an announcement to any call.
    #[must_use]
    pub fn announces(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.policy, Some(Policy::Notice | Policy::OptIn)))
    }
}
