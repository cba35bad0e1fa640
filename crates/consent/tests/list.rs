//! Numbers that are never analysed.

#![allow(clippy::unwrap_used)] // tests

mod common;

use std::fs;

use common::moment;
use proptest::prelude::*;
use sidetone_consent::Moment;
use sidetone_consent::list::{List, ListError, Lookup};
use sidetone_consent::numbering::Numbering;

fn now() -> Moment {
    moment("2026-11-23T08:00:00Z")
}

fn german() -> Numbering {
    Numbering { country: Some("49".into()), ..Numbering::default() }
}

fn american() -> Numbering {
    Numbering { country: Some("1".into()), national_prefix: "1".into(), international_prefix: "011".into() }
}

fn italian() -> Numbering {
    Numbering { country: Some("39".into()), national_prefix: String::new(), ..Numbering::default() }
}

/// Whether `asked` is listed once `entered` is.
fn matches(numbering: &Numbering, entered: &str, asked: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let (mut list, _) = List::open_or_begin(&path, None, numbering).unwrap();
    assert!(list.exclude(entered, now()).unwrap());
    List::open(&path, None, numbering).unwrap().look_up(asked) == Lookup::Listed
}

#[test]
fn one_number_is_one_however_it_is_written() {
    let unknown = Numbering::default();
    for written in [
        "+49 (30) 1234-567",
        "0049301234567",
        "tel:+49-30-1234567;ext=2",
        "sip:%2B49301234567@carrier.example;user=phone",
        "49301234567",
    ] {
        for numbering in [&unknown, &german()] {
            assert!(matches(numbering, "+49301234567", written), "{written}");
            assert!(matches(numbering, written, "+49301234567"), "{written}");
        }
    }
    for written in ["0301234567", "030/1234567", "301234567"] {
        assert!(matches(&german(), "+49301234567", written), "{written}");
        assert!(!matches(&unknown, "+49301234567", written), "{written}");
    }
    assert!(matches(&german(), "030 1234567", "+49301234567"));
    assert!(matches(&german(), "030 1234567", "0301234567"));
    assert!(!matches(&german(), "+49301234567", "+49301234568"));
    assert!(!matches(&german(), "+49301234567", "+43301234567"));
}

#[test]
fn other_plans_are_read_their_own_way() {
    for written in ["(212) 555-0123", "1-212-555-0123", "12125550123", "011 1 212 555 0123"] {
        assert!(matches(&american(), "+12125550123", written), "{written}");
        assert!(matches(&american(), written, "+12125550123"), "{written}");
    }
    for written in ["06 1234567", "061234567", "0039061234567"] {
        assert!(matches(&italian(), "+39061234567", written), "{written}");
        assert!(matches(&italian(), written, "+39061234567"), "{written}");
    }
}

#[test]
fn extensions_and_names_are_what_they_are() {
    assert!(matches(&german(), "1001", "sip:1001@pbx.example"));
    assert!(!matches(&german(), "1001", "0049491001"));
    assert!(matches(&german(), "sip:Alice@here.example", "sip:alice@example.org"));
    assert!(!matches(&german(), "sip:alice@here.example", "bob"));
}

#[test]
fn who_withholds_a_number_cannot_be_looked_up() {
    let folder = tempfile::tempdir().unwrap();
    let (mut list, begun) = List::open_or_begin(&folder.path().join("list"), None, &german()).unwrap();
    assert!(begun && list.is_empty());
    for withheld in ["", "anonymous", "sip:Anonymous@anonymous.invalid", "tel:", "  "] {
        assert_eq!(list.look_up(withheld), Lookup::Withheld, "{withheld}");
        assert!(matches!(list.exclude(withheld, now()), Err(ListError::NoNumber(_))), "{withheld}");
    }
    assert_eq!(list.look_up("+49301234567"), Lookup::NotListed);
}

