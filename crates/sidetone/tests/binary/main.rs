//! The binary, run as its users run it. One test program for all behaviours: each links the whole of Sidetone.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod analyze;
mod check;
mod command_line;
mod common;
mod consent;
mod demo;
mod model;
mod score;
