//! What open desks show: the call of every agent who has one open, looked at once for all of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sidetone_book::{CallView, Phase};
use sidetone_events::Timestamp;
use sidetone_pages::DeskCall;
use sidetone_watch::Alarm;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::Snapshot;

/// How often the calls are looked at while a desk is open.
const LOOKED_AT: Duration = Duration::from_millis(200);

/// What a desk shows: a call or none; the outer `None` until the calls have been looked at for it.
pub(super) type Shown = Option<Option<Arc<DeskCall>>>;

/// How a call is told to its agent, at a time in milliseconds since 1970.
pub(super) type Tell = fn(&CallView, u64) -> DeskCall;

/// The desks that are open, by their agents; `None` once nobody looks at the calls any more.
type Open = Option<HashMap<String, watch::Sender<Shown>>>;

/// All open desks.
pub(super) struct Board {
    open: Mutex<Open>,
    opened: Notify,
}

impl Board {
    /// A board without a desk, and the task that looks at the calls for those that are opened.
    pub(super) fn start(list: Snapshot<Vec<CallView>>, tell: Tell, alarm: &Alarm) -> Arc<Self> {
        let board = Arc::new(Self { open: Mutex::new(Some(HashMap::new())), opened: Notify::new() });
        let kept = Keeper(Arc::clone(&board));
        alarm.watch("the desks", async move { kept.keep(&list, tell).await });
        board
    }

    /// What this agent's desk shows, from now on; `None` if it would never be told.
    pub(super) fn follow(&self, agent: &str) -> Option<watch::Receiver<Shown>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let desk = open.as_mut()?.entry(agent.to_owned()).or_insert_with(|| watch::Sender::new(None));
        let mut shown = desk.subscribe();
        // What another desk of this agent shows already is news to this one.
        shown.mark_changed();
        self.opened.notify_one();
        Some(shown)
    }

    /// Forgets the desks that have been closed; whether any is open.
    fn is_followed(&self) -> bool {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.as_mut().is_some_and(|open| {
            open.retain(|_, desk| desk.receiver_count() > 0);
            !open.is_empty()
        })
    }

    /// Tells each desk its agent's call, if that has changed.
    fn renew(&self, list: &[CallView], tell: Tell, now: u64) {
        let mut chosen: HashMap<&str, &CallView> = HashMap::new();
        for call in list.iter().filter(|call| call.phase != Phase::Ended) {
            let Some(agent) = call.labels.agent.as_ref() else { continue };
            let other = chosen.entry(agent.as_str()).or_insert(call);
            if weight(call) > weight(other) {
                *other = call;
            }
        }
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for (agent, desk) in open.iter().flatten() {
            let call = chosen.get(agent.as_str()).map(|call| tell(call, now));
            desk.send_if_modified(|shown| {
                let is_known = shown.as_ref().is_some_and(|known| known.as_deref() == call.as_ref());
                if !is_known {
                    *shown = Some(call.map(Arc::new));
                }
                !is_known
            });
        }
    }
}

/// Of an agent's calls the one they talk in counts, else the newest.
pub(super) fn weight(call: &CallView) -> (bool, std::cmp::Reverse<u64>) {
    (call.phase == Phase::Talking, std::cmp::Reverse(call.age_ms))
}

/// Looks at the calls. When it ends, however it does, the streams of all desks do.
struct Keeper(Arc<Board>);

impl Keeper {
    async fn keep(&self, list: &Snapshot<Vec<CallView>>, tell: Tell) {
        loop {
            if !self.0.is_followed() {
                self.0.opened.notified().await;
            }
            let Some(calls) = list.fresh().await else { return };
            self.0.renew(&calls, tell, Timestamp::now().unix_millis());
            tokio::select! {
                () = sleep(LOOKED_AT) => {}
                () = self.0.opened.notified() => {}
            }
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        *self.0.open.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::SeqCst;

    use super::*;

    fn never(_: &CallView, _: u64) -> DeskCall {
        unreachable!("there is no call")
    }

    #[tokio::test]
    async fn a_desk_is_told_at_once_and_nobody_looks_when_all_are_closed() {
        let looks = Arc::new(AtomicUsize::new(0));
        let (alarm, counted) = (Alarm::new(), Arc::clone(&looks));
        let list = Snapshot::of(&alarm, "test", move || {
            counted.fetch_add(1, SeqCst);
            Vec::new()
        });
        let board = Board::start(list, never, &alarm);
        tokio::time::sleep(LOOKED_AT).await;
        assert_eq!(looks.load(SeqCst), 0);
        let mut first = board.follow("2001").unwrap();
        assert_eq!(*first.wait_for(Option::is_some).await.unwrap(), Some(None));
        // A second desk of the same agent is told too.
        let mut second = board.follow("2001").unwrap();
        second.changed().await.unwrap();
        assert_eq!(*second.borrow(), Some(None));
        drop((first, second));
        assert!(!board.is_followed());
    }

    #[tokio::test]
    async fn desks_end_when_nobody_looks_at_the_calls_any_more() {
        let alarm = Alarm::new();
        let list = Snapshot::of(&alarm, "test", || panic!("as a broken part would"));
        let board = Board::start(list, never, &alarm);
        let mut shown = board.follow("2001").unwrap();
        assert!(shown.wait_for(Option::is_some).await.is_err());
        assert!(board.follow("2001").is_none());
    }
}
