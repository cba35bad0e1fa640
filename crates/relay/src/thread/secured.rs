//! Calls whose SRTP ends here, turn by turn, between sockets on this machine: the carrier's leg is protected, the PBX's
//! is plain.

use std::net::UdpSocket as StdSocket;

use sidetone_call::{Keying, Protection, SrtpKeys, StreamPlan, Suite};
use sidetone_srtp::{Inbound, MOST_TRAILER, Outbound};

use super::tests::{CALL, Desk, plan};
use super::*;
use crate::protection::Keyring;

fn keying(suite: Suite, seed: u8) -> Keying {
    Keying::new(suite, &vec![seed; suite.key_length() + suite.salt_length()]).unwrap()
}

pub(super) fn keys(suite: Suite, theirs: u8, ours: u8) -> Protection {
    Protection::Sdes(SrtpKeys { theirs: keying(suite, theirs), coming: None, ours: keying(suite, ours) })
}

pub(super) fn rtp(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 160, 0, 0, 0, 7]);
    packet.extend([0xd5; 20]);
    packet
}

pub(super) fn rtcp() -> Vec<u8> {
    let mut packet = vec![0x80, 201, 0, 1];
    packet.extend([0, 0, 0, 7]);
    packet
}

/// The carrier's own end of the protected leg.
pub(super) struct Carrier {
    outbound: Outbound,
    inbound: Inbound,
}

impl Carrier {
    pub(super) fn new(suite: Suite, theirs: u8, ours: u8) -> Self {
        let (outbound, inbound) = (Outbound::new(keying(suite, theirs)), Inbound::new(keying(suite, ours)));
        Self { outbound: outbound.unwrap(), inbound: inbound.unwrap() }
    }

    pub(super) fn sealed(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut buffer = packet.to_vec();
        buffer.resize(packet.len() + MOST_TRAILER, 0);
        let report = packet[1] == 201;
        let length = if report {
            self.outbound.protect_rtcp(&mut buffer, packet.len())
        } else {
            self.outbound.protect(&mut buffer, packet.len())
        };
        buffer.truncate(length.unwrap());
        buffer
    }

    fn opened(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        let length = self.inbound.unprotect(&mut packet).unwrap();
        packet.truncate(length);
        packet
    }
}

pub(super) fn agree(desk: &Desk, keyring: &mut Keyring, trunk: Protection) {
    let mut plan: StreamPlan = plan(&desk.carrier, &desk.pbx);
    plan.trunk.protection = trunk;
    plan.trunk.mux = true;
    plan.pbx.mux = true;
    let guard = keyring.changes(0, &plan, &mut Vec::new());
    desk.orders.give(Command::Plan { call: CALL, stream: 0, plan: Box::new(plan), guard, shake: Vec::new() });
}

pub(super) fn came(socket: &StdSocket) -> Option<Vec<u8>> {
    let mut buffer = [0; 256];
    socket.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec())
}

pub(super) fn pass(desk: &mut Desk, packet: &[u8]) -> Option<Vec<u8>> {
    desk.carrier.send_to(packet, desk.entrance).unwrap();
    desk.turn();
    came(&desk.pbx)
}

pub(super) fn pass_back(desk: &mut Desk, packet: &[u8]) -> Option<Vec<u8>> {
    desk.pbx.send_to(packet, desk.exit).unwrap();
    desk.turn();
    came(&desk.carrier)
}

#[test]
fn a_protected_leg_and_a_plain_one_hear_each_other() {
    for suite in Suite::ALL {
        let (mut desk, mut keyring) = (Desk::new(16), Keyring::default());
        agree(&desk, &mut keyring, keys(suite, 1, 2));
        let mut carrier = Carrier::new(suite, 1, 2);
        for n in 65_530..65_540_u32 {
            let packet = rtp(n as u16);
            assert_eq!(pass(&mut desk, &carrier.sealed(&packet)), Some(packet.clone()), "{suite}");
            let back = pass_back(&mut desk, &packet).unwrap();
            assert_ne!(back, packet, "{suite}: protected on its way");
            assert_eq!(carrier.opened(back), packet, "{suite}");
        }
        let report = carrier.sealed(&rtcp());
        assert_eq!(pass(&mut desk, &report), Some(rtcp()), "{suite}");
    }
}

