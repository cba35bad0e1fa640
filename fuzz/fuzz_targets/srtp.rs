//! Any bytes as SRTP and SRTCP packets.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| sidetone_srtp::fuzz::hostile(data));
