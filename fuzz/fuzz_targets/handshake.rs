//! DTLS and STUN from peers and strangers; the first byte says which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sidetone_handshake::fuzz;

const BODIES: &[fn(&[u8])] = &[fuzz::stun, fuzz::peer, fuzz::between, fuzz::certificate];

fuzz_target!(|data: &[u8]| {
    if let Some((choice, data)) = data.split_first() {
        BODIES[usize::from(*choice) % BODIES.len()](data);
    }
});
