//! How far a request may go.

use sidetone_sip::proxy::{Registered, Way};

/// How far a request may go.
#[derive(Debug, Clone)]
pub(crate) enum Reach {
    /// To the hosts of the peers that its sender's calls go to, as configured.
    Configured,
    /// To those peers, though the request names the host itself; also to Contacts registered with its sender.
    Relay { registered: Vec<Registered> },
    /// To the other party of its dialog.
    Dialog(Way),
}
