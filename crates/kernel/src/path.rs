//! The program in the kernel: loaded, hooked to interfaces, told of ways, asked what passed.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use aya::maps::{Array, HashMap, Map, MapData, MapError, RingBuf};
use aya::programs::tc::TcAttachOptions;
use aya::programs::{LinkOrder, ProgramError, SchedClassifier, TcAttachType};
use aya::{Ebpf, EbpfError};
use nix::net::if_::InterfaceFlags;

use crate::OBJECT;
use crate::pins::Pins;
use crate::route::Route;
use crate::wire::{COUNT, Count, FLOW, KEY, MOST_WAYS, Passed, Way, WayId};

/// The loopback interface, by which a PBX on the same machine is reached.
const LOOPBACK: &str = "lo";
/// Its index, in every network namespace.
const LOOPBACK_INDEX: u32 = 1;

/// Why the kernel forwards nothing.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// The process may not.
    #[error(
        "it may not load BPF programs; give it CAP_BPF and CAP_NET_ADMIN (deploy/systemd/kernel.conf says how)"
    )]
    NotPermitted,
    /// The kernel refused the program; the reason is the verifier's.
    #[error("the kernel refuses the program: {0}")]
    Refused(String),
    /// The program could not be hooked to an interface.
    #[error("can't be hooked to the interface {0}: {1}; TCX takes Linux 6.6 or newer")]
    NotHooked(String, String),
    /// The system doesn't tell its interfaces.
    #[error("can't list network interfaces: {0}")]
    NoInterfaces(io::Error),
}

impl Unavailable {
    fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut cause = Some(error);
        let mut said = String::new();
        while let Some(error) = cause {
            if let Some(error) = error.downcast_ref::<io::Error>()
                && error.kind() == io::ErrorKind::PermissionDenied
            {
                return Self::NotPermitted;
            }
            if !said.is_empty() {
                said.push_str(": ");
            }
            said.push_str(&error.to_string());
            cause = error.source();
        }
        Self::Refused(said)
    }
}

/// A way that the kernel does not take.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It leads to a socket here from elsewhere or from the other address family, or there is no route.
    #[error("the kernel forwards from one interface to another, or from a socket here to another")]
    NotForwardable,
    /// The table is full, or the kernel has no memory.
    #[error("the kernel takes no further way: {0}")]
    Full(MapError),
}

/// The program in the kernel, hooked where packets come in. It unhooks when it is dropped, unless it is pinned.
pub struct Path {
    /// Keeps program and links.
    _loaded: Option<Ebpf>,
    /// Where it is pinned, so that it outlives the process.
    pins: Option<Pins>,
    /// Why it could not be pinned.
    unpinned: Option<io::Error>,
    flows: HashMap<MapData, [u8; KEY], [u8; FLOW]>,
    counts: Array<MapData, [u8; COUNT]>,
    passed: RingBuf<MapData>,
    interfaces: Vec<String>,
}

impl std::fmt::Debug for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Path").field("interfaces", &self.interfaces).finish_non_exhaustive()
    }
}

impl Path {
    /// Loads the program and hooks it to loopback, to the interfaces that have one of these addresses, and to whatever
    /// else is up and has Ethernet headers.
    ///
    /// # Errors
    /// When the kernel, or what the process may do, does not allow it.
    pub fn open(addresses: &[IpAddr]) -> Result<Self, Unavailable> {
        let mut loaded = load()?;
        let path =
            Self { interfaces: hook(program(&mut loaded)?, addresses, None)?, ..Self::of(&mut loaded)? };
        Ok(Self { _loaded: Some(loaded), ..path })
    }

