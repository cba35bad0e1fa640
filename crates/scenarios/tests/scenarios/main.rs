//! The real binary between real peers: one module a behaviour, one program for all of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)] // a failure is the message

mod admission;
mod affect_by_sip;
mod asterisk_agent;
mod asterisk_announcement;
mod asterisk_inbound;
mod asterisk_links;
mod asterisk_softphone;
mod basic;
mod cancel;
mod consent;
mod deployment;
mod dns;
mod drain;
mod dtmf;
mod early_media;
mod failover;
mod forking;
mod hearing;
mod hold;
mod hostile;
mod http_api;
mod ipv6;
mod large_invite;
mod late_offer;
mod other_media;
mod other_methods;
mod prack;
mod refusals;
mod reinvite;
mod rtcp;
mod session_timer;
mod tcp;
mod trace;
mod transfer;
mod update;
