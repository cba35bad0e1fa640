//! What protecting costs: `cargo run --release -p sidetone-srtp --example srtp_cost`. 20 ms of G.711 in each packet,
//! one thread, the median of nine rounds.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)]

use std::time::Instant;

use sidetone_call::{Keying, Suite};
use sidetone_srtp::{Inbound, MOST_TRAILER, Outbound};

const PACKETS: u16 = 20_000;

fn main() {
    println!("{:<26} {:>12} {:>12}", "suite", "protect", "unprotect");
    for suite in Suite::ALL {
        let (mut protecting, mut unprotecting) = (Vec::new(), Vec::new());
        for round in 0..9_u8 {
            let secret = vec![round; suite.key_length() + suite.salt_length()];
            let keying = Keying::new(suite, &secret).unwrap();
            let (mut outbound, mut inbound) =
                (Outbound::new(keying.clone()).unwrap(), Inbound::new(keying).unwrap());
            let mut packets: Vec<Vec<u8>> = (0..PACKETS).map(packet).collect();
            let began = Instant::now();
            let lengths: Vec<usize> =
                packets.iter_mut().map(|packet| outbound.protect(packet, 172).unwrap()).collect();
            protecting.push(began.elapsed());
            let began = Instant::now();
            for (packet, length) in packets.iter_mut().zip(lengths) {
                inbound.unprotect(&mut packet[..length]).unwrap();
            }
            unprotecting.push(began.elapsed());
        }
        let median = |times: &mut Vec<std::time::Duration>| {
            times.sort();
            times[times.len() / 2].as_secs_f64() * 1e9 / f64::from(PACKETS)
        };
        let (protect, unprotect) = (median(&mut protecting), median(&mut unprotecting));
        println!("{suite:<26} {protect:>9.0} ns {unprotect:>9.0} ns");
    }
}

fn packet(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0, 0, 0, 7, 0, 0, 0, 9]);
    packet.resize(172 + MOST_TRAILER, 0xd5);
    packet
}
