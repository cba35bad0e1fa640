//! The page that callers may read.

#![allow(clippy::unwrap_used)] // tests

mod common;

use common::{moment, well_formed};
use proptest::prelude::*;
use sidetone_consent::Policy;
use sidetone_consent::page::{Language, Operator, PageFacts, Sink, Words, render};

fn facts() -> PageFacts {
    PageFacts {
        operator: Operator {
            name: Some("Example Insurance Ltd".into()),
            address: Some("1 Example Street, Dublin".into()),
            email: Some("privacy@example.org".into()),
            phone: Some("+353 1 555 0100".into()),
            privacy_url: Some("https://example.org/privacy".into()),
            authority: Some("Data Protection Commission, Dublin".into()),
        },
        words: Words::default(),
        agents_words: false,
        policies: vec![Policy::Notice, Policy::OptIn],
        opt_out_digit: '9',
        opt_in_digit: '1',
        never_tiers: vec!["bereavement".into(), "health".into(), "Kulanz".into()],
        has_list: true,
        exclude_withheld: true,
        has_receipts: true,
        receipts_days: Some(1095),
        sinks: vec![
            Sink::Metrics,
            Sink::PhoneSystem,
            Sink::Webhook("crm.example.org".into()),
            Sink::PhoneSystem,
        ],
        build: "sidetone 0.1.0".into(),
        model: Some(("open-2".into(), "ab".repeat(32))),
        made: moment("2026-11-23T08:00:00Z"),
    }
}

#[test]
fn every_language_says_everything() {
    let english = render(&facts(), Language::English);
    let shape = |page: &str| -> Vec<usize> {
        ["<h2>", "<li>", "<p>", "<tr>", "<a "].iter().map(|tag| page.matches(tag).count()).collect()
    };
    for language in Language::ALL {
        let page = render(&facts(), language);
        well_formed(&page).unwrap();
        assert!(page.contains(&format!("<html lang=\"{}\">", language.tag())));
        assert_eq!(shape(&page), shape(&english), "{language:?}");
        let text = page.split("</style>").nth(1).unwrap();
        assert!(!text.contains('{') && !text.contains('}'), "{language:?}: a place that was not filled");
        for fact in [
            "Example Insurance Ltd",
            "privacy@example.org",
            "href=\"tel:+35315550100\"",
            "1095",
            "crm.example.org",
            "Kulanz",
            "sidetone 0.1.0",
            "2026-11-23",
            "abababababababab…",
        ] {
            assert!(page.contains(fact), "{language:?}: {fact}");
        }
        assert!(page.contains("\u{a0}9"), "{language:?}: the key, on the line of the word before it");
    }
}

#[test]
fn where_words_are_recognised_it_says_so_and_no_longer_the_contrary() {
    for language in Language::ALL {
        let with = |words| render(&PageFacts { words, ..facts() }, language);
        let count = |page: &str| ["<li>", "<p>", "<tr>"].map(|tag| page.matches(tag).count());
        let [items, paragraphs, rows] = count(&with(Words::Unheard));
        for words in [Words::Forgotten, Words::Kept] {
            assert_eq!(count(&with(words)), [items - 1, paragraphs + 1, rows + 1], "{language:?} {words:?}");
        }
        assert_ne!(with(Words::Forgotten), with(Words::Kept));
        let agents = PageFacts { words: Words::Kept, agents_words: true, ..facts() };
        assert_ne!(render(&agents, language), with(Words::Kept), "what is taken of staff");
        assert_eq!(count(&render(&agents, language)), count(&with(Words::Kept)));
    }
    let english = |words| render(&PageFacts { words, ..facts() }, Language::English);
    assert!(english(Words::Unheard).contains("does not listen to what the words mean"));
    assert!(!english(Words::Kept).contains("does not listen to what the words mean"));
}

#[test]
fn it_needs_nothing_from_elsewhere() {
    for language in Language::ALL {
        let page = render(&facts(), language);
        for foreign in ["<script", "src=", "@import", "url(", "<link", "onload", "javascript:"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
    }
}

#[test]
fn it_says_only_what_is_so() {
    let page = |facts: &PageFacts| render(facts, Language::English);
    let all = page(&facts());
    let mut less = facts();
    less.policies = vec![Policy::GivenUpstream];
    less.has_list = false;
    less.has_receipts = false;
    less.exclude_withheld = false;
    less.never_tiers.clear();
    less.sinks = vec![Sink::Screens];
    less.model = None;
    let less = page(&less);
    for said in [
        "an announcement asks you",
        "an announcement at the start of the call tells you",
        "never to analyse calls from your number",
        "withheld numbers",
        "receipt of your answer",
        "Calls about: bereavement, health, Kulanz",
        "crm.example.org",
        "Model:",
    ] {
        assert!(all.contains(said), "{said}");
        assert!(!less.contains(said), "{said}");
    }
    assert!(less.contains("before we take your call") && less.contains("on their screens"));

    let mut none = facts();
    none.policies = vec![Policy::Never];
    let none = page(&none);
    assert!(none.contains("no call is analysed") && !none.contains("Press\u{a0}9"));
    well_formed(&none).unwrap();

    let mut nobody = facts();
    nobody.operator = Operator::default();
    let nobody = page(&nobody);
    assert!(nobody.contains("When you talk to us on the telephone"));
    assert!(nobody.contains("the website that led you here"));
}

#[test]
fn a_language_is_chosen_by_what_is_asked_or_liked() {
    let choose = |asked, accepted| Language::choose(asked, accepted, Language::Italian);
    assert_eq!(choose(Some("de"), Some("fr")), Language::German);
    assert_eq!(choose(Some("de-AT"), None), Language::German);
    assert_eq!(choose(Some("tlh"), Some("fr-CH, fr;q=0.9, en;q=0.8")), Language::French);
    assert_eq!(choose(None, Some("ja, en;q=0.3, es;q=0.7")), Language::Spanish);
    assert_eq!(choose(None, Some("en;q=0, PT-br;q=0.1")), Language::Portuguese);
    assert_eq!(choose(None, Some("*;q=0.5,;,q=,en;q=x")), Language::English);
    assert_eq!(choose(None, Some("ja")), Language::Italian);
    assert_eq!(choose(None, None), Language::Italian);
}

#[test]
fn only_a_web_address_becomes_a_link() {
    let mut facts = facts();
    facts.operator.privacy_url = Some("javascript:alert(1)".into());
    let page = render(&facts, Language::English);
    assert!(!page.contains("href=\"javascript"), "shown, not linked");
}

proptest! {
    /// Whatever an operator is called, the page stays a page.
    #[test]
    fn every_text_is_escaped(text in "[<>&\"'a-z/={}\\PC]{1,40}", digit in any::<char>()) {
        let hostile = format!("<script>{text}</script>\"><img src=x onerror='{text}'>");
        let mut facts = facts();
        let Operator { name, address, email, phone, privacy_url, authority } = &mut facts.operator;
        for field in [name, address, email, phone, privacy_url, authority] {
            *field = Some(hostile.clone());
        }
        facts.opt_out_digit = digit;
        facts.never_tiers = vec![hostile.clone()];
        facts.sinks = vec![Sink::Webhook(hostile.clone())];
        facts.build = hostile.clone();
        facts.model = Some((hostile.clone(), hostile));
        for language in Language::ALL {
            let page = render(&facts, language);
            prop_assert!(well_formed(&page).is_ok(), "{:?}", well_formed(&page));
            prop_assert!(!page.contains("<script") && !page.contains("<img"));
            prop_assert_eq!(page.matches("<html").count(), 1);
        }
    }
}
