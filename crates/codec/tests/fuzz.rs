//! The fuzzers' bodies as property tests.
use proptest::collection::vec;
use proptest::prelude::*;
use sidetone_codec::fuzz;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn decode(data in vec(any::<u8>(), 0..3000)) {
        fuzz::decode(&data);
    }

    #[test]
    fn rtpmap(data in prop_oneof![
        vec(any::<u8>(), 0..60),
        "(opus|L16|PCMU|pcma|G722|CN|telephone-event)/[0-9]{0,6}/[0-9]{0,3} [a-z]{0,20}=[0-9]{0,12};stereo=1"
            .prop_map(String::into_bytes),
    ]) {
        fuzz::rtpmap(&data);
    }
}
