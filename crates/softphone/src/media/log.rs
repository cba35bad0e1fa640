//! Every packet of a call, kept for comparison, within a bound.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::dtmf::Keys;
use crate::lock;
use crate::report::{MediaReport, PacketDigest};

/// Shared by the tasks of one media session.
#[derive(Clone, Debug)]
pub(super) struct Log {
    opened: Instant,
    keep: usize,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    report: MediaReport,
    keys: Keys,
    /// Payload types that mean telephone-event in what this end receives.
    events: Vec<u8>,
}

impl Log {
    pub(super) fn new(keep: usize) -> Self {
        Self { opened: Instant::now(), keep, kept: Arc::default() }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.opened.elapsed()
    }

    pub(super) fn expect_events(&self, payload_types: impl IntoIterator<Item = u8>) {
        lock(&self.kept).events = payload_types.into_iter().collect();
    }

    pub(super) fn sent(&self, packet: &Bytes, to: SocketAddr) {
        let digest = PacketDigest::read(packet, self.elapsed(), to);
        let report = &mut lock(&self.kept).report;
        match digest {
            Some(digest) if report.sent.len() < self.keep => report.sent.push(digest),
            _ => report.unkept += 1,
        }
    }

    /// Something arrived on the RTP port.
    pub(super) fn received(&self, packet: &Bytes, from: SocketAddr) {
        // RFC 5761 §4: with RTCP on the same port, its types fall where these payload types would.
        if matches!(packet.get(1), Some(192..=223)) {
            return self.received_rtcp(packet);
        }
        let digest = PacketDigest::read(packet, self.elapsed(), from);
        let Kept { report, keys, events } = &mut *lock(&self.kept);
        let Some(digest) = digest else {
            report.strays += 1;
            return;
        };
        if events.contains(&digest.payload_type) && keys.pressed.len() < self.keep {
            keys.packet(digest.ssrc, digest.timestamp, &digest.payload);
        }
        if report.received.len() < self.keep {
            report.received.push(digest);
        } else {
            report.unkept += 1;
        }
    }

    pub(super) fn received_rtcp(&self, packet: &Bytes) {
        let report = &mut lock(&self.kept).report;
        if !matches!((packet.first(), packet.get(1)), (Some(0x80..=0xbf), Some(192..=223))) {
            report.strays += 1;
        } else if report.rtcp_received.len() < self.keep {
            report.rtcp_received.push(packet.clone());
        } else {
            report.unkept += 1;
        }
    }

    pub(super) fn sent_rtcp(&self, packet: &Bytes) {
        let report = &mut lock(&self.kept).report;
        if report.rtcp_sent.len() < self.keep {
            report.rtcp_sent.push(packet.clone());
        } else {
            report.unkept += 1;
        }
    }

    pub(super) fn dropped(&self, count: u64) {
        lock(&self.kept).report.dropped = count;
    }

    pub(super) fn counts(&self) -> (usize, usize) {
        let report = &lock(&self.kept).report;
        (report.sent.len(), report.received.len())
    }

    pub(super) fn report(&self) -> MediaReport {
        let kept = lock(&self.kept);
        MediaReport { digits: kept.keys.pressed.clone(), ..kept.report.clone() }
    }
}
