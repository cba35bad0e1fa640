//! The latching rule: who is let in, and that nobody else is, whatever they send and when.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use sidetone_rtp::{Latch, Policy, Rejection, Verdict};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

fn ip(address: &str) -> IpAddr {
    address.parse().unwrap()
}

/// A phone behind a NAT: private address in the SDP, public one in signalling and media.
fn natted() -> Latch {
    let mut latch = Latch::new(Policy::Signalled);
    latch.expect(Some(at("192.168.1.5:4000")), Some(ip("203.0.113.7")));
    latch
}

#[test]
fn a_phone_behind_a_nat_is_learnt() {
    let mut latch = natted();
    assert_eq!(latch.target(), Some(at("192.168.1.5:4000")));
    assert_eq!(latch.accept(ms(0), at("203.0.113.7:61000")), Verdict::Accept);
    assert_eq!(latch.target(), Some(at("203.0.113.7:61000")));
}

#[test]
fn a_neighbour_cannot_take_a_live_stream() {
    let mut latch = natted();
    let (phone, neighbour) = (at("203.0.113.7:61000"), at("203.0.113.7:61002"));
    for n in 0..1000 {
        assert_eq!(latch.accept(ms(n * 20), phone), Verdict::Accept);
        assert_eq!(latch.accept(ms(n * 20 + 10), neighbour), Verdict::Reject(Rejection::Occupied));
    }
    assert_eq!(latch.counters().occupied, 1000);
    assert_eq!(latch.target(), Some(phone));
}

/// Has a source sent for so long, a packet each 20 ms, beginning at `from`.
fn talk(latch: &mut Latch, from: u64, to: u64, source: &str, ssrc: u32) {
    for now in (from..=to).step_by(20) {
        assert!(latch.accept_stream(ms(now), at(source), Some(ssrc)).is_accepted(), "{source} at {now}");
    }
}

/// The windows of the table, to the millisecond, for a source that was learnt.
#[test]
fn an_established_source_keeps_its_stream_through_thirty_seconds_of_silence() {
    for policy in [Policy::Signalled, Policy::Open] {
        let mut latch = Latch::new(policy);
        latch.expect(Some(at("192.168.1.5:4000")), Some(ip("203.0.113.7")));
        talk(&mut latch, 0, 4_000, "203.0.113.7:61000", 1);
        let neighbour = at("203.0.113.7:61002");
        for now in [7_000, 20_000, 33_999] {
            assert_eq!(
                latch.accept_stream(ms(now), neighbour, Some(2)),
                Verdict::Reject(Rejection::Occupied),
                "{policy:?} {now}"
            );
        }
        assert_eq!(latch.accept_stream(ms(34_000), neighbour, Some(2)), Verdict::Relatched, "{policy:?}");
        assert_eq!(
            latch.accept_stream(ms(34_001), at("203.0.113.7:61000"), Some(1)),
            Verdict::Relatched,
            "whom it was taken from has it back at once"
        );
        assert_eq!(
            latch.accept_stream(ms(34_002), neighbour, Some(2)),
            Verdict::Reject(Rejection::Occupied),
            "and keeps it"
        );
    }
}

#[test]
fn the_sdp_address_keeps_its_stream_however_long_it_is_silent() {
    let mut latch = Latch::new(Policy::Signalled);
    latch.expect(Some(at("203.0.113.7:4000")), Some(ip("203.0.113.7")));
    latch.accept_stream(ms(0), at("203.0.113.7:4000"), Some(1));
    for now in [3_000, 31_000, 3_600_000] {
        let neighbour = latch.accept_stream(ms(now), at("203.0.113.7:4002"), Some(2));
        assert_eq!(neighbour, Verdict::Reject(Rejection::Occupied), "{now}");
    }
    assert_eq!(latch.accept_stream(ms(3_600_020), at("203.0.113.7:4000"), Some(1)), Verdict::Accept);
}

