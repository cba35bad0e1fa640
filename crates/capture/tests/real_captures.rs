//! Captures that other tools took of calls between other programs.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod common;

use std::time::Duration;

use sidetone_call::Side;
use sidetone_capture::calls::{Happening, Options, Origin};
use sidetone_rtp::RtpView;

use common::talk::{heard, story};

fn check(capture: &[u8], caller: usize, callee: usize) {
    let (recordings, counters) = heard(capture, Options::default());
    let [recording] = &recordings[..] else { panic!("{} calls", recordings.len()) };
    let Origin::Sip { from, to, .. } = recording.origin() else { panic!("{:?}", recording.origin()) };
    assert_eq!((from.as_str(), to.as_str()), ("4711", "800"));
    assert_eq!(
        story(recording),
        [
            "plan trunk PCMU+telephone-event pbx ",
            "ringing",
            "plan trunk PCMU+telephone-event pbx PCMU+telephone-event",
            "answered",
            &format!("{caller} from trunk, {callee} from pbx"),
            "ended by trunk: hangup",
        ]
    );
    assert!((Duration::from_secs(2)..Duration::from_secs(3)).contains(&recording.ended().unwrap()));
    assert_eq!((counters.messages, counters.malformed, counters.other), (6, 0, 0));
    for side in [Side::Trunk, Side::Pbx] {
        let packets: Vec<RtpView<'_>> = recording
            .replay()
            .filter_map(|(_, happening)| match happening {
                Happening::Packet { side: from, rtp, .. } if from == side => RtpView::parse(rtp).ok(),
                _ => None,
            })
            .collect();
        assert!(packets.iter().all(|rtp| rtp.payload_type() == 0 && rtp.payload().len() == 160));
        assert!(packets.windows(2).all(|pair| pair[1].sequence().wrapping_sub(pair[0].sequence()) == 1));
        // It is speech, not silence (0xFF and 0x7F in µ-law).
        let loud = packets.iter().flat_map(RtpView::payload).filter(|byte| **byte & 0x7F < 0x60).count();
        assert!(loud > 5_000, "{side:?}: {loud} loud samples");
    }
}

#[test]
fn sipp_by_udp_in_pcapng_of_ethernet() {
    check(include_bytes!("fixtures/sipp-udp.pcapng"), 95, 91);
}

#[test]
fn sipp_by_tcp_in_pcap_of_linux_cooked() {
    check(include_bytes!("fixtures/sipp-tcp.pcap"), 95, 95);
}