    /// As [`Self::open`], pinned in a folder of a BPF file system, so that it outlives the process. Gives the ways that
    /// are open in it, if another process has left it there. One that another version has left is unhooked.
    ///
    /// # Errors
    /// As [`Self::open`]. That it can't be pinned is none: see [`Self::unpinned`].
    pub fn open_pinned(
        addresses: &[IpAddr],
        folder: &std::path::Path,
        name: &str,
    ) -> Result<(Self, Vec<(WayId, Way)>), Unavailable> {
        let pins = match Pins::below(folder, name) {
            Ok(pins) => pins,
            Err(error) => return Ok((Self { unpinned: Some(error), ..Self::open(addresses)? }, Vec::new())),
        };
        if let Some((mut program, [flows, counts, passed])) = pins.found() {
            let path = Self::of_maps(Map::HashMap(flows), Map::Array(counts), Map::RingBuf(passed))?;
            let ways = path.ways();
            let interfaces = hook(&mut program, addresses, Some(&pins))?;
            return Ok((Self { interfaces, pins: Some(pins), ..path }, ways));
        }
        pins.clear();
        let mut loaded = load()?;
        let unpinned = pins.pin(&mut loaded).err();
        if unpinned.is_some() {
            pins.clear();
        }
        let pins = Some(pins).filter(|_| unpinned.is_none());
        let interfaces = hook(program(&mut loaded)?, addresses, pins.as_ref())?;
        let path = Self { interfaces, pins, unpinned, ..Self::of(&mut loaded)? };
        Ok((Self { _loaded: Some(loaded), ..path }, Vec::new()))
    }

    /// Of a program that is loaded, and hooked nowhere yet.
    fn of(loaded: &mut Ebpf) -> Result<Self, Unavailable> {
        let missing = |name: &str| Unavailable::Refused(format!("it has no map `{name}`"));
        let mut map = |name: &str| loaded.take_map(name).ok_or_else(|| missing(name));
        Self::of_maps(map("flows")?, map("counts")?, map("passed")?)
    }

    fn of_maps(flows: Map, counts: Map, passed: Map) -> Result<Self, Unavailable> {
        let wrong = |error: MapError| Unavailable::of(&error);
        Ok(Self {
            flows: HashMap::try_from(flows).map_err(wrong)?,
            counts: Array::try_from(counts).map_err(wrong)?,
            passed: RingBuf::try_from(passed).map_err(wrong)?,
            interfaces: Vec::new(),
            pins: None,
            unpinned: None,
            _loaded: None,
        })
    }

    /// Why it does not outlive the process, though it should.
    #[must_use]
    pub fn unpinned(&self) -> Option<&io::Error> {
        self.unpinned.as_ref()
    }

    /// It ends with this process after all.
    pub fn unpin(&mut self) {
        if let Some(pins) = self.pins.take() {
            pins.clear();
        }
    }

    /// The ways that are open.
    fn ways(&self) -> Vec<(WayId, Way)> {
        self.flows.iter().flatten().filter_map(|(key, flow)| Way::read(&key, &flow)).collect()
    }

    /// The interfaces that it is hooked to.
    #[must_use]
    pub fn interfaces(&self) -> &[String] {
        &self.interfaces
    }

    /// From now on the kernel forwards these packets, if they come in where the route to their source leads (`back`).
    /// A way with the same local address and source is replaced.
    ///
    /// # Errors
    /// When the way leads to a socket here from elsewhere (of a packet with an address of this machine the kernel would
    /// ask why it comes from there) or from the other address family, or there is no room.
    pub fn open_way(&mut self, id: WayId, way: &Way, back: Route, route: Route) -> Result<(), Refused> {
        let (came, interface) = match (back, route) {
            (Route::By(0), _) | (_, Route::By(0)) | (Route::By(_), Route::Local) => {
                return Err(Refused::NotForwardable);
            }
            (Route::By(came), Route::By(index)) => (came, index),
            (Route::Local, Route::By(index)) => (LOOPBACK_INDEX, index),
            (Route::Local, Route::Local) => (LOOPBACK_INDEX, 0),
        };
        if !way.is_possible() || way.is_crossed() && interface == 0 || id.number >= MOST_WAYS {
            return Err(Refused::NotForwardable);
        }
        self.counts.set(id.number, [0; COUNT], 0).map_err(Refused::Full)?;
        self.flows.insert(way.key(), way.flow(id, came, interface), 0).map_err(Refused::Full)
    }

