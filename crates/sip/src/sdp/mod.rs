//! Session descriptions (RFC 8866) by line: what is known is read, what isn't is left alone.
//!
//! | part | subject |
//! | --- | --- |
//! | [`Description`] | the lines, by section, and the addresses in them |
//! | [`stream`] | what each m-line says of its media, owned |
//! | [`mod@rewrite`] | the edits that bring the media through us |
//! | [`body`] | where in a message's body the description is |
//!
//! Lines end in CRLF, LF or CR; the last may end in nothing. A line that isn't `x=…` is passed over, and
//! stays. Parsers differ in what they let pass, so everything is read as the most lenient of them would read it.

pub mod body;
mod description;
mod lines;
pub mod rewrite;
pub mod stream;

pub use description::{Connection, Description, Media, RtcpPort, SdpError};
pub use rewrite::{Ice, LocalMedia, Patch, Place, rewrite};
pub use stream::{Carriage, Direction, Format, MediaKind, Security, Stream};

use std::net::IpAddr;

/// A family of addresses; a c= line's `IP4` or `IP6`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IpFamily {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl IpFamily {
    /// Of an address; an IPv4-mapped IPv6 address is IPv4.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        if ip.to_canonical().is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// The addrtype of RFC 8866: `IP4` or `IP6`.
    #[must_use]
    pub const fn addrtype(self) -> &'static str {
        match self {
            Self::V4 => "IP4",
            Self::V6 => "IP6",
        }
    }

    /// The address that means `nowhere`: in a c= line, hold (RFC 3264 §8.4).
    #[must_use]
    pub const fn unspecified(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            Self::V6 => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
        }
    }
}
