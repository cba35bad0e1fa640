//! Two announcements are never heard at once, whoever wants them.

use super::{
    Case, assert_one_stream, assert_told_once, id, payloads, phases, states, talk, told, until_announcing,
    until_state,
};

#[test]
fn who_announces_while_one_plays_is_turned_away() {
    let (mut call, folder, notice) = Case { seconds: 3.0, ..Case::default() }.answered();
    let other = payloads(&folder.path().join("other.wav"));
    until_announcing(&call);
    let mut arrived = talk(&mut call, 20).at_a;
    for to in ["customer", "both"] {
        let refused =
            call.sidetone.try_command(&["announce", &id(&call), "other", "--to", to]).unwrap_err().stderr;
        assert!(refused.contains("two are never heard at once"), "{refused}");
    }
    arrived.extend(talk(&mut call, 180).at_a);
    assert_one_stream(&arrived);
    assert_told_once(&arrived, &notice);
    assert_eq!(told(&arrived, &other), 0);
    // When it is over there is room for the next one.
    until_state(&call, "given", "policy");
    call.sidetone.command(&["announce", &id(&call), "other"]);
    arrived.extend(talk(&mut call, 220).at_a);
    assert_one_stream(&arrived);
    assert_told_once(&arrived, &other);
    call.caller.open_gate();
    let events = call.finish(6);
    let whole = |name| [(name, "started"), (name, "finished")];
    assert_eq!(phases(&events), [whole("notice"), whole("other")].concat());
}

/// The customer's being told is what nothing may wait for.
#[test]
fn a_disclosure_takes_the_place_of_what_an_operator_wanted_said() {
    let more = "[[consent.rules]]\nqueue = \"surveys\"\npolicy = \"notice\"\n";
    let (mut call, folder, notice) =
        Case { seconds: 3.0, disclosure: "never", more, ..Case::default() }.answered();
    let other = payloads(&folder.path().join("other.wav"));
    call.sidetone.command(&["announce", &id(&call), "other", "--to", "both"]);
    until_announcing(&call);
    let mut arrived = talk(&mut call, 50);
    call.sidetone.command(&["tell", &id(&call), "queue", "surveys"]);
    let after = talk(&mut call, 250);
    arrived.at_a.extend(after.at_a);
    arrived.at_b.extend(after.at_b);
    assert_one_stream(&arrived.at_a);
    assert_one_stream(&arrived.at_b);
    let end = assert_told_once(&arrived.at_a, &notice);
    let begun = told(&arrived.at_a, &other);
    assert!((10..other.len()).contains(&begun), "{begun} of {}", other.len());
    let begin = end - notice.len();
    assert_eq!(told(&arrived.at_a[begin..], &other), 0, "the first is silent once the second speaks");
    // The agent hears nothing of the second, nor the rest of the first.
    assert_eq!(told(&arrived.at_b, &notice), 0);
    assert!(told(&arrived.at_b, &other) < other.len());
    until_state(&call, "given", "policy");
    call.caller.open_gate();
    let events = call.finish(6);
    assert_eq!(
        phases(&events),
        [
            ("other", "started"),
            ("other", "started"),
            ("other", "interrupted"),
            ("other", "interrupted"),
            ("notice", "started"),
            ("notice", "finished")
        ]
    );
    let states = states(&events);
    assert_eq!(states.last(), Some(&("given", "policy")), "{states:?}");
}
