//! Writes the policy page of an imagined operator in every language, to be looked at in a browser.
//!
//! `cargo run -p sidetone-consent --example policy_page -- FOLDER`

use std::path::PathBuf;

use sidetone_consent::page::{Language, Operator, PageFacts, Sink, Words, render};
use sidetone_consent::{Moment, Policy};

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| ".".into()));
    let facts = PageFacts {
        operator: Operator {
            name: Some("Example Insurance Ltd".to_owned()),
            address: Some("1 Example Street, Dublin 2, Ireland".to_owned()),
            email: Some("privacy@example.org".to_owned()),
            phone: Some("+353 1 555 0100".to_owned()),
            privacy_url: Some("https://www.example.org/privacy".to_owned()),
            authority: Some("Data Protection Commission, Dublin".to_owned()),
        },
        words: Words::default(),
        agents_words: false,
        policies: vec![Policy::Notice, Policy::OptIn, Policy::Never],
        opt_out_digit: '9',
        opt_in_digit: '1',
        never_tiers: vec!["bereavement".to_owned(), "health".to_owned()],
        has_list: true,
        exclude_withheld: false,
        has_receipts: true,
        receipts_days: Some(1095),
        sinks: vec![Sink::PhoneSystem, Sink::Screens, Sink::Metrics],
        build: "sidetone 0.1.0".to_owned(),
        model: Some(("open".to_owned(), "5f8a".repeat(16))),
        made: Moment::from_unix_millis(1_795_392_000_000),
    };
    for language in Language::ALL {
        std::fs::write(folder.join(format!("policy-{}.html", language.tag())), render(&facts, language))?;
    }
    Ok(())
}
