//! The slots that hold packets, and the window that says which slot holds which number.

use std::time::Duration;

use super::{Packet, Timing};
use crate::header::RtpView;

/// Names a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SlotId(u16);

/// A held packet. Its buffer is kept when the slot is freed, so that a running stream allocates
/// nothing.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) timestamp: u32,
    pub(super) arrived: Duration,
    pub(super) timing: Timing,
    payload_type: u8,
    marker: bool,
    payload: Vec<u8>,
}

impl Slot {
    pub(super) fn packet(&self, sequence: u64) -> Packet<'_> {
        Packet {
            payload_type: self.payload_type,
            marker: self.marker,
            sequence,
            timestamp: self.timestamp,
            arrived: self.arrived,
            duration: self.timing.duration,
            payload: &self.payload,
        }
    }
}

/// A fixed number of slots, and a window of consecutive numbers onto them.
#[derive(Debug)]
pub(super) struct Slab {
    slots: Vec<Slot>,
    /// Freed last, used first: an undisturbed stream stays in one slot and in the cache.
    free: Vec<SlotId>,
    /// Number modulo window to slot.
    window: Box<[Option<SlotId>; Self::WINDOW]>,
    queued: usize,
}

impl Slab {
    /// How far ahead of the next packet another one may be queued.
    pub(super) const WINDOW: usize = 256;

    pub(super) fn new(capacity: usize) -> Self {
        let mut slots = Vec::new();
        slots.resize_with(capacity, Slot::default);
        Self {
            slots,
            free: (0..capacity as u16).rev().map(SlotId).collect(),
            window: Box::new([None; Self::WINDOW]),
            queued: 0,
        }
    }

    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    pub(super) fn is_full(&self) -> bool {
        self.free.is_empty()
    }

    pub(super) fn get(&self, id: SlotId) -> Option<&Slot> {
        self.slots.get(usize::from(id.0))
    }

    /// Copies a packet into a free slot.
    pub(super) fn store(&mut self, now: Duration, packet: &RtpView<'_>, timing: Timing) -> Option<SlotId> {
        let id = self.free.pop()?;
        let slot = self.slots.get_mut(usize::from(id.0))?;
        slot.timestamp = packet.timestamp();
        slot.arrived = now;
        slot.timing = timing;
        slot.payload_type = packet.payload_type();
        slot.marker = packet.marker();
        slot.payload.clear();
        slot.payload.extend_from_slice(packet.payload());
        Some(id)
    }

    pub(super) fn free(&mut self, id: SlotId) {
        self.free.push(id);
    }

    /// Puts a slot at a number's place in the window, which is known to be empty.
    pub(super) fn queue(&mut self, number: u64, id: SlotId) {
        if let Some(place) = self.place(number) {
            *place = Some(id);
            self.queued += 1;
        }
    }

    /// Takes a number out of the window; its slot is the caller's to free.
    pub(super) fn unqueue(&mut self, number: u64) {
        if let Some(place) = self.place(number)
            && place.take().is_some()
        {
            self.queued -= 1;
        }
    }

    /// The slot queued for a number.
    pub(super) fn at(&self, number: u64) -> Option<SlotId> {
        self.window.get(number as usize % Self::WINDOW).copied().flatten()
    }

    /// The lowest queued number from `number` on, and its slot.
    pub(super) fn first_from(&self, number: u64) -> Option<(u64, SlotId)> {
        (number..number + Self::WINDOW as u64).find_map(|n| self.at(n).map(|id| (n, id)))
    }

    /// When the first of the queued packets came.
    pub(super) fn earliest_arrival(&self) -> Option<Duration> {
        self.window.iter().flatten().filter_map(|&id| self.get(id)).map(|slot| slot.arrived).min()
    }

    /// Frees everything queued; how much that was.
    pub(super) fn clear_queue(&mut self) -> usize {
        for place in self.window.iter_mut() {
            if let Some(id) = place.take() {
                self.free.push(id);
            }
        }
        std::mem::take(&mut self.queued)
    }

    fn place(&mut self, number: u64) -> Option<&mut Option<SlotId>> {
        self.window.get_mut(number as usize % Self::WINDOW)
    }
}
