use super::*;
use rcgen::CertificateParams;

fn client_address() -> SocketAddr {
    "192.0.2.1:4000".parse().unwrap()
}

fn server_address() -> SocketAddr {
    "198.51.100.1:5000".parse().unwrap()
}

fn stranger_address() -> SocketAddr {
    "203.0.113.9:6000".parse().unwrap()
}

fn settings(identity: Identity, dtls_1_3: bool) -> Arc<Settings> {
    Arc::new(Settings::new(identity, dtls_1_3).unwrap())
}

fn identity() -> Identity {
    Identity::generate().unwrap()
}

/// A certificate that goes over several datagrams.
fn long_identity() -> Identity {
    let names: Vec<String> = (0..120).map(|at| format!("a-name-that-takes-some-room-{at}.example")).collect();
    Identity::with(CertificateParams::new(names).unwrap()).unwrap()
}

/// A client and a server, and between them a wire that loses and disorders by a number.
struct Wire {
    now: Instant,
    client: Dtls,
    server: Dtls,
    /// When, whether it goes to the server, and what.
    flying: Vec<(Instant, bool, Vec<u8>)>,
    random: u64,
    /// Of a hundred datagrams so many are lost, and so many late.
    lost: u64,
    late: u64,
    sent: usize,
    longest: usize,
    client_outcome: Vec<Output>,
    server_outcome: Vec<Output>,
}

impl Wire {
    fn new(client: Arc<Settings>, server: Arc<Settings>, trust: Trust) -> Self {
        let promised = |settings: &Settings| Fingerprints::from(settings.identity().fingerprint());
        let (of_client, of_server) = (promised(&client), promised(&server));
        Self::between(
            Dtls::new(client, Role::Client, trust, of_server),
            Dtls::new(server, Role::Server, trust, of_client),
            trust,
        )
    }

    fn between(client: Dtls, server: Dtls, trust: Trust) -> Self {
        let mut wire = Self {
            now: Instant::now(),
            client,
            server,
            flying: Vec::new(),
            random: 1,
            lost: 0,
            late: 0,
            sent: 0,
            longest: 0,
            client_outcome: Vec::new(),
            server_outcome: Vec::new(),
        };
        if trust == Trust::Ice {
            wire.server.aim(wire.now, client_address());
        }
        wire.client.aim(wire.now, server_address());
        wire
    }

    fn plain() -> Self {
        Self::new(settings(identity(), false), settings(identity(), false), Trust::Cookie)
    }

    fn of_a_hundred(&mut self) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 20) % 100
    }

    /// Takes what both have to give.
    fn collect(&mut self) {
        for to_server in [true, false] {
            let session = if to_server { &mut self.client } else { &mut self.server };
            let outputs: Vec<Output> = std::iter::from_fn(|| session.poll()).collect();
            for output in outputs {
                let Output::Datagram { to, bytes } = output else {
                    if to_server { &mut self.client_outcome } else { &mut self.server_outcome }.push(output);
                    continue;
                };
                if to == stranger_address() {
                    continue;
                }
                assert_eq!(to, if to_server { server_address() } else { client_address() });
                self.sent += 1;
                self.longest = self.longest.max(bytes.len());
                if self.of_a_hundred() < self.lost {
                    continue;
                }
                let delay = if self.of_a_hundred() < self.late { 30 + self.of_a_hundred() } else { 10 };
                self.flying.push((self.now + Duration::from_millis(delay), to_server, bytes));
            }
        }
    }

    /// Runs until nothing flies and nothing is due, for a minute at most.
    fn run(&mut self) {
        let end = self.now + Duration::from_secs(60);
        while self.now <= end && self.step() {}
    }

    /// Lets the next thing happen; whether there was one.
    fn step(&mut self) -> bool {
        self.collect();
        let due = [self.client.next_timeout(), self.server.next_timeout()].into_iter().flatten();
        let Some(next) = self.flying.iter().map(|(at, ..)| *at).chain(due).min() else { return false };
        self.now = self.now.max(next);
        if let Some(index) = self.flying.iter().position(|(at, ..)| *at <= self.now) {
            let (_, to_server, bytes) = self.flying.remove(index);
            if to_server {
                self.server.receive(self.now, client_address(), &bytes);
            } else {
                self.client.receive(self.now, server_address(), &bytes);
            }
        } else {
            self.client.tick(self.now);
            self.server.tick(self.now);
        }
        true
    }

    fn keys(&self) -> (&Keys, &Keys) {
        let keys = |outcome: &'static str, outputs: &Vec<Output>| match outputs.first() {
            Some(Output::Keys(_)) => {}
            other => panic!("{outcome}: {other:?}"),
        };
        keys("client", &self.client_outcome);
        keys("server", &self.server_outcome);
        match (&self.client_outcome[0], &self.server_outcome[0]) {
            (Output::Keys(client), Output::Keys(server)) => (client, server),
            _ => unreachable!(),
        }
    }

    fn assert_keys(&self) {
        let (client, server) = self.keys();
        assert_eq!((&client.ours, &client.theirs), (&server.theirs, &server.ours));
        assert_ne!(client.ours, client.theirs);
        assert_eq!(client.profile, server.profile);
    }
}

