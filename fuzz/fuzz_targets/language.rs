//! Every parser of the crate; the first byte says which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sidetone_language::fuzz;

const BODIES: &[fn(&[u8])] = &[
    fuzz::redaction,
    fuzz::letter,
    fuzz::behaviour,
];

fuzz_target!(|data: &[u8]| {
    if let Some((choice, data)) = data.split_first() {
        BODIES[usize::from(*choice) % BODIES.len()](data);
    }
});
