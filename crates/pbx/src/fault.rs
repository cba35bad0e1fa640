//! Why a connection to a PBX ended.

/// Why a connection to a PBX ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The network failed.
    #[error("{0}")]
    Network(String),
    /// The login was refused.
    #[error("the PBX refuses the login ({0}); check user and password, and that this address is allowed")]
    Refused(String),
    /// The peer does not speak the protocol.
    #[error("the peer does not speak the protocol: {0}")]
    Malformed(&'static str),
    /// No data came in time, or no answer.
    #[error("no answer in time")]
    Silent,
    /// The PBX hung up.
    #[error("the PBX closed the connection{0}")]
    Closed(&'static str),
    /// Sidetone is shutting down.
    #[error("stopped")]
    Stopped,
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Network(error.to_string())
    }
}
