//! The answers of a silent call's parties, and the verdict on the call.

use sidetone_book::Judged;
use sidetone_call::Side;

/// The answers known of one party of a silent call.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heard {
    /// The answer in the dialog.
    pub(super) dialog: Word,
    /// The answer of its host.
    pub(super) host: Word,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Word {
    /// The party could not be asked: its address is unknown.
    #[default]
    Unasked,
    Awaited,
    Silence,
    Lives,
    Gone(u16),
}

/// The verdict on a party.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Party {
    Unknown,
    Awaited,
    Alive,
    Gone(Option<u16>),
}

impl Heard {
    const fn party(self) -> Party {
        match (self.dialog, self.host) {
            (Word::Lives, _) => Party::Alive,
            (Word::Gone(status), _) => Party::Gone(Some(status)),
            (Word::Unasked, _) => Party::Unknown,
            (Word::Awaited, _) | (Word::Silence, Word::Awaited) => Party::Awaited,
            (Word::Silence, Word::Silence) => Party::Gone(None),
            (Word::Silence, _) => Party::Alive,
        }
    }
}

/// A silent call whose parties have been asked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) trunk: Heard,
    pub(super) pbx: Heard,
}

impl Asked {
    pub(super) fn of(&mut self, side: Side) -> &mut Heard {
        match side {
            Side::Trunk => &mut self.trunk,
            Side::Pbx => &mut self.pbx,
        }
    }

    /// The verdict, once there is one.
    pub(super) fn judged(&self) -> Option<Judged> {
        let parties = [(Side::Trunk, self.trunk.party()), (Side::Pbx, self.pbx.party())];
        for (side, party) in parties {
            if let Party::Gone(status) = party {
                return Some(Judged::Gone { side, status });
            }
        }
        let are = |wanted| parties.iter().any(|(_, party)| *party == wanted);
        if are(Party::Awaited) {
            None
        } else if are(Party::Alive) {
            Some(Judged::Alive)
        } else {
            Some(Judged::Unknown)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(trunk: (Word, Word), pbx: (Word, Word)) -> Option<Judged> {
        let heard = |(dialog, host)| Heard { dialog, host };
        Asked { trunk: heard(trunk), pbx: heard(pbx) }.judged()
    }

    /// The table in `liveness`.
    #[test]
    fn silence_is_judged_by_both_parties() {
        use Word::{Awaited, Gone, Lives, Silence, Unasked};
        let waits = (Awaited, Awaited);
        let lives = (Lives, Awaited);
        assert_eq!(judged(waits, waits), None);
        assert_eq!(judged(lives, waits), None);
        assert_eq!(judged(lives, lives), Some(Judged::Alive));
        assert_eq!(
            judged(waits, (Gone(481), Awaited)),
            Some(Judged::Gone { side: Side::Pbx, status: Some(481) })
        );
        assert_eq!(judged((Silence, Awaited), lives), None);
        assert_eq!(judged((Silence, Lives), lives), Some(Judged::Alive));
        assert_eq!(judged((Silence, Silence), lives), Some(Judged::Gone { side: Side::Trunk, status: None }));
        assert_eq!(judged((Unasked, Unasked), lives), Some(Judged::Alive));
        assert_eq!(judged((Unasked, Unasked), (Unasked, Unasked)), Some(Judged::Unknown));
    }
}
