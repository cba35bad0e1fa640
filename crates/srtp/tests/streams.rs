//! What streams do under one key: wrap around, come late, twice, forged, begun anew.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use sidetone_call::{Keying, Suite};
use sidetone_srtp::{Fault, Inbound, MOST_TRAILER, Outbound};

fn keying(suite: Suite, seed: u8) -> Keying {
    let secret: Vec<u8> = (0..suite.key_length() + suite.salt_length()).map(|n| n as u8 ^ seed).collect();
    Keying::new(suite, &secret).unwrap()
}

fn pair(suite: Suite) -> (Outbound, Inbound) {
    (Outbound::new(keying(suite, 1)).unwrap(), Inbound::new(keying(suite, 1)).unwrap())
}

fn rtp(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 7]);
    packet.extend(ssrc.to_be_bytes());
    packet.extend([sequence as u8; 160]);
    packet
}

fn protect(outbound: &mut Outbound, packet: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut buffer = packet.to_vec();
    buffer.resize(packet.len() + MOST_TRAILER, 0);
    let length = outbound.protect(&mut buffer, packet.len())?;
    buffer.truncate(length);
    Ok(buffer)
}

fn unprotect(inbound: &mut Inbound, packet: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut buffer = packet.to_vec();
    let length = inbound.unprotect(&mut buffer)?;
    buffer.truncate(length);
    Ok(buffer)
}

/// Sends a packet through, and says whether it came as it was.
fn passes(outbound: &mut Outbound, inbound: &mut Inbound, packet: &[u8]) -> bool {
    protect(outbound, packet).and_then(|sent| unprotect(inbound, &sent)).is_ok_and(|came| came == packet)
}

#[test]
fn every_suite_passes_a_stream_over_its_roll_over() {
    for suite in Suite::ALL {
        let (mut outbound, mut inbound) = pair(suite);
        for step in 0..70_000_u32 {
            let packet = rtp(7, 65_000_u16.wrapping_add(step as u16));
            if step < 40 || step % 997 == 0 || (530..545).contains(&step) || step > 66_060 {
                assert!(passes(&mut outbound, &mut inbound, &packet), "{suite}, step {step}");
            } else if step % 8_000 == 0 {
                // A long gap, in which packets are lost.
                let _ = protect(&mut outbound, &packet);
            }
        }
        assert_eq!((outbound.rollover(7), inbound.rollover(7)), (Some(2), Some(2)), "{suite}");
    }
}

#[test]
fn the_tag_is_as_long_as_the_suite_says() {
    for suite in Suite::ALL {
        let (mut outbound, _) = pair(suite);
        let packet = rtp(7, 1);
        assert_eq!(
            protect(&mut outbound, &packet).unwrap().len(),
            packet.len() + suite.tag_length(),
            "{suite}"
        );
    }
}

#[test]
fn first_sequence_number_near_65535() {
    for suite in Suite::ALL {
        let (mut outbound, mut inbound) = pair(suite);
        assert!(passes(&mut outbound, &mut inbound, &rtp(7, 65_535)), "{suite}");
        assert!(passes(&mut outbound, &mut inbound, &rtp(7, 0)), "{suite}");
        assert_eq!(inbound.rollover(7), Some(1));
    }
}

/// The packets before the first roll-over are lost: the receiver must guess that there was one.
#[test]
fn the_first_packet_that_arrives_comes_after_a_roll_over() {
    for suite in Suite::ALL {
        let (mut outbound, mut inbound) = pair(suite);
        protect(&mut outbound, &rtp(7, 65_534)).unwrap();
        assert!(passes(&mut outbound, &mut inbound, &rtp(7, 3)), "{suite}");
        assert_eq!(inbound.rollover(7), Some(1), "{suite}");
        assert!(passes(&mut outbound, &mut inbound, &rtp(7, 4)), "{suite}");
    }
}