/// Under the open policy a party may come from anywhere later on; but the address that its SDP names is still its own.
#[test]
fn the_open_policy_gives_up_a_silent_sdp_address_but_not_for_good() {
    let mut latch = Latch::new(Policy::Open);
    latch.expect(Some(at("203.0.113.7:4000")), None);
    latch.accept_stream(ms(0), at("203.0.113.7:4000"), Some(1));
    let elsewhere = at("198.51.100.1:9");
    assert!(!latch.accept_stream(ms(29_999), elsewhere, Some(2)).is_accepted());
    assert_eq!(latch.accept_stream(ms(30_000), elsewhere, Some(2)), Verdict::Relatched);
    assert_eq!(latch.accept_stream(ms(30_020), at("203.0.113.7:4000"), Some(3)), Verdict::Relatched);
    assert!(!latch.accept_stream(ms(30_040), elsewhere, Some(2)).is_accepted());
}

#[test]
fn a_stream_that_a_nat_gave_another_port_is_known_by_its_ssrc() {
    let mut latch = natted();
    talk(&mut latch, 0, 4_000, "203.0.113.7:61000", 1);
    let (moved, neighbour) = (at("203.0.113.7:61004"), at("203.0.113.7:61002"));
    assert!(!latch.accept_stream(ms(6_999), moved, Some(1)).is_accepted(), "a live stream is never taken");
    assert!(!latch.accept_stream(ms(7_000), neighbour, Some(2)).is_accepted());
    assert_eq!(latch.accept_stream(ms(7_000), moved, Some(1)), Verdict::Relatched);
    assert_eq!(latch.target(), Some(moved));
}

/// One packet is no stream: whoever sent it must not keep the party out for long.
#[test]
fn a_source_that_is_not_established_is_given_up_after_three_seconds() {
    let mut latch = natted();
    latch.accept_stream(ms(0), at("203.0.113.7:9"), Some(9));
    assert!(!latch.accept_stream(ms(2_999), at("203.0.113.7:61000"), Some(1)).is_accepted());
    assert_eq!(latch.accept_stream(ms(3_000), at("203.0.113.7:61000"), Some(1)), Verdict::Relatched);
    assert_eq!(latch.accept(ms(60_000), at("198.51.100.1:61002")), Verdict::Reject(Rejection::NotPermitted));
}

#[test]
fn the_sdp_address_wins_at_any_time_even_against_a_live_stream() {
    for policy in [Policy::Signalled, Policy::Open] {
        let mut latch = Latch::new(policy);
        latch.expect(Some(at("203.0.113.7:4000")), None);
        talk(&mut latch, 0, 60_000, "203.0.113.7:9", 9);
        assert_eq!(latch.accept_stream(ms(60_001), at("203.0.113.7:4000"), Some(1)), Verdict::Relatched);
        assert!(!latch.accept_stream(ms(60_002), at("203.0.113.7:9"), Some(9)).is_accepted());
    }
}

/// The call before has ended, its party still sends: behind an SBC it has the very address of the new party's.
#[test]
fn who_sends_before_the_port_is_announced_is_never_learnt() {
    let mut latch = Latch::new(Policy::Signalled).unannounced();
    latch.expect(Some(at("203.0.113.7:4000")), Some(ip("203.0.113.1")));
    let late = at("203.0.113.7:20000");
    assert_eq!(latch.accept_stream(ms(0), late, Some(7)), Verdict::Reject(Rejection::Stray));
    latch.announce();
    for now in [20, 5_000, 600_000] {
        assert_eq!(latch.accept_stream(ms(now), late, Some(7)), Verdict::Reject(Rejection::Stray));
    }
    assert_eq!(latch.source(), None);
    assert_eq!(latch.counters().strays, 4);
    assert_eq!(latch.accept_stream(ms(600_020), at("203.0.113.7:61000"), Some(1)), Verdict::Accept, "NAT");
    latch.expect(Some(late), None);
    assert!(
        latch.accept_stream(ms(600_040), late, Some(8)).is_accepted(),
        "SDP has given the port to this call"
    );
}

