//! The parcels that wait to be told in one dialog.

use std::collections::VecDeque;
use std::time::Duration;

use sidetone_call::Nature;

use super::Parcel;

/// The most parcels that wait; beyond it the oldest is dropped.
pub(super) const MOST: usize = 32;
/// Age from which nobody should act on a parcel any more.
pub(super) const STALE: Duration = Duration::from_secs(30);

/// A bounded queue in which a reading takes the place of the one before.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// With the time at which each came; the oldest first.
    waiting: VecDeque<(Duration, Parcel)>,
}

impl Outbox {
    /// Puts one more in. Gives the number that were dropped for it.
    pub(super) fn push(&mut self, now: Duration, parcel: Parcel) -> usize {
        let before = self.waiting.len();
        if parcel.nature == Nature::Reading {
            self.waiting.retain(|(_, other)| other.nature != Nature::Reading);
        }
        if self.waiting.len() >= MOST {
            self.waiting.pop_front();
        }
        self.waiting.push_back((now, parcel));
        before + 1 - self.waiting.len()
    }

    /// Drops what has grown stale; gives its number.
    pub(super) fn expire(&mut self, now: Duration) -> usize {
        let before = self.waiting.len();
        while self.waiting.front().is_some_and(|(at, _)| now.saturating_sub(*at) > STALE) {
            self.waiting.pop_front();
        }
        before - self.waiting.len()
    }

    /// Takes the oldest out.
    pub(super) fn take(&mut self) -> Option<Parcel> {
        self.waiting.pop_front().map(|(_, parcel)| parcel)
    }

    /// The customer has objected: drops what tells how they feel; gives its number.
    pub(super) fn withdraw(&mut self) -> usize {
        let before = self.waiting.len();
        self.waiting.retain(|(_, parcel)| !parcel.nature.is_affect());
        before - self.waiting.len()
    }

    /// Drops everything; gives its number.
    pub(super) fn clear(&mut self) -> usize {
        std::mem::take(&mut self.waiting).len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn parcel(nature: Nature, body: &'static str) -> Parcel {
        Parcel { content_type: "application/json", body: Bytes::from_static(body.as_bytes()), nature }
    }

    fn left(outbox: &mut Outbox) -> Vec<String> {
        std::iter::from_fn(|| outbox.take())
            .map(|parcel| String::from_utf8_lossy(&parcel.body).into_owned())
            .collect()
    }

    #[test]
    fn the_latest_reading_wins_and_order_stays() {
        let mut outbox = Outbox::default();
        let now = Duration::ZERO;
        assert_eq!(outbox.push(now, parcel(Nature::Reading, "r1")), 0);
        assert_eq!(outbox.push(now, parcel(Nature::Affect, "rising")), 0);
        assert_eq!(outbox.push(now, parcel(Nature::Reading, "r2")), 1);
        assert_eq!(outbox.push(now, parcel(Nature::Plain, "held")), 0);
        assert_eq!(left(&mut outbox), ["rising", "r2", "held"]);
    }

    #[test]
    fn it_is_bounded_and_old_ones_go() {
        let mut outbox = Outbox::default();
        let dropped: usize =
            (0..MOST + 3).map(|_| outbox.push(Duration::ZERO, parcel(Nature::Plain, "x"))).sum();
        assert_eq!(dropped, 3);
        outbox.push(Duration::from_secs(20), parcel(Nature::Plain, "young"));
        assert_eq!(outbox.expire(STALE), 0);
        assert_eq!(outbox.expire(STALE + Duration::from_millis(1)), MOST - 1);
        assert_eq!(left(&mut outbox), ["young"]);
    }

    #[test]
    fn an_objection_takes_back_what_was_felt() {
        let mut outbox = Outbox::default();
        for (nature, body) in
            [(Nature::Affect, "rising"), (Nature::Plain, "consent"), (Nature::Reading, "reading")]
        {
            outbox.push(Duration::ZERO, parcel(nature, body));
        }
        assert_eq!(outbox.withdraw(), 2);
        assert_eq!(left(&mut outbox), ["consent"]);
    }
}
