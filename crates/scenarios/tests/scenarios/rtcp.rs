//! RTCP on the port above, on the RTP port, and on a port of its own.

use sidetone_scenarios::call::{Call, rtcp_of};
use sidetone_scenarios::net::host;
use sidetone_scenarios::rtp::{rtcp_both_ways, sender_report};
use sidetone_scenarios::until;

#[test]
fn on_the_rtp_port() {
    let mut call = Call::start("rtcp-mux");
    call.answered();
    call.talk("before RTCP");
    for (from, to) in [(&call.caller_media, &call.callee_media), (&call.callee_media, &call.caller_media)] {
        let report = sender_report(7);
        from.send(&report);
        assert_eq!(until("multiplexed RTCP", || to.receive()).0, report);
    }
    call.talk("after RTCP");
    call.caller.open_gate();
    call.finish(6);
}

#[test]
fn on_a_port_of_its_own() {
    let mut call = Call::start("rtcp-port");
    call.answered();
    call.caller_media.rtcp_at(call.net.at(host::TRUNK, 40_010));
    call.callee_media.rtcp_at(call.net.at(host::PBX, 40_010));
    call.caller_media.send_rtcp_to(rtcp_of(&call.caller.seen(), 0));
    call.callee_media.send_rtcp_to(rtcp_of(&call.callee.seen(), 0));
    rtcp_both_ways("a=rtcp", &call.caller_media, &call.callee_media);
    call.talk("after RTCP");
    call.caller.open_gate();
    call.finish(6);
}