#[test]
fn replayed_packets_are_refused_and_reordered_ones_are_not() {
    for suite in Suite::ALL {
        let (mut outbound, mut inbound) = pair(suite);
        let sent: Vec<_> = (0..200).map(|n| protect(&mut outbound, &rtp(7, n)).unwrap()).collect();
        for n in [0, 3, 1, 2, 90, 80] {
            assert!(unprotect(&mut inbound, &sent[n]).is_ok(), "{suite} {n}");
            assert_eq!(unprotect(&mut inbound, &sent[n]), Err(Fault::Replayed), "{suite} {n}");
        }
        unprotect(&mut inbound, &sent[199]).unwrap();
        assert_eq!(unprotect(&mut inbound, &sent[5]), Err(Fault::TooOld));
        assert!(unprotect(&mut inbound, &sent[72]).is_ok());
    }
}

/// A forged packet far ahead must not move the window: the true stream would be refused from then on.
#[test]
fn crypto_tag_mismatch_changes_nothing() {
    for suite in Suite::ALL {
        let (mut outbound, mut inbound) = pair(suite);
        assert!(passes(&mut outbound, &mut inbound, &rtp(7, 10)));
        for at in [2, 20, 171] {
            let mut forged = protect(&mut Outbound::new(keying(suite, 1)).unwrap(), &rtp(7, 20_000)).unwrap();
            forged[at] ^= 1;
            assert_eq!(unprotect(&mut inbound, &forged), Err(Fault::NotAuthentic), "{suite} {at}");
        }
        let mut short = protect(&mut outbound, &rtp(7, 11)).unwrap();
        let last = short.len() - 1;
        short[last] ^= 0x80;
        assert_eq!(unprotect(&mut inbound, &short), Err(Fault::NotAuthentic), "{suite}: the tag's last byte");
        assert_eq!(unprotect(&mut inbound, &rtp(7, 12)), Err(Fault::NotAuthentic), "{suite}: a plain packet");
        assert!(passes(&mut outbound, &mut inbound, &rtp(7, 13)), "{suite}");
    }
}

#[test]
fn another_key_or_suite_opens_nothing() {
    let mut other = Inbound::new(keying(Suite::AesCm128Sha1_80, 2)).unwrap();
    let (mut outbound, _) = pair(Suite::AesCm128Sha1_80);
    let sent = protect(&mut outbound, &rtp(7, 1)).unwrap();
    assert_eq!(unprotect(&mut other, &sent), Err(Fault::NotAuthentic));
    let mut short = Inbound::new(keying(Suite::AesCm128Sha1_32, 1)).unwrap();
    assert_eq!(unprotect(&mut short, &sent), Err(Fault::NotAuthentic));
}

#[test]
fn an_ssrc_that_returns_keeps_its_roll_over_counter() {
    let (mut outbound, mut inbound) = pair(Suite::AesCm128Sha1_80);
    assert!(passes(&mut outbound, &mut inbound, &rtp(7, 65_535)));
    assert!(passes(&mut outbound, &mut inbound, &rtp(7, 0)));
    assert!(passes(&mut outbound, &mut inbound, &rtp(8, 500)));
    assert!(passes(&mut outbound, &mut inbound, &rtp(7, 1)));
    assert_eq!((inbound.rollover(7), inbound.rollover(8)), (Some(1), Some(0)));
}

/// A PBX may begin its numbers anew behind the same SSRC. The peer can't follow, so they are numbered on.
#[test]
fn a_sender_that_begins_its_numbers_anew_is_numbered_on() {
    for suite in Suite::ALL {
        let (mut outbound, mut inbound) = pair(suite);
        for n in 30_000..30_010 {
            assert!(passes(&mut outbound, &mut inbound, &rtp(7, n)), "{suite}");
        }
        assert_eq!(
            protect(&mut outbound, &rtp(7, 1_000)),
            Err(Fault::TooOld),
            "one packet may be a late one"
        );
        for n in 1_001..1_200 {
            let sent = protect(&mut outbound, &rtp(7, n)).unwrap();
            let came = unprotect(&mut inbound, &sent).unwrap();
            assert_eq!(u16::from_be_bytes([came[2], came[3]]), 30_010 + (n - 1_001), "{suite}");
            assert_eq!(came[4..], rtp(7, n)[4..], "{suite}");
        }
    }
}

