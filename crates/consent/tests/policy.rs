//! Which policy applies to which call.

#![allow(clippy::unwrap_used)] // tests

use sidetone_consent::policy::{Facts, Presumed, Reason, Settings};
use sidetone_consent::{Policy, Telling};

fn settings(text: &str) -> Settings {
    toml::from_str(text).unwrap()
}

fn call() -> Facts {
    Facts {
        trunk: "carrier".into(),
        trunk_policy: Policy::GivenUpstream,
        dialled: "+4930123456".into(),
        ..Facts::default()
    }
}

const RULES: &str = r#"
    [[rules]]
    tier = "Health"
    queue = "fitness"
    policy = "opt-in"
    [[rules]]
    dialled = "+49*"
    policy = "notice"
    language = "de"
    [[rules]]
    dialled = "+33 1 23 45"
    policy = "opt-in"
    language = "fr"
    announcement = "paris"
    [[rules]]
    trunk = "CARRIER"
    queue = "billing"
    call_type = "dunning"
    policy = "never"
    [[rules]]
    queue = "sales"
    language = "es"
"#;

#[test]
fn the_first_rule_that_matches_decides() {
    let settings = settings(RULES);
    let decision = settings.decide(&call());
    assert_eq!((decision.policy, decision.reason), (Policy::Notice, Reason::Rule(1)));
    assert_eq!((decision.language.as_str(), decision.announcement.as_deref()), ("de", Some("notice")));

    for dialled in ["004930123456", "sip:+49%2030@example.org", "tel:+49-30-1;ext=2"] {
        let decision = settings.decide(&Facts { dialled: dialled.into(), ..call() });
        assert_eq!(decision.policy, Policy::Notice, "{dialled}");
    }
    let decision = settings.decide(&Facts { dialled: "+3312345".into(), ..call() });
    assert_eq!((decision.policy, decision.announcement.as_deref()), (Policy::OptIn, Some("paris")));
}

/// Whether its caller was told, or has objected, was known to a process that is no more.
#[test]
fn a_call_from_before_a_restart_is_never_analysed_whatever_a_rule_says() {
    let settings = settings(RULES);
    for facts in [call(), Facts { dialled: "+3312345".into(), ..call() }] {
        let decision = settings.decide(&Facts { resumed: true, ..facts });
        assert_eq!((decision.policy, decision.reason), (Policy::Never, Reason::Resumed));
        assert_eq!(decision.announcement, None);
    }
}

#[test]
fn every_condition_must_match() {
    let settings = settings(RULES);
    let mut facts = Facts { dialled: "+1555".into(), queue: Some("Billing".into()), ..call() };
    assert_eq!(settings.decide(&facts).reason, Reason::Trunk);
    facts.call_type = Some("dunning".into());
    assert_eq!(
        (settings.decide(&facts).policy, settings.decide(&facts).reason),
        (Policy::Never, Reason::Rule(3))
    );
    facts.trunk = "other".into();
    assert_eq!(settings.decide(&facts).policy, Policy::GivenUpstream);
}

#[test]
fn a_rule_without_a_policy_leaves_it_to_the_trunk() {
    let decision =
        settings(RULES).decide(&Facts { dialled: "100".into(), queue: Some("sales".into()), ..call() });
    assert_eq!((decision.policy, decision.reason), (Policy::GivenUpstream, Reason::Trunk));
    assert_eq!((decision.language.as_str(), decision.announcement), ("es", None));
}

#[test]
fn a_grieving_or_sick_caller_is_never_analysed_unless_a_rule_speaks_of_the_tier() {
    let settings = settings(RULES);
    for tier in ["bereavement", " Health "] {
        let decision = settings.decide(&Facts { tier: Some(tier.into()), ..call() });
        assert_eq!((decision.policy, decision.reason), (Policy::Never, Reason::Tier(tier.into())), "{tier}");
    }
    let told = Facts { tier: Some("health".into()), queue: Some("fitness".into()), ..call() };
    assert_eq!(settings.decide(&told).policy, Policy::OptIn);
    let other = Facts { tier: Some("standard".into()), ..call() };
    assert_eq!(settings.decide(&other).policy, Policy::Notice);
}

#[test]
fn only_what_a_rule_or_tier_forbids_is_binding() {
    let settings = settings(RULES);
    let terms = |facts: &Facts| settings.terms(&settings.decide(facts), false);
    let plain = Facts { dialled: "100".into(), trunk_policy: Policy::Never, ..call() };
    assert!(!terms(&plain).binding);
    assert!(terms(&Facts { tier: Some("health".into()), ..plain.clone() }).binding);
    let dunning = Facts { queue: Some("billing".into()), call_type: Some("dunning".into()), ..plain };
    assert!(terms(&dunning).binding);
}