    /// From now on these packets go to their socket again. Records of those that passed before may still come.
    pub fn close_way(&mut self, way: &Way) {
        // It fails only where there is no such way any more.
        let _ = self.flows.remove(&way.key());
    }

    /// What was counted of a way since it was opened.
    #[must_use]
    pub fn count(&self, id: WayId) -> Count {
        self.counts.get(&id.number, 0).map(|bytes| Count::read(&bytes)).unwrap_or_default()
    }

    /// Passes the packets that have gone by since the last time to `take`, at most `most` of them; returns how many.
    pub fn passed(&mut self, most: usize, mut take: impl FnMut(Passed<'_>)) -> usize {
        let mut taken = 0;
        while taken < most
            && let Some(record) = self.passed.next()
        {
            taken += 1;
            if let Some(passed) = Passed::read(&record) {
                take(passed);
            }
        }
        taken
    }
}

/// Loads the program.
fn load() -> Result<Ebpf, Unavailable> {
    let mut loaded = Ebpf::load(OBJECT).map_err(|error: EbpfError| Unavailable::of(&error))?;
    program(&mut loaded)?.load().map_err(|error: ProgramError| Unavailable::of(&error))?;
    Ok(loaded)
}

/// Hooks the program to interfaces; gives their names.
fn hook(
    program: &mut SchedClassifier,
    addresses: &[IpAddr],
    pins: Option<&Pins>,
) -> Result<Vec<String>, Unavailable> {
    let mut hooked = Vec::new();
    for (interface, needed) in interfaces_of(addresses).map_err(Unavailable::NoInterfaces)? {
        if pins.is_some_and(|pins| pins.is_hooked(program, &interface)) {
            hooked.push(interface);
            continue;
        }
        // TCX and nothing else: a filter of the older kind would outlive this process, unasked.
        let tcx = TcAttachOptions::TcxOrder(LinkOrder::default());
        let attached = program.attach_with_options(&interface, TcAttachType::Ingress, tcx);
        let kept = attached.and_then(|id| match pins {
            // What is not pinned goes with the process, and the next one hooks it again.
            Some(pins) => program.take_link(id).map(|link| pins.pin_link(link, &interface)),
            None => Ok(()),
        });
        match kept {
            Ok(()) => hooked.push(interface),
            Err(error) if needed => return Err(Unavailable::NotHooked(interface, told(&error))),
            // What comes in there comes to the sockets.
            Err(_) => {}
        }
    }
    Ok(hooked)
}

pub(crate) fn program(loaded: &mut Ebpf) -> Result<&mut SchedClassifier, Unavailable> {
    let found = loaded.program_mut("forward");
    let found = found.ok_or_else(|| Unavailable::Refused("it has no program `forward`".to_owned()))?;
    found.try_into().map_err(|error: ProgramError| Unavailable::of(&error))
}

pub(crate) fn told(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", told(source)),
        None => error.to_string(),
    }
}

/// Where packets to our addresses may come in: every interface that is up and has Ethernet headers, since an address
/// may stand on loopback or a dummy and be reached through others. True are those that bear an address of ours, or
/// loopback.
fn interfaces_of(addresses: &[IpAddr]) -> io::Result<BTreeMap<String, bool>> {
    let mut found = BTreeMap::from([(LOOPBACK.to_owned(), true)]);
    for interface in nix::ifaddrs::getifaddrs()? {
        let Some(address) = interface.address else { continue };
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        let v6 = address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip()));
        let ours = v4.or(v6).is_some_and(|ip| addresses.contains(&ip));
        let ethernet = address.as_link_addr().is_some_and(|link| link.hatype() == nix::libc::ARPHRD_ETHER);
        if ours || (ethernet && interface.flags.contains(InterfaceFlags::IFF_UP)) {
            // An address may have a label, `eth0:1`: the interface is what stands before it.
            let name = interface.interface_name.split(':').next().unwrap_or_default().to_owned();
            *found.entry(name).or_default() |= ours;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
