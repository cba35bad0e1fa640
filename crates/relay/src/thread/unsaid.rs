//! Notices of a relay thread that the call book had no room for.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use crate::report::{Notice, RelayTotals};

/// Most notices that wait: a few of each of many thousand calls. More wait only if the book takes none.
const MOST: usize = 65_536;

/// Notices that wait, in order.
///
/// When the queue is full the newest notice is lost, and counted. Each loss ends on the safe side: an announcement
/// without a reported beginning or end has failed once its time is up, so its call is not listened to; a call without a
/// reported closing is closed without one.
pub(super) struct Unsaid {
    waiting: VecDeque<Notice>,
    totals: Arc<RelayTotals>,
}

impl Unsaid {
    pub(super) fn new(totals: Arc<RelayTotals>) -> Self {
        Self { waiting: VecDeque::new(), totals }
    }

    pub(super) fn push_back(&mut self, notice: Notice) {
        if self.waiting.len() < MOST {
            self.waiting.push_back(notice);
        } else {
            self.totals.notices_lost.fetch_add(1, Relaxed);
        }
    }

    /// Sends as many notices as there is room for.
    pub(super) fn say(&mut self, notices: &Sender<Notice>) {
        while let Some(notice) = self.waiting.pop_front() {
            if let Err(TrySendError::Full(notice)) = notices.try_send(notice) {
                self.waiting.push_front(notice);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sidetone_call::CallKey;

    use super::*;

    #[test]
    fn a_book_that_takes_nothing_costs_a_bounded_memory_and_hears_the_oldest_first() {
        let totals = Arc::new(RelayTotals::default());
        let (notices, mut book) = tokio::sync::mpsc::channel(2);
        let mut unsaid = Unsaid::new(Arc::clone(&totals));
        for n in 0..MOST as u64 + 10 {
            unsaid.push_back(Notice::Closed(CallKey(n), Vec::new()));
        }
        assert_eq!((unsaid.waiting.len(), totals.notices_lost.load(Relaxed)), (MOST, 10));
        unsaid.say(&notices);
        let told = std::iter::from_fn(|| book.try_recv().ok()).map(|notice| match notice {
            Notice::Closed(key, _) => key.0,
            other => panic!("{other:?}"),
        });
        assert_eq!(told.collect::<Vec<_>>(), [0, 1]);
        assert_eq!(unsaid.waiting.len(), MOST - 2);
    }
}
