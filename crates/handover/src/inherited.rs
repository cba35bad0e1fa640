//! Sockets from the process before, by the address that each is bound to.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use socket2::{Domain, SockRef, Type};

/// Sockets from the process before. Each is given once, to whoever would bind its address; clones are the same ones.
/// Empty in a process that takes over from none.
#[derive(Debug, Clone, Default)]
pub struct Inherited(Arc<Mutex<Sockets>>);

#[derive(Debug, Default)]
struct Sockets {
    datagrams: HashMap<SocketAddr, UdpSocket>,
    listeners: HashMap<SocketAddr, TcpListener>,
    local: HashMap<PathBuf, UnixListener>,
}

impl Inherited {
    fn lock(&self) -> MutexGuard<'_, Sockets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a socket. What it is, and where it is bound, it says itself; anything else than a bound socket that is
    /// used here is closed.
    pub(crate) fn add(&self, socket: OwnedFd) {
        let asked = SockRef::from(&socket);
        let (Ok(kind), Ok(place)) = (asked.r#type(), asked.local_addr()) else { return };
        let mut sockets = self.lock();
        match (kind, place.as_socket()) {
            (Type::DGRAM, Some(place)) => {
                sockets.datagrams.insert(place, socket.into());
            }
            (Type::STREAM, Some(place)) => {
                sockets.listeners.insert(place, socket.into());
            }
            (Type::STREAM, None) if asked.domain().is_ok_and(|domain| domain == Domain::UNIX) => {
                if let Some(path) = place.as_pathname() {
                    sockets.local.insert(path.to_owned(), socket.into());
                }
            }
            _ => {}
        }
    }

    /// The UDP socket bound there.
    #[must_use]
    pub fn datagrams(&self, at: SocketAddr) -> Option<UdpSocket> {
        self.lock().datagrams.remove(&at)
    }

    /// The TCP socket that listens there.
    #[must_use]
    pub fn listener(&self, at: SocketAddr) -> Option<TcpListener> {
        self.lock().listeners.remove(&at)
    }

    /// The Unix socket that listens there.
    #[must_use]
    pub fn local(&self, at: &Path) -> Option<UnixListener> {
        self.lock().local.remove(at)
    }

    /// Closes what nobody has asked for, and says how many that were.
    pub fn close_rest(&self) -> usize {
        let rest = std::mem::take(&mut *self.lock());
        rest.datagrams.len() + rest.listeners.len() + rest.local.len()
    }
}

/// A second descriptor of a socket, to be handed over while the first one is still in use.
///
/// # Errors
/// When the process may open no more.
pub fn doubled(socket: impl AsFd) -> std::io::Result<OwnedFd> {
    socket.as_fd().try_clone_to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_found_by_its_address_once_and_by_its_own_kind() {
        let inherited = Inherited::default();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let local = UnixListener::bind(&path).unwrap();
        let (datagrams, listener) = (udp.local_addr().unwrap(), tcp.local_addr().unwrap());
        for socket in [doubled(&udp), doubled(&tcp), doubled(&local)] {
            inherited.add(socket.unwrap());
        }
        // A file is no socket.
        inherited.add(std::fs::File::open("/dev/null").unwrap().into());
        assert!(inherited.datagrams(listener).is_none());
        assert!(inherited.listener(datagrams).is_none());
        assert_eq!(inherited.datagrams(datagrams).unwrap().local_addr().unwrap(), datagrams);
        assert!(inherited.datagrams(datagrams).is_none());
        assert!(inherited.local(&path).is_some());
        assert_eq!(inherited.close_rest(), 1);
        assert!(inherited.listener(listener).is_none());
    }
}
