//! What passes takes no memory: an allocation waits for a lock when it is least wanted, and a leak of a few bytes a
//! packet ends a relay in a day.

use std::net::UdpSocket as StdSocket;

use allocation_counter::measure;
use sidetone_announce::Mode;
use sidetone_call::Suite;

use super::kernel::Kernel;
use super::secured::{Carrier, agree, keys, rtcp, rtp};
use super::tests::{CALL, Desk};
use super::*;
use crate::heed::Heed;
use crate::protection::Keyring;

/// Tables and queues grow to what they need meanwhile.
const WARM_UP: usize = 300;
const MEASURED: usize = 1_000;

/// Passes packets from either party, in turn.
fn takes_no_memory(what: &str, desk: &mut Desk, packet: impl FnMut(u16) -> Vec<u8>) {
    let packets: Vec<Vec<u8>> = (0..(WARM_UP + MEASURED) as u16).map(packet).collect();
    let back: Vec<Vec<u8>> = (0..(WARM_UP + MEASURED) as u16).map(rtp).collect();
    let both: Vec<_> = packets.iter().zip(&back).collect();
    assert_eq!(
        measure(|| drop(std::hint::black_box(back[0].clone()))).count_total,
        1,
        "allocations are counted"
    );
    let mut arrived = 0;
    let mut pass = |both: &[(&Vec<u8>, &Vec<u8>)]| {
        for (there, back) in both {
            desk.carrier.send_to(there, desk.entrance).unwrap();
            desk.pbx.send_to(back, desk.exit).unwrap();
            desk.brief_turn();
            arrived += came(&desk.carrier) + came(&desk.pbx);
        }
    };
    pass(&both[..WARM_UP]);
    let taken = measure(|| pass(&both[WARM_UP..]));
    assert_eq!(taken.count_total, 0, "{what}: {taken:?}");
    assert!(arrived > MEASURED, "{what}: only {arrived} packets came through");
}

/// How many packets wait.
fn came(socket: &StdSocket) -> usize {
    let mut room = [0; 512];
    std::iter::from_fn(|| socket.recv(&mut room).ok()).count()
}

#[test]
fn forwarding_takes_no_memory() {
    let mut desk = Desk::new(16);
    desk.plan();
    takes_no_memory("plain", &mut desk, rtp);
    takes_no_memory("RTCP", &mut desk, |_| rtcp());
    takes_no_memory("nothing of this kind", &mut desk, |n| n.to_be_bytes().repeat(9));
}

#[test]
fn a_tap_takes_no_memory() {
    let (tap, _copies) = sidetone_tap::ring(1 << 22);
    let mut desk = Desk::tapped(vec![tap]);
    desk.plan();
    desk.orders.give(Command::Tap { call: CALL, worker: Some(0) });
    takes_no_memory("tapped", &mut desk, rtp);
}

#[test]
fn protection_takes_no_memory() {
    for suite in Suite::ALL {
        let (mut desk, mut keyring) = (Desk::new(16), Keyring::default());
        agree(&desk, &mut keyring, keys(suite, 1, 2));
        let mut carrier = Carrier::new(suite, 1, 2);
        takes_no_memory(&suite.to_string(), &mut desk, |n| carrier.sealed(&rtp(n)));
    }
}

#[test]
fn an_announcement_takes_no_memory() {
    let library = sidetone_announce::Library::load(
        &sidetone_announce::Announcements::default(),
        "en",
        sidetone_announce::Subject::Tone,
    )
    .unwrap();
    let found = library.find("notice", Some("en")).unwrap();
    for mode in [Mode::Replace, Mode::Duck] {
        let mut desk = Desk::new(16);
        desk.plan();
        desk.turn();
        let voices = library.voices(&found.clip, [(0, sidetone_codec::Codec::Pcmu)], 20);
        let playback = sidetone_announce::Playback::new(voices, mode).unwrap().unwrap();
        let (id, playback) = (crate::voiceover::PlayId(1), Box::new(playback));
        desk.orders.give(Command::Play { call: CALL, stream: 0, toward: Side::Trunk, id, playback });
        takes_no_memory("an announcement", &mut desk, rtp);
        assert!(desk.totals.announced.load(Relaxed) > 0);
    }
}

#[test]
fn what_the_kernel_tells_of_takes_no_memory() {
    let (tap, _copies) = sidetone_tap::ring(1 << 22);
    let mut desk = Desk::tapped(vec![tap]);
    let kernel =
        Kernel::open(&[], None, desk.thread.epoch).expect("this test loads a BPF program: run it as root");
    desk.orders.give(Command::Kernel(Box::new(kernel)));
    desk.plan();
    desk.orders.give(Command::Tap { call: CALL, worker: Some(0) });
    desk.orders.give(Command::Heed { call: CALL, heed: Heed::Sound(true) });
    takes_no_memory("by the kernel", &mut desk, rtp);
    assert!(desk.totals.by_kernel.load(Relaxed) > MEASURED as u64);
}
