//! What the kernel forwards for a relay thread: settled streams are handed to it, and what it has forwarded is taken
//! through the same judgements as a packet from a socket.
//!
//! A way is opened when the socket of its source has just been emptied, so that no packet overtakes another. It is
//! closed before any order about its call is carried out, and as soon as a packet that came to a socket has changed
//! where it leads.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};
use sidetone_call::{CallKey, Side};
use sidetone_kernel::{Path, Route, Routes, Shift, Unavailable, Way, WayId};
use sidetone_rtp::splice::Settled;
use slab::Slab;

use super::{Batch, RelayThread, Stream, copy};
use crate::relay::{Component, Heading};
use crate::stock::TOS_EXPEDITED;
use sidetone_tap::{Arrival, TapSender};

/// How often what has passed is looked at while anything does. It delays what is heard of it, and nothing else.
const LOOKS: Duration = Duration::from_millis(10);
/// Records taken at one look: more than a thousand calls make in that time. What is left waits for the next turn.
const MOST_RECORDS: usize = 8_192;
/// Looks after which a ring that was full is empty: of the shortest records, 48 bytes each, it holds 174,763.
const MOST_LOOKS: usize = 8 * 1_024 * 1_024 / 48 / MOST_RECORDS + 1;
/// How long after a refusal the kernel is not asked again for that direction.
const ASKED_AGAIN: Duration = Duration::from_secs(1);

/// The kernel's part of a relay thread's work.
#[derive(Debug)]
pub(crate) struct Kernel {
    path: Path,
    routes: Routes,
    /// The streams' numbers and sides, by number of the way.
    slots: Slab<Slot>,
    generation: u32,
    /// Ways that an earlier process has left open, which no stream has claimed yet. Until that is over, records wait.
    inherited: Option<Vec<(WayId, Way)>>,
    /// Whose the records of an earlier process are, until all of them have been taken.
    before: HashMap<WayId, Slot>,
    /// The process's zero of time on the system's monotonic clock.
    epoch: Duration,
    /// A packet as the relay is to see it.
    packet: Vec<u8>,
}

#[derive(Debug)]
struct Slot {
    stream: usize,
    side: Side,
    way: Way,
    generation: u32,
    untold: u64,
}

/// The routes of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Routed {
    /// Back to its source: packets that come in elsewhere come to the socket.
    back: Route,
    /// Where it leaves.
    on: Route,
}

/// The ways of a stream, by the side that they come from.
#[derive(Debug, Default)]
pub(super) struct Ways {
    trunk: Open,
    pbx: Open,
}

#[derive(Debug, Clone, Copy, Default)]
struct Open {
    way: Option<(WayId, Way, Routed)>,
    /// The kernel is not to be asked before.
    not_before: Duration,
}

impl Ways {
    fn from(&mut self, side: Side) -> &mut Open {
        match side {
            Side::Trunk => &mut self.trunk,
            Side::Pbx => &mut self.pbx,
        }
    }

    fn is_any(&self) -> bool {
        self.trunk.way.is_some() || self.pbx.way.is_some()
    }
}

impl Kernel {
    /// Puts the program into the kernel, at the interfaces with these addresses.
    ///
    /// # Errors
    /// When the kernel, or what the process may do, does not allow it.
    pub(crate) fn open(
        addresses: &[IpAddr],
        pins: Option<(&std::path::Path, String)>,
        epoch: Instant,
    ) -> Result<Self, Unavailable> {
        let (path, inherited) = match pins {
            Some((folder, name)) => Path::open_pinned(addresses, folder, &name)?,
            None => (Path::open(addresses)?, Vec::new()),
        };
        // No way of ours may be taken for one of before.
        let generation = inherited.iter().map(|(id, _)| id.generation).max().unwrap_or(0);
        let routes = Routes::new().map_err(Unavailable::NoInterfaces)?;
        let monotonic = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
        Ok(Self {
            path,
            routes,
            slots: Slab::new(),
            generation,
            inherited: Some(inherited).filter(|inherited| !inherited.is_empty()),
            before: HashMap::new(),
            epoch: monotonic.saturating_sub(epoch.elapsed()),
            packet: Vec::with_capacity(2_048),
        })
    }

