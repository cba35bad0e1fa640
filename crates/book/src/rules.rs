//! The rules for handling calls.

use std::sync::Arc;
use std::time::Duration;

use sidetone_call::{Node, Teams};
use sidetone_consent::Policy;
use sidetone_consent::policy::Settings;
use sidetone_hear::{Language, Scribe};
use sidetone_insight::Thresholds;
use sidetone_insight::cues::CueSet;

/// The peers that a call runs between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoutedTo {
    /// The trunk's name.
    pub trunk: String,
    /// The PBX's name.
    pub pbx: String,
    /// How the caller has been told of the analysis: the weakest policy of all trunks that the call may go out by.
    pub disclosure: Policy,
    /// The call was up before this process started: a request within its dialog has made it known.
    pub resumed: bool,
    /// Whether the party that the PBX calls is a customer, as the configuration says.
    pub to_customers: bool,
}

/// The rules for handling calls. A reload changes them for calls that begin later.
#[derive(Default)]
pub struct Rules {
    /// The node that handles the calls.
    pub node: Option<Node>,
    /// When a caller counts as upset.
    pub thresholds: Thresholds,
    /// The cues that agents may be shown, if any.
    pub cues: Option<Arc<CueSet>>,
    /// Where customers' words are recognised, and of which calls, if of any.
    pub words: Option<(Scribe, Arc<Language>)>,
    /// A call whose media is silent for this long is ended, if a party has it no longer.
    pub media_timeout: Duration,
    /// How callers are told of the analysis.
    pub consent: Settings,
    /// Numbers that are never listened to, and numbers that belong to no customer.
    pub numbers: Numbers,
    /// The agents of each team.
    pub teams: Teams,
}

/// Whether one of a party's numbers is on a list.
pub type OnList = Box<dyn Fn(&[&str]) -> bool + Send + Sync>;

/// The lists of numbers.
#[derive(Default)]
pub struct Numbers {
    /// Customers who are never listened to.
    pub excluded: Option<OnList>,
    /// The agents' own numbers.
    pub agents: Option<OnList>,
}
