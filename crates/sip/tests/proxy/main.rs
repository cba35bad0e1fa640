//! The proxy core in whole exchanges and whole calls, in virtual time; one file for each behaviour.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod abandon;
mod basic_call;
mod cancel_race;
mod contact;
mod dialogs;
mod double_record_route;
mod failover;
mod forked_2xx;
mod hostile;
mod loops;
mod lossy_calls;
mod options;
mod overload;
mod path;
mod retransmission;
mod rfc2543;
mod routing;
mod sim;
mod sips;
mod tcp_reply;
mod tcp_switch;
mod timers;
mod transparency;
mod validation;
mod via;
mod websocket;