/// Encrypting two packets under one index would give both away.
#[test]
fn no_index_is_used_twice() {
    let (mut outbound, _) = pair(Suite::AeadAes128Gcm);
    protect(&mut outbound, &rtp(7, 5)).unwrap();
    assert_eq!(protect(&mut outbound, &rtp(7, 5)), Err(Fault::Replayed));
    for ssrc in 8..1_000 {
        protect(&mut outbound, &rtp(ssrc, 5)).unwrap();
    }
    let back = protect(&mut outbound, &rtp(7, 5)).unwrap();
    assert_eq!(u16::from_be_bytes([back[2], back[3]]), 6, "the first is remembered, and numbered on");
    for ssrc in 1_000..16_391 {
        protect(&mut outbound, &rtp(ssrc, 5)).unwrap();
    }
    assert_eq!(protect(&mut outbound, &rtp(1_000_000, 5)), Err(Fault::TooManySources), "but not without end");
    assert!(protect(&mut outbound, &rtp(7, 6)).is_ok());
}

/// What was recorded of a source does not open again once many others have spoken.
#[test]
fn a_recorded_packet_of_a_source_that_gave_way_is_a_replay() {
    for suite in Suite::ALL {
        let (mut outbound, mut inbound) = pair(suite);
        let sent: Vec<_> = (100..120).map(|n| protect(&mut outbound, &rtp(7, n)).unwrap()).collect();
        assert!(sent.iter().all(|packet| unprotect(&mut inbound, packet).is_ok()));
        let report = {
            let mut buffer = [rtcp(7), vec![0; MOST_TRAILER]].concat();
            let length = outbound.protect_rtcp(&mut buffer, rtcp(7).len()).unwrap();
            buffer.truncate(length);
            buffer
        };
        assert!(inbound.unprotect_rtcp(&mut report.clone()).is_ok());
        for ssrc in 1_000..1_100 {
            assert!(passes(&mut outbound, &mut inbound, &rtp(ssrc, 5)), "{suite}");
            let mut buffer = [rtcp(ssrc), vec![0; MOST_TRAILER]].concat();
            let length = outbound.protect_rtcp(&mut buffer, rtcp(ssrc).len()).unwrap();
            assert!(inbound.unprotect_rtcp(&mut buffer[..length]).is_ok(), "{suite}");
        }
        assert!(sent.iter().all(|packet| unprotect(&mut inbound, packet).is_err()), "{suite}");
        assert!(inbound.unprotect_rtcp(&mut report.clone()).is_err(), "{suite}");
        assert!(passes(&mut outbound, &mut inbound, &rtp(7, 120)), "{suite}: and its next is heard");
    }
}

/// A source that gave way and is back: numbers before those under which it left may have left already.
#[test]
fn no_index_is_used_twice_behind_a_return() {
    let (mut outbound, _) = pair(Suite::AeadAes128Gcm);
    for n in 1_000..1_050 {
        protect(&mut outbound, &rtp(7, n)).unwrap();
    }
    for ssrc in 8..80 {
        protect(&mut outbound, &rtp(ssrc, 5)).unwrap();
    }
    let back = protect(&mut outbound, &rtp(7, 5_010)).unwrap();
    assert_eq!(u16::from_be_bytes([back[2], back[3]]), 1_050);
    for n in 5_000..5_010 {
        assert!(protect(&mut outbound, &rtp(7, n)).is_err(), "{n}");
    }
    outbound.resume(9, 3, 100);
    assert!(protect(&mut outbound, &rtp(9, 99)).is_err());
    assert!(protect(&mut outbound, &rtp(9, 101)).is_ok());
}

#[test]
fn a_roll_over_counter_can_be_carried_over() {
    for suite in Suite::ALL {
        let (mut outbound, mut inbound) = pair(suite);
        outbound.resume(7, 41, 9);
        assert!(
            protect(&mut outbound, &rtp(7, 10)).is_ok_and(|sent| unprotect(&mut inbound, &sent).is_err())
        );
        inbound.resume(7, 41, 10);
        assert!(passes(&mut outbound, &mut inbound, &rtp(7, 11)), "{suite}");
        assert_eq!((outbound.rollover(7), inbound.rollover(7)), (Some(41), Some(41)));
    }
}

fn rtcp(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 200, 0, 6];
    packet.extend(ssrc.to_be_bytes());
    packet.extend([9; 20]);
    packet
}

