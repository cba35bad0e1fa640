//! The program's place in a BPF file system, by which it outlives the process that has loaded it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aya::Ebpf;
use aya::maps::MapData;
use aya::programs::links::{FdLink, PinnedLink};
use aya::programs::tc::SchedClassifierLink;
use aya::programs::{SchedClassifier, TcAttachType};

use crate::OBJECT;
use crate::path::{program, told};

/// The program's maps, by the names that they have in it.
const MAPS: [&str; 3] = ["flows", "counts", "passed"];
const PROGRAM: &str = "program";
const LINK: &str = "link-";

/// Where one program, its maps and its links are pinned.
#[derive(Debug)]
pub(crate) struct Pins(PathBuf);

impl Pins {
    /// The place of this version's program of that name below a folder, which is made if need be. What other versions
    /// have left there under the name is removed, and with it unhooked.
    pub(crate) fn below(folder: &Path, name: &str) -> io::Result<Self> {
        // The layout of the maps is the object's, so another object is another version.
        let own = format!("{name}-{:08x}", fnv(OBJECT));
        fs::create_dir_all(folder)?;
        for other in fs::read_dir(folder)?.flatten() {
            let is_of_name = other.file_name().to_str().is_some_and(|other| {
                other != own && other.rsplit_once('-').is_some_and(|(before, _)| before == name)
            });
            if is_of_name {
                Self(other.path()).clear();
            }
        }
        Ok(Self(folder.join(own)))
    }

    /// What another process has pinned here, if all of it is there.
    pub(crate) fn found(&self) -> Option<(SchedClassifier, [MapData; 3])> {
        let [flows, counts, passed] = MAPS.map(|name| MapData::from_pin(self.0.join(name)).ok());
        let program = SchedClassifier::from_pin(self.0.join(PROGRAM)).ok()?;
        Some((program, [flows?, counts?, passed?]))
    }

    /// Pins the program and its maps.
    pub(crate) fn pin(&self, loaded: &mut Ebpf) -> io::Result<()> {
        let failed = |error: &dyn std::error::Error| io::Error::other(told(error));
        fs::create_dir(&self.0)?;
        for name in MAPS {
            let map = loaded.map(name).ok_or(io::ErrorKind::NotFound)?;
            map.pin(self.0.join(name)).map_err(|error| failed(&error))?;
        }
        let program = program(loaded).map_err(|error| failed(&error))?;
        program.pin(self.0.join(PROGRAM)).map_err(|error| failed(&error))
    }

    /// Whether the program is hooked to the interface, by a link that is pinned.
    pub(crate) fn is_hooked(&self, program: &SchedClassifier, interface: &str) -> bool {
        let at = self.link(interface);
        if PinnedLink::from_pin(&at).is_err() {
            return false;
        }
        // Where the interface has been made anew, its link leads nowhere.
        let own = program.info().map(|info| info.id());
        let there = SchedClassifier::query_tcx(interface, TcAttachType::Ingress);
        if let (Ok(own), Ok((_, there))) = (own, there)
            && there.iter().any(|program| program.id() == own)
        {
            return true;
        }
        let _ = fs::remove_file(at);
        false
    }

    /// Keeps a link beyond the process. One that can't be pinned ends at once.
    pub(crate) fn pin_link(&self, link: SchedClassifierLink, interface: &str) {
        if let Ok(link) = FdLink::try_from(link) {
            let _ = link.pin(self.link(interface));
        }
    }

    fn link(&self, interface: &str) -> PathBuf {
        self.0.join(format!("{LINK}{interface}"))
    }

    /// Removes all that is pinned here, and with it unhooks the program.
    pub(crate) fn clear(&self) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            let _ = fs::remove_file(entry.path());
        }
        let _ = fs::remove_dir(&self.0);
    }
}

/// Takes out of the kernel what earlier processes have pinned below a folder, but for what goes by one of these names.
pub fn clear_pins(folder: &Path, but: &[String]) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let stays = |(before, _): (&str, &str)| but.iter().any(|name| name == before);
        if !name.to_str().and_then(|name| name.rsplit_once('-')).is_some_and(stays) {
            Pins(entry.path()).clear();
        }
    }
}

/// FNV-1a, 32 bits.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