/// The last call's sender goes on past the port's rest, and its next packet comes just after the next call was
/// announced.
#[test]
fn a_sender_of_the_last_call_is_not_heard_in_the_next() {
    for policy in [Policy::Signalled, Policy::Open, Policy::Sdp] {
        let party = at("203.0.113.7:20000");
        let mut last = Latch::new(policy);
        last.expect(Some(party), None);
        assert_eq!(last.accept_stream(ms(0), party, Some(7)), Verdict::Accept);

        let mut next = Latch::new(policy).unannounced();
        next.beware(&last.senders());
        next.announce();
        next.expect(Some(at("203.0.113.7:30000")), None);
        for now in [10_000, 10_020, 600_000] {
            assert!(!next.accept_stream(ms(now), party, Some(7)).is_accepted(), "{policy:?}");
        }
        assert_eq!(next.source(), None);
        // A port later, the sender goes on still.
        let mut third = Latch::new(policy);
        third.beware(&next.senders());
        third.expect(Some(at("203.0.113.7:40000")), None);
        assert!(!third.accept_stream(ms(700_000), party, Some(7)).is_accepted(), "{policy:?}");
        // The same address with a stream of its own is the next call's party, behind a NAT.
        let fresh = next.accept_stream(ms(700_000), party, Some(8));
        assert_eq!(fresh.is_accepted(), policy != Policy::Sdp, "{policy:?}");
        // SDP has the last word.
        third.expect(Some(party), None);
        assert!(third.accept_stream(ms(700_020), party, Some(7)).is_accepted(), "{policy:?}");
    }
}

/// Before a transfer, behind a NAT's old port, before the port was announced: all of them may go on.
#[test]
fn everybody_who_has_sent_is_told_to_the_next_call() {
    let mut latch = Latch::new(Policy::Signalled).unannounced();
    assert!(!latch.accept_stream(ms(0), at("203.0.113.7:9"), Some(1)).is_accepted(), "a stray");
    latch.announce();
    latch.expect(Some(at("203.0.113.7:4000")), None);
    latch.accept_stream(ms(10), at("203.0.113.7:61000"), Some(2));
    latch.accept_stream(ms(20), at("203.0.113.7:4000"), Some(3));
    latch.expect(Some(at("198.51.100.9:5000")), None);
    latch.accept_stream(ms(30), at("198.51.100.9:5000"), Some(4));
    let mut known: Vec<Option<u32>> = latch.senders().iter().flatten().map(|sender| sender.ssrc).collect();
    known.sort();
    assert_eq!(known, [Some(1), Some(2), Some(3), Some(4)]);
    // Bounded, whoever sends: the party itself is never forgotten.
    for port in 1..200 {
        latch.expect(Some(SocketAddr::new(ip("198.51.100.9"), 5000 + port)), None);
        latch.accept_stream(ms(40), SocketAddr::new(ip("198.51.100.9"), 5000 + port), Some(5));
    }
    assert_eq!(latch.senders()[0].map(|sender| sender.address), Some(at("198.51.100.9:5199")));
}

#[test]
fn the_sdp_address_beats_a_neighbour_who_was_first() {
    let mut latch = Latch::new(Policy::Signalled);
    latch.expect(Some(at("203.0.113.7:4000")), None);
    assert_eq!(latch.accept(ms(0), at("203.0.113.7:9")), Verdict::Accept);
    assert_eq!(latch.accept(ms(20), at("203.0.113.7:4000")), Verdict::Relatched);
    assert!(!latch.accept(ms(40), at("203.0.113.7:9")).is_accepted());
}

#[test]
fn a_port_change_by_sdp_takes_effect_with_the_first_packet() {
    let mut latch = Latch::new(Policy::Signalled);
    latch.expect(Some(at("203.0.113.7:4000")), None);
    latch.accept(ms(0), at("203.0.113.7:4000"));
    latch.expect(Some(at("203.0.113.7:4002")), None);
    assert_eq!(latch.target(), Some(at("203.0.113.7:4002")), "media goes to the new address at once");
    assert_eq!(latch.accept(ms(20), at("203.0.113.7:4000")), Verdict::Accept, "what was still under way");
    assert_eq!(latch.accept(ms(40), at("203.0.113.7:4002")), Verdict::Relatched);
    assert_eq!(latch.accept(ms(60), at("203.0.113.7:4000")), Verdict::Reject(Rejection::Occupied));
}

#[test]
fn a_phone_behind_a_nat_changes_its_port() {
    let mut latch = natted();
    latch.accept(ms(0), at("203.0.113.7:61000"));
    latch.expect(Some(at("192.168.1.5:4002")), Some(ip("203.0.113.7")));
    assert_eq!(latch.target(), Some(at("203.0.113.7:61000")), "the private address leads nowhere");
    assert_eq!(latch.accept(ms(20), at("203.0.113.7:61000")), Verdict::Accept);
    assert_eq!(latch.accept(ms(40), at("203.0.113.7:61004")), Verdict::Relatched);
    assert_eq!(latch.target(), Some(at("203.0.113.7:61004")));
}

