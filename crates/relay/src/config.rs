//! `[media]` of the configuration: addresses, ports, threads, and allowed media sources.

mod security;

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sidetone_call::Side;
use sidetone_insight::Period;

pub use security::{Keying, MediaSecurity, SidePolicy};

/// `[media]`
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Media {
    /// IPv4 address written into SDP, on both sides unless one of the next two says otherwise.
    #[serde(default = "Media::default_address")]
    pub address: Ipv4Addr,
    /// IPv4 address toward the carrier.
    pub address_trunk: Option<Ipv4Addr>,
    /// IPv4 address toward the PBX.
    pub address_pbx: Option<Ipv4Addr>,
    /// IPv6 address; without it, calls over IPv6 are refused with 488.
    pub ipv6: Option<std::net::Ipv6Addr>,
    /// UDP ports to take media ports from; each stream takes an even and an odd one on each side.
    #[serde(default = "Media::default_ports")]
    pub ports: PortRange,
    /// Relay threads.
    #[serde(default = "Media::default_threads")]
    pub threads: usize,
    /// When a call's media has been silent on both sides for this long, both parties are asked whether the call is
    /// still up. If one has no such call any more, it is ended toward both; otherwise it goes on. Calls on hold are
    /// exempt; `0s` turns this off.
    #[serde(default = "Media::default_timeout")]
    pub timeout: Period,
    /// Which sources of a leg's media may be latched: `sdp`, `signalled` (default) or `open`.
    #[serde(default)]
    pub latching: Latching,
    /// Pause between two polls of the sockets once more than `coalesce_from` streams are up: fewer wake-ups for at most
    /// this much delay. `0ms` turns it off.
    #[serde(default = "Media::default_tick")]
    pub tick: Period,
    /// Streams from which `tick` applies.
    #[serde(default = "Media::default_coalesce")]
    pub coalesce_from: usize,
    /// Whether the kernel forwards the media of settled calls: `off` (default), `auto` where it can, or `require`.
    #[serde(default)]
    pub kernel: KernelUse,
    /// Folder in a BPF file system, by which what the kernel forwards outlives the process: with `[journal]`, the next
    /// process takes it over.
    pub kernel_pins: Option<PathBuf>,
    /// SRTP that ends here.
    #[serde(default)]
    pub security: MediaSecurity,
}

/// Whether the kernel forwards the media of settled calls by itself (crate `kernel`).
///
/// Off unless it is asked for: packets that the kernel forwards pass the host's own packet filter by, and an operator
/// should know that before it happens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KernelUse {
    /// The program forwards every packet.
    #[default]
    Off,
    /// The kernel does where it can; where it can't, one line of the log says why.
    Auto,
    /// Sidetone does not start where it can't.
    Require,
}

impl Media {
    const fn default_address() -> Ipv4Addr {
        Ipv4Addr::LOCALHOST
    }
    const fn default_ports() -> PortRange {
        PortRange { first: 30_000, last: 39_999 }
    }
    const fn default_threads() -> usize {
        1
    }
    fn default_timeout() -> Period {
        Period::from_secs(60)
    }
    fn default_tick() -> Period {
        Period::from_millis(1)
    }
    const fn default_coalesce() -> usize {
        32
    }

    /// Values that can't be intended: each key within `[media]`, and the remedy.
    #[must_use]
    pub fn faults(&self) -> Vec<(&'static str, &'static str)> {
        let mut faults = Vec::new();
        if self.threads == 0 || self.threads > 64 {
            faults.push(("threads", "must be 1 to 64; one carries about a thousand calls"));
        }
        if self.tick.0 > std::time::Duration::from_millis(10) {
            faults.push(("tick", "delays every packet by up to this much; 10ms is the most"));
        }
        faults.extend(self.security.faults());
        faults
    }

    /// The address to put into SDP toward one side.
    #[must_use]
    pub fn address_toward(&self, side: Side, v6: bool) -> Option<IpAddr> {
        if v6 {
            return self.ipv6.map(IpAddr::V6);
        }
        let own = match side {
            Side::Trunk => self.address_trunk,
            Side::Pbx => self.address_pbx,
        };
        Some(IpAddr::V4(own.unwrap_or(self.address)))
    }
}

/// Allowed sources of a leg's media; the rules stand in `sidetone_rtp::latch`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Latching {
    /// Only the address in SDP.
    Sdp,
    /// That address or the one its SIP came from, any port.
    #[default]
    Signalled,
    /// The first source to send. Weaker: only for carriers whose media comes from unannounced addresses.
    Open,
}

/// UDP ports, `FIRST-LAST`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PortRange {
    /// Lowest port.
    pub first: u16,
    /// Highest port.
    pub last: u16,
}

/// Text that is no range of ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortRangeError {
    /// The text is not two numbers with a hyphen between them.
    #[error("`{0}` is not a range of ports; write FIRST-LAST, as in 30000-39999")]
    Unreadable(String),
    /// The range is too small for a stream, ends before it begins, or holds ports that only root may bind.
    #[error("{0}: a range holds at least four ports, none below 1024")]
    Unusable(String),
}

impl FromStr for PortRange {
    type Err = PortRangeError;

    fn from_str(text: &str) -> Result<Self, PortRangeError> {
        let wrong = || PortRangeError::Unreadable(text.to_owned());
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let first: u16 = first.trim().parse().map_err(|_| wrong())?;
        let last: u16 = last.trim().parse().map_err(|_| wrong())?;
        if first < 1024 || last < first || last - first < 3 {
            return Err(PortRangeError::Unusable(text.to_owned()));
        }
        Ok(Self { first, last })
    }
}

impl std::fmt::Display for PortRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl TryFrom<String> for PortRange {
    type Error = PortRangeError;

    fn try_from(text: String) -> Result<Self, PortRangeError> {
        text.parse()
    }
}

impl From<PortRange> for String {
    fn from(ports: PortRange) -> Self {
        ports.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_ranges_hold_at_least_one_stream() {
        assert_eq!("30000-30003".parse(), Ok(PortRange { first: 30_000, last: 30_003 }));
        for wrong in ["30000", "30003-30000", "80-90", "30000-30002", "x-y"] {
            assert!(wrong.parse::<PortRange>().is_err(), "{wrong}");
        }
    }
}
