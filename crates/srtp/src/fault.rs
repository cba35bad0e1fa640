//! Why a packet is dropped.

/// Why a packet can't be protected or unprotected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Fault {
    /// Too short, or its header does not fit in it.
    #[error("malformed")]
    Malformed,
    /// Its tag is not what the key makes of it: forged, damaged, of another key, or not protected at all.
    #[error("not authentic")]
    NotAuthentic,
    /// A packet with this number has come before.
    #[error("replayed")]
    Replayed,
    /// Its number lies before the replay window.
    #[error("too old")]
    TooOld,
    /// More SSRCs than a leg may send under one key.
    #[error("too many sources")]
    TooManySources,
    /// The key has protected all packets that it may (RFC 3711 §9.2).
    #[error("key exhausted")]
    KeyExhausted,
    /// The buffer has no room for the tag.
    #[error("no room for the tag")]
    NoRoom,
}
