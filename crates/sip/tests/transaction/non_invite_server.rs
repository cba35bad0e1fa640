//! RFC 3261 figure 8 with RFC 4320.

use sidetone_sip::Transport;
use sidetone_sip::transaction::ServerTimeout::{Ended, Trying};
use sidetone_sip::transaction::{NonInviteServer, OnRequest};

use super::{ms, run, timers};

fn start(transport: Transport) -> NonInviteServer {
    NonInviteServer::start(ms(0), &timers(), transport)
}

fn run_out(server: &mut NonInviteServer) -> Vec<(u128, sidetone_sip::transaction::ServerTimeout)> {
    run(server, NonInviteServer::next_timeout, NonInviteServer::timeout)
}

#[test]
fn trying_is_due_when_timer_e_has_reached_t2_and_the_end_when_timer_f_has_fired() {
    assert_eq!(run_out(&mut start(Transport::Udp)), [(3500, Trying), (32_000, Ended)]);
}

#[test]
fn before_a_response_copies_are_absorbed_afterwards_they_get_it_again() {
    let mut server = start(Transport::Udp);
    assert_eq!(server.request(), OnRequest::Absorb);
    assert!(server.respond(ms(3500), &timers(), 100));
    assert_eq!(server.request(), OnRequest::Resend);
    assert!(server.respond(ms(4000), &timers(), 200));
    assert_eq!(server.request(), OnRequest::Resend);
    assert_eq!(run_out(&mut server), [(36_000, Ended)]);
}

#[test]
fn timer_j_is_zero_over_tcp() {
    let mut server = start(Transport::Tcp);
    assert!(server.respond(ms(100), &timers(), 200));
    assert!(server.is_terminated());
}

#[test]
fn neither_408_nor_a_provisional_response_but_100_is_sent() {
    let mut server = start(Transport::Udp);
    assert!(!server.respond(ms(0), &timers(), 180));
    assert!(!server.respond(ms(0), &timers(), 408));
    assert!(server.is_pending());
    assert!(server.respond(ms(0), &timers(), 503));
    assert!(!server.respond(ms(0), &timers(), 200), "one final response");
}