#[test]
fn replayed_forged_and_plain_packets_are_dropped_and_counted() {
    let (mut desk, mut keyring) = (Desk::new(16), Keyring::default());
    let suite = Suite::AesCm128Sha1_80;
    agree(&desk, &mut keyring, keys(suite, 1, 2));
    let mut carrier = Carrier::new(suite, 1, 2);
    let sealed = carrier.sealed(&rtp(1));
    assert!(pass(&mut desk, &sealed).is_some());
    assert_eq!(pass(&mut desk, &sealed), None, "replayed");
    let mut forged = carrier.sealed(&rtp(2));
    forged[15] ^= 1;
    for wrong in [forged, rtp(3), b"no packet at all".to_vec()] {
        assert_eq!(pass(&mut desk, &wrong), None);
    }
    assert_eq!(desk.totals.unauthentic.load(Relaxed), 4);
    let report = desk.thread.streams.iter().next().unwrap().1.relay.report(0);
    assert_eq!((report.trunk.replayed, report.trunk.unauthentic, report.trunk.packets), (1, 3, 1));
}

/// RTP bleed: on a protected leg not even a source that SDP allows teaches an address without the key.
#[test]
fn only_authentic_packets_teach_an_address() {
    let (mut desk, mut keyring) = (Desk::new(16), Keyring::default());
    let suite = Suite::AeadAes128Gcm;
    agree(&desk, &mut keyring, keys(suite, 1, 2));
    let stranger = StdSocket::bind("127.0.0.1:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    for n in 0..50 {
        stranger.send_to(&rtp(n), desk.entrance).unwrap();
        desk.turn();
    }
    let mut carrier = Carrier::new(suite, 1, 2);
    let back = pass_back(&mut desk, &rtp(9)).expect("to the carrier, not to the stranger");
    assert_eq!(carrier.opened(back), rtp(9));
    assert_eq!(came(&stranger), None);
}

/// Before the keys are known nothing can be read, and nothing goes out in the clear.
#[test]
fn nothing_passes_while_keys_are_awaited() {
    let (mut desk, mut keyring) = (Desk::new(16), Keyring::default());
    agree(&desk, &mut keyring, Protection::Awaited);
    assert_eq!(pass(&mut desk, &rtp(1)), None);
    assert_eq!(pass_back(&mut desk, &rtp(1)), None);
    assert_eq!(desk.totals.unprotected.load(Relaxed), 1);
}

/// The party protects with the key that it has offered before it is answered, as some do.
#[test]
fn key_change_at_re_invite_answered_late() {
    let suite = Suite::AesCm128Sha1_80;
    let (mut desk, mut keyring) = (Desk::new(16), Keyring::default());
    agree(&desk, &mut keyring, keys(suite, 1, 2));
    let (mut old, mut new) = (Carrier::new(suite, 1, 2), Carrier::new(suite, 3, 2));
    assert!(pass(&mut desk, &old.sealed(&rtp(1))).is_some());
    let coming = Some(keying(suite, 3));
    let offered = SrtpKeys { theirs: keying(suite, 1), coming, ours: keying(suite, 2) };
    agree(&desk, &mut keyring, Protection::Sdes(offered));
    assert!(pass(&mut desk, &new.sealed(&rtp(2))).is_some(), "ahead of the answer");
    assert!(pass(&mut desk, &old.sealed(&rtp(3))).is_some(), "and the old one still");
    agree(&desk, &mut keyring, keys(suite, 3, 2));
    for n in 4..600 {
        assert!(pass(&mut desk, &new.sealed(&rtp(n))).is_some());
    }
    assert_eq!(pass(&mut desk, &old.sealed(&rtp(600))), None, "over");
}

/// The peer changes its key at a re-INVITE: packets of both keys come for a while, out of order.
#[test]
fn key_change_at_a_re_invite_loses_no_packet() {
    for suite in [Suite::AesCm128Sha1_80, Suite::AeadAes256Gcm] {
        let (mut desk, mut keyring) = (Desk::new(16), Keyring::default());
        agree(&desk, &mut keyring, keys(suite, 1, 2));
        let (mut old, mut new) = (Carrier::new(suite, 1, 2), Carrier::new(suite, 3, 2));
        assert!(pass(&mut desk, &old.sealed(&rtp(1))).is_some());
        agree(&desk, &mut keyring, keys(suite, 3, 2));
        assert_eq!(pass(&mut desk, &new.sealed(&rtp(3))), Some(rtp(3)));
        assert_eq!(pass(&mut desk, &old.sealed(&rtp(2))), Some(rtp(2)), "{suite}: under way before");
        assert_eq!(pass(&mut desk, &new.sealed(&rtp(4))), Some(rtp(4)));
    }
}

