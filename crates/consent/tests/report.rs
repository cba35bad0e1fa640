//! The compliance report states what is so, and what somebody should look at.

#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{moment, well_formed};
use proptest::prelude::*;
use serde_json::Value;
use sidetone_consent::Policy;

use sidetone_consent::report::{ModelFacts, Report, ReportFacts, SinkFacts, Subject};

fn facts(settings: &str) -> ReportFacts {
    ReportFacts {
        build: "sidetone 0.1.0".into(),
        program_sha256: Some("12".repeat(32)),
        made: moment("2026-11-23T08:00:00Z"),
        settings: toml::from_str(settings).unwrap(),
        trunks: vec![("carrier".into(), Policy::Notice), ("old".into(), Policy::Never)],
        outbound: Vec::new(),
        model: Some(ModelFacts {
            name: "open".into(),
            sha256: "ab".repeat(32),
            card_sha256: "cd".repeat(32),
            licence: "CC0-1.0".into(),
            parameters: 105_000,
        }),
        sinks: vec![SinkFacts {
            key: "events.webhook.0".into(),
            what: "https://crm.example.org".into(),
            kept: "by the receiver".into(),
        }],
        numbers_salted: true,
    }
}

const GOOD: &str = r#"
    receipts = "/var/lib/sidetone/receipts"
    receipts_days = 1095
    do_not_analyse = "/var/lib/sidetone/list"
    numbering.country = "49"
    operator.email = "privacy@example.org"
"#;

/// The remarks, one a line.
fn said(report: &Report) -> String {
    report.remarks.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_good_configuration_needs_no_remark() {
    let report = Report::new(&facts(GOOD));
    assert!(report.remarks.is_empty(), "{:?}", report.remarks);
    let text = report.to_string();
    let (program, weights) = ("12".repeat(32), "ab".repeat(32));
    for said in [
        "customer-voice-affect (customer, in use)",
        "the whole announcement was heard",
        "SHA-256 ",
        &program,
        &weights,
        "1095 days",
        "events in events.webhook.0: by the receiver",
        "trunk old: never analysed",
        "tiers never analysed: bereavement, health",
    ] {
        assert!(text.contains(said), "{said}\n{text}");
    }
}

#[test]
fn no_path_recognises_an_agents_emotion() {
    let report = Report::new(&facts(GOOD));
    for path in &report.paths {
        assert!(!path.recognises_emotion || path.about == Subject::Customer, "{}", path.name);
        assert!(!path.gate.is_empty() && !path.law.is_empty());
    }
    let of_agents: Vec<_> = report.paths.iter().filter(|path| path.about == Subject::Agent).collect();
    let in_use: Vec<_> = of_agents.iter().filter(|path| path.active).map(|path| path.name).collect();
    assert_eq!((of_agents.len(), in_use), (3, vec!["agent-conduct", "agent-cues"]));
}

/// Whether agents who are reached over the trunk are left out is what a works council asks first.
#[test]
fn it_says_how_agents_over_the_trunk_are_left_out() {
    let mut facts = facts(GOOD);
    facts.outbound = vec!["carrier".into()];
    let report = Report::new(&facts);
    let remarks = said(&report);
    assert!(remarks.contains("consent.agent_numbers"), "{remarks}");
    assert!(report.to_string().contains("calls out by carrier: whom they reach is taken for a customer"));
    facts.settings.agent_numbers = Some("/var/lib/sidetone/agents".into());
    let report = Report::new(&facts);
    assert!(report.remarks.is_empty(), "{:?}", report.remarks);
    assert!(report.paths.iter().any(|path| path.name == "agent-number-look-up" && path.active));
    assert!(report.retention.iter().any(|kept| kept.at == "/var/lib/sidetone/agents"));
}

#[test]
fn what_is_missing_is_remarked() {
    let remarks = said(&Report::new(&facts("late_opt_in = true\nin_band_digits = false")));
    for said in ["no receipts", "no do-not-analyse list", "by their tones", "late_opt_in", "where to object"]
    {
        assert!(remarks.contains(said), "{said}: {remarks}");
    }
}

#[test]
fn nothing_is_in_use_where_nothing_is_analysed() {
    let mut silent = facts(GOOD);
    silent.trunks = vec![("carrier".into(), Policy::Never)];
    let report = Report::new(&silent);
    let active: Vec<_> = report.paths.iter().filter(|path| path.active).map(|path| path.name).collect();
    assert_eq!(active, ["stream-quality"]);
    let mut deaf = facts(GOOD);
    deaf.model = None;
    assert!(Report::new(&deaf).paths.iter().filter(|path| path.recognises_emotion).all(|path| !path.active));
}

#[test]
fn it_can_be_read_by_machines() {
    let value = serde_json::to_value(Report::new(&facts(GOOD))).unwrap();
    assert_eq!(value["version"], 1);
    assert_eq!(value["paths"][0]["name"], "customer-voice-affect");
    assert_eq!(value["trunks"][0]["policy"], "notice");
    assert_eq!(value["model"]["sha256"], "ab".repeat(32));
}

const RULED: &str = r#"
    receipts = "/var/lib/sidetone/receipts"
    [[rules]]
    dialled = "+33*"
    queue = "surveys"
    policy = "opt-in"
    [[rules]]
    language = "es"
"#;

/// The texts in a value, however deep.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(all) => all.iter().flat_map(texts).collect(),
        Value::Object(all) => all.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn unescaped(page: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(page.to_owned(), |page, (entity, c)| page.replace(entity, c))
}

#[test]
fn the_page_leaves_nothing_out() {
    for settings in [GOOD, RULED, ""] {
        let report = Report::new(&facts(settings));
        let page = report.to_html();
        well_formed(&page).unwrap();
        let page = unescaped(page.split("</style>").nth(1).unwrap());
        let value = serde_json::to_value(&report).unwrap();
        // The languages of announcements are nothing that compliance asks for, on paper either.
        for text in texts(&value).into_iter().filter(|text| *text != "es") {
            assert!(page.contains(text), "{text}\n{page}");
        }
        assert!(page.contains("105000 parameters") && page.contains("no legal advice"));
    }
    let page = Report::new(&facts(RULED)).to_html();
    for said in ["Rule 0: dialled +33*, queue surveys", "Rule 1: every call", "To be looked at"] {
        assert!(page.contains(said), "{said}");
    }
    assert!(!Report::new(&facts(GOOD)).to_html().contains("To be looked at"));
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let page = Report::new(&facts(GOOD)).to_html();
    for foreign in ["<script", "src=", "@import", "url(", "<link", "onload", "javascript:"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

proptest! {
    /// Whatever things are called, the page stays a page.
    #[test]
    fn every_text_of_the_page_is_escaped(text in "[<>&\"'a-z/={}\\PC]{1,40}") {
        let hostile = format!("<script>{text}</script>\"><img src=x onerror='{text}'>");
        let mut facts = facts(RULED);
        facts.build = hostile.clone();
        facts.trunks = vec![(hostile.clone(), Policy::Notice)];
        facts.program_sha256 = Some(hostile.clone());
        facts.settings.never_tiers = vec![hostile.clone()];
        facts.settings.rules[0].queue = Some(hostile.clone());
        facts.settings.receipts = Some(hostile.clone().into());
        facts.outbound = vec![hostile.clone()];
        facts.sinks[0].key = hostile;
        let page = Report::new(&facts).to_html();
        prop_assert!(well_formed(&page).is_ok(), "{:?}", well_formed(&page));
        prop_assert!(!page.contains("<script") && !page.contains("<img"));
    }
}
