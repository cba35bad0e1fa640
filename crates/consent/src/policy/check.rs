//! Faults of settings that parse.

use crate::language::is_language;
use sidetone_insight::did_you_mean;

use super::Settings;
use crate::Policy;

/// One fault: its key, the problem and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, as `consent.rules.0.language`: tables by name, list entries by number.
    pub key: String,
    /// The problem and the remedy.
    pub problem: String,
    /// Whether Sidetone can't run with it.
    pub fatal: bool,
}

impl Fault {
    fn fatal(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into(), fatal: true }
    }

    fn warning(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), problem: problem.into(), fatal: false }
    }
}

impl Settings {
    /// All faults of the table. `trunks` are the names of the configured ones.
    #[must_use]
    pub fn faults(&self, trunks: &[&str]) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (key, digit) in [("opt_out_digit", self.opt_out_digit), ("opt_in_digit", self.opt_in_digit)] {
            if !matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D' | 'a'..='d') {
                faults.push(Fault::fatal(
                    format!("consent.{key}"),
                    format!("`{digit}` is no key of a telephone; write one of 0 to 9, * or #"),
                ));
            }
        }
        if self.opt_out_digit.eq_ignore_ascii_case(&self.opt_in_digit) {
            faults.push(Fault::fatal("consent.opt_in_digit", "is the opt_out_digit too; they must differ"));
        }
        if !is_language(&self.language) {
            faults.push(no_language("consent.language", &self.language));
        }
        if self.receipts_days == Some(0) {
            faults.push(Fault::fatal("consent.receipts_days", "is 0; leave out `receipts` to keep none"));
        }
        if self.receipts_days.is_some() && self.receipts.is_none() {
            faults.push(Fault::warning(
                "consent.receipts_days",
                "has no effect: without `receipts` none are kept",
            ));
        }
        if self.agent_numbers.is_some() && self.agent_numbers == self.do_not_analyse {
            faults.push(Fault::fatal(
                "consent.agent_numbers",
                "is the file of do_not_analyse too; give the agents' numbers a file of their own",
            ));
        }
        if let Some(problem) = self.numbering.problem() {
            faults.push(Fault::fatal("consent.numbering", problem));
        }
        self.rule_faults(trunks, &mut faults);
        faults
    }

    fn rule_faults(&self, trunks: &[&str], faults: &mut Vec<Fault>) {
        let mut all_match = None;
        for (index, rule) in self.rules.iter().enumerate() {
            let key = |name: &str| format!("consent.rules.{index}.{name}");
            if let Some(earlier) = all_match {
                faults.push(Fault::warning(
                    format!("consent.rules.{index}"),
                    format!(
                        "is never reached: consent.rules #{} has no condition and matches every call",
                        earlier + 1
                    ),
                ));
            }
            if !rule.has_condition() {
                all_match = all_match.or(Some(index));
            }
            if let Some(trunk) = rule.trunk.as_deref()
                && !trunks.iter().any(|known| super::matching::same_name(known, trunk))
            {
                faults.push(Fault::fatal(
                    key("trunk"),
                    format!("`{trunk}` is no trunk; {}", did_you_mean(trunk, trunks.iter().copied())),
                ));
            }
            if rule.policy.is_none() && rule.language.is_none() && rule.announcement.is_none() {
                faults.push(Fault::fatal(
                    format!("consent.rules.{index}"),
                    "says nothing; give policy, language or announcement",
                ));
            }
            if let Some(language) = rule.language.as_deref().filter(|language| !is_language(language)) {
                faults.push(no_language(&key("language"), language));
            }
            let silent = matches!(
                rule.policy,
                Some(Policy::Never | Policy::GivenUpstream | Policy::AnnounceElsewhere)
            );
            if silent && rule.announcement.is_some() {
                faults.push(Fault::warning(
                    key("announcement"),
                    "is never played: under this policy Sidetone announces nothing",
                ));
            }
        }
    }
}

fn no_language(key: &str, language: &str) -> Fault {
    Fault::fatal(key, format!("`{language}` is no language tag; write for example en or de-AT"))
}
