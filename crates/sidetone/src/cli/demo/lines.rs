//! Other calls beside the demo's own, so that a wall has something to sort: lines on which one call follows the other
//! for as long as the pages are open. Their sound is stretches of the demo's own speech, by real SIP and RTP.

use std::sync::Arc;
use std::time::Duration;

use sidetone_book::Calls;
use sidetone_consent::{Source, Telling};
use sidetone_softphone::{Audio, Call, CallOptions, Clip, Phone};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::rehearsal::{Rehearsal, Stretch};

/// What a PBX tells of a line's calls, and the stretches of its calls, in turn.
type Line = ([(&'static str, &'static str); 4], &'static [Stretch]);

/// The first begins where the caller has lost patience, the second with calm callers.
const LINES: [Line; 2] = [
    (
        [("queue", "orders"), ("agent", "2103"), ("team", "south"), ("tier", "standard")],
        &[Stretch::new(24, 120), Stretch::new(0, 45), Stretch::new(34, 120)],
    ),
    (
        [("queue", "service"), ("agent", "2003"), ("team", "north"), ("tier", "gold")],
        &[Stretch::new(0, 22), Stretch::new(8, 120), Stretch::new(2, 20)],
    ),
];
/// Between two calls of a line.
const PAUSE: Duration = Duration::from_secs(4);
/// The last packets are still under way.
const LAST: Duration = Duration::from_millis(300);

/// The lines, until this is dropped.
#[derive(Debug)]
pub(super) struct Lines(Vec<JoinHandle<()>>);

impl Drop for Lines {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// Who calls whom, over what.
#[derive(Clone)]
pub(super) struct Ends {
    pub(super) book: Arc<Calls>,
    pub(super) caller: Phone,
    pub(super) agent: Phone,
    pub(super) target: String,
    /// The name of the agent's PBX.
    pub(super) pbx: &'static str,
}

impl Lines {
    /// Starts them. The demo's own call must be answered: whoever calls is put through to whoever waits.
    pub(super) fn start(ends: &Ends) -> anyhow::Result<Self> {
        let rehearsal = Arc::new(Rehearsal::new(None)?);
        // For the same reason one call is placed at a time.
        let placing = Arc::new(Mutex::new(()));
        let lines = LINES.into_iter().map(|(labels, stretches)| {
            let (ends, rehearsal, placing) = (ends.clone(), Arc::clone(&rehearsal), Arc::clone(&placing));
            tokio::spawn(async move {
                for stretch in stretches.iter().cycle() {
                    let turn = placing.lock().await;
                    let placed = place(&ends, rehearsal.sides(stretch)).await;
                    drop(turn);
                    match placed {
                        Ok(calls) => talk(&ends, &calls, &labels).await,
                        Err(error) => tracing::warn!(%error, "another call of the demo did not get through"),
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            })
        });
        Ok(Self(lines.collect()))
    }
}

/// Places a call with these sounds: the caller's end and the agent's.
async fn place(ends: &Ends, [caller, agent]: [Clip; 2]) -> anyhow::Result<[Call; 2]> {
    // Nobody compares their packets.
    let options = |clip| CallOptions { audio: Audio::exactly(clip), keep: 0, ..CallOptions::default() };
    let (calling, answering) =
        tokio::join!(ends.caller.call(&ends.target, options(caller)), ends.agent.accept(options(agent)));
    Ok([calling?, answering?])
}

/// Labels a call as its PBX would, and lets both have their say.
async fn talk(ends: &Ends, [calling, answering]: &[Call; 2], labels: &[(&str, &str)]) {
    for (name, value) in labels {
        if let Ok(telling) = Telling::parse(name, value) {
            ends.book.told_by_pbx(ends.pbx, calling.call_id(), &telling, Source::Cli);
        }
    }
    tokio::join!(calling.played(), answering.played());
    tokio::time::sleep(LAST).await;
    if let Err(error) = calling.hangup().await {
        tracing::warn!(%error, "another call of the demo was not ended in order");
    }
}
