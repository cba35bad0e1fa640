//! Carries on the calls that the process before has written down.

use std::sync::Arc;
use std::time::Instant;

use sidetone_book::Calls;
use sidetone_call::CallKey;
use sidetone_journal::{Journal, Life, Part, Pen, Standing};
use sidetone_proxy::signalling::Signalling;
use sidetone_relay::StreamKept;
use zeroize::Zeroizing;

/// Carries on the calls of the process before, where they may be; closes the others, so that each has its last event
/// and its receipt. From here on calls are written down.
pub(super) fn carry_on(life: Life, signalling: &Arc<Signalling>, calls: &Calls, journal: &Journal) {
    let began = Instant::now();
    let pen = journal.pen();
    calls.keep_in(pen.clone());
    let Life { standing, alive, calls: kept, .. } = life;
    match &standing {
        Standing::New | Standing::GoesOn => {}
        Standing::Over(why) if kept.is_empty() => tracing::debug!(why, "the call journal is of before"),
        Standing::Over(why) => {
            tracing::warn!(calls = kept.len(), why, "calls of the process before are over: each is closed");
        }
        Standing::Unreadable => tracing::error!(
            "the call journal was written by another version in another format: its calls are not known"
        ),
    }
    let (mut carried_on, mut given_up) = (0, 0);
    signalling.with(|core, now| {
        core.keep_in(pen.clone());
        // Of a call that was not answered yet only its media are known: it is nobody's.
        for (key, parts) in kept.iter().filter(|(_, parts)| parts.contains_key(&Part::Book)) {
            if standing != Standing::GoesOn {
                given_up += 1;
                continue;
            }
            match core.take_up(now, alive, parts) {
                Ok(()) => carried_on += 1,
                Err(why) => {
                    given_up += 1;
                    tracing::warn!(call = key.0, %why, "a call of the process before can't be carried on");
                }
            }
        }
    });
    signalling.core().anchor().media().claimed();
    let up: Vec<CallKey> = calls.keys();
    for (key, parts) in kept.iter().filter(|(key, _)| !up.contains(key)) {
        if let Some(book) = parts.get(&Part::Book)
            && let Err(error) = calls.give_up(alive, book)
        {
            tracing::error!(
                call = key.0,
                at = error.column(),
                "what was written of a call can't be read: it has no last event and no receipt"
            );
        }
        pen.erase(*key);
    }
    calls.carry_out();
    journal.settle(carried_on, given_up);
    if carried_on > 0 {
        let gone_ms = signalling.now().saturating_sub(alive).as_millis();
        let took_ms = began.elapsed().as_millis();
        tracing::info!(calls = carried_on, gone_ms, took_ms, "calls of the process before are carried on");
    }
}

/// Writes down what relay threads tell of calls' media.
pub(super) fn write_down(kept: &[(CallKey, Vec<StreamKept>)], pen: &Pen) {
    for (call, streams) in kept {
        let secret = streams.iter().any(StreamKept::is_secret);
        if let Ok(streams) = serde_json::to_vec(streams) {
            if secret {
                pen.write_secret(*call, Part::Media, &Zeroizing::new(streams));
            } else {
                pen.write(*call, Part::Media, Some(streams));
            }
        }
    }
}
