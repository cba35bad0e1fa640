//! Digits: telephone-event in RTP, unchanged to the last retransmitted end, and INFO in both directions.

use sidetone_scenarios::call::Call;
use sidetone_scenarios::until;

/// RFC 4733 §2.3: event, end bit and volume, duration.
fn event(digit: u8, end: bool, duration: u16) -> [u8; 4] {
    let [high, low] = duration.to_be_bytes();
    [digit, if end { 0x8a } else { 0x0a }, high, low]
}

#[test]
fn a_telephone_event_passes_packet_by_packet() {
    let mut call = Call::start("dtmf-rfc4733");
    call.answered();
    call.talk("before the digit");
    let start = call.caller_media.timestamp();
    let digit: Vec<Vec<u8>> =
        [(false, 160), (false, 320), (false, 480), (true, 640), (true, 640), (true, 640)]
            .iter()
            .enumerate()
            .map(|(n, (end, duration))| {
                call.caller_media.event_packet(101, n == 0, start, &event(5, *end, *duration))
            })
            .collect();
    for packet in &digit {
        call.caller_media.send(packet);
    }
    for packet in &digit {
        let (arrived, _) = until("the digit", || call.callee_media.receive());
        assert_eq!(&arrived, packet);
    }
    call.talk("after the digit");
    call.caller.open_gate();
    call.finish(6);
}

#[test]
fn info_passes_in_both_directions() {
    let mut call = Call::start("dtmf-info");
    call.caller.wait_received("INFO", 1);
    call.caller.open_gate();
    call.finish(10);
}
