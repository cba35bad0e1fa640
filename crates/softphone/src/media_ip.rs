//! The address that media is taken at.

use std::net::IpAddr;

use crate::sip::Core;

/// The address that media is received on.
pub(crate) fn media_ip(core: &Core) -> IpAddr {
    core.config.media.unwrap_or(core.local().ip())
}
