use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use sidetone_call::{CallKey, Cause, Side};
use sidetone_consent::{Policy, Say, Source, State, Telling};
use sidetone_events::{Bus, NumberHasher};
use sidetone_sip::anchor::{CallFact, Claims};
use sidetone_sip::{Flow, Transport};

use crate::NotOne;
use crate::{CallView, Calls, NotTaken, RoutedTo, Rules};
use sidetone_hear::{Inbox, inbox};

const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 5060);
const SOURCE: Flow = Flow { transport: Transport::Udp, local: ADDRESS, remote: ADDRESS };

/// A book with calls that wait for consent, each given by PBX and Call-ID.
fn book(calls: &[(&str, &str)]) -> (Calls, Inbox) {
    let (orders, inbox) = inbox();
    let hasher = NumberHasher::with_random_salt().unwrap();
    let book = Calls::new(Bus::new(), hasher, vec![orders], Rules::default(), Instant::now());
    for (n, (pbx, call_id)) in calls.iter().enumerate() {
        let routed = RoutedTo {
            trunk: "carrier".to_owned(),
            pbx: (*pbx).to_owned(),
            disclosure: Policy::AnnounceElsewhere,
            ..RoutedTo::default()
        };
        book.routed(call_id, SOURCE.remote, routed);
        book.fact(
            CallFact::Started {
                key: CallKey(n as u64),
                call_id: (*call_id).to_owned(),
                from_side: Side::Trunk,
                source: SOURCE,
                from: "+4930".to_owned(),
                to: "+4940".to_owned(),
                claims: Claims::default(),
                at: Duration::from_millis(n as u64),
            },
            None,
        );
    }
    (book, inbox)
}

fn states(book: &Calls) -> Vec<State> {
    let mut calls: Vec<CallView> = book.list();
    calls.sort_by_key(|call| std::cmp::Reverse(call.age_ms));
    calls.iter().map(|call| call.consent).collect()
}

const ANNOUNCED: Telling = Telling::Consent(Say::Announced);
const REFUSED: Telling = Telling::Consent(Say::Refused);

#[test]
fn a_pbx_speaks_for_its_own_calls_only() {
    let (book, _inbox) = book(&[("office", "a@x"), ("shop", "b@x")]);
    for telling in [ANNOUNCED, REFUSED, Telling::Tier("health".to_owned())] {
        book.told_by_pbx("shop", "a@x", &telling, Source::Ami);
    }
    assert_eq!(states(&book), [State::Pending, State::Pending]);
    assert_eq!(book.counters().tellings_unplaced, 3);
    book.told_by_pbx("office", "a@x", &ANNOUNCED, Source::Ami);
    assert_eq!(states(&book), [State::Given, State::Pending]);
}

#[test]
fn of_two_calls_with_one_call_id_each_pbx_means_its_own() {
    let (book, _inbox) = book(&[("office", "a@x"), ("shop", "a@x")]);
    book.told_by_pbx("shop", "a@x", &ANNOUNCED, Source::Esl);
    assert_eq!(states(&book), [State::Pending, State::Given]);
}

#[test]
fn what_one_pbx_says_of_two_of_its_calls_at_once_can_only_withdraw() {
    let (book, _inbox) = book(&[("office", "a@x"), ("office", "a@x")]);
    book.told_by_pbx("office", "a@x", &ANNOUNCED, Source::Ami);
    assert_eq!(states(&book), [State::Pending, State::Pending]);
    assert_eq!(book.counters().tellings_unplaced, 1);
    assert!(
        book.is_shared("a@x", "office") && !book.is_shared("a@x", "shop"),
        "nor is the PBX told of either"
    );
    book.told_by_pbx("office", "a@x", &REFUSED, Source::Ami);
    assert_eq!(states(&book), [State::OptedOut, State::OptedOut]);
}

