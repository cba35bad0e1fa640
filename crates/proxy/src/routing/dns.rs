//! From a host's name to addresses: SRV, then AAAA and A (RFC 3263, without NAPTR: where no transport is stated, both
//! UDP and TCP are asked for, and UDP is tried first).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use sidetone_sip::Transport;
use sidetone_sip::host::Host;
use tokio::time::Instant;

use super::address::HostAddress;
use super::weight;
use crate::random;

/// A destination: transport and address.
pub type Where = (Transport, SocketAddr);

/// Most addresses tried for one name; a zone with more of them is cut here.
const MOST: usize = 8;
/// A caller won't wait longer for the call to be sent on.
const PATIENCE: Duration = Duration::from_secs(4);
/// After this long the look-up of an SRV record's targets ends with the addresses found so far: one dead name among
/// them must not cost the others.
const TARGETS_WITHIN: Duration = Duration::from_millis(1_500);
/// A lost query is repeated while the caller still waits.
const ASK_AGAIN_AFTER: Duration = Duration::from_millis(500);
const ASK_AGAIN: usize = 3;

/// Looks names up; literals need no look-up.
#[derive(Debug)]
pub struct Resolver {
    /// Absent when the machine has no resolver configuration: then only literals resolve.
    lookup: Option<TokioResolver>,
}

impl Resolver {
    /// Uses the given name servers, or the system's if there are none.
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
        let lookup = builder.and_then(|mut builder| {
            hurry(builder.options_mut());
            builder.build().ok()
        });
        Self { lookup }
    }

    /// The address of a literal, without a look-up.
    #[must_use]
    pub fn literal(address: &HostAddress) -> Option<Where> {
        match address.host.host {
            Host::Ip(ip) => {
                let (transport, port) = (address.assumed_transport(), address.assumed_port());
                Some((transport, SocketAddr::new(ip, port)))
            }
            Host::Name(_) => None,
        }
    }

    /// All addresses of a host, best first; empty if it has none or no server answers in time.
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
        let Some(lookup) = &self.lookup else { return Vec::new() };
        let assumed = address.assumed_transport();
        if let Some(port) = address.host.port {
            return addresses(lookup, name, assumed, port).await;
        }
        let served = match address.transport {
            Some(transport) => services(lookup, name, transport).await,
            None => {
                let (udp, tcp) = tokio::join!(
                    services(lookup, name, Transport::Udp),
                    services(lookup, name, Transport::Tcp)
                );
                udp.or(tcp)
            }
        };
        match served {
            Some(served) => served,
            None => addresses(lookup, name, assumed, address.assumed_port()).await,
        }
    }
}

fn hurry(options: &mut ResolverOpts) {
    options.timeout = options.timeout.min(ASK_AGAIN_AFTER);
    options.attempts = options.attempts.max(ASK_AGAIN);
}

/// The addresses behind a name's SRV records, in the order of RFC 2782; `None` if it has no such record. A record
/// without a usable target, such as `.`, still says that the name itself is not to be tried.
async fn services(lookup: &TokioResolver, name: &str, transport: Transport) -> Option<Vec<Where>> {
    let deadline = Instant::now() + TARGETS_WITHIN;
    let name = name.strip_suffix('.').unwrap_or(name);
    // RFC 3263 §4.1: TLS has a service of its own, over TCP. RFC 7118 §5.4 defines WebSocket's, which nobody connects
    // to.
    let service = match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
        Transport::Ws | Transport::Wss => return Some(Vec::new()),
    };
    let answer = lookup.srv_lookup(format!("{service}.{name}.")).await.ok()?;
    let records: Vec<_> = answer
        .answers()
        .iter()
        .filter_map(|record| match &record.data {
            RData::SRV(srv) => Some(srv),
            _ => None,
        })
        .collect();
    if records.is_empty() {
        return None;
    }
    let records = weight::ordered(records, |srv| (srv.priority, srv.weight), &mut random::fraction);
    let targets: Vec<_> = records
        .into_iter()
        .filter(|srv| !srv.target.is_root())
        .take(MOST)
        .map(|srv| {
            let (lookup, target, port) = (lookup.clone(), srv.target.to_utf8(), srv.port);
            tokio::spawn(async move { addresses(&lookup, &target, transport, port).await })
        })
        .collect();
    let mut found = Vec::new();
    for target in targets {
        let places = tokio::time::timeout_at(deadline, target).await;
        found.extend(places.ok().and_then(Result::ok).unwrap_or_default());
    }
    Some(found)
}

async fn addresses(lookup: &TokioResolver, name: &str, transport: Transport, port: u16) -> Vec<Where> {
    match lookup.lookup_ip(name).await {
        Ok(answer) => answer.iter().map(|ip: IpAddr| (transport, SocketAddr::new(ip, port))).collect(),
        Err(error) => {
            tracing::debug!(%error, "a name could not be looked up");
            Vec::new()
        }
    }
}
