//! The report's terms, on paper and on screens alike.

use super::Subject;
use crate::Policy;
use crate::policy::Rule;

pub(super) const DISCLAIMER: &str = "This states what the program does. It is no legal advice.";

/// For outbound calls that are analysed without the PBX's statement.
pub(super) const OUTBOUND: &str = "whom they reach is taken for a customer";

pub(super) fn policy(policy: Policy) -> &'static str {
    match policy {
        Policy::Never => "never analysed",
        Policy::GivenUpstream => "told before the call gets here (given-upstream)",
        Policy::Notice => "told by Sidetone, may refuse (notice)",
        Policy::OptIn => "asked by Sidetone, must agree (opt-in)",
        Policy::AnnounceElsewhere => "told by the PBX (announce-elsewhere)",
    }
}

/// A rule's effect on its calls.
pub(super) fn ruled(rule: &Rule) -> &'static str {
    rule.policy.map_or("as the trunk says", policy)
}

/// The conditions of a rule.
pub(super) fn conditions(rule: &Rule) -> String {
    let conditions: Vec<String> = [
        ("trunk", rule.trunk.clone()),
        ("dialled", rule.dialled.as_ref().map(ToString::to_string)),
        ("queue", rule.queue.clone()),
        ("tier", rule.tier.clone()),
        ("call type", rule.call_type.clone()),
    ]
    .into_iter()
    .filter_map(|(what, is)| is.map(|is| format!("{what} {is}")))
    .collect();
    if conditions.is_empty() { "every call".to_owned() } else { conditions.join(", ") }
}

pub(super) fn subject(subject: Subject) -> &'static str {
    match subject {
        Subject::Customer => "customer",
        Subject::Agent => "agent",
        Subject::Both => "both sides",
    }
}

pub(super) fn in_use(active: bool) -> &'static str {
    if active { "in use" } else { "not in use" }
}

pub(super) fn yes(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
