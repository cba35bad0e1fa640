//! How a message to a PBX may be treated while it waits.

/// The subject of a message to a PBX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// The customer's current state: a newer message replaces it.
    Reading,
    /// Another message about the customer's feelings.
    Affect,
    /// Any other message.
    Plain,
}

impl Nature {
    /// Whether the message must be dropped once the customer has objected.
    #[must_use]
    pub const fn is_affect(self) -> bool {
        matches!(self, Self::Reading | Self::Affect)
    }
}