#[test]
fn reports_pass_once() {
    for suite in Suite::ALL {
        let (mut outbound, mut inbound) = pair(suite);
        for _ in 0..3 {
            let mut buffer = rtcp(7);
            buffer.resize(28 + MOST_TRAILER, 0);
            let length = outbound.protect_rtcp(&mut buffer, 28).unwrap();
            let sent = buffer[..length].to_vec();
            let mut came = sent.clone();
            assert_eq!(inbound.unprotect_rtcp(&mut came), Ok(28), "{suite}");
            assert_eq!(came[..28], rtcp(7)[..], "{suite}");
            assert_eq!(inbound.unprotect_rtcp(&mut sent.clone()), Err(Fault::Replayed), "{suite}");
            let mut forged = sent.clone();
            forged[10] ^= 1;
            forged[4] ^= 1; // of a source never heard, so that no window refuses it first
            assert_eq!(inbound.unprotect_rtcp(&mut forged), Err(Fault::NotAuthentic), "{suite}");
        }
        assert_eq!(inbound.unprotect_rtcp(&mut rtcp(8)), Err(Fault::NotAuthentic), "a plain report");
    }
}

#[test]
fn a_master_key_identifier_is_looked_for() {
    for suite in Suite::ALL {
        let (mut outbound, _) = pair(suite);
        let mut inbound = Inbound::new(keying(suite, 1).with_mki(&[0, 1]).unwrap()).unwrap();
        let sent = protect(&mut outbound, &rtp(7, 1)).unwrap();
        assert!(unprotect(&mut inbound, &sent).is_err(), "{suite}: without identifier");
        let gcm = matches!(suite, Suite::AeadAes128Gcm | Suite::AeadAes256Gcm);
        let at = if gcm { sent.len() } else { sent.len() - suite.tag_length() };
        let with = |mki: [u8; 2]| [&sent[..at], &mki, &sent[at..]].concat();
        assert!(unprotect(&mut inbound, &with([0, 2])).is_err(), "{suite}: another identifier");
        assert_eq!(unprotect(&mut inbound, &with([0, 1])), Ok(rtp(7, 1)), "{suite}");
    }
}

#[test]
fn a_buffer_without_room_is_refused() {
    let (mut outbound, _) = pair(Suite::AesCm128Sha1_80);
    let mut packet = rtp(7, 1);
    let length = packet.len();
    assert_eq!(outbound.protect(&mut packet, length), Err(Fault::NoRoom));
}

proptest! {
    /// However sources come, go and begin anew: a number of a source leaves once. With the same bytes under the same
    /// number the same packet would leave.
    #[test]
    fn no_packet_leaves_twice(steps in prop::collection::vec((0_u32..90, any::<u16>(), 0_u16..40), 1..400)) {
        let (mut outbound, _) = pair(Suite::AesCm128Sha1_80);
        let mut left = std::collections::HashSet::new();
        for (ssrc, start, count) in steps {
            // A few sources speak most, so that their numbers meet.
            let ssrc = if ssrc < 20 { ssrc % 2 } else { ssrc };
            for n in 0..count {
                let mut packet = rtp(ssrc, (start % 300).wrapping_add(n * 7 % 40));
                packet[4..8].fill(0);
                packet.truncate(12);
                packet.extend([0; 40]);
                if let Ok(sent) = protect(&mut outbound, &packet) {
                    prop_assert!(left.insert(sent), "{ssrc} {start} {n}");
                }
            }
        }
    }

    #[test]
    fn hostile_bytes(data in prop::collection::vec(any::<u8>(), 0..400)) {
        sidetone_srtp::fuzz::hostile(&data);
    }

    /// Bytes that look like RTP or RTCP get further in.
    #[test]
    fn hostile_packets(first in 0x80_u8..0xc0, second in any::<u8>(), rest in prop::collection::vec(any::<u8>(), 10..400)) {
        let mut data = vec![first, second];
        data.extend(rest);
        sidetone_srtp::fuzz::hostile(&data);
    }

    /// Whatever is lost, doubled or out of order within a window: what comes is what was sent, and once.
    #[test]
    fn a_lossy_way(start in any::<u16>(), steps in prop::collection::vec((0_u16..40, any::<bool>()), 1..300)) {
        let (mut outbound, mut inbound) = pair(Suite::AesCm128Sha1_80);
        let mut sequence = start;
        let mut waiting: Option<(Vec<u8>, Vec<u8>)> = None;
        let mut began = false;
        for (step, hold) in steps {
            sequence = sequence.wrapping_add(step + 1);
            let packet = rtp(7, sequence);
            let sent = protect(&mut outbound, &packet).unwrap();
            if hold && began && waiting.is_none() {
                waiting = Some((packet, sent));
                continue;
            }
            began = true;
            prop_assert_eq!(unprotect(&mut inbound, &sent), Ok(packet));
            if let Some((packet, sent)) = waiting.take() {
                prop_assert_eq!(unprotect(&mut inbound, &sent), Ok(packet));
                prop_assert_eq!(unprotect(&mut inbound, &sent), Err(Fault::Replayed));
            }
        }
    }
}

