//! Decides which sound may be heard: by the arrival time of its packet, not by the time of decoding.
//!
//! Packets wait on their way to an ear, in the tap ring and in the reorder buffer; consent may come meanwhile. So
//! consent has a time, and sound is admitted only from packets that came no earlier. Concealed sound counts as the
//! sound before it, since it is made from that.

use std::time::Duration;

/// The gate before a leg's detectors.
#[derive(Debug)]
pub(super) struct Gate {
    /// Packets that came earlier are not heard. `None`: no packet is.
    since: Option<Duration>,
    /// Sound has been admitted, so that media time runs.
    opened: bool,
    /// The newest sound is not admitted, nor is concealment made from it.
    shut: bool,
}

/// A gate's decision on a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// Its sound is not to be heard.
    Withheld,
    /// Its sound is heard, as was the one before.
    Admitted,
    /// Its sound is heard, and the decoder's memory of earlier packets must not sound in it.
    Afresh,
}

impl Gate {
    /// No packet is heard.
    pub(super) const SHUT: Self = Self { since: None, opened: false, shut: true };

    /// Packets from `since` on are heard.
    pub(super) fn since(since: Duration) -> Self {
        Self { since: Some(since), ..Self::SHUT }
    }

    /// Decides on sound of a packet that came `at`.
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

    /// Packets that came before `at` are not heard any more.
    pub(super) fn raise(&mut self, at: Duration) {
        self.since = self.since.map(|since| since.max(at));
    }

    /// Whether any sound has been admitted.
    pub(super) fn is_open(&self) -> bool {
        self.opened
    }

    /// Whether the newest sound is withheld.
    pub(super) fn is_shut(&self) -> bool {
        self.shut
    }
}
