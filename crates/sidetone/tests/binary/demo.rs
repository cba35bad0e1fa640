//! `sidetone demo`, as a newcomer runs it.

use super::common::{assert_valid, json_lines, of_kind};

#[test]
fn the_demo_carries_a_call_byte_for_byte_and_hears_it() {
    let mut lines = json_lines(&["demo", "--json"]);
    let verdict = lines.pop().unwrap();
    assert_eq!(verdict["succeeded"], true, "{verdict}");
    for way in ["caller_to_agent", "agent_to_caller"] {
        assert_eq!(verdict["demo"][way]["byte_identical"], true, "{verdict}");
    }
    assert_valid(&lines);
    for kind in ["call.started", "call.answered", "affect.update", "conduct", "call.ended"] {
        assert!(!of_kind(&lines, kind).is_empty(), "no {kind} came");
    }
}