    /// Why it does not outlive the process, though it should.
    pub(crate) fn unpinned(&self) -> Option<&std::io::Error> {
        self.path.unpinned()
    }

    /// How many ways an earlier process has left open.
    pub(crate) fn inherited(&self) -> usize {
        self.inherited.as_ref().map_or(0, Vec::len)
    }

    /// It ends with the process after all.
    pub(super) fn unpin(&mut self) {
        self.path.unpin();
    }

    /// The interfaces at which it looks.
    pub(crate) fn interfaces(&self) -> &[String] {
        self.path.interfaces()
    }

    /// Takes what has passed through the streams' judgements; true if there may be more.
    fn catch_up(&mut self, streams: &mut Slab<Stream>, taps: &mut [TapSender], batch: &mut Batch) -> bool {
        if self.inherited.is_some() {
            return false;
        }
        let Self { path, slots, before, epoch, packet, .. } = self;
        let taken = path.passed(MOST_RECORDS, |passed| {
            let number = usize::try_from(passed.id.number).ok();
            let slot = number
                .and_then(|number| slots.get(number))
                .filter(|slot| slot.generation == passed.id.generation)
                .or_else(|| before.get(&passed.id));
            let Some(slot) = slot else { return };
            let Some(stream) = streams.get_mut(slot.stream) else { return };
            // Of a packet that is not copied there is the header alone; no judgement looks further.
            packet.clear();
            packet.extend_from_slice(passed.packet);
            packet.resize(passed.length, 0);
            let now = passed.at.saturating_sub(*epoch);
            let Some(admitted) = stream.relay.admit(now, slot.side, Component::Rtp, slot.way.source, packet)
            else {
                return;
            };
            if admitted.audio && slot.way.copied {
                copy(stream, taps, batch, slot.side, Arrival { earliest: now, latest: now }, packet);
            }
            stream.relay.splice(now, slot.side, admitted, packet);
            stream.relay.by_kernel(slot.side, 1, 0);
            batch.packets += 1;
            batch.by_kernel += 1;
            batch.octets += passed.length as u64;
        });
        taken == MOST_RECORDS
    }

    /// Takes a way of an earlier process's out of those that nobody has claimed.
    fn take_inherited(&mut self, local: SocketAddr) -> Option<(WayId, Way)> {
        let inherited = self.inherited.as_mut()?;
        let at = inherited.iter().position(|(_, way)| way.local == local)?;
        Some(inherited.swap_remove(at))
    }

    fn open_way(&mut self, stream: usize, side: Side, way: Way, routed: Routed) -> Option<WayId> {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let number = self.slots.insert(Slot { stream, side, way, generation, untold: 0 });
        let id = u32::try_from(number).ok().map(|number| WayId { number, generation });
        let opened = id.filter(|id| self.path.open_way(*id, &way, routed.back, routed.on).is_ok());
        if opened.is_none() {
            self.slots.try_remove(number);
        }
        opened
    }
}

impl RelayThread {
    /// The longest time to wait for sockets alone.
    pub(super) fn longest_wait(&self) -> Duration {
        match &self.kernel {
            Some(kernel) if !kernel.slots.is_empty() => LOOKS,
            _ => Duration::MAX,
        }
    }

    /// Takes what the kernel has forwarded since the last time; true if there may be more.
    pub(super) fn catch_up(&mut self) -> bool {
        let Some(kernel) = &mut self.kernel else { return false };
        kernel.catch_up(&mut self.streams, &mut self.taps, &mut self.batch)
    }

