//! The compliance report states what is so, and what somebody should look at.

#![allow(clippy::unwrap_used)] // tests

mod common;

use common::moment;
use sidetone_consent::Policy;

use sidetone_consent::report::{ModelFacts, Report, ReportFacts, SinkFacts, Subject};

fn facts(settings: &str) -> ReportFacts {
    ReportFacts {
        build: "sidetone 0.1.0".into(),
        program_sha256: Some("12".repeat(32)),
        made: moment("2026-11-23T08:00:00Z"),
        settings: toml::from_str(settings).unwrap(),
        trunks: vec![("carrier".into(), Policy::Notice), ("old".into(), Policy::Never)],
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
    assert_eq!(report.paths.iter().filter(|path| path.about == Subject::Agent).count(), 1);
}

#[test]
fn what_is_missing_is_remarked() {
    let remarks = Report::new(&facts("late_opt_in = true\nin_band_digits = false")).remarks.join("\n");
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