#[test]
fn early_media_reaches_no_customer_who_is_being_called() {
    let settings = settings("early_media = true");
    let decision = settings.decide(&call());
    assert!(settings.terms(&decision, false).early);
    assert!(!settings.terms(&decision, true).early);
}

#[test]
fn what_is_told_becomes_a_fact() {
    let mut facts = call();
    assert!(facts.tell(&Telling::Queue("billing".into())));
    assert!(!facts.tell(&Telling::Queue("billing".into())));
    assert!(facts.tell(&Telling::Language("fr".into())));
    assert!(!facts.tell(&Telling::Agent("7".into())));
    assert_eq!(settings(RULES).decide(&facts).language, "fr");
}

#[test]
fn the_defaults_are_what_an_empty_table_means() {
    let settings = settings("");
    assert_eq!(settings, Settings::default());
    assert_eq!((settings.opt_out_digit, settings.opt_in_digit), ('9', '1'));
    assert!(settings.faults(&[]).is_empty());
    assert!(toml::from_str::<Settings>("optout_digit = '8'").is_err());
    let written = toml::to_string(&self::settings(RULES)).unwrap();
    assert_eq!(self::settings(&written), self::settings(RULES));
}

#[test]
fn what_is_wrong_is_named_with_its_key() {
    let faults = |text: &str| -> Vec<(String, bool)> {
        settings(text).faults(&["carrier"]).into_iter().map(|fault| (fault.key, fault.fatal)).collect()
    };
    let one = |key: &str, fatal| vec![(key.to_owned(), fatal)];
    assert_eq!(faults("opt_out_digit = 'x'"), one("consent.opt_out_digit", true));
    assert_eq!(faults("opt_out_digit = '1'"), one("consent.opt_in_digit", true));
    assert_eq!(faults("language = '../x'"), one("consent.language", true));
    assert_eq!(faults("receipts_days = 30"), one("consent.receipts_days", false));
    assert_eq!(faults("numbering.country = '+49'"), one("consent.numbering", true));
    assert_eq!(faults("[[rules]]\ntrunk = 'carier'\npolicy = 'never'"), one("consent.rules.0.trunk", true));
    assert_eq!(faults("[[rules]]\nqueue = 'sales'"), one("consent.rules.0", true));
    assert_eq!(
        faults("[[rules]]\npolicy = 'never'\n[[rules]]\nqueue = 'sales'\npolicy = 'notice'"),
        one("consent.rules.1", false)
    );
    assert_eq!(
        faults("[[rules]]\nqueue = 'a'\npolicy = 'never'\nannouncement = 'x'"),
        one("consent.rules.0.announcement", false)
    );
    assert!(toml::from_str::<Settings>("[[rules]]\ndialled = ''\npolicy = 'never'").is_err());
}

/// Who is taken for a customer, before and after somebody says.
#[test]
fn nobody_is_listened_to_who_may_be_an_agent() {
    let settings = settings(RULES);
    let reason = |presumed, customer: &[bool]| {
        let mut facts = Facts { presumed, ..call() };
        for customer in customer {
            facts.tell(&Telling::Customer(*customer));
        }
        let decision = settings.decide(&facts);
        let binding = settings.terms(&decision, true).binding;
        assert_eq!(decision.policy == Policy::Never, decision.reason != Reason::Rule(1), "{decision:?}");
        (decision.reason, binding)
    };
    let allowed = (Reason::Rule(1), false);
    let no = (Reason::NoCustomer, true);
    assert_eq!(reason(Presumed::Customer, &[]), allowed);
    assert_eq!(reason(Presumed::Dialled, &[]), (Reason::Outbound, false));
    assert_eq!(reason(Presumed::Diverted, &[]), (Reason::Diverted, false));
    for presumed in [Presumed::Customer, Presumed::Dialled, Presumed::Diverted] {
        assert_eq!(reason(presumed, &[true]), allowed);
        assert_eq!(reason(presumed, &[true, false]), no);
        assert_eq!(reason(presumed, &[false, true]), no, "who is no customer does not become one");
    }
    for customer in [&[][..], &[true], &[false]] {
        assert_eq!(reason(Presumed::Agent, customer), (Reason::AgentNumber, true));
    }
}