    /// After a socket has been read: opens the way of its packets if they have settled, and closes those of its stream
    /// that lead elsewhere by now.
    pub(super) fn settle(&mut self, number: usize) {
        if self.kernel.is_none() {
            return;
        }
        let Some(port) = self.ports.get(number) else { return };
        let (stream, side, emptied) =
            (port.stream, port.side, !port.queued && port.component == Component::Rtp);
        self.revise(stream, side.other());
        if emptied {
            self.revise(stream, side);
            self.open_if_settled(stream, side);
        } else {
            self.revise(stream, side);
        }
    }

    /// Claims what an earlier process has left open for a stream that goes on: it stays open as this one's, unless it
    /// leads elsewhere by now, and what has passed meanwhile is the stream's.
    pub(super) fn claim(&mut self, number: usize) {
        for side in [Side::Trunk, Side::Pbx] {
            let locals = self.streams.get(number).map(|stream| stream.locals(side)).unwrap_or_default();
            for local in locals.into_iter().flatten() {
                let Some(kernel) = &mut self.kernel else { return };
                let Some((id, way)) = kernel.take_inherited(local) else { continue };
                let untold = kernel.path.count(id).untold;
                let slot = Slot {
                    stream: number,
                    side,
                    way: Way { copied: false, ..way },
                    generation: id.generation,
                    untold,
                };
                kernel.before.insert(id, slot);
                if let Some(stream) = self.streams.get_mut(number) {
                    stream.relay.by_kernel(side, untold, untold);
                }
                let wanted = self.wanted(number, side);
                let Some(kernel) = &mut self.kernel else { return };
                let goes_on = wanted.filter(|(wanted, _)| Way { copied: way.copied, ..*wanted } == way);
                let opened = goes_on.and_then(|(wanted, routed)| {
                    let id = kernel.open_way(number, side, wanted, routed)?;
                    Some((id, wanted, routed))
                });
                if opened.is_none() {
                    kernel.path.close_way(&way);
                    continue;
                }
                if let Some(stream) = self.streams.get_mut(number) {
                    stream.ways.from(side).way = opened;
                    self.totals.ways.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            }
        }
    }

    /// No further stream claims anything: what an earlier process has left open and nobody claimed is closed, and what
    /// has passed is looked at.
    pub(super) fn disown(&mut self) {
        let Some(kernel) = &mut self.kernel else { return };
        for (_, way) in kernel.inherited.take().unwrap_or_default() {
            kernel.path.close_way(&way);
        }
        for _ in 0..MOST_LOOKS {
            if !self.catch_up() {
                break;
            }
        }
        if let Some(kernel) = &mut self.kernel {
            kernel.before.clear();
        }
    }

    /// Closes a way that leads elsewhere by now.
    fn revise(&mut self, number: usize, side: Side) {
        let Some(stream) = self.streams.get_mut(number) else { return };
        let Some((_, open, routed)) = stream.ways.from(side).way else { return };
        if self.wanted(number, side) != Some((open, routed)) {
            self.close_way(number, side);
        }
    }

    fn open_if_settled(&mut self, number: usize, side: Side) {
        let now = self.woken;
        let Some(stream) = self.streams.get_mut(number) else { return };
        let open = stream.ways.from(side);
        if open.way.is_some() || now < open.not_before {
            return;
        }
        let Some((way, routed)) = self.wanted(number, side) else { return };
        let Some(kernel) = &mut self.kernel else { return };
        let id = kernel.open_way(number, side, way, routed);
        let Some(stream) = self.streams.get_mut(number) else { return };
        let open = stream.ways.from(side);
        match id {
            Some(id) => {
                open.way = Some((id, way, routed));
                self.totals.ways.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
            None => open.not_before = now + ASKED_AGAIN,
        }
    }

    /// The way of packets from `side`, if they have settled.
    fn wanted(&mut self, number: usize, side: Side) -> Option<(Way, Routed)> {
        let now = self.woken;
        let stream = self.streams.get_mut(number)?;
        let Heading { source, ssrc, up, to, leaves } = stream.relay.heading(side)?;
        let local = stream.local(side, source.is_ipv6())?;
        let from = stream.local(side.other(), to.is_ipv6())?;
        let shift = match leaves {
            Settled::AsItIs => None,
            Settled::Shifted { ssrc, sequence, timestamp } => Some(Shift { ssrc, sequence, timestamp }),
        };
        let copied = stream.tap.is_some() && stream.heeded.any();
        let tos = u8::try_from(TOS_EXPEDITED).unwrap_or(0);
        let way = Way { local, source, ssrc, from, to, shift, up, copied, tos };
        let routes = &mut self.kernel.as_mut()?.routes;
        let back = routes.find(now, local.ip(), source.ip())?;
        let on = routes.find(now, from.ip(), to.ip())?;
        Some((way, Routed { back, on }))
    }

    /// Closes the ways of a call: what comes from now on comes to its sockets.
    pub(super) fn withdraw(&mut self, call: CallKey) {
        if self.kernel.is_none() {
            return;
        }
        for number in self.calls.get(&call).cloned().unwrap_or_default() {
            for side in [Side::Trunk, Side::Pbx] {
                self.close_way(number, side);
            }
        }
    }

    fn close_way(&mut self, number: usize, side: Side) {
        let Some(stream) = self.streams.get_mut(number) else { return };
        let Some((id, way, _)) = stream.ways.from(side).way.take() else { return };
        if let Some(kernel) = &mut self.kernel {
            kernel.path.close_way(&way);
        }
        // What had passed before is this way's still, and nobody could tell whose it was later. The ring holds no more
        // than that many times; what the kernel adds meanwhile is other ways'.
        for _ in 0..MOST_LOOKS {
            if !self.catch_up() {
                break;
            }
        }
        self.miss(id, number, side);
        if let (Some(kernel), Ok(slot)) = (&mut self.kernel, usize::try_from(id.number)) {
            kernel.slots.try_remove(slot);
        }
        self.totals.ways.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }

    /// Counts the packets of a way of which there was no room to tell.
    fn miss(&mut self, id: WayId, number: usize, side: Side) {
        let Some(kernel) = &mut self.kernel else { return };
        let untold = kernel.path.count(id).untold;
        let slot = usize::try_from(id.number).ok().and_then(|slot| kernel.slots.get_mut(slot));
        let Some(slot) = slot.filter(|slot| untold > slot.untold) else { return };
        let missed = untold - std::mem::replace(&mut slot.untold, untold);
        if let Some(stream) = self.streams.get_mut(number) {
            stream.relay.by_kernel(side, missed, missed);
        }
        self.batch.packets += missed;
        self.batch.by_kernel += missed;
        self.totals.untold.fetch_add(missed, std::sync::atomic::Ordering::Relaxed);
    }

    /// Each second: routes may have changed, and records may have found no room.
    pub(super) fn look_after_ways(&mut self) {
        if self.kernel.is_none() {
            return;
        }
        let open: Vec<usize> = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.ways.is_any())
            .map(|(number, _)| number)
            .collect();
        for number in open {
            for side in [Side::Trunk, Side::Pbx] {
                self.revise(number, side);
                let way = self.streams.get_mut(number).and_then(|stream| stream.ways.from(side).way);
                if let Some((id, ..)) = way {
                    self.miss(id, number, side);
                }
            }
        }
    }
}

impl Stream {
    /// Our addresses for RTP toward a side.
    fn locals(&self, side: Side) -> [Option<SocketAddr>; 2] {
        [self.local(side, false), self.local(side, true)]
    }

    /// Our address for RTP toward a side.
    fn local(&self, side: Side, v6: bool) -> Option<SocketAddr> {
        self.sockets
            .iter()
            .find(|placed| placed.side == side && placed.component == Component::Rtp && placed.v6 == v6)
            .map(|placed| placed.local)
    }
}

#[cfg(test)]
mod tests;