#[test]
fn a_move_that_is_not_made_closes_again() {
    let mut latch = natted();
    latch.accept(ms(0), at("203.0.113.7:61000"));
    latch.expect(Some(at("192.168.1.5:4002")), Some(ip("203.0.113.7")));
    for n in 1..=150 {
        assert_eq!(latch.accept(ms(n * 20), at("203.0.113.7:61000")), Verdict::Accept);
    }
    // 2.98 s after the first packet of the new SDP the window is still open; then it isn't.
    let mut late = latch.clone();
    assert_eq!(latch.accept(ms(3019), at("203.0.113.7:7")), Verdict::Relatched);
    assert_eq!(late.accept(ms(3020), at("203.0.113.7:7")), Verdict::Reject(Rejection::Occupied));
}

#[test]
fn a_transfer_shuts_the_old_party_out() {
    let mut latch = Latch::new(Policy::Signalled);
    latch.expect(Some(at("203.0.113.7:4000")), Some(ip("203.0.113.1")));
    latch.accept(ms(0), at("203.0.113.7:4000"));
    latch.expect(Some(at("198.51.100.9:5000")), Some(ip("203.0.113.1")));
    assert_eq!(latch.target(), Some(at("198.51.100.9:5000")));
    assert_eq!(latch.source(), None);
    assert_eq!(latch.accept(ms(20), at("203.0.113.7:4000")), Verdict::Reject(Rejection::NotPermitted));
    assert_eq!(latch.accept(ms(40), at("198.51.100.9:5000")), Verdict::Accept);
}

#[test]
fn hold_sends_nothing_and_keeps_what_was_learnt() {
    let mut latch = natted();
    latch.accept(ms(0), at("203.0.113.7:61000"));
    latch.expect(Some(at("0.0.0.0:4000")), Some(ip("203.0.113.7")));
    assert_eq!(latch.target(), None);
    assert_eq!(latch.accept(ms(20), at("203.0.113.7:61000")), Verdict::Accept, "hold music is heard");
    latch.expect(None, Some(ip("203.0.113.7")));
    assert_eq!(latch.target(), None);
    latch.expect(Some(at("192.168.1.5:4000")), Some(ip("203.0.113.7")));
    assert_eq!(latch.target(), Some(at("203.0.113.7:61000")));
    assert!(!latch.accept(ms(40), at("203.0.113.7:9")).is_accepted(), "a resume is no move");
}

#[test]
fn a_party_whose_signalling_moves_networks_is_followed() {
    let mut latch = natted();
    latch.accept(ms(0), at("203.0.113.7:61000"));
    latch.expect(Some(at("192.168.1.5:4000")), Some(ip("198.51.100.20")));
    assert!(!latch.accept(ms(20), at("203.0.113.7:61000")).is_accepted());
    assert_eq!(latch.accept(ms(20), at("198.51.100.20:1234")), Verdict::Accept);
}

#[test]
fn the_strict_policy_takes_the_sdp_address_only() {
    let mut latch = Latch::new(Policy::Sdp);
    latch.expect(Some(at("[2001:db8::1]:4000")), Some(ip("2001:db8::1")));
    assert!(!latch.accept(ms(0), at("[2001:db8::1]:4001")).is_accepted());
    assert_eq!(latch.accept(ms(0), at("[2001:db8::1]:4000")), Verdict::Accept);
}

#[test]
fn the_open_policy_still_keeps_a_live_stream() {
    let mut latch = Latch::new(Policy::Open);
    latch.expect(Some(at("203.0.113.7:4000")), None);
    assert_eq!(latch.accept(ms(0), at("198.51.100.1:1")), Verdict::Accept);
    assert_eq!(latch.accept(ms(10), at("198.51.100.2:2")), Verdict::Reject(Rejection::Occupied));
    assert_eq!(
        latch.accept(ms(20), at("203.0.113.7:4000")),
        Verdict::Relatched,
        "the named address is better"
    );
    assert!(!latch.accept(ms(3020), at("198.51.100.2:2")).is_accepted());
}

