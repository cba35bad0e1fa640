//! What is spoken with the parties on each side: plain RTP, SRTP that ends here, or what the parties speak with each
//! other.

use sidetone_call::{Side, Suite};

/// What may be spoken with the parties on one side. The table in docs/SECURE-MEDIA.md says what each offer becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Policy {
    /// What the other side speaks. If neither side says otherwise, SRTP passes from party to party, and can't be
    /// listened to.
    #[default]
    Pass,
    /// SRTP ends here, and so does plain RTP: both are taken, and SRTP is offered in a way that falls back on RTP (RFC
    /// 8643).
    Terminate,
    /// SRTP ends here, and nothing else is taken or offered.
    Require,
    /// RTP alone.
    Plain,
}

/// Where the keys of SRTP come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Keying {
    /// The signalling (RFC 4568).
    #[default]
    Sdes,
    /// A handshake on the media's path (RFC 5763), with ICE.
    Dtls,
}

/// The policies of both sides, and what is needed to keep them.
#[derive(Clone, Debug)]
pub struct Security {
    /// Toward the carrier.
    pub trunk: Policy,
    /// Toward the PBX.
    pub pbx: Policy,
    /// The suites of our offers, the one preferred first. Any suite that we speak is taken.
    pub suites: Vec<Suite>,
    /// How a side is offered protection that speaks none yet.
    pub keying: [Keying; 2],
    /// Our certificate's fingerprint, as a=fingerprint states it; without one DTLS can't end here.
    pub fingerprint: Option<String>,
    /// Fills bytes so that nobody can predict them.
    pub random: fn(&mut [u8]),
}

impl Security {
    /// Nothing ends here.
    #[must_use]
    pub fn passing() -> Self {
        Self {
            trunk: Policy::Pass,
            pbx: Policy::Pass,
            suites: Vec::new(),
            keying: [Keying::Sdes; 2],
            fingerprint: None,
            random: |_| {},
        }
    }

    /// How a side is offered protection.
    #[must_use]
    pub const fn keying_toward(&self, side: Side) -> Keying {
        let [trunk, pbx] = self.keying;
        match side {
            Side::Trunk => trunk,
            Side::Pbx => pbx,
        }
    }

    /// The policy toward a side.
    #[must_use]
    pub const fn toward(&self, side: Side) -> Policy {
        match side {
            Side::Trunk => self.trunk,
            Side::Pbx => self.pbx,
        }
    }

    /// Whether SRTP, or the choice against it, is ours on either side.
    #[must_use]
    pub fn ends_here(&self) -> bool {
        self.trunk != Policy::Pass || self.pbx != Policy::Pass
    }
}
