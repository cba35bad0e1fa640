//! INFO and NOTIFY of our own, in whole dialogs and virtual time; one file for each behaviour.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod info;
mod numbers;
mod office;
mod originate;
mod relay;
mod service;
mod subscribe;
