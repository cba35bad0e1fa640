//! Every parser of the crate; the first byte says which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sidetone_sip::fuzz;

const BODIES: &[fn(&[u8])] = &[
    fuzz::message,
    fuzz::framing,
    fuzz::values,
    fuzz::sdp,
    fuzz::anchor,
    fuzz::proxy,
    fuzz::conversation,
    fuzz::notification,
];

fuzz_target!(|data: &[u8]| {
    if let Some((choice, data)) = data.split_first() {
        BODIES[usize::from(*choice) % BODIES.len()](data);
    }
});
