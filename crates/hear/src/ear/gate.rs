//! Which sound may be heard: by when the packet that carried it came, not by when its turn is.
//!
//! Packets wait on their way to an ear, in the tap ring and in the reorder buffer; consent may come meanwhile. So it
//! has a time, and sound is admitted only from packets that came no earlier. What is made up in place of lost packets
//! counts as what came before it, since it is made from that.

use std::time::Duration;

/// The gate before whoever hears a leg.
#[derive(Debug)]
pub(super) struct Gate {
    /// Packets that came earlier are not heard. `None`: nothing is.
    since: Option<Duration>,
    /// Something has been admitted, so that media time runs.
    opened: bool,
    /// The newest sound is not admitted, nor is what is made from it.
    shut: bool,
}

/// What a gate says of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It is not to be heard.
    Withheld,
    /// It is, as the one before it was.
    Admitted,
    /// It is, and nothing that a decoder remembers of those before it may sound in it.
    Afresh,
}

impl Gate {
    /// Nothing is heard.
    pub(super) const SHUT: Self = Self { since: None, opened: false, shut: true };

    /// Heard is what comes from `since` on.
    pub(super) fn since(since: Duration) -> Self {
        Self { since: Some(since), ..Self::SHUT }
    }

    /// Sound of a packet that came `at` is next.
    pub(super) fn admit(&mut self, at: Duration) -> Admission {
        let admitted = self.since.is_some_and(|since| at >= since);
        match (admitted, std::mem::replace(&mut self.shut, !admitted)) {
            (false, _) => Admission::Withheld,
            (true, true) => {
                self.opened = true;
                Admission::Afresh
            }
            (true, false) => Admission::Admitted,
        }
    }

    /// Nothing that came before `at` is heard any more.
    pub(super) fn raise(&mut self, at: Duration) {
        self.since = self.since.map(|since| since.max(at));
    }

    /// Whether anything has been admitted.
    pub(super) fn is_open(&self) -> bool {
        self.opened
    }

    /// Whether the newest sound is withheld.
    pub(super) fn is_shut(&self) -> bool {
        self.shut
    }
}