#[test]
fn a_slip_of_the_keyboard_is_not_listed() {
    let folder = tempfile::tempdir().unwrap();
    let (mut list, _) = List::open_or_begin(&folder.path().join("list"), None, &german()).unwrap();
    for slip in
        ["abc", "alice", "+49abc", "++49301234567", "+", "+49", "+493012345671234567", "0301234567x", "49,30"]
    {
        let error = list.exclude(slip, now()).unwrap_err();
        assert!(matches!(error, ListError::NoTelephone(_)), "{slip}");
        assert!(error.to_string().contains("+49301234567"), "the error shows how: {error}");
    }
    assert!(list.is_empty());
    // What stands on a list may be asked for and taken off in any way.
    assert!(!list.include("alice").unwrap());
}

#[test]
fn numbers_go_on_and_off_and_a_running_list_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let (mut list, _) = List::open_or_begin(&path, None, &german()).unwrap();
    let mut running = List::open(&path, None, &german()).unwrap();
    assert!(list.exclude("0301234567", now()).unwrap());
    assert!(!list.exclude("+49 30 1234567", now()).unwrap());
    assert_eq!(running.look_up("+49301234567"), Lookup::NotListed);
    running.reload(None).unwrap();
    assert_eq!(running.look_up("+49301234567"), Lookup::Listed);
    assert!(list.include("0049301234567").unwrap());
    assert!(!list.include("0049301234567").unwrap());
    running.reload(None).unwrap();
    assert_eq!(running.look_up("+49301234567"), Lookup::NotListed);
    // A file that has gone bad changes nothing.
    list.exclude("+49301234567", now()).unwrap();
    running.reload(None).unwrap();
    fs::write(&path, "nonsense").unwrap();
    assert!(running.reload(None).is_err());
    assert_eq!(running.look_up("+49301234567"), Lookup::Listed);
}

#[test]
fn no_number_stands_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let (mut list, _) = List::open_or_begin(&path, None, &german()).unwrap();
    list.exclude("+49301234567", now()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert!(!text.contains("1234567") && text.contains("2026-11-23"), "{text}");
    assert!(!format!("{list:?}").contains("1234567"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
    }
}

#[test]
fn a_list_made_with_the_operators_salt_is_useless_without_it_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    let (mut list, _) = List::open_or_begin(&path, Some(b"the operator's salt"), &german()).unwrap();
    list.exclude("+49301234567", now()).unwrap();
    let open = |key: Option<&[u8]>| List::open(&path, key, &german());
    assert_eq!(open(Some(b"the operator's salt")).unwrap().look_up("0301234567"), Lookup::Listed);
    assert!(matches!(open(None), Err(ListError::NeedsKey(_))));
    assert!(matches!(open(Some(b"another salt")), Err(ListError::OtherKey(_))));
    // The other way round the key doesn't matter.
    let plain = folder.path().join("plain");
    List::open_or_begin(&plain, None, &german()).unwrap().0.exclude("0301234567", now()).unwrap();
    assert_eq!(
        List::open(&plain, Some(b"the operator's salt"), &german()).unwrap().look_up("0301234567"),
        Lookup::Listed
    );
}

#[test]
fn a_plain_number_in_the_file_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("list");
    List::open_or_begin(&path, None, &german()).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{text}# by hand\n\n+49301234567\n")).unwrap();
    let error = List::open(&path, None, &german()).unwrap_err().to_string();
    assert!(error.contains("list:4: is no hashed number"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))] // each writes files

    /// Whatever a caller's number says, it is looked up in peace; and what was listed is found as it was written.
    #[test]
    fn any_text_is_looked_up(number in "\\PC{0,40}", other in "[+0-9 ()-]{0,20}") {
        let folder = tempfile::tempdir().unwrap();
        for numbering in [Numbering::default(), german(), american(), italian()] {
            let path = folder.path().join(format!("{:?}", numbering.country));
            let (mut list, _) = List::open_or_begin(&path, None, &numbering).unwrap();
            for text in [&number, &other] {
                if list.look_up(text) != Lookup::Withheld {
                    if list.exclude(text, now()).is_err() {
                        prop_assert_eq!(list.look_up(text), Lookup::NotListed);
                        continue;
                    }
                    prop_assert_eq!(list.look_up(text), Lookup::Listed);
                    prop_assert!(list.include(text).unwrap());
                }
            }
        }
    }
}
