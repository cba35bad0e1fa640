//! Points of a configuration that an operator should look at.

use std::fmt;

use serde::{Serialize, Serializer};

use super::ReportFacts;
use crate::Policy;

/// A point that an operator should look at. It is written as its English text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// Nothing is analysed.
    NotAnalysed,
    /// No receipts are kept.
    NoReceipts,
    /// Receipts are kept for ever.
    ReceiptsForEver,
    /// There is no do-not-analyse list.
    NoDoNotAnalyse,
    /// Calls out are analysed, and there is no list of the agents' own numbers.
    NoAgentNumbers,
    /// Consent.numbering.country is not set.
    NoCountry,
    /// Keys are not heard by their tones.
    NoTones,
    /// On trunks with given-upstream it is your statement that every caller has been told.
    GivenUpstream,
    /// Under announce-elsewhere Sidetone relies on what the PBX says.
    AnnounceElsewhere,
    /// Late_opt_in is on.
    LateOptIn,
    /// Events.number_salt is not set.
    NoSalt,
    /// Consent.operator has neither email nor phone.
    NoContact,
}

impl Remark {
    /// Every remark.
    pub const ALL: [Self; 12] = [
        Self::NotAnalysed,
        Self::NoReceipts,
        Self::ReceiptsForEver,
        Self::NoDoNotAnalyse,
        Self::NoAgentNumbers,
        Self::NoCountry,
        Self::NoTones,
        Self::GivenUpstream,
        Self::AnnounceElsewhere,
        Self::LateOptIn,
        Self::NoSalt,
        Self::NoContact,
    ];

    /// Its key, by which other languages find their text.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::NotAnalysed => "not_analysed",
            Self::NoReceipts => "no_receipts",
            Self::ReceiptsForEver => "receipts_for_ever",
            Self::NoDoNotAnalyse => "no_do_not_analyse",
            Self::NoAgentNumbers => "no_agent_numbers",
            Self::NoCountry => "no_country",
            Self::NoTones => "no_tones",
            Self::GivenUpstream => "given_upstream",
            Self::AnnounceElsewhere => "announce_elsewhere",
            Self::LateOptIn => "late_opt_in",
            Self::NoSalt => "no_salt",
            Self::NoContact => "no_contact",
        }
    }

    /// What it says, and the remedy.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotAnalysed => "nothing is analysed: no policy allows it, or there is no model",
            Self::NoReceipts => {
                "no receipts are kept: set consent.receipts, or nobody can prove who was told what"
            }
            Self::ReceiptsForEver => {
                "receipts are kept for ever: set consent.receipts_days (GDPR Art. 5(1)(e))"
            }
            Self::NoDoNotAnalyse => {
                "there is no do-not-analyse list: set consent.do_not_analyse, so that an objection holds for later calls"
            }
            Self::NoAgentNumbers => {
                "calls out are analysed, and there is no list of the agents' own numbers: set consent.agent_numbers, or an agent who is called at a mobile or at home is taken for a customer"
            }
            Self::NoCountry => {
                "consent.numbering.country is not set: a number listed as +49… is not recognised when the carrier sends 0…"
            }
            Self::NoTones => {
                "keys are not heard by their tones: callers whose carrier sends no telephone-events can't refuse by key"
            }
            Self::GivenUpstream => {
                "on trunks with given-upstream it is your statement that every caller has been told; Sidetone can't check it"
            }
            Self::AnnounceElsewhere => {
                "under announce-elsewhere Sidetone relies on what the PBX says; its dialplan is part of the evidence"
            }
            Self::LateOptIn => {
                "late_opt_in is on: a key pressed in a menu of the PBX may be taken for agreement"
            }
            Self::NoSalt => {
                "events.number_salt is not set: a receipt's hashed number can't be matched with a later request"
            }
            Self::NoContact => {
                "consent.operator has neither email nor phone: the policy page can't say where to object"
            }
        }
    }

    /// The remarks on a configuration.
    pub(super) fn all(facts: &ReportFacts) -> Vec<Self> {
        let settings = &facts.settings;
        let policies = facts.policies();
        let analyses = facts.analyses();
        let holds = |remark| match remark {
            Self::NotAnalysed => !analyses,
            Self::NoReceipts => analyses && settings.receipts.is_none(),
            Self::ReceiptsForEver => settings.receipts.is_some() && settings.receipts_days.is_none(),
            Self::NoDoNotAnalyse => analyses && settings.do_not_analyse.is_none(),
            Self::NoAgentNumbers => {
                analyses && !facts.outbound.is_empty() && settings.agent_numbers.is_none()
            }
            Self::NoCountry => {
                analyses && settings.do_not_analyse.is_some() && settings.numbering.country.is_none()
            }
            Self::NoTones => analyses && !settings.in_band_digits,
            Self::GivenUpstream => policies.contains(&Policy::GivenUpstream),
            Self::AnnounceElsewhere => policies.contains(&Policy::AnnounceElsewhere),
            Self::LateOptIn => analyses && settings.late_opt_in,
            Self::NoSalt => analyses && !facts.numbers_salted,
            Self::NoContact => {
                analyses && settings.operator.email.is_none() && settings.operator.phone.is_none()
            }
        };
        Self::ALL.into_iter().filter(|remark| holds(*remark)).collect()
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for Remark {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.text())
    }
}
