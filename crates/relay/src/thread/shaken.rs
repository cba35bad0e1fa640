//! Calls whose keys a handshake gives, turn by turn, between sockets on this machine: the carrier's leg does DTLS, with
//! ICE or without, the PBX's is plain.

use std::net::UdpSocket as StdSocket;
use std::thread::JoinHandle;

use sidetone_call::{DtlsPlan, IcePlan, Keying, Protection, Suite};
use sidetone_handshake::stun::testing::Check;
use sidetone_handshake::{Dtls, Handshake, Identity, Keys, Output, Role, Settings, Trust};
use sidetone_srtp::{Inbound, MOST_TRAILER, Outbound};

use super::secured::{came, pass_back, rtp};
use super::tests::{CALL, Desk, plan};
use super::*;
use crate::handshakes::{HandshakeTotals, Leg, Message};
use crate::protection::{Change, Keyring, Shake};
use crate::shaking::HandshakeThread;
use crate::voiceover::{PlayId, Playing};

const OURS: &str = "OURSfrag";
const PASSWORD: &str = "a-password-of-24-signs--";

fn settings() -> Arc<Settings> {
    Arc::new(Settings::new(Identity::generate().unwrap(), true).unwrap())
}

/// A desk with a thread that shakes hands.
struct Hall {
    desk: Desk,
    keyring: Keyring,
    handshakes: Handshakes,
    thread: Option<JoinHandle<()>>,
    /// What the carrier shows.
    theirs: Arc<Settings>,
    ours: Arc<Settings>,
}

