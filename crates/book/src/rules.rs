//! The rules that calls are handled by.

use std::time::Duration;

use sidetone_call::Node;
use sidetone_consent::Policy;
use sidetone_consent::policy::Settings;
use sidetone_insight::Thresholds;

/// Which peers a call runs between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RoutedTo {
    /// The trunk's name.
    pub trunk: String,
    /// The PBX's name.
    pub pbx: String,
    /// How the caller has been told; the weakest of all trunks that the call may go out by.
    pub disclosure: Policy,
    /// The call was up before this process: a request within its dialog has made it known.
    pub resumed: bool,
    /// Whether whom the PBX calls is a customer, as the configuration says.
    pub to_customers: bool,
}

/// The rules that calls are handled by. A reload changes them for calls that begin later.
#[derive(Default)]
pub struct Rules {
    /// The node that calls are on.
    pub node: Option<Node>,
    /// When a caller counts as upset.
    pub thresholds: Thresholds,
    /// A call whose media is silent for so long is dropped.
    pub media_timeout: Duration,
    /// How callers are told.
    pub consent: Settings,
    /// Who is never listened to, and who is no customer.
    pub numbers: Numbers,
}

/// Whether one of the numbers that are given for a party is on a list.
pub type OnList = Box<dyn Fn(&[&str]) -> bool + Send + Sync>;

/// The lists of numbers.
#[derive(Default)]
pub struct Numbers {
    /// Customers who are never listened to.
    pub excluded: Option<OnList>,
    /// The agents' own numbers.
    pub agents: Option<OnList>,
}
