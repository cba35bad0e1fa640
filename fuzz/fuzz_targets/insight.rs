//! Every parser of the crate; the first byte says which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sidetone_insight::fuzz;

const BODIES: &[fn(&[u8])] = &[
    fuzz::call,
    fuzz::call_in_several_processes,
];

fuzz_target!(|data: &[u8]| {
    if let Some((choice, data)) = data.split_first() {
        BODIES[usize::from(*choice) % BODIES.len()](data);
    }
});
