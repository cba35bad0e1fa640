//! The four transaction machines, event by event.

mod invite_client;
mod invite_server;
mod non_invite_client;
mod non_invite_server;

use std::time::Duration;

use sidetone_sip::transaction::Timers;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn timers() -> Timers {
    Timers::default()
}

/// Runs a machine's timers until none is left, noting when each fired and what it asked for.
fn run<M, T>(
    machine: &mut M,
    next: impl Fn(&M) -> Option<Duration>,
    fire: impl Fn(&mut M, Duration) -> T,
) -> Vec<(u128, T)> {
    let mut log = Vec::new();
    while let Some(at) = next(machine) {
        log.push((at.as_millis(), fire(machine, at)));
        assert!(log.len() < 100, "never ends");
    }
    log
}
