//! One call's consent, and the announcements that play in it.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use sidetone_announce::Mode;
use sidetone_announce::library::Found;
use sidetone_call::{CallKey, Side};
use sidetone_consent::policy::{Decision, Facts, LawfulBasis, Settings};
use sidetone_consent::{Machine, Party, State, Telling};
use sidetone_relay::PlayId;

/// One call's consent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Consent {
    pub(crate) machine: Machine,
    pub(crate) facts: Facts,
    pub(crate) decision: Decision,
    /// The call goes to the customer; otherwise it comes from them.
    pub(crate) to_customer: bool,
    #[serde(skip)]
    pub(crate) playing: Option<Act>,
    /// Announcements stopped to make room for the current one, and not over yet.
    #[serde(skip)]
    pub(crate) leaving: Vec<Act>,
    pub(crate) plays: u64,
    /// The party that talks on the PBX's side, as the PBX says.
    pub(crate) party: Option<Party>,
    /// As configured when the call began.
    pub(crate) lawful_basis: Option<LawfulBasis>,
    /// The receipt has been filed.
    pub(crate) filed: bool,
}

/// An announcement under way.
#[derive(Debug)]
pub(crate) struct Act {
    pub(crate) id: PlayId,
    pub(crate) stream: usize,
    pub(crate) found: Found,
    pub(crate) mode: Mode,
    pub(crate) toward: Vec<Side>,
    /// The announcement tells the caller of the analysis; others are the operator's own.
    pub(crate) discloses: bool,
}

impl Consent {
    pub(crate) fn new(
        settings: &Settings,
        key: CallKey,
        facts: Facts,
        to_customer: bool,
        now: Duration,
    ) -> Self {
        let decision = settings.decide(&facts);
        let machine = Machine::new(settings.terms(&decision, to_customer), now).of_call(key.0);
        Self {
            machine,
            facts,
            decision,
            to_customer,
            playing: None,
            leaving: Vec::new(),
            plays: 0,
            party: None,
            lawful_basis: settings.lawful_basis,
            filed: false,
        }
    }

    /// Whether any further event could lead to analysis, or to an announcement.
    pub(crate) fn concerns(&self) -> bool {
        self.machine.state() != State::Excluded
    }

    /// Takes a fact that the policy may depend on.
    pub(crate) fn tell(&mut self, settings: &Settings, now: Duration, telling: &Telling) {
        if self.facts.tell(telling) {
            self.decision = settings.decide(&self.facts);
            self.machine.retell(now, settings.terms(&self.decision, self.to_customer));
        }
    }

    /// One of the announcements under way.
    pub(crate) fn act(&mut self, id: PlayId) -> Option<&mut Act> {
        self.playing.iter_mut().chain(&mut self.leaving).find(|act| act.id == id)
    }

    /// Removes an announcement that is over, and returns it.
    pub(crate) fn over(&mut self, id: PlayId) -> Option<Act> {
        self.playing.take_if(|act| act.id == id).or_else(|| {
            let place = self.leaving.iter().position(|act| act.id == id)?;
            Some(self.leaving.remove(place))
        })
    }
}