#[test]
fn an_operator_has_to_say_which_of_two_calls_is_meant() {
    let (book, _inbox) = book(&[("office", "a@x"), ("shop", "a@x")]);
    let error = book.told("a@x", &REFUSED, Source::Cli).unwrap_err();
    let NotTaken::NotOne(NotOne::Several { ids, .. }) = &error else { panic!("{error}") };
    assert!(ids.len() == 2 && error.to_string().contains(&ids[0]), "{error}");
    assert!(matches!(book.find("a@x"), Err(NotOne::Several { .. })));
    assert!(matches!(book.find("elsewhere"), Err(NotOne::Unknown(_))));
    book.told(&ids[1], &REFUSED, Source::Cli).unwrap();
    assert_eq!(states(&book).iter().filter(|state| **state == State::OptedOut).count(), 1);
    assert!(
        book.play("a@x", "notice", None, vec![Side::Trunk])
            .unwrap_err()
            .to_string()
            .contains("more than one call")
    );
}

#[test]
fn a_call_id_that_looks_like_another_calls_own_id_leads_nowhere_else() {
    let (book, _inbox) = book(&[("office", "a@x")]);
    let id = book.list()[0].id.clone();
    book.fact(
        CallFact::Started {
            key: CallKey(7),
            call_id: id.clone(),
            from_side: Side::Trunk,
            source: SOURCE,
            from: String::new(),
            to: String::new(),
            claims: Claims::default(),
            at: Duration::from_millis(5),
        },
        None,
    );
    assert_eq!(book.find(&id).unwrap().sip_call_id, "a@x");
}

#[test]
fn of_a_call_that_was_refused_and_tried_again_the_second_is_meant() {
    let (book, _inbox) = book(&[("office", "a@x"), ("office", "a@x")]);
    let (status, at) = (Some(407), Duration::from_millis(9));
    book.fact(CallFact::Ended { key: CallKey(0), by: None, status, cause: Cause::Rejected, at }, None);
    assert!(!book.is_shared("a@x", "office"));
    book.told_by_pbx("office", "a@x", &ANNOUNCED, Source::Ami);
    assert_eq!(book.find("a@x").unwrap().consent, State::Given);
    assert_eq!(book.counters().tellings_unplaced, 0);
}

/// "Done" would mislead an operator into believing that the call is analysed from then on.
#[test]
fn an_operator_is_told_that_a_refusal_is_final() {
    let (book, _inbox) = book(&[("office", "a@x")]);
    book.told("a@x", &REFUSED, Source::Cli).unwrap();
    let granted = Telling::Consent(Say::Granted);
    for telling in [ANNOUNCED, granted, Telling::Analysis(true), Telling::Customer(true)] {
        let error = book.told("a@x", &telling, Source::Cli).unwrap_err();
        assert_eq!(error, NotTaken::Final(State::OptedOut), "{error}");
    }
    // Another refusal, a stop and the agent's name are taken as ever.
    for telling in
        [REFUSED, Telling::Analysis(false), Telling::Customer(false), Telling::Agent("Ada".to_owned())]
    {
        book.told("a@x", &telling, Source::Cli).unwrap();
    }
    assert_eq!(states(&book), [State::OptedOut]);
}

#[test]
fn who_was_said_to_be_no_customer_does_not_become_one() {
    let (book, _inbox) = book(&[("office", "a@x")]);
    book.told("a@x", &Telling::Customer(false), Source::Api).unwrap();
    let error = book.told("a@x", &Telling::Customer(true), Source::Api).unwrap_err();
    assert_eq!(error, NotTaken::Final(State::Excluded));
}

#[test]
fn the_end_of_an_id_names_a_call_unless_another_calls_own_call_id_is_the_same() {
    let (book, _inbox) = book(&[("office", "a@x"), ("office", "b@x")]);
    let id = book.find("b@x").unwrap().id;
    let end = &id[id.len() - 8..];
    assert_eq!(book.find(end).unwrap().id, id);
    assert_eq!(book.find(&end.to_lowercase()).unwrap().id, id);
    assert!(matches!(book.find(&id[id.len() - 5..]), Err(NotOne::Unknown(_))), "too short to be meant");
    assert!(matches!(book.find(""), Err(NotOne::Unknown(_))));
    book.fact(
        CallFact::Started {
            key: CallKey(7),
            call_id: end.to_owned(),
            from_side: Side::Trunk,
            source: SOURCE,
            from: String::new(),
            to: String::new(),
            claims: Claims::default(),
            at: Duration::from_millis(5),
        },
        None,
    );
    assert!(matches!(book.find(end), Err(NotOne::Several { .. })), "a caller can't hide another's call");
}