/// The peer changes its key and begins its numbers anew, behind the SSRC that it had: what the old key has seen says
/// nothing of the new one's.
#[test]
fn a_new_key_with_lower_numbers() {
    for suite in [Suite::AesCm128Sha1_80, Suite::AeadAes128Gcm] {
        let (mut desk, mut keyring) = (Desk::new(16), Keyring::default());
        agree(&desk, &mut keyring, keys(suite, 1, 2));
        let (mut old, mut new) = (Carrier::new(suite, 1, 2), Carrier::new(suite, 3, 2));
        for n in 30_000..30_010 {
            assert!(pass(&mut desk, &old.sealed(&rtp(n))).is_some());
        }
        agree(&desk, &mut keyring, keys(suite, 3, 2));
        for n in 100..110 {
            assert_eq!(pass(&mut desk, &new.sealed(&rtp(n))), Some(rtp(n)), "{suite}");
        }
        let report = new.sealed(&rtcp());
        assert!(pass(&mut desk, &report).is_some(), "{suite}");
    }
}

/// Music on hold has a key of its own, for longer than the old one is tried; then the party is back with its first key,
/// counters and all, and what it had sent before does not open again.
#[test]
fn a_key_that_comes_back_finds_what_it_has_seen() {
    let suite = Suite::AesCm128Sha1_80;
    let (mut desk, mut keyring) = (Desk::new(16), Keyring::default());
    agree(&desk, &mut keyring, keys(suite, 1, 2));
    let (mut party, mut music) = (Carrier::new(suite, 1, 2), Carrier::new(suite, 3, 2));
    let recorded = party.sealed(&rtp(65_534));
    assert!(pass(&mut desk, &recorded).is_some());
    for n in [65_535_u16, 0, 1] {
        assert!(pass(&mut desk, &party.sealed(&rtp(n))).is_some());
    }
    agree(&desk, &mut keyring, keys(suite, 3, 2));
    for n in 0..600 {
        assert!(pass(&mut desk, &music.sealed(&rtp(n))).is_some());
    }
    assert_eq!(pass(&mut desk, &party.sealed(&rtp(2))), None, "over, for now");
    agree(&desk, &mut keyring, keys(suite, 1, 2));
    assert_eq!(pass(&mut desk, &recorded), None, "replayed");
    assert_eq!(pass(&mut desk, &party.sealed(&rtp(3))), Some(rtp(3)), "roll-over counter 1");
}

/// Hold and resume with the same keys: the counters go on, so that no key stream is used twice.
#[test]
fn roll_over_counter_at_hold() {
    let (mut desk, mut keyring) = (Desk::new(16), Keyring::default());
    let suite = Suite::AesCm128Sha1_80;
    agree(&desk, &mut keyring, keys(suite, 1, 2));
    let mut carrier = Carrier::new(suite, 1, 2);
    for n in [65_534_u16, 65_535, 0, 1] {
        assert!(pass(&mut desk, &carrier.sealed(&rtp(n))).is_some());
        let back = pass_back(&mut desk, &rtp(n)).unwrap();
        assert_eq!(carrier.opened(back), rtp(n));
    }
    for between in [Protection::Awaited, Protection::None] {
        agree(&desk, &mut keyring, between);
        desk.turn();
        agree(&desk, &mut keyring, keys(suite, 1, 2));
    }
    assert!(pass(&mut desk, &carrier.sealed(&rtp(2))).is_some());
    let back = pass_back(&mut desk, &rtp(2)).unwrap();
    assert_eq!(carrier.opened(back), rtp(2), "roll-over counter 1 on both ways");
    assert_eq!(pass_back(&mut desk, &rtp(2)), None, "a number that has left does not leave again");
}

