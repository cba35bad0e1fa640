//! Choice of the socket to send from.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use sidetone_sip::Transport;

use super::Core;
use crate::config::Listen;

/// Most addresses whose source address is remembered.
const MOST_SOURCES: usize = 4_096;
/// How long the system's choice is remembered: interfaces and routes change while calls are up.
const SOURCE_HOLDS: Duration = Duration::from_secs(30);

impl Core {
    /// The listener to send from: of the right transport and family; among several, the one whose address the system
    /// itself would choose.
    pub(crate) fn local_toward(
        &mut self,
        now: Duration,
        transport: Transport,
        remote: SocketAddr,
    ) -> Option<SocketAddr> {
        let fitting: Vec<SocketAddr> = self
            .config
            .sip
            .listen
            .iter()
            .filter(|listen: &&Listen| {
                listen.transport == transport && listen.addr.is_ipv4() == remote.is_ipv4()
            })
            .map(|listen| listen.addr)
            .collect();
        let first = fitting.first().copied();
        if fitting.len() < 2 {
            return first;
        }
        let source = self.source_toward(now, remote);
        fitting.into_iter().find(|addr| Some(addr.ip()) == source).or(first)
    }

    fn source_toward(&mut self, now: Duration, remote: SocketAddr) -> Option<IpAddr> {
        if let Some((source, at)) = self.sources.get(&remote.ip())
            && now.saturating_sub(*at) < SOURCE_HOLDS
        {
            return Some(*source);
        }
        // Connecting a UDP socket sends nothing; it only consults the routing table.
        let any: SocketAddr = if remote.is_ipv4() { ([0; 4], 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect(remote).ok()?;
        let source = socket.local_addr().ok()?.ip();
        if self.sources.len() >= MOST_SOURCES {
            self.sources.clear();
        }
        self.sources.insert(remote.ip(), (source, now));
        Some(source)
    }
}