#[test]
fn both_get_the_same_keys_crossed() {
    for trust in [Trust::Cookie, Trust::Ice] {
        let mut wire = Wire::new(settings(identity(), false), settings(identity(), false), trust);
        wire.run();
        wire.assert_keys();
        assert_eq!(wire.keys().0.profile, Profile::AeadAes256Gcm);
        assert_eq!(wire.server.counts().unverified, u64::from(trust == Trust::Cookie));
        assert_eq!((wire.client.next_timeout(), wire.server.next_timeout()), (None, None));
    }
}

#[test]
fn a_server_that_may_takes_dtls_1_3_and_1_2() {
    // A client of ours offers 1.2; the engine's own offers both.
    let server = settings(identity(), true);
    let mut wire = Wire::new(settings(identity(), false), Arc::clone(&server), Trust::Ice);
    wire.run();
    wire.assert_keys();

    let client = settings(identity(), false);
    let mut session =
        Dtls::new(Arc::clone(&server), Role::Server, Trust::Ice, client.identity().fingerprint().into());
    let now = Instant::now();
    session.aim(now, client_address());
    let mut engine = dimpl::Dtls::new_auto(Arc::clone(&client.ice), client.identity().certificate(), now);
    engine.set_active(true);
    engine.handle_timeout(now).unwrap();
    let (mut ours, mut theirs) = (None, None);
    for _ in 0..20 {
        let mut buffer = [0; MOST];
        loop {
            match engine.poll_output(&mut buffer) {
                dimpl::Output::Packet(bytes) => session.receive(now, client_address(), bytes),
                dimpl::Output::KeyingMaterial(exported, _) => theirs = Some(exported.to_vec()),
                dimpl::Output::Timeout(_) => break,
                _ => {}
            }
        }
        while let Some(output) = session.poll() {
            match output {
                Output::Datagram { bytes, .. } => engine.handle_packet(&bytes).unwrap(),
                Output::Keys(keys) => ours = Some(keys),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(engine.protocol_version(), Some(dimpl::ProtocolVersion::DTLS1_3));
    let (ours, theirs) = (ours.unwrap(), theirs.unwrap());
    assert_eq!(Keys::cut(ours.profile, Role::Server, &theirs), Some(ours));
}

#[test]
fn a_retransmitted_client_hello_makes_no_second_handshake() {
    let mut wire = Wire::plain();
    wire.collect();
    let (_, _, hello) = wire.flying[0].clone();
    // Thrice before the cookie, and once more when the server has answered with its certificate.
    for _ in 0..3 {
        wire.server.receive(wire.now, client_address(), &hello);
    }
    wire.run();
    wire.assert_keys();
    assert_eq!(wire.server.counts().unverified, 4);
    assert_eq!(wire.server.counts().restarts, 0);
    wire.server.receive(wire.now, client_address(), &hello);
    assert_eq!(wire.server.counts().restarts, 0);
    wire.collect();
    assert_eq!(wire.server_outcome.len(), 1, "the keys, and nothing else: {:?}", wire.server_outcome);
}

#[test]
fn a_handshake_in_fragments_at_mtu_1200() {
    let mut wire = Wire::new(settings(long_identity(), false), settings(long_identity(), false), Trust::Ice);
    wire.run();
    wire.assert_keys();
    assert!(wire.sent > 8 && wire.longest <= MTU && wire.longest > 1100, "{} of {}", wire.sent, wire.longest);
}

/// The longest certificate that can come in: the engine panics if it is given no room for it.
#[test]
fn a_certificate_as_long_as_the_engine_takes_is_refused_and_not_a_panic() {
    for names in [200, 600, 1100] {
        let names: Vec<String> =
            (0..names).map(|at| format!("a-name-that-takes-some-room-{at}.example")).collect();
        let identity = Identity::with(CertificateParams::new(names).unwrap()).unwrap();
        let config = dimpl::Config::builder()
            .mtu(MOST)
            .max_queue_tx(100)
            .use_server_cookie(false)
            .with_crypto_provider(provider::provider())
            .build()
            .unwrap();
        let now = Instant::now();
        let mut engine = dimpl::Dtls::new_12(Arc::new(config), identity.certificate(), now);
        engine.handle_timeout(now).unwrap();
        let other = Fingerprints::from(self::identity().fingerprint());
        let mut session = Dtls::new(settings(self::identity(), false), Role::Client, Trust::Cookie, other);
        session.aim(now, server_address());
        let Some(Output::Datagram { bytes, .. }) = session.poll() else { panic!("no ClientHello") };
        engine.handle_packet(&bytes).unwrap();
        let mut buffer = [0; MOST];
        while let dimpl::Output::Packet(bytes) = engine.poll_output(&mut buffer) {
            session.receive(now, server_address(), bytes);
        }
        let outcome: Vec<Output> = std::iter::from_fn(|| session.poll()).collect();
        assert!(
            matches!(outcome.last(), Some(Output::Failed(Failure::Fingerprint | Failure::Protocol))),
            "{outcome:?}"
        );
    }
}

/// Two hundred handshakes, each with another order and loss, some with certificates in fragments.
#[test]
fn flights_that_are_lost_and_disordered_arrive_in_the_end() {
    let short = (settings(identity(), false), settings(identity(), false));
    let long = (settings(long_identity(), false), settings(long_identity(), true));
    for seed in 1..=200_u64 {
        let (client, server) = if seed % 4 == 0 { &long } else { &short };
        let trust = if seed % 2 == 0 { Trust::Ice } else { Trust::Cookie };
        let mut wire = Wire::new(Arc::clone(client), Arc::clone(server), trust);
        (wire.random, wire.lost, wire.late) = (seed * 0x9e37_79b9, 10, 40);
        wire.run();
        let keys = |outcome: &[Output]| matches!(outcome, [Output::Keys(_)]);
        assert!(
            keys(&wire.client_outcome) && keys(&wire.server_outcome),
            "{seed}: {:?}",
            wire.server_outcome
        );
        wire.assert_keys();
    }
}

#[test]
fn a_peer_that_falls_silent_is_given_up_after_30_s() {
    let mut wire = Wire::plain();
    wire.lost = 100;
    let begun = wire.now;
    wire.run();
    assert_eq!(wire.client_outcome, [Output::Failed(Failure::TimedOut)]);
    let taken = wire.now - begun;
    assert!(taken <= PATIENCE && taken > PATIENCE / 2, "{taken:?}");
    assert_eq!(wire.sent, 1 + RETRIES);
}

#[test]
fn another_certificate_than_the_promised_one_fails_on_either_side() {
    for wrong in [Role::Client, Role::Server] {
        let (client, server) = (settings(identity(), false), settings(identity(), false));
        let other = Fingerprints::from(identity().fingerprint());
        let promised = |settings: &Settings, role| {
            if role == wrong { other.clone() } else { Fingerprints::from(settings.identity().fingerprint()) }
        };
        let (of_client, of_server) = (promised(&client, Role::Client), promised(&server, Role::Server));
        let mut wire = Wire::between(
            Dtls::new(client, Role::Client, Trust::Cookie, of_server),
            Dtls::new(server, Role::Server, Trust::Cookie, of_client),
            Trust::Cookie,
        );
        wire.run();
        // Without ICE a server can't know that it was not a stranger, and goes on waiting.
        let (finder, found, told) = match wrong {
            Role::Client => {
                (&wire.server_outcome, &wire.client_outcome, Output::Refused(Failure::Fingerprint))
            }
            Role::Server => {
                (&wire.client_outcome, &wire.server_outcome, Output::Failed(Failure::Fingerprint))
            }
        };
        assert_eq!(finder[..], [told], "{wrong:?}");
        // bad_certificate, believed when nothing else came for two seconds.
        let told = match wrong {
            Role::Client => Output::Failed(Failure::Alert(42)),
            Role::Server => Output::Refused(Failure::Alert(42)),
        };
        assert_eq!(found[..], [told], "{wrong:?}");
    }
}

#[test]
fn dates_of_a_certificate_are_not_looked_at() {
    let mut params = CertificateParams::default();
    params.not_before = rcgen::date_time_ymd(1990, 1, 1);
    params.not_after = rcgen::date_time_ymd(1991, 1, 1);
    let expired = settings(Identity::with(params).unwrap(), false);
    let mut wire = Wire::new(Arc::clone(&expired), expired, Trust::Cookie);
    wire.run();
    wire.assert_keys();
}

#[test]
fn a_cookie_replayed_from_another_address_makes_no_engine() {
    let mut wire = Wire::plain();
    wire.collect();
    let (_, _, first) = wire.flying.remove(0);
    wire.server.receive(wire.now, client_address(), &first);
    wire.collect();
    let (_, _, verify) = wire.flying.remove(0);
    wire.client.receive(wire.now, server_address(), &verify);
    wire.collect();
    let (_, _, second) = wire.flying[0].clone();
    wire.server.receive(wire.now, stranger_address(), &second);
    assert_eq!(wire.server.counts().unverified, 2);
    assert!(wire.server.engine.is_none());
    assert!(
        matches!(wire.server.poll(), Some(Output::Datagram { to, bytes }) if to == stranger_address() && bytes.len() == 60)
    );
    wire.run();
    wire.assert_keys();
}

#[test]
fn a_flood_of_client_hellos_without_cookie_leaves_nothing_behind() {
    let mut wire = Wire::plain();
    wire.collect();
    let (_, _, hello) = wire.flying[0].clone();
    for port in 1..10_000_u16 {
        wire.server.receive(wire.now, SocketAddr::from(([203, 0, 113, 7], port)), &hello);
    }
    assert!(wire.server.engine.is_none());
    assert!(wire.server.outputs.len() <= WAITING, "answers are bounded if nobody takes them");
    while wire.server.poll().is_some() {}
    wire.run();
    wire.assert_keys();
}

#[test]
fn a_client_that_verifies_itself_takes_over_from_one_that_has_shown_no_certificate() {
    let mut wire = Wire::plain();
    // A stranger, with a session of its own, gets as far as the server's certificate and no further.
    let other = settings(identity(), false);
    let mut stranger = Dtls::new(other, Role::Client, Trust::Cookie, wire.client.expected.clone());
    stranger.aim(wire.now, server_address());
    for _ in 0..2 {
        while let Some(Output::Datagram { bytes, .. }) = stranger.poll() {
            wire.server.receive(wire.now, stranger_address(), &bytes);
        }
        if wire.server.engine.is_none() {
            while let Some(Output::Datagram { bytes, .. }) = wire.server.poll() {
                stranger.receive(wire.now, server_address(), &bytes);
            }
        }
    }
    assert!(wire.server.engine.is_some());
    while wire.server.poll().is_some() {}
    wire.run();
    wire.assert_keys();
    assert_eq!(wire.server.counts().restarts, 1);
}

#[test]
fn garbage_is_dropped_and_counted_and_changes_nothing() {
    let mut wire = Wire::plain();
    wire.collect();
    let garbage: [&[u8]; 8] = [
        &[],
        &[22],
        &[22; 13],
        &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
        &[99, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[22, 0x03, 0x03, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0],
        &[22; MOST + 1],
    ];
    for bytes in garbage {
        wire.client.receive(wire.now, server_address(), bytes);
        wire.server.receive(wire.now, client_address(), bytes);
    }
    assert_eq!((wire.client.counts().malformed, wire.server.counts().malformed), (8, 8));
    // Records that are in form and empty, of every kind and epoch.
    for kind in 20..=26 {
        for epoch in 0..3 {
            let record = [kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, kind, 0, 0];
            wire.client.receive(wire.now, server_address(), &record);
            assert!(wire.client.engine.is_some(), "{kind} {epoch}");
            wire.server.receive(wire.now, client_address(), &record);
        }
    }
    wire.run();
    wire.assert_keys();
}

#[test]
fn datagrams_of_strangers_are_counted_and_not_heard() {
    let mut wire = Wire::plain();
    wire.run();
    let counted = wire.server.counts().strangers;
    wire.server.receive(wire.now, stranger_address(), &alert(40));
    wire.client.receive(wire.now, stranger_address(), &alert(40));
    assert_eq!((wire.server.counts().strangers, wire.client.counts().strangers), (counted + 1, 1));
}

#[test]
fn an_alert_without_a_key_does_not_end_a_handshake_that_goes_on() {
    let mut wire = Wire::plain();
    for _ in 0..3 {
        wire.collect();
        wire.client.receive(wire.now, server_address(), &alert(40));
        wire.server.receive(wire.now, client_address(), &alert(40));
    }
    wire.run();
    wire.assert_keys();
    assert_eq!(wire.client_outcome.len(), 1);
    wire.client.receive(wire.now, server_address(), &alert(40));
    wire.client.tick(wire.now + DOUBT);
    assert_eq!(wire.client.poll(), None);
}

/// A forged alert, then a flight of the peer's, then silence for a while: that is no end.
#[test]
fn a_handshake_that_has_made_headway_since_an_alert_goes_on() {
    let mut wire = Wire::plain();
    wire.collect();
    let alerted = wire.now;
    wire.server.receive(wire.now, client_address(), &alert(40));
    wire.client.receive(wire.now, server_address(), &alert(40));
    while wire.server.engine.is_none() || wire.server.outputs.is_empty() {
        wire.step();
    }
    wire.collect();
    wire.client.tick(alerted + DOUBT);
    wire.run();
    wire.assert_keys();
}

/// Others who may send here show cookies of theirs, again and again.
#[test]
fn many_strangers_with_cookies_end_no_handshake() {
    let mut wire = Wire::plain();
    let promised = wire.client.expected.clone();
    let shown = |wire: &mut Wire, number: u16| {
        let from = SocketAddr::new(stranger_address().ip(), 6_000 + number);
        let mut stranger =
            Dtls::new(settings(identity(), false), Role::Client, Trust::Cookie, promised.clone());
        stranger.aim(wire.now, server_address());
        let Some(Output::Datagram { bytes, .. }) = stranger.poll() else { panic!("no hello") };
        wire.server.receive(wire.now, from, &bytes);
        // Whatever else waits to be sent is the client's.
        let waiting: Vec<Output> = std::iter::from_fn(|| wire.server.poll()).collect();
        for output in waiting {
            match output {
                Output::Datagram { to, bytes } if to == from => {
                    stranger.receive(wire.now, server_address(), &bytes);
                }
                other => wire.server.outputs.push_back(other),
            }
        }
        let Some(Output::Datagram { bytes, .. }) = stranger.poll() else { panic!("no cookie") };
        wire.server.receive(wire.now, from, &bytes);
    };
    while wire.server.engine.is_none() {
        wire.step();
    }
    for number in 0..20 {
        shown(&mut wire, number);
    }
    wire.run();
    wire.assert_keys();
    assert_eq!(wire.server.counts().restarts, 0);
}

#[test]
fn close_notify_ends_the_peers_stream() {
    for closer in [Role::Client, Role::Server] {
        let mut wire = Wire::plain();
        wire.run();
        let session = if closer == Role::Client { &mut wire.client } else { &mut wire.server };
        session.close(wire.now);
        wire.run();
        let (of_closer, of_other) = match closer {
            Role::Client => (&wire.client_outcome, &wire.server_outcome),
            Role::Server => (&wire.server_outcome, &wire.client_outcome),
        };
        assert_eq!(of_closer.len(), 1);
        assert_eq!(of_other.last(), Some(&Output::Closed), "{closer:?}");
    }
}

#[test]
fn a_session_that_is_closed_before_its_keys_says_nothing() {
    let mut wire = Wire::plain();
    wire.collect();
    wire.client.close(wire.now);
    wire.flying.clear();
    wire.run();
    assert_eq!(wire.client_outcome, []);
    wire.client.receive(wire.now, server_address(), &alert(40));
    assert_eq!(wire.client.counts().late, 1);
}

#[test]
fn an_old_plaintext_hello_after_the_keys_changes_nothing() {
    let mut wire = Wire::plain();
    wire.collect();
    let hello = wire.flying[0].2.clone();
    wire.run();
    for _ in 0..100 {
        wire.server.receive(wire.now, client_address(), &hello);
        wire.client.receive(wire.now, server_address(), &hello);
    }
    wire.collect();
    assert_eq!((wire.server_outcome.len(), wire.client_outcome.len()), (1, 1));
}

#[test]
fn with_ice_a_new_address_is_heard_and_sent_to() {
    let mut wire = Wire::new(settings(identity(), false), settings(identity(), false), Trust::Ice);
    wire.run();
    let moved: SocketAddr = "192.0.2.77:4001".parse().unwrap();
    wire.server.aim(wire.now, moved);
    wire.server.close(wire.now);
    assert!(matches!(wire.server.poll(), Some(Output::Datagram { to, .. }) if to == moved));
}

/// RFC 6347 §4.2.8: a client that has restarted, or another one behind an SBC with the same certificate.
#[test]
fn a_client_that_begins_anew_gets_new_keys_and_one_that_fails_takes_none_away() {
    for trust in [Trust::Cookie, Trust::Ice] {
        let client = settings(identity(), false);
        let server = settings(identity(), false);
        let mut wire = Wire::new(Arc::clone(&client), Arc::clone(&server), trust);
        wire.run();
        wire.assert_keys();
        let Some(Output::Keys(first)) = wire.server_outcome.pop() else { panic!("keys") };

        // Somebody else, with another certificate, from the peer's own address.
        let expected = || Fingerprints::from(server.identity().fingerprint());
        wire.client = Dtls::new(settings(identity(), false), Role::Client, trust, expected());
        wire.client_outcome.clear();
        wire.client.aim(wire.now, server_address());
        wire.run();
        assert_eq!(wire.server_outcome, [Output::Refused(Failure::Fingerprint)], "{trust:?}");
        wire.server_outcome.clear();

        wire.client = Dtls::new(client, Role::Client, trust, expected());
        wire.client_outcome.clear();
        wire.client.aim(wire.now, server_address());
        wire.run();
        wire.assert_keys();
        assert_ne!(wire.server_outcome, [Output::Keys(first)], "{trust:?}");
        assert_eq!(wire.server.counts().restarts, 2);
    }
}
