use super::*;
use crate::stun::testing::Check;
use proptest::prelude::*;

const OURS: &str = "OURSfrag";
const PASSWORD: &str = "a-password-of-24-signs--";

fn credentials(fragment: &str, password: &str) -> Credentials {
    Credentials::stated(fragment, password)
}

fn agent() -> IceLite {
    IceLite::new(&credentials(OURS, PASSWORD), Some("theirs"))
}

fn check() -> Check {
    Check {
        username: Some(format!("{OURS}:theirs")),
        password: Some(PASSWORD.to_owned()),
        priority: 100,
        nominate: false,
        controlled: false,
        others: Vec::new(),
        fingerprint: true,
    }
}

fn nomination(priority: u32) -> Check {
    Check { nominate: true, priority, ..check() }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

/// The error code of the answer; 0 if it is a success.
fn send(agent: &mut IceLite, now: Instant, port: u16, check: &Check) -> (Option<u16>, Option<Fact>) {
    let mut out = [0; ANSWER];
    let checked = agent.receive(now, address(port), &check.write([3; 12]), &mut out);
    let code = checked.answer.map(|_| match out[1] {
        0x11 => u16::from(out[26]) * 100 + u16::from(out[27]),
        _ => 0,
    });
    (code, checked.fact)
}

#[test]
fn a_check_is_answered_and_its_address_is_the_peers() {
    let (mut agent, now) = (agent(), Instant::now());
    assert!(!agent.is_valid(address(1)));
    assert_eq!(send(&mut agent, now, 1, &check()), (Some(0), None));
    assert!(agent.is_valid(address(1)));
    assert_eq!(agent.nominated(), None);
    assert_eq!(agent.next_timeout(), None);
}

#[test]
fn a_nomination_is_a_fact_once() {
    let (mut agent, now) = (agent(), Instant::now());
    assert_eq!(send(&mut agent, now, 1, &nomination(100)), (Some(0), Some(Fact::Nominated(address(1)))));
    assert_eq!(send(&mut agent, now, 1, &nomination(100)), (Some(0), None));
    assert_eq!(agent.nominated(), Some(address(1)));
}

#[test]
fn wrong_credentials_are_401_and_none_400() {
    let (mut agent, now) = (agent(), Instant::now());
    for (username, password, code) in [
        (None, None, 400),
        (Some("OURSfrag:theirs"), None, 400),
        (None, Some(PASSWORD), 400),
        (Some("OURSfrag:others"), Some(PASSWORD), 401),
        (Some("OURSfragtheirs"), Some(PASSWORD), 401),
        (Some("theirs:OURSfrag"), Some(PASSWORD), 401),
        (Some("OURSfrag:theirs"), Some("another"), 401),
        (Some(""), Some(PASSWORD), 401),
    ] {
        let stranger = Check {
            username: username.map(str::to_owned),
            password: password.map(str::to_owned),
            ..nomination(u32::MAX)
        };
        assert_eq!(send(&mut agent, now, 1, &stranger), (Some(code), None), "{stranger:?}");
    }
    assert!(!agent.is_valid(address(1)));
    assert_eq!(agent.counts().strangers, 8);
}

#[test]
fn a_flood_without_credentials_is_answered_ten_times_a_second_and_the_peer_always() {
    let (mut agent, now) = (agent(), Instant::now());
    let stranger = Check { password: Some("another".to_owned()), ..nomination(u32::MAX) };
    let answered =
        |agent: &mut IceLite, now| (0..10_000).filter(|_| send(agent, now, 9, &stranger).0.is_some()).count();
    assert_eq!(answered(&mut agent, now), usize::from(REFUSALS));
    assert_eq!(send(&mut agent, now, 1, &nomination(1)), (Some(0), Some(Fact::Nominated(address(1)))));
    assert_eq!(answered(&mut agent, now + Duration::from_millis(999)), 0);
    assert_eq!(answered(&mut agent, now + Duration::from_secs(1)), usize::from(REFUSALS));
    assert_eq!(agent.counts().unanswered, 30_000 - 2 * u64::from(REFUSALS));
    assert_eq!(agent.nominated(), Some(address(1)));
}

#[test]
fn a_role_conflict_is_487_and_does_not_nominate() {
    let (mut agent, now) = (agent(), Instant::now());
    let controlled = Check { controlled: true, ..nomination(100) };
    assert_eq!(send(&mut agent, now, 1, &controlled), (Some(487), None));
    assert!(!agent.is_valid(address(1)));
    assert_eq!(send(&mut agent, now, 1, &nomination(100)).0, Some(0));
}

#[test]
fn an_unknown_attribute_that_must_be_understood_is_420_and_another_passed_over() {
    let (mut agent, now) = (agent(), Instant::now());
    let with = |attribute| Check { others: vec![(attribute, vec![1, 2, 3])], ..check() };
    assert_eq!(send(&mut agent, now, 1, &with(0x7f00)), (Some(420), None));
    assert_eq!(send(&mut agent, now, 1, &with(0xc057)), (Some(0), None));
}

#[test]
fn a_check_without_fingerprint_counts() {
    let (mut agent, now) = (agent(), Instant::now());
    assert_eq!(send(&mut agent, now, 1, &Check { fingerprint: false, ..check() }).0, Some(0));
}

#[test]
fn a_check_before_the_peers_sdp_counts_with_any_fragment() {
    let now = Instant::now();
    let mut agent = IceLite::new(&credentials(OURS, PASSWORD), None);
    assert_eq!(send(&mut agent, now, 1, &check()).0, Some(0));
    agent.answered("others");
    assert_eq!(send(&mut agent, now, 1, &check()).0, Some(401));
}

/// RFC 5245 §8.1.1.2: every pair is nominated, and the best of them meant.
#[test]
fn aggressive_nomination_takes_the_highest_priority() {
    let (mut agent, now) = (agent(), Instant::now());
    assert_eq!(send(&mut agent, now, 1, &nomination(50)).1, Some(Fact::Nominated(address(1))));
    assert_eq!(send(&mut agent, now, 2, &nomination(90)).1, Some(Fact::Nominated(address(2))));
    assert_eq!(send(&mut agent, now, 3, &nomination(70)).1, None);
    assert_eq!(send(&mut agent, now, 1, &nomination(50)).1, None);
    assert_eq!(agent.nominated(), Some(address(2)));
}

#[test]
fn regular_nomination_moves_to_a_lower_priority_when_the_other_is_no_longer_renewed() {
    let (mut agent, now) = (agent(), Instant::now());
    send(&mut agent, now, 1, &nomination(90));
    assert_eq!(send(&mut agent, now + RENEWED, 2, &nomination(10)).1, Some(Fact::Nominated(address(2))));
    assert!(agent.is_valid(address(1)));
}

#[test]
fn after_a_restart_both_credentials_count_until_a_pair_is_nominated_under_the_new() {
    let (mut agent, now) = (agent(), Instant::now());
    send(&mut agent, now, 1, &nomination(100));
    agent.restart(&credentials("NEWfragm", "another-password-24-sign"), Some("theirs2"));
    let renewed = |nominate| Check {
        username: Some("NEWfragm:theirs2".to_owned()),
        password: Some("another-password-24-sign".to_owned()),
        nominate,
        priority: 5,
        ..check()
    };
    assert_eq!(send(&mut agent, now, 1, &nomination(100)), (Some(0), None));
    assert_eq!(send(&mut agent, now, 2, &renewed(false)), (Some(0), None));
    assert_eq!(agent.nominated(), Some(address(1)), "media goes on where it went");
    assert_eq!(send(&mut agent, now, 2, &renewed(true)), (Some(0), Some(Fact::Nominated(address(2)))));
    assert_eq!(send(&mut agent, now, 1, &nomination(100)), (Some(401), None));
}

#[test]
fn consent_lapses_after_30_s_without_a_check_and_comes_back() {
    let (mut agent, now) = (agent(), Instant::now());
    send(&mut agent, now, 1, &nomination(100));
    assert_eq!(agent.next_timeout(), Some(now + CONSENT));
    let later = now + Duration::from_secs(20);
    send(&mut agent, later, 1, &check());
    send(&mut agent, now + CONSENT, 2, &check());
    assert_eq!(agent.tick(now + CONSENT), None, "heard ten seconds before");
    assert_eq!(agent.tick(later + CONSENT), Some(Fact::Lapsed(address(1))), "another address is not consent");
    assert_eq!(agent.tick(later + 2 * CONSENT), None);
    assert_eq!(agent.next_timeout(), None);
    assert_eq!(send(&mut agent, later + 2 * CONSENT, 1, &check()).1, Some(Fact::Resumed(address(1))));
}

#[test]
fn only_eight_addresses_are_remembered_and_the_nominated_one_always() {
    let (mut agent, now) = (agent(), Instant::now());
    send(&mut agent, now, 1, &nomination(100));
    for port in 2..100 {
        send(&mut agent, now, port, &check());
        assert!(agent.is_valid(address(1)) && agent.is_valid(address(port)), "{port}");
    }
    assert_eq!((0..100).filter(|port| agent.is_valid(address(*port))).count(), VALID);
}

#[test]
fn credentials_are_of_ice_signs_and_as_long_as_asked_for() {
    let mut next = 0;
    let credentials = Credentials::generate(|octets| {
        for octet in octets {
            next += 37;
            *octet = (next % 256) as u8;
        }
    });
    assert_eq!((credentials.fragment().len(), credentials.password().len()), (8, 24));
    let signs =
        |text: &str| text.bytes().all(|sign| sign.is_ascii_alphanumeric() || sign == b'+' || sign == b'/');
    assert!(signs(credentials.fragment()) && signs(credentials.password()));
    assert!(!format!("{credentials:?}").contains(credentials.password()));
}

proptest! {
    /// Nobody without the password moves an agent, whatever they send.
    #[test]
    fn random_datagrams_teach_nothing(
        datagrams in proptest::collection::vec((0..4_u8, proptest::collection::vec(any::<u8>(), 0..150)), 0..40),
    ) {
        let (mut agent, now) = (agent(), Instant::now());
        send(&mut agent, now, 1, &nomination(100));
        for (kind, bytes) in datagrams {
            let mut datagram = check().write([3; 12]);
            match kind {
                0 => datagram = bytes,
                1 => datagram.extend(&bytes),
                2 => datagram.truncate(bytes.len()),
                _ => {
                    for (to, from) in datagram.iter_mut().skip(20).zip(bytes) {
                        *to ^= from;
                    }
                }
            }
            let mut out = [0; ANSWER];
            if datagram != check().write([3; 12]) {
                prop_assert_eq!(agent.receive(now, address(2), &datagram, &mut out).fact, None);
                prop_assert!(!agent.is_valid(address(2)));
            }
        }
    }
}
