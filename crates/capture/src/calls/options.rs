//! Bounds of what is read from a capture.

use std::sync::Arc;

use sidetone_call::Format;
use sidetone_rtp::PacketKind;
use sidetone_rtp::RtpView;
use sidetone_rtp::classify;

use crate::calls::customer::Customer;
use crate::dtls::KeyLog;

/// Most calls that are told apart; audio of more is counted as dropped.
pub const MOST_CALLS: usize = 10_000;

/// Facts that have to be known beside the capture.
#[derive(Debug, Clone)]
pub struct Options {
    /// The customer, if the user says so. Else it is the party that placed the call, where the capture shows that.
    pub customer: Option<Customer>,
    /// Formats of RTP without signalling, beside those that RFC 3551 fixes: see [`crate::calls::format`].
    pub formats: Vec<Format>,
    /// Secrets of the DTLS handshakes in the capture.
    pub key_log: Option<Arc<KeyLog>>,
    /// Bytes of signalling and audio kept in memory; what goes beyond is dropped and counted.
    pub most_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { customer: None, formats: Vec::new(), key_log: None, most_bytes: 2 << 30 }
    }
}

/// A datagram that is RTP, as far as it shows.
pub(crate) fn rtp(datagram: &[u8]) -> Option<RtpView<'_>> {
    let claims = classify(datagram) == PacketKind::Rtp;
    claims.then(|| RtpView::parse(datagram).ok()).flatten()
}