#[test]
fn a_recording_may_begin_in_the_midst_of_a_stream() {
    for suite in Suite::ALL {
        let (mut outbound, mut inbound) = pair(suite);
        outbound.resume(7, 41, 9);
        for sequence in 10..20 {
            let sent = protect(&mut outbound, &rtp(7, sequence)).unwrap();
            assert!(unprotect(&mut inbound, &sent).is_err(), "{suite}: not at 0 or 1");
            let mut packet = sent.clone();
            assert_eq!(inbound.unprotect_in_midst(&mut packet, 41), Err(Fault::NotAuthentic), "{suite}");
            assert_eq!(inbound.rollover(7), None, "a failed search leaves nothing behind");
        }
        let mut packet = protect(&mut outbound, &rtp(7, 20)).unwrap();
        let length = inbound.unprotect_in_midst(&mut packet, 42).unwrap();
        assert_eq!((&packet[..length], inbound.rollover(7)), (&rtp(7, 20)[..], Some(41)), "{suite}");
        assert!(passes(&mut outbound, &mut inbound, &rtp(7, 21)), "{suite}: from here on as any other");
    }
}

/// A process is killed some packets after it was written down how far it had got, and its sender begins its numbers
/// anew in the next one: no index is used that may have been used before.
#[test]
fn a_sender_that_begins_anew_in_the_next_process_repeats_no_index() {
    let (mut outbound, mut inbound) = pair(Suite::AesCm128Sha1_80);
    for n in 1_000..1_010 {
        assert!(passes(&mut outbound, &mut inbound, &rtp(7, n)));
    }
    let known = outbound.reached();
    for n in 1_010..1_060 {
        assert!(passes(&mut outbound, &mut inbound, &rtp(7, n)), "not written down");
    }
    let mut next = Outbound::new(keying(Suite::AesCm128Sha1_80, 1)).unwrap();
    next.go_on(&known);
    // They leave under other numbers than they came with.
    let opens = |n| protect(&mut next, &rtp(7, n)).and_then(|sent| unprotect(&mut inbound, &sent)).is_ok();
    let came: Vec<bool> = (20..40).map(opens).collect();
    assert_eq!(came, [vec![false], vec![true; 19]].concat(), "one is lost, until the next confirms it");
}

/// The same of reports, however many were sent meanwhile, and if the next process is killed at once too.
#[test]
fn reports_of_the_next_processes_repeat_no_index() {
    let report = || {
        let mut report = vec![0x80, 201, 0, 1, 0, 0, 0, 7];
        report.resize(8 + MOST_TRAILER, 0);
        report
    };
    let index = |outbound: &mut Outbound| {
        let mut sent = report();
        let length = outbound.protect_rtcp(&mut sent, 8).unwrap();
        // Before the tag of ten bytes.
        u32::from_be_bytes(sent[length - 14..length - 10].try_into().unwrap()) & 0x7fff_ffff
    };
    let mut first = pair(Suite::AesCm128Sha1_80).0;
    let known = first.reached();
    let last = (0..5_000).map(|_| index(&mut first)).max().unwrap();
    let begins = || {
        let mut next = pair(Suite::AesCm128Sha1_80).0;
        next.go_on(&known);
        index(&mut next)
    };
    let (one, other) = (begins(), begins());
    assert!(one > last && other > last, "{last}, {one}, {other}");
    assert_ne!(one, other, "two in a row that know the same");
}
