//! Every parser of the crate; the first byte says which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sidetone_capture::fuzz;

const BODIES: &[fn(&[u8])] = &[
    fuzz::wav,
    fuzz::pcap,
    fuzz::datagrams,
    fuzz::calls,
    fuzz::frames,
    fuzz::audio,
    fuzz::handshakes,
];

fuzz_target!(|data: &[u8]| {
    if let Some((choice, data)) = data.split_first() {
        BODIES[usize::from(*choice) % BODIES.len()](data);
    }
});
