//! Why the one who placed a call need not be the customer, though the capture shows the INVITE.
//!
//! Customers are taken to be those who call. A capture may contradict that: a dialler or a click-to-dial server places
//! both legs, an agent's phone calls as well as being called, a call continues another one. There each party may be
//! the agent, and an agent must not be judged.

use std::fmt;
use std::net::IpAddr;

/// The reason why the customer of a call is only guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// The conversation has two legs, and the caller's voice of one is the called party's voice of the other.
    LegsContradict,
    /// An address for audio was named by the caller of one call and by the called party of another at the same time
    /// (third party call control, RFC 3725).
    SharedAddress,
    /// Two parties have sent a first INVITE with the same Call-ID.
    TwoPlacers,
    /// The caller was told to call by somebody else (Referred-By, RFC 3892).
    Referred,
    /// The call takes the place of another one (Replaces, RFC 3891).
    Replaces,
    /// The host that placed it has two calls at once, toward different hosts: it connects parties.
    Connects(IpAddr),
    /// The host that placed it is called in other calls: it connects parties, or agents call from there.
    CallsAndIsCalled(IpAddr),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LegsContradict => {
                f.write_str("the caller of one leg of this conversation is the one called in its other leg")
            }
            Self::SharedAddress => f.write_str(
                "one address for audio belongs to the caller here and to the called party of another call",
            ),
            Self::TwoPlacers => f.write_str("two parties have sent a first INVITE with this Call-ID"),
            Self::Referred => f.write_str("the caller was told to call by somebody else (Referred-By)"),
            Self::Replaces => f.write_str("the call takes the place of another one (Replaces)"),
            Self::Connects(host) => {
                write!(f, "{host} has placed two calls at once toward different hosts, as a dialler does")
            }
            Self::CallsAndIsCalled(host) => {
                write!(f, "{host} places this call and is called in another, as agents and PBXs are")
            }
        }
    }
}
