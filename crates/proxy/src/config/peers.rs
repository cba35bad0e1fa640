//! The two kinds of peer, carriers and PBXs, and their access lists.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use sidetone_consent::Policy;
use sidetone_pbx::config::{self, Ami, Ari, Esl, Links};

use super::Listen;
use super::units::serde_by_text;

/// `[[trunk]]` or `[[pbx]]`: hosts that count as one peer.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its name in logs, metrics and events.
    pub name: String,
    /// The hosts that its calls are sent to.
    #[serde(default)]
    pub hosts: Vec<Host>,
    /// Sources of its requests: `IP`, `NETWORK/BITS` or `IP:PORT`. All other sources are refused.
    pub allow: Vec<AllowEntry>,
    /// Sockets of `sip.listen` that are this peer's alone: whoever connects there is this peer, whatever the address.
    /// For browsers, at `wss:` sockets.
    #[serde(default)]
    pub allow_at: Vec<Listen>,
    /// Names that the peer's certificate speaks for. A client with one of them in its certificate is this peer,
    /// whatever the address, and a client by TLS from one of its addresses needs one too.
    #[serde(default)]
    pub allow_certificates: Vec<String>,
    /// The peers on the other side that its calls go to, in order of preference; an empty list means all.
    #[serde(default)]
    pub to: Vec<String>,
    /// Whether the host part of the Request-URI is replaced by the chosen host's address. Without this, the URI stays
    /// as it came.
    #[serde(default)]
    pub rewrite_uri: bool,
    /// The peers on the other side that its calls go to only while no host of those in `to` is up or answers.
    #[serde(default)]
    pub overflow: Vec<String>,
    /// How many calls that it began may be up at once; by default three quarters of `limits.calls`.
    pub calls: Option<usize>,
    /// Whether host and port in its Contact are replaced by the source of its messages: for a peer behind a NAT or in a
    /// container, whose own address can't be reached.
    #[serde(default)]
    pub fix_contact: bool,
    /// Trunks only: how callers on it are told that a machine listens to their tone. Nothing is inferred before that.
    #[serde(default)]
    pub disclosure: Policy,
    /// Whether the party that the PBX calls is a customer, for calls to this trunk or, at a PBX, from it. If not, an
    /// outbound call is analysed only where the PBX says that a customer is reached.
    #[serde(default)]
    pub analyse_outbound: bool,
    /// PBXs only: Asterisk's manager interface, in both directions: insights go to the PBX, its statements about calls
    /// come back.
    pub ami: Option<Ami>,
    /// PBXs only: the same over Asterisk's REST interface.
    pub ari: Option<Ari>,
    /// PBXs only: the same over FreeSWITCH's event socket.
    pub esl: Option<Esl>,
    /// PBXs only: insights over SIP itself, as far as the PBX asks for them.
    pub sip: Option<config::Sip>,
}

impl Peer {
    /// Its links beside SIP.
    #[must_use]
    pub fn links(&self) -> Links {
        Links { ami: self.ami.clone(), ari: self.ari.clone(), esl: self.esl.clone(), sip: self.sip.clone() }
    }

    /// The same peer with other links.
    #[must_use]
    pub fn with_links(self, links: Links) -> Self {
        let Links { ami, ari, esl, sip } = links;
        Self { ami, ari, esl, sip, ..self }
    }
}

/// One host of a peer.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// A SIP URI. A name without a port is looked up by SRV, then AAAA and A (RFC 3263).
    pub to: String,
    /// The name that the host's certificate has to speak for, where it is reached by TLS. Unset: the host in `to`.
    pub certificate_name: Option<String>,
    /// Lower priorities are tried first.
    #[serde(default = "Host::default_priority")]
    pub priority: u16,
    /// Share among hosts of one priority (RFC 2782).
    #[serde(default = "Host::default_weight")]
    pub weight: u16,
}

impl Host {
    const fn default_priority() -> u16 {
        1
    }
    const fn default_weight() -> u16 {
        10
    }
}

/// An allowed source of a peer's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AllowEntry {
    /// One address and port: distinguishes peers on the same machine.
    Socket(SocketAddr),
    /// A network.
    Network {
        /// The network's address.
        ip: IpAddr,
        /// The number of leading bits that count.
        bits: u8,
    },
}

