//! RFC 3261 figure 7 with RFC 6026.

use sidetone_sip::Transport;
use sidetone_sip::transaction::ServerTimeout::{Ended, Resend, Trying};
use sidetone_sip::transaction::{InviteServer, OnRequest};

use super::{ms, run, timers};

fn start(transport: Transport) -> InviteServer {
    InviteServer::start(ms(0), transport)
}

fn run_out(server: &mut InviteServer) -> Vec<(u128, sidetone_sip::transaction::ServerTimeout)> {
    run(server, InviteServer::next_timeout, |s, at| s.timeout(at, &timers()))
}

#[test]
fn trying_is_due_after_200_ms_unless_something_was_said() {
    assert_eq!(run_out(&mut start(Transport::Udp)), [(200, Trying)]);
    let mut server = start(Transport::Udp);
    assert!(server.respond(ms(100), &timers(), 183));
    assert_eq!(server.next_timeout(), None);
    assert_eq!(server.request(), OnRequest::Resend);
}

#[test]
fn a_failure_is_repeated_by_timer_g_until_timer_h() {
    let mut server = start(Transport::Udp);
    assert!(server.respond(ms(0), &timers(), 486));
    let log = run_out(&mut server);
    let times: Vec<_> = log.iter().filter(|l| l.1 == Resend).map(|l| l.0).collect();
    assert_eq!(times, [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    assert_eq!(log.last(), Some(&(32_000, Ended)));
}

#[test]
fn over_tcp_it_is_not_repeated() {
    let mut server = start(Transport::Tcp);
    assert!(server.respond(ms(0), &timers(), 486));
    assert_eq!(run_out(&mut server), [(32_000, Ended)]);
}

#[test]
fn an_ack_confirms_and_copies_are_absorbed_until_timer_i() {
    let mut server = start(Transport::Udp);
    assert!(server.respond(ms(0), &timers(), 486));
    assert_eq!(server.request(), OnRequest::Resend);
    assert_eq!(server.ack(ms(100), &timers()), OnRequest::Absorb);
    assert_eq!(server.ack(ms(200), &timers()), OnRequest::Absorb);
    assert_eq!(server.request(), OnRequest::Absorb);
    assert_eq!(run_out(&mut server), [(5100, Ended)]);
}

#[test]
fn timer_i_is_zero_over_tcp() {
    let mut server = start(Transport::Tcp);
    assert!(server.respond(ms(0), &timers(), 486));
    assert_eq!(server.ack(ms(100), &timers()), OnRequest::Absorb);
    assert!(server.is_terminated());
}

#[test]
fn after_a_2xx_only_2xx_and_their_acks_pass_until_timer_l() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut server = start(transport);
        assert!(server.respond(ms(0), &timers(), 200));
        assert!(server.is_accepted() && !server.is_proceeding());
        assert_eq!(server.request(), OnRequest::Absorb);
        assert_eq!(server.ack(ms(100), &timers()), OnRequest::Pass);
        assert!(server.respond(ms(200), &timers(), 200));
        assert!(!server.respond(ms(200), &timers(), 180));
        assert!(!server.respond(ms(200), &timers(), 486));
        assert_eq!(run_out(&mut server), [(32_000, Ended)]);
        assert!(!server.respond(ms(33_000), &timers(), 200));
    }
}

#[test]
fn a_2xx_passes_even_after_a_failure() {
    let mut server = start(Transport::Udp);
    assert!(server.respond(ms(0), &timers(), 408));
    assert!(!server.respond(ms(10), &timers(), 486));
    assert!(server.respond(ms(10), &timers(), 200));
}

#[test]
fn an_ack_before_any_final_response_is_absorbed() {
    let mut server = start(Transport::Udp);
    assert_eq!(server.ack(ms(0), &timers()), OnRequest::Absorb);
    assert!(server.is_proceeding());
}
