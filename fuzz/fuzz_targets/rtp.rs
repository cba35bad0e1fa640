//! Every parser of the crate; the first byte says which.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sidetone_rtp::fuzz;

const BODIES: &[fn(&[u8])] = &[
    fuzz::header,
    fuzz::rtcp,
    fuzz::redundancy,
    fuzz::telephone_event,
    fuzz::reorder,
    fuzz::reorder_clocks,
    fuzz::stats,
    fuzz::latch,
    fuzz::splice,
];

fuzz_target!(|data: &[u8]| {
    if let Some((choice, data)) = data.split_first() {
        BODIES[usize::from(*choice) % BODIES.len()](data);
    }
});
