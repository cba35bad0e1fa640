//! The fuzzers' bodies as property tests.
use proptest::collection::vec;
use proptest::prelude::*;
use sidetone_rtp::fuzz;

/// Bytes that look like what is parsed, so that more than the first check is reached.
fn rtp_like() -> impl Strategy<Value = Vec<u8>> {
    (any::<u8>(), vec(any::<u8>(), 0..200)).prop_map(|(flags, mut bytes)| {
        if let Some(first) = bytes.first_mut() {
            *first = 0x80 | flags & 0x3f;
        }
        bytes
    })
}

/// RTCP with lengths that mostly add up.
fn rtcp_like() -> impl Strategy<Value = Vec<u8>> {
    let packet = (0u8..64, 200u8..208, vec(any::<u8>(), 0..80), any::<bool>());
    vec(packet, 1..5).prop_map(|packets| {
        let mut out = Vec::new();
        for (flags, packet_type, mut body, exact) in packets {
            if exact {
                body.truncate(body.len() / 4 * 4);
            }
            out.extend([0x80 | flags, packet_type]);
            out.extend(((body.len() / 4) as u16).to_be_bytes());
            out.extend(body);
        }
        out
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn header(data in prop_oneof![vec(any::<u8>(), 0..64), rtp_like()]) {
        fuzz::header(&data);
    }

    #[test]
    fn rtcp(data in prop_oneof![vec(any::<u8>(), 0..64), rtcp_like()]) {
        fuzz::rtcp(&data);
    }

    #[test]
    fn redundancy(data in vec(any::<u8>(), 0..80)) {
        fuzz::redundancy(&data);
    }

    #[test]
    fn telephone_event(data in vec(prop_oneof![any::<u8>(), 0u8..4], 0..600)) {
        fuzz::telephone_event(&data);
    }

    #[test]
    fn reorder(data in vec(any::<u8>(), 0..3000)) {
        fuzz::reorder(&data);
    }

    #[test]
    fn reorder_clocks(data in vec(any::<u8>(), 0..1200)) {
        fuzz::reorder_clocks(&data);
    }

    #[test]
    fn stats(data in vec(any::<u8>(), 0..1200)) {
        fuzz::stats(&data);
    }

    #[test]
    fn latch(data in vec(prop_oneof![any::<u8>(), 0u8..16], 0..400)) {
        fuzz::latch(&data);
    }

    #[test]
    fn splice(data in vec(prop_oneof![any::<u8>(), 0u8..16], 0..400)) {
        fuzz::splice(&data);
    }
}
