//! Receipts to try things with.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // shared by several test files

use sidetone_consent::machine::Recording;
use sidetone_consent::policy::Reason;
use sidetone_consent::{Action, Input, Machine, Medium, Moment, Policy, Receipt, Terms};
use std::time::Duration;

pub fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}

/// The receipt of a call that ended at `ended`: told, then refused by a key.
pub fn receipt(call: &str, ended: &str) -> Receipt {
    let ended = moment(ended);
    let terms = Terms {
        policy: Policy::Notice,
        binding: false,
        opt_out_digit: '9',
        opt_in_digit: '1',
        patience: Duration::from_secs(10),
        early: false,
        late_opt_in: false,
    };
    let at = Duration::from_millis;
    let mut machine = Machine::new(terms, at(0));
    machine.input(at(2_100), Input::Answered);
    assert_eq!(machine.poll(), Some(Action::Announce));
    machine.recording(Recording { name: "notice".into(), language: "en".into(), sha256: "ab".repeat(32) });
    machine.input(at(2_140), Input::AnnouncementBegan);
    machine.input(at(11_140), Input::AnnouncementEnded { whole: true });
    machine.input(at(31_000), Input::Digit { digit: '9', medium: Medium::TelephoneEvent });
    machine.input(at(60_000), Input::Ended);
    Receipt {
        call: call.to_owned(),
        started: Moment::from_unix_millis(ended.unix_millis() - 60_000),
        ended,
        to_customer: false,
        customer: Some("0123456789abcdef01234567".parse().unwrap()),
        dialled: None,
        trunk: "carrier".to_owned(),
        queue: Some("billing".to_owned()),
        tier: None,
        call_type: None,
        reason: Reason::Rule(0),
        lawful_basis: None,
        record: machine.record(),
        node: None,
        build: "sidetone 0.1.0".to_owned(),
        model: Some("cd".repeat(32)),
    }
}

/// Whether each tag that is opened is closed, in order.
pub fn well_formed(page: &str) -> Result<(), String> {
    let mut open = Vec::new();
    for tag in page.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        let name = tag.split([' ', '\n']).next().unwrap();
        if let Some(name) = name.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes nothing"));
            }
        } else if !matches!(name, "!doctype" | "meta" | "br") {
            open.push(name);
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("open: {open:?}")) }
}
