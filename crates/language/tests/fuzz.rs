//! The fuzzers' bodies as property tests.

use proptest::collection::vec;
use proptest::prelude::*;
use sidetone_language::fuzz;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn redaction(data in prop_oneof![vec(any::<u8>(), 0..300), "[0-9a-zA-Z @.,'\n\\-äß]{0,300}".prop_map(String::into_bytes)]) {
        fuzz::redaction(&data);
    }

    #[test]
    fn letter(data in prop_oneof![vec(any::<u8>(), 0..300), "[<>/a-z&;# \n:\\-]{0,300}".prop_map(String::into_bytes)]) {
        fuzz::letter(&data);
    }

    #[test]
    fn behaviour(data in prop_oneof![
        vec(any::<u8>(), 0..300),
        vec(prop_oneof![Just("I "), Just("will "), Just("sorry "), Just("not "), Just("by Friday. "), Just("leid, "), Just("ich ")], 0..60)
            .prop_map(|words| words.concat().into_bytes()),
    ]) {
        fuzz::behaviour(&data);
    }
}
