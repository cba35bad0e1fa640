//! How something told to a PBX may be treated while it waits.

/// What a message to a PBX is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// How the customer seems to feel right now: a newer one takes its place.
    Reading,
    /// Something else about how the customer feels.
    Affect,
    /// Nothing of the kind.
    Plain,
}

impl Nature {
    /// Whether it must not be told any more once the customer has objected.
    #[must_use]
    pub const fn is_affect(self) -> bool {
        matches!(self, Self::Reading | Self::Affect)
    }
}
