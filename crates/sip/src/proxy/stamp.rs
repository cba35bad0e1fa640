//! The mark in our Record-Route by which a dialog is recognised after a restart, when its state is lost.
//! The mark names the two peers by keyed hashes and is bound to the Call-ID, to the caller's tag and side, and to both
//! peers. Without the key nobody can make a mark, or move one to another call or another pair of peers. Within the life
//! of the process that wrote it, a mark opens nothing: there the dialog itself is held, and once it has ended it is
//! over.

use std::fmt::Write as _;
use std::hash::Hasher;

use sidetone_call::Side;
use siphasher::sip::SipHasher24;

use super::neighbours::Neighbour;

/// The parameter of our Record-Route URI that bears the mark.
pub(super) const PARAM: &str = "st";
const WORD_DIGITS: usize = 8;
const MAC_DIGITS: usize = 16;

/// Makes and reads marks.
#[derive(Debug)]
pub(super) struct Stamps {
    hasher: SipHasher24,
    /// Which life of the process it is.
    boot: u32,
}

/// The names that a mark is bound to, beside the peers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bound<'a> {
    pub(super) call_id: &'a str,
    /// The tag of the party whose request began the dialog.
    pub(super) caller_tag: &'a str,
    pub(super) caller_side: Side,
}

/// A mark of an earlier life that holds good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Proven {
    /// Whether the request is the caller's.
    pub(super) by_caller: bool,
    /// Stands for the peer at the other end.
    pub(super) far: u32,
}

impl Stamps {
    pub(super) fn new(key: [u8; 16], boot: u32) -> Self {
        Self { hasher: SipHasher24::new_with_key(&key), boot }
    }

    /// The hash that stands for a peer in a mark.
    pub(super) fn peer(&self, neighbour: Neighbour) -> u32 {
        let mut hash = self.hasher;
        hash.write_u8(b'p');
        hash.write(neighbour.side.as_str().as_bytes());
        hash.write_u64(neighbour.id);
        low(hash.finish())
    }

    /// The mark of a dialog that runs between those two.
    pub(super) fn mint(&self, bound: Bound<'_>, caller: Neighbour, callee: Neighbour) -> String {
        let (near, far) = (self.peer(caller), self.peer(callee));
        let mut mark = String::with_capacity(3 * WORD_DIGITS + MAC_DIGITS);
        let mac = self.mac(self.boot, near, far, bound);
        // Writing to a String can't fail.
        let _ = write!(mark, "{:08x}{near:08x}{far:08x}{mac:016x}", self.boot);
        mark
    }

    /// The dialog side that a mark proves for a request which bears it. `from` sent the request, whose tags are given.
    pub(super) fn prove(
        &self,
        mark: &str,
        call_id: &str,
        (from_tag, to_tag): (&str, &str),
        from: Neighbour,
    ) -> Option<Proven> {
        if mark.len() != 3 * WORD_DIGITS + MAC_DIGITS || !mark.is_ascii() {
            return None;
        }
        let (boot, rest) = mark.split_at_checked(WORD_DIGITS)?;
        let (near, rest) = rest.split_at_checked(WORD_DIGITS)?;
        let (far, mac) = rest.split_at_checked(WORD_DIGITS)?;
        let word = |digits| u32::from_str_radix(digits, 16).ok();
        let (boot, near, far) = (word(boot)?, word(near)?, word(far)?);
        let mac = u64::from_str_radix(mac, 16).ok()?;
        let own = self.peer(from);
        let bound = |caller_tag, caller_side| Bound { call_id, caller_tag, caller_side };
        let holds = |bound| boot != self.boot && self.mac(boot, near, far, bound) == mac;
        if own == near && holds(bound(from_tag, from.side)) {
            return Some(Proven { by_caller: true, far });
        }
        (own == far && holds(bound(to_tag, from.side.other())))
            .then_some(Proven { by_caller: false, far: near })
    }

    fn mac(&self, boot: u32, near: u32, far: u32, bound: Bound<'_>) -> u64 {
        let mut hash = self.hasher;
        hash.write_u8(b'm');
        for word in [boot, near, far] {
            hash.write_u32(word);
        }
        for field in [bound.call_id, bound.caller_tag, bound.caller_side.as_str()] {
            hash.write_u64(field.len() as u64);
            hash.write(field.as_bytes());
        }
        hash.finish()
    }
}

#[allow(clippy::cast_possible_truncation)] // half of the bits is enough
const fn low(hash: u64) -> u32 {
    hash as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = [7; 16];
    const CARRIER: Neighbour = Neighbour { side: Side::Trunk, id: 1 };
    const OTHER: Neighbour = Neighbour { side: Side::Trunk, id: 2 };
    const PBX: Neighbour = Neighbour { side: Side::Pbx, id: 1 };

    fn mark(boot: u32) -> String {
        let bound = Bound { call_id: "c", caller_tag: "a", caller_side: Side::Trunk };
        Stamps::new(KEY, boot).mint(bound, CARRIER, PBX)
    }

    #[test]
    fn both_parties_are_recognised_after_a_restart_and_nobody_else() {
        let stamps = Stamps::new(KEY, 2);
        let prove = |call, tags, from| stamps.prove(&mark(1), call, tags, from);
        let caller = prove("c", ("a", "b"), CARRIER).unwrap();
        assert_eq!(caller, Proven { by_caller: true, far: stamps.peer(PBX) });
        let callee = prove("c", ("b", "a"), PBX).unwrap();
        assert_eq!(callee, Proven { by_caller: false, far: stamps.peer(CARRIER) });
        for (call, tags, from) in [
            ("c", ("a", "b"), OTHER),
            ("c", ("a", "b"), PBX),
            ("c", ("b", "a"), CARRIER),
            ("d", ("a", "b"), CARRIER),
            ("c", ("x", "b"), CARRIER),
            ("c", ("b", "x"), PBX),
        ] {
            assert_eq!(prove(call, tags, from), None, "{call} {tags:?} {from:?}");
        }
    }

    #[test]
    fn a_mark_of_this_life_another_key_or_no_mark_proves_nothing() {
        let tags = ("a", "b");
        assert_eq!(Stamps::new(KEY, 1).prove(&mark(1), "c", tags, CARRIER), None);
        assert_eq!(Stamps::new([8; 16], 2).prove(&mark(1), "c", tags, CARRIER), None);
        let stamps = Stamps::new(KEY, 2);
        let good = mark(1);
        for at in 0..good.len() {
            let mut bad = good.clone().into_bytes();
            bad[at] = if bad[at] == b'0' { b'1' } else { b'0' };
            assert_eq!(stamps.prove(std::str::from_utf8(&bad).unwrap(), "c", tags, CARRIER), None, "{at}");
        }
        for bad in ["", "é", &"é".repeat(20), &good[1..], &format!("{good}0")] {
            assert_eq!(stamps.prove(bad, "c", tags, CARRIER), None, "{bad}");
        }
    }
}
