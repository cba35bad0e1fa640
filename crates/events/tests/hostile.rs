//! Headers from strangers.

use proptest::prelude::*;
use sidetone_events::fuzz;

proptest! {
    #[test]
    fn no_signature_is_forged_by_chance(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        fuzz::signature(&bytes);
    }

    #[test]
    fn nor_by_trying(
        parts in proptest::collection::vec(prop_oneof![
            Just("t=1772357400".to_owned()), Just("v1=".to_owned()), "v1=[0-9a-f]{64}", "v1=[0-9a-fA-F]{0,70}", "[a-z0-9]{1,3}=[ -~]{0,8}",
        ], 0..12),
    ) {
        fuzz::signature(parts.join(",").as_bytes());
    }
}