/// Nothing that has left leaves again, and nothing that was seen opens again, under keys in force and keys of before.
#[test]
fn keys_and_counters_go_on_in_another_process() {
    let suite = Suite::AesCm128Sha1_80;
    let (mut desk, mut keyring) = (Desk::new(16), Keyring::default());
    let (mut first, mut second) = (Carrier::new(suite, 1, 2), Carrier::new(suite, 3, 4));
    agree(&desk, &mut keyring, keys(suite, 1, 2));
    let recorded = first.sealed(&rtp(65_534));
    assert!(pass(&mut desk, &recorded).is_some());
    for n in [65_535_u16, 0, 1] {
        assert!(pass(&mut desk, &first.sealed(&rtp(n))).is_some());
        let back = pass_back(&mut desk, &rtp(n)).unwrap();
        assert_eq!(first.opened(back), rtp(n));
    }
    agree(&desk, &mut keyring, keys(suite, 3, 4));
    let seen = second.sealed(&rtp(2));
    assert!(pass(&mut desk, &seen).is_some());
    let keep = |desk: &Desk| desk.thread.streams.iter().next().unwrap().1.relay.keep(0);
    let written = serde_json::to_vec(&keep(&desk)).unwrap();

    let (mut desk, mut keyring) = (Desk::new(16), Keyring::default());
    agree(&desk, &mut keyring, keys(suite, 3, 4));
    desk.turn();
    let mut kept: crate::kept::StreamKept = serde_json::from_slice(&written).unwrap();
    assert!(kept.is_secret());
    let here = keep(&desk);
    // Its parties are at other sockets here.
    (kept.trunk.rtp, kept.pbx.rtp) = (here.trunk.rtp, here.pbx.rtp);
    desk.orders.give(Command::Resume { call: CALL, streams: vec![kept] });
    desk.turn();
    assert_eq!(pass(&mut desk, &seen), None, "replayed");
    assert!(pass(&mut desk, &second.sealed(&rtp(3))).is_some());
    assert!(pass(&mut desk, &first.sealed(&rtp(2))).is_some(), "under way under the key before");
    let back = pass_back(&mut desk, &rtp(2)).unwrap();
    assert_eq!(second.opened(back), rtp(2));
    agree(&desk, &mut keyring, keys(suite, 1, 2));
    assert_eq!(pass(&mut desk, &recorded), None, "replayed");
    assert_eq!(pass(&mut desk, &first.sealed(&rtp(4))), Some(rtp(4)), "roll-over counter 1");
    assert_eq!(pass_back(&mut desk, &rtp(1)), None, "a number that has left does not leave again");
    let back = pass_back(&mut desk, &rtp(5)).unwrap();
    assert_eq!(first.opened(back), rtp(5), "roll-over counter 1");
}

/// A party may ask for a new key as often as it likes; what it makes us hold has an end.
#[test]
fn endless_key_changes_fill_no_memory() {
    let suite = Suite::AeadAes128Gcm;
    let (mut desk, mut keyring) = (Desk::new(16), Keyring::default());
    for n in 0..100_u8 {
        agree(&desk, &mut keyring, keys(suite, 2 * n, 2 * n + 1));
        desk.turn();
    }
    let mut carrier = Carrier::new(suite, 198, 199);
    assert_eq!(pass(&mut desk, &carrier.sealed(&rtp(1))), Some(rtp(1)));
    let back = pass_back(&mut desk, &rtp(1)).unwrap();
    assert_eq!(carrier.opened(back), rtp(1));
    let stream = desk.thread.streams.iter().next().unwrap().1;
    let held = stream.relay.contexts_held(sidetone_call::Side::Trunk);
    assert!(held.0 <= 32 && held.1 <= 32, "contexts of the party's keys and of ours: {held:?}");
    assert!(keyring.keys_held() <= 48, "{}", keyring.keys_held());
}

/// The party has another key by now, and is silent with it: the old one opens nothing for ever.
#[test]
fn an_old_key_comes_to_its_end_though_the_new_one_is_silent() {
    let suite = Suite::AesCm128Sha1_80;
    let (mut desk, mut keyring) = (Desk::new(16), Keyring::default());
    agree(&desk, &mut keyring, keys(suite, 1, 2));
    let mut old = Carrier::new(suite, 1, 2);
    assert_eq!(pass(&mut desk, &old.sealed(&rtp(1))), Some(rtp(1)));
    agree(&desk, &mut keyring, keys(suite, 3, 4));
    assert_eq!(pass(&mut desk, &old.sealed(&rtp(2))), Some(rtp(2)), "under way");
    for _ in 0..9 {
        desk.thread.look_after_links(Duration::ZERO);
    }
    assert_eq!(pass(&mut desk, &old.sealed(&rtp(3))), Some(rtp(3)));
    desk.thread.look_after_links(Duration::ZERO);
    assert_eq!(pass(&mut desk, &old.sealed(&rtp(4))), None);
    let mut new = Carrier::new(suite, 3, 4);
    assert_eq!(pass(&mut desk, &new.sealed(&rtp(5))), Some(rtp(5)));
}