impl AllowEntry {
    /// The canonical form of the entry: address bits beyond the prefix are cleared.
    #[must_use]
    pub fn normal(&self) -> Self {
        match *self {
            Self::Socket(socket) => Self::Socket(socket),
            Self::Network { ip: IpAddr::V4(ip), bits } => {
                let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                Self::Network { ip: IpAddr::V4((ip.to_bits() & mask).into()), bits }
            }
            Self::Network { ip: IpAddr::V6(ip), bits } => {
                let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                Self::Network { ip: IpAddr::V6((ip.to_bits() & mask).into()), bits }
            }
        }
    }

    /// How closely the entry matches the source: 0 not at all, then by prefix length; a socket matches closest.
    #[must_use]
    pub fn fit(&self, source: SocketAddr) -> u16 {
        match *self {
            Self::Socket(socket) => u16::from(socket == source) * 1_000,
            Self::Network { ip, bits } => {
                let same = match (ip, source.ip()) {
                    (IpAddr::V4(net), IpAddr::V4(ip)) => {
                        let mask = u32::MAX.checked_shl(32 - u32::from(bits)).unwrap_or(0);
                        (net.to_bits() ^ ip.to_bits()) & mask == 0
                    }
                    (IpAddr::V6(net), IpAddr::V6(ip)) => {
                        let mask = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
                        (net.to_bits() ^ ip.to_bits()) & mask == 0
                    }
                    _ => false,
                };
                u16::from(same) * (u16::from(bits) + 1)
            }
        }
    }
}

/// Text that is no entry of `allow`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllowEntryError {
    /// The text is no address.
    #[error("`{0}` is not an address; write IP, NETWORK/BITS (192.0.2.0/24) or IP:PORT")]
    Unreadable(String),
    /// The prefix is longer than the address.
    #[error("{text}: {bits} bits are more than the address has")]
    TooManyBits {
        /// The text as it was written.
        text: String,
        /// The prefix length.
        bits: u8,
    },
}

impl FromStr for AllowEntry {
    type Err = AllowEntryError;

    fn from_str(text: &str) -> Result<Self, AllowEntryError> {
        let wrong = || AllowEntryError::Unreadable(text.to_owned());
        if let Ok(socket) = text.parse::<SocketAddr>() {
            return Ok(Self::Socket(socket));
        }
        let (ip, bits) = match text.split_once('/') {
            Some((ip, bits)) => (ip, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
            None => (text, None),
        };
        let ip: IpAddr = ip.trim_matches(['[', ']']).parse().map_err(|_| wrong())?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        if bits > most {
            return Err(AllowEntryError::TooManyBits { text: text.to_owned(), bits });
        }
        Ok(Self::Network { ip, bits })
    }
}

impl std::fmt::Display for AllowEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Socket(socket) => write!(f, "{socket}"),
            Self::Network { ip, bits } => write!(f, "{ip}/{bits}"),
        }
    }
}

serde_by_text!(AllowEntry);

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> AllowEntry {
        text.parse().unwrap()
    }

    #[test]
    fn the_closest_entry_fits_best() {
        let source = "192.0.2.7:5060".parse().unwrap();
        let fits: Vec<u16> = ["198.51.100.1", "0.0.0.0/0", "192.0.2.0/24", "192.0.2.7", "192.0.2.7:5060"]
            .map(|text| entry(text).fit(source))
            .to_vec();
        assert_eq!(fits, [0, 1, 25, 33, 1_000]);
        assert_eq!(entry("192.0.2.7:5061").fit(source), 0);
    }

    #[test]
    fn ipv6_networks_are_told_apart() {
        let source = "[2001:db8::1]:5060".parse().unwrap();
        assert_eq!(entry("2001:db8::/32").fit(source), 33);
        assert_eq!(entry("2001:db9::/32").fit(source), 0);
        assert_eq!(entry("[2001:db8::1]:5060").fit(source), 1_000);
        assert_eq!(entry("0.0.0.0/0").fit(source), 0);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "carrier.example", "1.2.3.4/33", "1.2.3/8", "::1/129", "1.2.3.4:x"] {
            assert!(text.parse::<AllowEntry>().is_err(), "{text}");
        }
    }
}