impl Drop for Hall {
    fn drop(&mut self) {
        self.handshakes.tell(Message::Stop);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The carrier: what a party has that shakes hands, and protects by what came of it.
struct Party {
    socket: StdSocket,
    dtls: Dtls,
    keys: Option<Keys>,
    outbound: Option<Outbound>,
    inbound: Option<Inbound>,
    closed: bool,
}

impl Party {
    fn new(hall: &Hall, role: Role) -> Self {
        let expected = hall.ours.identity().fingerprint().into();
        let dtls = Dtls::new(Arc::clone(&hall.theirs), role, Trust::Cookie, expected);
        let socket = hall.desk.carrier.try_clone().unwrap();
        Self { socket, dtls, keys: None, outbound: None, inbound: None, closed: false }
    }

    /// Sends and receives what there is.
    fn pump(&mut self) {
        let mut buffer = [0; 2_048];
        loop {
            while let Some(output) = self.dtls.poll() {
                match output {
                    Output::Datagram { to, bytes } => drop(self.socket.send_to(&bytes, to).unwrap()),
                    Output::Keys(keys) => self.take(keys),
                    Output::Closed => self.closed = true,
                    other => panic!("{other:?}"),
                }
            }
            let Ok((length, from)) = self.socket.recv_from(&mut buffer) else { return };
            self.dtls.receive(Instant::now(), from, &buffer[..length]);
        }
    }

    fn take(&mut self, keys: Keys) {
        let keying = |master: &sidetone_handshake::Master| {
            Keying::new(Suite::AeadAes256Gcm, &[&master.key[..], &master.salt[..]].concat()).unwrap()
        };
        self.outbound = Some(Outbound::new(keying(&keys.ours)).unwrap());
        self.inbound = Some(Inbound::new(keying(&keys.theirs)).unwrap());
        self.keys = Some(keys);
    }

    fn sealed(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut buffer = packet.to_vec();
        buffer.resize(packet.len() + MOST_TRAILER, 0);
        let length = self.outbound.as_mut().unwrap().protect(&mut buffer, packet.len()).unwrap();
        buffer.truncate(length);
        buffer
    }

    fn opened(&mut self, mut packet: Vec<u8>) -> Vec<u8> {
        let length = self.inbound.as_mut().unwrap().unprotect(&mut packet).unwrap();
        packet.truncate(length);
        packet
    }
}

fn ice(fragment: &str) -> IcePlan {
    IcePlan {
        our_fragment: fragment.to_owned(),
        our_password: Arc::new(PASSWORD.to_owned().into()),
        their_fragment: "theirs".to_owned(),
    }
}

fn check(fragment: &str, nominate: bool) -> Vec<u8> {
    let check = Check {
        username: Some(format!("{fragment}:theirs")),
        password: Some(PASSWORD.to_owned()),
        priority: 1,
        nominate,
        controlled: false,
        others: Vec::new(),
        fingerprint: true,
    };
    check.write([3; 12])
}

impl Hall {
    fn new() -> Self {
        let desk = Desk::new(16);
        let ours = settings();
        let (thread, handshakes) =
            HandshakeThread::new(Arc::clone(&ours), vec![Arc::clone(&desk.orders)], |_, _| 0);
        let epoch = Instant::now();
        let beat = Heartbeat::new("handshakes", epoch.elapsed());
        let thread = std::thread::spawn(move || thread.run(epoch, &beat, &Alarm::new()));
        desk.orders.give(Command::Handshakes(handshakes.clone()));
        Self { desk, keyring: Keyring::default(), handshakes, thread: Some(thread), theirs: settings(), ours }
    }

    fn agree(&mut self, active: bool, ice: Option<IcePlan>) {
        self.propose(active, ice);
        self.desk.turn();
    }

    /// Gives the plan, which is carried out at the next turn.
    fn propose(&mut self, active: bool, ice: Option<IcePlan>) {
        let mut plan = plan(&self.desk.carrier, &self.desk.pbx);
        if ice.is_some() {
            // An address that its description names and nothing ever comes from.
            plan.trunk.remote_rtp = Some("192.0.2.1:9".parse().unwrap());
            plan.trunk.signalled_from = Some("192.0.2.1".parse().unwrap());
        }
        let fingerprints = vec![self.theirs.identity().fingerprint().to_string()];
        plan.trunk.protection = Protection::Dtls(Box::new(DtlsPlan { active, fingerprints, ice }));
        plan.trunk.mux = true;
        plan.pbx.mux = true;
        let mut shake = Vec::new();
        let guard = self.keyring.changes(0, &plan, &mut shake);
        self.desk.orders.give(Command::Plan { call: CALL, stream: 0, plan: Box::new(plan), guard, shake });
    }

    fn totals(&self) -> &HandshakeTotals {
        self.handshakes.totals()
    }

    /// Turns until both have their keys, of the call's handshake with this number.
    fn shake(&mut self, party: &mut Party, handshake: u64) {
        for _ in 0..100 {
            party.pump();
            if party.keys.is_some() && self.totals().done.load(Relaxed) == handshake {
                return;
            }
            self.desk.turn();
        }
        panic!("no keys");
    }

    fn speak(&mut self, party: &mut Party, number: u16) {
        let packet = rtp(number);
        let sealed = party.sealed(&packet);
        party.socket.send_to(&sealed, self.desk.entrance).unwrap();
        self.desk.turn();
        assert_eq!(came(&self.desk.pbx), Some(packet));
    }

    fn hear(&mut self, party: &mut Party, number: u16) {
        let packet = rtp(number);
        let came = pass_back(&mut self.desk, &packet).expect("a packet back");
        assert_ne!(came, packet, "protected on its way");
        assert_eq!(party.opened(came), packet);
    }

    /// Hears as [`Self::hear`] does, once the keys have been ordered by the thread that has them: until then packets
    /// are of those before.
    fn hear_in_time(&mut self, party: &mut Party, first: u16) {
        let mut heard = false;
        for number in first..first + 20_000 {
            let mut came = pass_back(&mut self.desk, &rtp(number)).expect("a packet back");
            heard = party.inbound.as_mut().unwrap().unprotect(&mut came).is_ok();
            if heard {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(heard, "its keys are never back");
    }

    fn streams(&self) -> crate::report::StreamReport {
        self.desk.thread.streams.iter().next().unwrap().1.relay.report(0)
    }
}

#[test]
fn a_leg_with_dtls_and_a_plain_one_hear_each_other_in_either_role() {
    for (active, role) in [(true, Role::Server), (false, Role::Client)] {
        let mut hall = Hall::new();
        hall.agree(active, None);
        let mut party = Party::new(&hall, role);
        party.dtls.aim(Instant::now(), hall.desk.entrance);
        hall.shake(&mut party, 1);
        hall.speak(&mut party, 1);
        hall.hear(&mut party, 100);
        assert_eq!(hall.totals().done.load(Relaxed), 1, "{role:?}");
    }
}

#[test]
fn media_before_the_keys_is_dropped_and_counted_and_none_goes_out_in_the_clear() {
    let mut hall = Hall::new();
    hall.agree(false, None);
    hall.desk.carrier.send_to(&rtp(1), hall.desk.entrance).unwrap();
    hall.desk.turn();
    assert_eq!(came(&hall.desk.pbx), None);
    assert_eq!(pass_back(&mut hall.desk, &rtp(1)), None);
    assert_eq!(hall.desk.totals.unauthentic.load(Relaxed), 1);
    assert_eq!(hall.desk.totals.unprotected.load(Relaxed), 1);
    assert_eq!(hall.streams().trunk.unauthentic, 1);
}

#[test]
fn another_certificate_gets_no_keys() {
    let mut hall = Hall::new();
    hall.agree(false, None);
    let mut party = Party::new(&hall, Role::Client);
    party.dtls =
        Dtls::new(settings(), Role::Client, Trust::Cookie, hall.ours.identity().fingerprint().into());
    party.dtls.aim(Instant::now(), hall.desk.entrance);
    while hall.totals().refused.load(Relaxed) == 0 {
        party.pump();
        hall.desk.turn();
    }
    assert_eq!(party.keys, None);
    assert_eq!(hall.totals().done.load(Relaxed), 0);
}

#[test]
fn with_ice_the_nominated_address_is_the_partys_and_no_other() {
    let mut hall = Hall::new();
    hall.agree(false, Some(ice(OURS)));
    let mut party = Party::new(&hall, Role::Client);
    party.dtls.aim(Instant::now(), hall.desk.entrance);
    // Before a check its ClientHello is not heard.
    party.pump();
    hall.desk.turn();
    assert_eq!(came(&hall.desk.carrier), None);
    assert_eq!(hall.desk.totals.unauthentic.load(Relaxed), 1);
    party.socket.send_to(&check(OURS, true), hall.desk.entrance).unwrap();
    hall.desk.turn();
    let answer = came(&hall.desk.carrier).expect("an answer");
    assert_eq!(answer[..2], [1, 1], "a success");
    party.dtls.tick(party.dtls.next_timeout().unwrap());
    hall.shake(&mut party, 1);
    hall.speak(&mut party, 1);
    hall.hear(&mut party, 100);
    assert_eq!(hall.desk.totals.checks.load(Relaxed), 1);

    // Elsewhere nobody is heard, not even with the keys, until that is nominated.
    let moved = StdSocket::bind("127.0.0.1:0").unwrap();
    moved.set_nonblocking(true).unwrap();
    let old = std::mem::replace(&mut party.socket, moved.try_clone().unwrap());
    let sealed = party.sealed(&rtp(200));
    moved.send_to(&sealed, hall.desk.entrance).unwrap();
    hall.desk.turn();
    assert_eq!(came(&hall.desk.pbx), None);
    hall.hear_at(&mut party, &old, 101);
    hall.agree(false, Some(ice("NEWfragm")));
    moved.send_to(&check("NEWfragm", true), hall.desk.entrance).unwrap();
    hall.desk.turn();
    assert!(came(&moved).is_some());
    hall.speak(&mut party, 300);
    let packet = rtp(102);
    hall.desk.pbx.send_to(&packet, hall.desk.exit).unwrap();
    hall.desk.turn();
    let back = came(&moved).expect("media goes to the new address");
    assert_eq!(party.opened(back), packet);
    assert_eq!(hall.totals().begun.load(Relaxed), 1, "ICE began anew, DTLS did not");
}

impl Hall {
    fn hear_at(&mut self, party: &mut Party, socket: &StdSocket, number: u16) {
        let packet = rtp(number);
        self.desk.pbx.send_to(&packet, self.desk.exit).unwrap();
        self.desk.turn();
        let back = came(socket).expect("media goes where it went");
        assert_eq!(party.opened(back), packet);
    }
}

/// RFC 8842 §3: other fingerprints in mid-call are another association; the one before holds until then.
#[test]
fn another_fingerprint_in_mid_call_is_another_handshake_and_media_goes_on_meanwhile() {
    let mut hall = Hall::new();
    hall.agree(false, None);
    let mut party = Party::new(&hall, Role::Client);
    party.dtls.aim(Instant::now(), hall.desk.entrance);
    hall.shake(&mut party, 1);
    hall.speak(&mut party, 1);
    hall.agree(false, None);
    assert_eq!(hall.totals().begun.load(Relaxed), 1, "a description that repeats what holds");
    hall.theirs = settings();
    hall.agree(false, None);
    hall.speak(&mut party, 100);
    let mut renewed = Party::new(&hall, Role::Client);
    renewed.dtls.aim(Instant::now(), hall.desk.entrance);
    hall.shake(&mut renewed, 2);
    hall.speak(&mut renewed, 200);
    hall.hear(&mut renewed, 300);
    assert_eq!(hall.totals().begun.load(Relaxed), 2);
}

fn keys_of_nobody() -> Change {
    let keying = Keying::new(Suite::AesCm128Sha1_80, &[7; 30]).unwrap();
    Change::Keys {
        theirs: Vec::new(),
        accepted: Vec::new(),
        new: Some(Box::new(Outbound::new(keying.clone()).unwrap())),
        ours: keying,
    }
}

/// The party closes its session and, with the next description, begins another with the certificate that it had.
#[test]
fn after_a_good_bye_the_next_description_begins_anew() {
    for does_ice in [false, true] {
        let mut hall = Hall::new();
        let ice = || does_ice.then(|| ice(OURS));
        hall.agree(false, ice());
        if does_ice {
            hall.desk.carrier.send_to(&check(OURS, true), hall.desk.entrance).unwrap();
            hall.desk.turn();
            assert!(came(&hall.desk.carrier).is_some());
        }
        let mut party = Party::new(&hall, Role::Client);
        party.dtls.aim(Instant::now(), hall.desk.entrance);
        hall.shake(&mut party, 1);
        hall.speak(&mut party, 1);
        party.dtls.close(Instant::now());
        party.pump();
        // Until the thread has taken note of it: then nothing goes out any more.
        while hall.totals().sessions.load(Relaxed) > 0 {
            hall.desk.turn();
        }
        hall.desk.turn();
        // Our answer to it.
        while came(&hall.desk.carrier).is_some() {}
        assert_eq!(pass_back(&mut hall.desk, &rtp(2)), None);
        hall.agree(false, ice());
        let mut party = Party::new(&hall, Role::Client);
        party.dtls.aim(Instant::now(), hall.desk.entrance);
        hall.shake(&mut party, 2);
        hall.speak(&mut party, 3);
        hall.hear(&mut party, 100);
    }
}

/// An offer has forked to A and B, which have shown their certificates in turn, and A takes the call.
#[test]
fn a_fork_that_is_come_back_to_has_its_keys_still() {
    let mut hall = Hall::new();
    let (a, b) = (settings(), settings());
    hall.theirs = Arc::clone(&a);
    hall.agree(false, None);
    let mut first = Party::new(&hall, Role::Client);
    first.dtls.aim(Instant::now(), hall.desk.entrance);
    hall.shake(&mut first, 1);
    hall.speak(&mut first, 1);
    hall.hear(&mut first, 50);
    hall.theirs = b;
    hall.agree(false, None);
    let mut second = Party::new(&hall, Role::Client);
    second.dtls.aim(Instant::now(), hall.desk.entrance);
    hall.shake(&mut second, 2);
    hall.speak(&mut second, 100);
    hall.theirs = a;
    hall.agree(false, None);
    hall.hear_in_time(&mut first, 51);
    hall.speak(&mut first, 2);
    assert_eq!(hall.totals().begun.load(Relaxed), 2);
}

/// Behind an SBC another party comes with the same certificate, from another address.
#[test]
fn the_same_certificate_at_another_address_is_another_handshake() {
    let mut hall = Hall::new();
    hall.agree(false, None);
    let mut party = Party::new(&hall, Role::Client);
    party.dtls.aim(Instant::now(), hall.desk.entrance);
    hall.shake(&mut party, 1);
    hall.speak(&mut party, 1);
    let moved = StdSocket::bind("127.0.0.1:0").unwrap();
    moved.set_nonblocking(true).unwrap();
    hall.desk.carrier = moved;
    hall.agree(false, None);
    let mut party = Party::new(&hall, Role::Client);
    party.dtls.aim(Instant::now(), hall.desk.entrance);
    hall.shake(&mut party, 2);
    hall.speak(&mut party, 100);
    hall.hear(&mut party, 200);
}

#[test]
fn a_flood_of_dtls_on_one_leg_leaves_room_for_others() {
    let mut hall = Hall::new();
    hall.agree(false, None);
    for _ in 0..300 {
        hall.desk.carrier.send_to(&[22; 50], hall.desk.entrance).unwrap();
        hall.desk.turn();
    }
    assert!(hall.desk.totals.rejected.load(Relaxed) >= 100, "of 300 in less than two seconds");
}

#[test]
fn a_leg_that_is_plain_again_is_passed_as_it_is() {
    let mut hall = Hall::new();
    hall.agree(false, None);
    let mut party = Party::new(&hall, Role::Client);
    party.dtls.aim(Instant::now(), hall.desk.entrance);
    hall.shake(&mut party, 1);
    let plan = plan(&hall.desk.carrier, &hall.desk.pbx);
    let mut shake = Vec::new();
    let guard = hall.keyring.changes(0, &plan, &mut shake);
    assert!(matches!(shake[..], [Shake::Leave(Side::Trunk)]));
    hall.desk.orders.give(Command::Plan { call: CALL, stream: 0, plan: Box::new(plan), guard, shake });
    hall.desk.carrier.send_to(&rtp(9), hall.desk.entrance).unwrap();
    hall.desk.turn();
    assert_eq!(came(&hall.desk.pbx), Some(rtp(9)));
    // A flight that was late gives keys that nobody wants any more.
    let leg = Leg { call: CALL, stream: 0, side: Side::Trunk, number: 1 };
    for change in [Change::Awaited, keys_of_nobody()] {
        hall.desk.orders.give(Command::Keyed { leg, change: Box::new(change) });
        hall.desk.carrier.send_to(&rtp(10), hall.desk.entrance).unwrap();
        hall.desk.turn();
        assert_eq!(came(&hall.desk.pbx), Some(rtp(10)));
    }
    // And with DTLS once more it is another handshake, which knows nothing of the first either.
    hall.agree(false, None);
    hall.desk.orders.give(Command::Keyed { leg, change: Box::new(keys_of_nobody()) });
    assert_eq!(pass_back(&mut hall.desk, &rtp(11)), None, "still awaited");
    let mut party = Party::new(&hall, Role::Client);
    party.dtls.aim(Instant::now(), hall.desk.entrance);
    hall.shake(&mut party, 2);
    hall.speak(&mut party, 12);
}

#[test]
fn a_call_that_ends_says_good_bye_before_its_sockets_close() {
    let mut hall = Hall::new();
    hall.agree(true, None);
    let mut party = Party::new(&hall, Role::Server);
    hall.shake(&mut party, 1);
    hall.speak(&mut party, 1);
    hall.handshakes.tell(Message::End(CALL));
    while !hall.desk.thread.streams.is_empty() {
        hall.desk.turn();
    }
    party.pump();
    assert!(party.closed);
}

/// Told of the end before the relay thread has come to a plan, which then asks for a session that nobody will end.
#[test]
fn a_plan_that_is_late_leaves_no_session() {
    let mut hall = Hall::new();
    hall.propose(true, None);
    hall.handshakes.tell(Message::End(CALL));
    while !hall.desk.thread.streams.is_empty() {
        hall.desk.turn();
    }
    for _ in 0..20_000 {
        if hall.totals().begun.load(Relaxed) == 1 && hall.totals().sessions.load(Relaxed) == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("a session of a call that is closed");
}

#[test]
fn checks_on_a_plain_leg_are_no_business_of_ours() {
    let mut hall = Hall::new();
    let plan = plan(&hall.desk.carrier, &hall.desk.pbx);
    let mut shake = Vec::new();
    let guard = hall.keyring.changes(0, &plan, &mut shake);
    assert!(guard.is_none());
    hall.desk.orders.give(Command::Plan { call: CALL, stream: 0, plan: Box::new(plan), guard, shake });
    hall.desk.carrier.send_to(&check(OURS, true), hall.desk.entrance).unwrap();
    hall.desk.turn();
    assert_eq!(came(&hall.desk.carrier), None);
    assert_eq!(hall.desk.totals.checks.load(Relaxed), 0);
}

/// An announcement that comes with Sidetone, in µ-law.
fn notice() -> sidetone_announce::Playback {
    let library = sidetone_announce::Library::load(
        &sidetone_announce::Announcements::default(),
        "en",
        sidetone_announce::Subject::Tone,
    )
    .unwrap();
    let found = library.find("notice", Some("en")).unwrap();
    let voices = library.voices(&found.clip, [(0, sidetone_codec::Codec::Pcmu)], 20);
    sidetone_announce::Playback::new(voices, sidetone_announce::Mode::Replace).unwrap().unwrap()
}

impl Hall {
    fn announce(&mut self) {
        let (id, playback) = (PlayId(1), Box::new(notice()));
        self.desk.orders.give(Command::Play { call: CALL, stream: 0, toward: Side::Trunk, id, playback });
        self.desk.turn();
    }

    /// What was told of the announcement since the last time.
    fn told(&mut self) -> Vec<Playing> {
        let told = std::iter::from_fn(|| self.desk.told.try_recv().ok());
        told.filter_map(|notice| match notice {
            Notice::Playing(_, _, _, playing) => Some(playing),
            _ => None,
        })
        .collect()
    }

    /// Turns until the announcement has begun and a packet of it is there; gives that, opened. The first may have come
    /// while hands were still being shaken.
    fn begun(&mut self, party: &mut Party) -> Vec<u8> {
        let mut begun = false;
        for _ in 0..200 {
            self.desk.turn();
            begun |= self.told().contains(&Playing::Began);
            if let Some(packet) = came(&self.desk.carrier).filter(|_| begun) {
                return party.opened(packet);
            }
        }
        panic!("it never begins");
    }
}

/// Who is to be told that a machine listens is told all of it: nothing is spoken before there are keys.
#[test]
fn an_announcement_waits_for_the_keys() {
    let mut hall = Hall::new();
    hall.agree(false, None);
    hall.announce();
    hall.desk.pbx.send_to(&rtp(1), hall.desk.exit).unwrap();
    hall.desk.turn();
    assert_eq!((hall.told(), came(&hall.desk.carrier)), (Vec::new(), None));
    let mut party = Party::new(&hall, Role::Client);
    party.dtls.aim(Instant::now(), hall.desk.entrance);
    hall.shake(&mut party, 1);
    let spoken = hall.begun(&mut party);
    assert_eq!((spoken.len(), spoken[1] & 0x7f), (172, 0), "{spoken:?}");
    assert_eq!(hall.desk.totals.unprotected.load(Relaxed), 1, "the PBX's packet, none of ours");
}

#[test]
fn an_announcement_waits_for_ice() {
    let mut hall = Hall::new();
    hall.agree(false, Some(ice(OURS)));
    hall.announce();
    let mut party = Party::new(&hall, Role::Client);
    party.socket.send_to(&check(OURS, true), hall.desk.entrance).unwrap();
    hall.desk.turn();
    assert!(came(&hall.desk.carrier).is_some(), "an answer");
    party.dtls.aim(Instant::now(), hall.desk.entrance);
    hall.shake(&mut party, 1);
    hall.begun(&mut party);
}

/// RFC 7675 §5.1: whoever stops to check is sent nothing more, until a check comes again.
#[test]
fn whose_checks_have_stopped_is_sent_nothing() {
    let mut hall = Hall::new();
    hall.agree(false, Some(ice(OURS)));
    let mut party = Party::new(&hall, Role::Client);
    // The check comes between these two, however slow the machine is.
    let earliest = hall.desk.thread.epoch.elapsed();
    party.socket.send_to(&check(OURS, true), hall.desk.entrance).unwrap();
    hall.desk.turn();
    assert!(came(&hall.desk.carrier).is_some(), "an answer");
    let latest = hall.desk.thread.epoch.elapsed();
    party.dtls.aim(Instant::now(), hall.desk.entrance);
    hall.shake(&mut party, 1);
    hall.hear(&mut party, 1);
    hall.desk.thread.look_after_links(earliest + Duration::from_secs(29));
    hall.hear(&mut party, 2);
    hall.desk.thread.look_after_links(latest + Duration::from_secs(31));
    assert_eq!(pass_back(&mut hall.desk, &rtp(3)), None);
    assert_eq!(hall.desk.totals.lapsed.load(Relaxed), 1);
    party.socket.send_to(&check(OURS, false), hall.desk.entrance).unwrap();
    hall.desk.turn();
    assert!(came(&hall.desk.carrier).is_some(), "an answer");
    hall.hear(&mut party, 4);
}
