//! Keys of calls: made so that nobody can predict them, and kept out of core dumps.

use std::io;
use std::sync::Arc;

use sidetone_handshake::{Identity, Settings};

/// Fills bytes from the system's generator.
///
/// A system that has no randomness can't protect anything: rather than with guessable keys the process goes on not at
/// all. Linux's getrandom fails only where it is missing or forbidden, which is so from the start.
pub(super) fn fill(bytes: &mut [u8]) {
    if getrandom::fill(bytes).is_err() {
        tracing::error!("the system gives no random bytes, so no call can be protected: stopping");
        std::process::abort();
    }
}

/// Keeps the process's memory, and with it the keys of calls, from being written to the disk when it crashes, and from
/// other processes of the same user.
pub(super) fn keep_memory_private() {
    if let Err(error) = nix::sys::prctl::set_dumpable(false) {
        tracing::warn!(%error, "core dumps can't be turned off: one would hold the keys of calls");
    }
}

/// What DTLS handshakes need: a certificate of our own, which lives as long as the process. Its fingerprint stands in
/// SDP (RFC 5763 §5), so nobody has to know it from before.
pub(super) fn handshakes() -> io::Result<Arc<Settings>> {
    let identity = Identity::generate().map_err(io::Error::other)?;
    Ok(Arc::new(Settings::new(identity, true).map_err(io::Error::other)?))
}