#[test]
fn nobody_is_let_in_before_anybody_is_expected() {
    let mut latch = Latch::new(Policy::default());
    assert!(!latch.accept(ms(0), at("203.0.113.7:4000")).is_accepted());
    assert_eq!(latch.target(), None);
}

#[test]
fn mapped_addresses_are_the_same_party() {
    let mut latch = Latch::new(Policy::Sdp);
    latch.expect(Some(at("203.0.113.7:4000")), None);
    assert_eq!(latch.accept(ms(0), at("[::ffff:203.0.113.7]:4000")), Verdict::Accept);
    assert_eq!(latch.accept(ms(1), at("203.0.113.7:4000")), Verdict::Accept);
    assert_eq!(latch.target(), Some(at("203.0.113.7:4000")));
}

#[test]
fn an_asymmetric_party_is_answered_where_its_sdp_says() {
    let mut latch = Latch::new(Policy::Signalled).asymmetric();
    latch.expect(Some(at("203.0.113.7:4000")), None);
    latch.accept(ms(0), at("203.0.113.7:5000"));
    assert_eq!(latch.target(), Some(at("203.0.113.7:4000")));
    assert_eq!(latch.source(), Some(at("203.0.113.7:5000")));
}

#[test]
fn rtcp_may_be_seconds_apart() {
    let mut latch = Latch::rtcp(Policy::Signalled);
    latch.expect(Some(at("203.0.113.7:4001")), None);
    latch.accept(ms(0), at("203.0.113.7:4001"));
    assert!(!latch.accept(ms(7_500), at("203.0.113.7:9")).is_accepted());
    assert_eq!(latch.accept(ms(7_501), at("203.0.113.7:4001")), Verdict::Accept);
}

/// What an attacker sends: whence and how long after the packet before.
fn sprayed() -> impl Strategy<Value = Vec<(u16, u16, u64)>> {
    vec((any::<u16>(), any::<u16>(), 0u64..10_000), 1..200)
}

proptest! {
    /// From any source, any port, at any time, before, between and after the party's own packets:
    /// who isn't permitted gets nothing in and nothing out.
    #[test]
    fn an_attacker_elsewhere_never_gets_media(
        attack in sprayed(), starts in 0usize..200, open_window: bool,
    ) {
        let mut latch = natted();
        let phone = at("203.0.113.7:61000");
        let mut now = ms(0);
        let mut rejected = 0;
        for (n, (host, port, wait)) in attack.into_iter().enumerate() {
            now += ms(wait);
            if n >= starts {
                prop_assert!(latch.accept(now, phone).is_accepted());
            }
            if open_window && n % 10 == 0 {
                let sdp = SocketAddr::new(ip("192.168.1.5"), 4000 + n as u16);
                latch.expect(Some(sdp), Some(ip("203.0.113.7")));
            }
            let [a, b] = host.to_be_bytes();
            let attacker = SocketAddr::new(IpAddr::from([198, 51, a, b]), port);
            prop_assert_eq!(latch.accept(now, attacker), Verdict::Reject(Rejection::NotPermitted));
            rejected += 1;
            prop_assert_ne!(latch.target().map(|t| t.ip()), Some(attacker.ip()));
        }
        prop_assert_eq!(latch.counters().not_permitted, rejected);
        prop_assert_eq!(latch.counters().relatched, 0);
    }

    /// From the party's own IP (the same NAT), against a stream that is live: not one packet.
    #[test]
    fn a_neighbour_never_takes_a_live_stream(
        attack in vec((1u16..60_000, 0u64..2_999), 1..300), jitter in vec(0u64..2_999, 300),
    ) {
        let mut latch = natted();
        let phone = at("203.0.113.7:61000");
        prop_assert_eq!(latch.accept(ms(0), phone), Verdict::Accept);
        let mut heard = ms(0);
        for ((port, wait), pause) in attack.into_iter().zip(jitter) {
            // The neighbour any time before the party is silent for relatch_after, then the party.
            let attacker = SocketAddr::new(phone.ip(), port);
            let verdict = latch.accept(heard + ms(wait), attacker);
            prop_assert_eq!(verdict, Verdict::Reject(Rejection::Occupied));
            heard += ms(wait.max(pause));
            prop_assert_eq!(latch.accept(heard, phone), Verdict::Accept);
            prop_assert_eq!(latch.target(), Some(phone));
        }
    }
}
