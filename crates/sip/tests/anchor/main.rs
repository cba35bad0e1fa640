//! Whole dialogs through the anchor, one behaviour a file. See [`script`] for how they are written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(unreachable_pub)] // one binary, many modules

mod script;
mod secured;
mod shaken;

mod around;
mod basic;
mod early_media;
mod ending;
mod fork;
mod hold;
mod ice;
mod ipv6;
mod late_offer;
mod misaimed;
mod multipart;
mod prack;
mod reach;
mod refusal;
mod reinvite_rollback;
mod restart;
mod retransmission;
mod rtcp;
mod signalled;
mod streams;
mod through_proxy;
mod transfer;
mod untappable;
mod update;
