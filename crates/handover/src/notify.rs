//! Tells the service manager which process it now watches over (`sd_notify(3)`): a datagram to the socket that it has
//! named in the environment.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Where the service manager listens.
const SOCKET: &str = "NOTIFY_SOCKET";

/// Says that the service goes on in this process. Without a service manager that wants to know, nothing is said.
///
/// # Errors
/// When it named a socket that takes no message.
pub fn tell_service_manager(pid: u32) -> std::io::Result<()> {
    let Some(name) = std::env::var_os(SOCKET).filter(|name| !name.is_empty()) else { return Ok(()) };
    // A name that begins with @ is in the abstract namespace (unix(7)).
    let place = match name.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&name)?,
    };
    UnixDatagram::unbound()?.send_to_addr(format!("MAINPID={pid}\nREADY=1\n").as_bytes(), &place)?;
    Ok(())
}
