//! Entries by number, where a number outlives its entry without meaning another.

/// Names an entry. Slots are used again; generations are not, until 2^32 later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(super) slot: u32,
    generation: u32,
}

/// A slab with generations.
#[derive(Debug)]
pub(super) struct Table<T> {
    slots: Vec<Slot<T>>,
    /// The most recently freed slot; the others follow by `Slot::next`.
    free: Option<u32>,
    live: usize,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    entry: Option<T>,
    next: Option<u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: None, live: 0 }
    }
}

impl<T> Table<T> {
    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// Takes a free slot; `make` is told its key.
    pub(super) fn insert(&mut self, make: impl FnOnce(Key) -> T) -> Key {
        self.live += 1;
        if let Some((number, slot)) = self.free.and_then(|n| Some((n, self.slots.get_mut(n as usize)?))) {
            self.free = slot.next.take();
            let key = Key { slot: number, generation: slot.generation };
            slot.entry = Some(make(key));
            return key;
        }
        // The bound on transactions keeps this far from overflowing.
        let key = Key { slot: u32::try_from(self.slots.len()).unwrap_or(u32::MAX), generation: 0 };
        self.slots.push(Slot { generation: 0, entry: Some(make(key)), next: None });
        key
    }

    pub(super) fn get(&self, key: Key) -> Option<&T> {
        self.slots.get(key.slot as usize).filter(|s| s.generation == key.generation)?.entry.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.slots.get_mut(key.slot as usize).filter(|s| s.generation == key.generation)?.entry.as_mut()
    }

    /// The entry now in that slot, with its key.
    pub(super) fn key_at(&self, slot: u32) -> Option<Key> {
        let found = self.slots.get(slot as usize)?;
        found.entry.as_ref()?;
        Some(Key { slot, generation: found.generation })
    }

    pub(super) fn remove(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.slot as usize).filter(|s| s.generation == key.generation)?;
        let entry = slot.entry.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        slot.next = self.free.replace(key.slot);
        self.live -= 1;
        Some(entry)
    }

    /// Every entry, by slot.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().zip(0u32..).filter_map(|(slot, number)| {
            Some((Key { slot: number, generation: slot.generation }, slot.entry.as_ref()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freed_key_means_nothing() {
        let mut table = Table::default();
        let a = table.insert(|_| 'a');
        let b = table.insert(|_| 'b');
        assert_eq!(table.remove(a), Some('a'));
        assert_eq!(table.get(a), None);
        assert_eq!(table.remove(a), None);
        let c = table.insert(|_| 'c');
        assert_eq!(c.slot, a.slot);
        assert_eq!((table.get(a), table.get(b), table.get(c)), (None, Some(&'b'), Some(&'c')));
        assert_eq!(table.key_at(a.slot), Some(c));
        assert_eq!(table.iter().map(|(_, e)| *e).collect::<String>(), "cb");
        assert_eq!(table.len(), 2);
    }
}
