//! Packet indices and replay windows (RFC 3711 §3.3).

use serde::{Deserialize, Serialize};

/// Packets that a window looks back. RFC 3711 §3.3.2 asks for 64 at least; 128 packets are 2.5 s of sound.
const WIDTH: u64 = 128;

/// The place of an index in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Not seen yet.
    New,
    /// Seen.
    Seen,
    /// Before the window.
    Before,
}

/// The indices seen up to the highest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    highest: u64,
    /// Bit `n`: index `highest - n` was seen.
    seen: u128,
}

/// How far the numbers under one key have gone, without any secret: what is needed to go on with it in another process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// Of each source of RTP: the highest index.
    pub(crate) rtp: Vec<Source>,
    /// The same of RTCP, of a party's.
    pub(crate) rtcp: Vec<Source>,
    /// The index of the next RTCP packet, of ours.
    pub(crate) reports: u32,
    /// There were more sources than are written down: none may begin anew.
    pub(crate) closed: bool,
}

/// How far one source has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    pub(crate) ssrc: u32,
    pub(crate) highest: u64,
    /// Added to the sender's sequence numbers, of ours.
    pub(crate) offset: u16,
}

impl Window {
    /// A window in which only that index was seen.
    pub(crate) const fn begun(index: u64) -> Self {
        Self { highest: index, seen: 1 }
    }

    /// A window that goes on behind that index: it and all before count as seen.
    pub(crate) const fn resumed(index: u64) -> Self {
        Self { highest: index, seen: u128::MAX }
    }

    /// The highest index seen.
    pub(crate) const fn highest(&self) -> u64 {
        self.highest
    }

    pub(crate) const fn place(&self, index: u64) -> Place {
        let Some(behind) = self.highest.checked_sub(index) else { return Place::New };
        if behind >= WIDTH {
            Place::Before
        } else if self.seen >> behind & 1 == 1 {
            Place::Seen
        } else {
            Place::New
        }
    }

    /// Notes an index that is new.
    pub(crate) const fn note(&mut self, index: u64) {
        if index > self.highest {
            let step = index - self.highest;
            self.seen = if step >= WIDTH { 0 } else { self.seen << step };
            self.seen |= 1;
            self.highest = index;
        } else if self.highest - index < WIDTH {
            self.seen |= 1 << (self.highest - index);
        }
    }
}

/// The index that a sequence number most likely has, beside the highest index so far (RFC 3711 §3.3.1 and appendix A).
/// `None` if it lies before the first packet of all.
pub(crate) fn estimate(highest: u64, sequence: u16) -> Option<u64> {
    let (counter, last) = (highest >> 16, (highest & 0xffff) as u16);
    let counter = if last < 0x8000 {
        // `sequence - last > 2^15`: from before the last roll-over.
        if i32::from(sequence) - i32::from(last) > 0x8000 { counter.checked_sub(1)? } else { counter }
    } else if i32::from(last) - 0x8000 > i32::from(sequence) {
        counter + 1
    } else {
        counter
    };
    Some(counter << 16 | u64::from(sequence))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_roll_over_is_seen_from_both_sides() {
        assert_eq!(estimate(0xfffe, 0xffff), Some(0xffff));
        assert_eq!(estimate(0xffff, 0), Some(0x1_0000));
        assert_eq!(estimate(0x1_0002, 0xfffe), Some(0xfffe));
        assert_eq!(estimate(2, 0xfffe), None, "before the first packet of all");
        assert_eq!(estimate(0x5_0000 + 0x7fff, 0xffff), Some(0x5_ffff));
    }

    #[test]
    fn a_window_knows_what_it_has_seen() {
        let mut window = Window::begun(1_000);
        assert_eq!(window.place(1_000), Place::Seen);
        assert_eq!(window.place(999), Place::New);
        window.note(999);
        assert_eq!(window.place(999), Place::Seen);
        window.note(1_127);
        assert_eq!(window.place(1_000), Place::Seen);
        assert_eq!(window.place(999), Place::Before);
        window.note(5_000);
        assert_eq!(window.place(4_999), Place::New);
        assert_eq!(window.place(1_127), Place::Before);
    }

    proptest! {
        /// Whatever the order, within half of the numbers' range of the highest the index is the true one.
        #[test]
        fn an_index_near_the_highest_is_estimated_right(highest in 0_u64..1 << 40, step in -0x7fff_i64..0x7fff) {
            let truth = highest.checked_add_signed(step);
            if let Some(truth) = truth {
                prop_assert_eq!(estimate(highest, (truth & 0xffff) as u16), Some(truth));
            }
        }

        #[test]
        fn each_index_is_new_once(indices in prop::collection::vec(0_u64..300, 1..200)) {
            let mut window = Window::begun(0);
            let mut taken = std::collections::HashSet::from([0]);
            for index in indices {
                match window.place(index) {
                    Place::New => { prop_assert!(taken.insert(index)); window.note(index); }
                    Place::Seen => prop_assert!(taken.contains(&index)),
                    Place::Before => prop_assert!(window.highest() - index >= WIDTH),
                }
            }
        }
    }
}
