//! Whatever arrives, however mangled: no panic, bounded tables, and quiet in the end.

use proptest::prelude::*;

use crate::sim::*;

/// Messages of a call, to be mangled.
fn seeds() -> Vec<Vec<u8>> {
    let mut net = Net::new();
    let call = invite(CARRIER, "c1");
    net.send(CARRIER, &call);
    let sent = net.take(PBX, "INVITE");
    let ringing = reply(&sent, 180, "b", PBX);
    let ok = reply(&sent, 200, "b", PBX);
    net.send(PBX, ok.clone());
    net.all(CARRIER);
    vec![
        call.text().into_bytes(),
        call.cancel().text().into_bytes(),
        call.ack("b").text().into_bytes(),
        ringing,
        ok,
        reply(&sent, 503, "b", PBX),
        draft("BYE", CARRIER, "c1")
            .tagged("b")
            .header("Route: <sip:192.0.2.1;lr>, <sip:p;lr>")
            .text()
            .into_bytes(),
        draft("REGISTER", CARRIER, "r").text().into_bytes(),
    ]
}

#[derive(Debug, Clone)]
enum Step {
    /// A seed with some bytes cut out, doubled or overwritten.
    Message {
        seed: usize,
        edits: Vec<(usize, u8, u8)>,
        from: usize,
        tcp: bool,
    },
    Time(u64),
    Failure(usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0usize..8, proptest::collection::vec(any::<(usize, u8, u8)>(), 0..6), 0usize..4, any::<bool>())
            .prop_map(|(seed, edits, from, tcp)| Step::Message { seed, edits, from, tcp }),
        2 => (0u64..40_000).prop_map(Step::Time),
        1 => (0usize..4, any::<bool>()).prop_map(|(to, tcp)| Step::Failure(to, tcp)),
    ]
}

fn mangled(seed: &[u8], edits: &[(usize, u8, u8)]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for &(at, how, with) in edits {
        if bytes.is_empty() {
            break;
        }
        let at = at % bytes.len();
        match how % 5 {
            0 => bytes[at] = with,
            1 => bytes.truncate(at),
            2 => bytes.insert(at, with),
            3 => drop(bytes.drain(at..(at + usize::from(with)).min(bytes.len()))),
            _ => {
                let piece = bytes[at..(at + usize::from(with)).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

/// Like `Net::drain`, but routes to names as well, and doesn't care what comes out.
fn run(net: &mut Net) {
    use sidetone_call::Side;
    use sidetone_sip::proxy::{Decision, Output, Target};
    while let Some(output) = net.proxy.poll() {
        match output {
            Output::Send { bytes, .. } => {
                let parsed = sidetone_sip::Message::parse(bytes.clone());
                // A response to a request that lacks headers lacks them too.
                assert!(parsed.is_ok() || bytes.starts_with(b"SIP/2.0 "), "{bytes:?}");
            }
            Output::Route(query) => {
                let targets = vec![Target::from(udp(PBX)), Target::from(tcp(PBX2))];
                let decision = Decision::Forward { from: Side::Trunk, targets };
                net.proxy.decide(net.now, query.key, decision);
            }
            Output::Probed { .. } | Output::Answered { .. } | Output::Undelivered { .. } => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn mangled_calls(steps in proptest::collection::vec(step(), 1..60)) {
        let seeds = seeds();
        let peers = [CARRIER, PBX, PBX2, "198.51.100.10:9"];
        let mut net = Net::with(sidetone_sip::proxy::Settings { max_transactions: 20, ..settings() });
        for step in steps {
            match step {
                Step::Message { seed, edits, from, tcp } => {
                    let to = if tcp { crate::sim::tcp(peers[from]) } else { udp(peers[from]) };
                    let flow = sidetone_sip::Flow { transport: to.transport, local: to.local, remote: to.remote };
                    net.proxy.receive(net.now, &flow, mangled(&seeds[seed], &edits).into());
                }
                Step::Time(ms) => {
                    let end = net.now + crate::sim::ms(ms);
                    while let Some(at) = net.proxy.next_timeout().filter(|at| *at <= end) {
                        net.now = net.now.max(at);
                        net.proxy.timeout(net.now);
                        run(&mut net);
                    }
                    net.now = end;
                }
                Step::Failure(to, tcp) => {
                    let to = if tcp { crate::sim::tcp(peers[to]) } else { udp(peers[to]) };
                    net.proxy.send_failed(net.now, &to);
                }
            }
            run(&mut net);
            prop_assert!(net.proxy.transactions() <= 40);
        }
        let end = net.now + secs(1000);
        while let Some(at) = net.proxy.next_timeout() {
            prop_assert!(at < end);
            net.now = net.now.max(at);
            net.proxy.timeout(net.now);
            run(&mut net);
        }
        prop_assert_eq!(net.proxy.transactions(), 0);
    }

    #[test]
    fn noise(data in proptest::collection::vec(any::<u8>(), 0..600)) {
        sidetone_sip::fuzz::proxy(&data);
    }

    #[test]
    fn histories(steps in proptest::collection::vec((any::<u8>(), 0usize..8, any::<(usize, u8, u8)>()), 0..40)) {
        let seeds = seeds();
        let chunks = steps.iter().map(|(what, seed, edit)| {
            let edits = if what & 0x40 == 0 { &[][..] } else { std::slice::from_ref(edit) };
            [&[*what][..], &mangled(&seeds[*seed], edits)].concat()
        });
        sidetone_sip::fuzz::proxy(&chunks.collect::<Vec<_>>().join(&0xff));
    }
}

#[test]
fn an_invite_whose_answer_lacks_the_caller_s_via_is_not_kept_for_ever() {
    for (status, told) in [(200, 502), (486, 486), (503, 503)] {
        let mut net = Net::new();
        net.send(CARRIER, invite(CARRIER, "c1"));
        let sent = net.take(PBX, "INVITE");
        let answer = String::from_utf8(reply(&sent, status, "b", PBX)).unwrap();
        let line = answer.lines().filter(|line| line.starts_with("Via:")).nth(1).unwrap();
        net.send(PBX, answer.replace(&format!("{line}\r\n"), ""));
        let end = net.now + secs(1000);
        while let Some(at) = net.proxy.next_timeout() {
            assert!(at < end);
            net.now = net.now.max(at);
            net.proxy.timeout(net.now);
            net.drain();
        }
        let last = net.all(CARRIER).into_iter().next_back().unwrap();
        assert_eq!(last.message.status(), Some(told));
        assert_eq!(net.proxy.transactions(), 0);
    }
}
