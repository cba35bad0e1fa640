//! From a host's name to addresses: SRV, then AAAA and A (RFC 3263, without NAPTR: the transport is configured or
//! stated, and UDP otherwise).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use sidetone_sip::Transport;
use sidetone_sip::host::Host;

use super::address::HostAddress;

/// An address to send to.
pub type Where = (Transport, SocketAddr);

const DEFAULT_PORT: u16 = 5060;
/// Addresses tried for one name; a zone with more of them is cut here.
const MOST: usize = 8;
/// A caller won't wait longer for the call to go anywhere.
const PATIENCE: Duration = Duration::from_secs(4);

/// Looks names up; literals need no look-up.
#[derive(Debug)]
pub struct Resolver {
    /// Absent when the machine has no resolver configuration: then only literals work.
    lookup: Option<TokioResolver>,
}

impl Resolver {
    /// With the given name servers, or the system's if there are none.
    #[must_use]
    pub fn new(servers: &[SocketAddr]) -> Self {
        let builder = if servers.is_empty() {
            TokioResolver::builder_tokio().ok()
        } else {
            let servers = servers.iter().map(|server| {
                let mut config = NameServerConfig::udp_and_tcp(server.ip());
                for connection in &mut config.connections {
                    connection.port = server.port();
                }
                config
            });
            Some(TokioResolver::builder_with_config(
                ResolverConfig::from_name_servers(servers.collect()),
                TokioRuntimeProvider::default(),
            ))
        };
        Self { lookup: builder.and_then(|builder| builder.build().ok()) }
    }

    /// The address of a literal, at once.
    #[must_use]
    pub fn literal(address: &HostAddress) -> Option<Where> {
        match address.host.host {
            Host::Ip(ip) => Some((
                address.transport.unwrap_or(Transport::Udp),
                SocketAddr::new(ip, address.host.port.unwrap_or(DEFAULT_PORT)),
            )),
            Host::Name(_) => None,
        }
    }

    /// All addresses of a host, best first; empty if it has none or nobody answers in time.
    pub async fn locate(&self, address: &HostAddress) -> Vec<Where> {
        if let Some(found) = Self::literal(address) {
            return vec![found];
        }
        let Host::Name(name) = &address.host.host else { return Vec::new() };
        let mut found = tokio::time::timeout(PATIENCE, self.find(name, address)).await.unwrap_or_default();
        found.truncate(MOST);
        found
    }

    async fn find(&self, name: &str, address: &HostAddress) -> Vec<Where> {
        let transport = address.transport.unwrap_or(Transport::Udp);
        if let Some(port) = address.host.port {
            return self.addresses(name, transport, port).await;
        }
        let served = self.services(name, transport).await;
        if served.is_empty() { self.addresses(name, transport, DEFAULT_PORT).await } else { served }
    }

    async fn services(&self, name: &str, transport: Transport) -> Vec<Where> {
        let Some(lookup) = &self.lookup else { return Vec::new() };
        let Ok(answer) = lookup.srv_lookup(format!("_sip._{}.{name}.", transport.as_param())).await else {
            return Vec::new();
        };
        let mut services: Vec<(u16, u16, String, u16)> = answer
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some((srv.priority, srv.weight, srv.target.to_utf8(), srv.port)),
                _ => None,
            })
            .collect();
        // Heavier first within a priority: a deterministic reading of RFC 2782 that keeps failover order stable.
        services.sort_by_key(|&(priority, weight, ..)| (priority, std::cmp::Reverse(weight)));
        let mut found = Vec::new();
        for (_, _, target, port) in services.into_iter().take(MOST) {
            found.extend(self.addresses(&target, transport, port).await);
        }
        found
    }

    async fn addresses(&self, name: &str, transport: Transport, port: u16) -> Vec<Where> {
        let Some(lookup) = &self.lookup else { return Vec::new() };
        match lookup.lookup_ip(name).await {
            Ok(answer) => answer.iter().map(|ip: IpAddr| (transport, SocketAddr::new(ip, port))).collect(),
            Err(error) => {
                tracing::debug!(%error, "a name could not be looked up");
                Vec::new()
            }
        }
    }
}
