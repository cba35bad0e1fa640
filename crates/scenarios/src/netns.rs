//! Machines of their own for the parties of a call: network namespaces, joined by Ethernet pairs.

use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd as _;
use std::process::Command;

use nix::sched::{CloneFlags, setns, unshare};

/// A network namespace, which is gone with its last user.
#[derive(Debug)]
pub struct Machine {
    namespace: File,
}

impl Machine {
    /// One with a loopback interface and nothing else.
    ///
    /// # Panics
    /// When the system allows none: it takes CAP_SYS_ADMIN.
    #[must_use]
    pub fn new() -> Self {
        let made = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            own()
        });
        let machine = Self { namespace: made.join().unwrap() };
        machine.ip("link set dev lo up");
        machine
    }

    /// Does something there: whatever socket is made and whatever program is started meanwhile stays there.
    ///
    /// # Panics
    /// When the way there or back is barred.
    pub fn within<T>(&self, something: impl FnOnce() -> T) -> T {
        let home = own();
        setns(&self.namespace, CloneFlags::CLONE_NEWNET).unwrap();
        let done = something();
        setns(&home, CloneFlags::CLONE_NEWNET).unwrap();
        done
    }

    /// Runs iproute2's `ip` there.
    ///
    /// # Panics
    /// When it fails.
    pub fn ip(&self, arguments: &str) {
        let status = self.within(|| Command::new("ip").args(arguments.split(' ')).status());
        assert!(status.expect("iproute2").success(), "ip {arguments}");
    }

    /// Joins two machines by an Ethernet pair, whose interface is called as the other machine is, and gives each of
    /// them its addresses on it, as `10.0.0.1/24`.
    ///
    /// # Panics
    /// When the system refuses.
    pub fn join(&self, name: &str, own: &[&str], other: &Self, other_name: &str, others: &[&str]) {
        let place = format!("/proc/{}/fd/{}", std::process::id(), other.namespace.as_raw_fd());
        self.ip(&format!("link add name {other_name} type veth peer name {name} netns {place}"));
        for (machine, interface, addresses) in [(self, other_name, own), (other, name, others)] {
            for address in addresses {
                // Duplicates are not looked for, which would take a second.
                let plain = if address.contains(':') { " nodad" } else { "" };
                machine.ip(&format!("address add {address} dev {interface}{plain}"));
            }
            machine.ip(&format!("link set dev {interface} up"));
        }
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

fn own() -> File {
    File::open("/proc/thread-self/ns/net").unwrap()
}

/// An address with a port.
///
/// # Panics
/// When it is none.
#[must_use]
pub fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse::<IpAddr>().unwrap(), port)
}
