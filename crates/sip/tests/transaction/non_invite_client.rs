//! RFC 3261 figure 6.

use sidetone_sip::Transport;
use sidetone_sip::transaction::ClientTimeout::{Ended, Retransmit, TimedOut};
use sidetone_sip::transaction::{NonInviteClient, OnResponse};

use super::{ms, run, timers};

fn start(transport: Transport) -> NonInviteClient {
    NonInviteClient::start(ms(0), &timers(), transport)
}

fn run_out(client: &mut NonInviteClient) -> Vec<(u128, sidetone_sip::transaction::ClientTimeout)> {
    run(client, NonInviteClient::next_timeout, |c, at| c.timeout(at, &timers()))
}

#[test]
fn timers_e_and_f_over_udp() {
    let mut client = start(Transport::Udp);
    let mut expected: Vec<_> = [500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
        .map(|at| (at, Retransmit))
        .into();
    expected.push((32_000, TimedOut));
    assert_eq!(run_out(&mut client), expected);
}

#[test]
fn only_timer_f_over_tcp() {
    assert_eq!(run_out(&mut start(Transport::Tcp)), [(32_000, TimedOut)]);
}

#[test]
fn a_provisional_response_slows_timer_e_to_t2_and_leaves_timer_f() {
    let mut client = start(Transport::Udp);
    assert_eq!(client.response(ms(100), &timers(), 100), OnResponse::Pass);
    assert!(!client.is_trying() && client.is_pending());
    let log = run_out(&mut client);
    assert_eq!(log[..3], [(500, Retransmit), (4500, Retransmit), (8500, Retransmit)]);
    assert_eq!(log.last(), Some(&(32_000, TimedOut)));
}

#[test]
fn copies_of_the_final_response_are_absorbed_until_timer_k() {
    let mut client = start(Transport::Udp);
    assert_eq!(client.response(ms(100), &timers(), 404), OnResponse::Pass);
    assert_eq!(client.response(ms(200), &timers(), 404), OnResponse::Absorb);
    assert_eq!(run_out(&mut client), [(5100, Ended)]);
}

#[test]
fn timer_k_is_zero_over_tcp() {
    let mut client = start(Transport::Tcp);
    assert_eq!(client.response(ms(100), &timers(), 200), OnResponse::Pass);
    assert!(client.is_terminated());
}
