//! Sequence numbers beyond 16 bits (RFC 3550 A.1).

/// A step forward of this many packets or more is a restart, not a loss.
pub const MAX_DROPOUT: u16 = 3000;

/// A packet this many behind, or fewer, is late; one further behind belongs to a restart.
pub const MAX_MISORDER: u16 = 100;

/// The first extended number of a stream lies one cycle up, so that packets which were sent before
/// the first one seen still have a positive number.
#[must_use]
pub fn first(sequence: u16) -> u64 {
    (1 << 16) | u64::from(sequence)
}

/// Extends `sequence` to the number that is nearest to `reference`.
#[must_use]
pub fn extend(reference: u64, sequence: u16) -> u64 {
    reference.wrapping_add_signed(i64::from(step(reference as u16, sequence)))
}

/// How many packets `to` is ahead of `from`: -32768 to 32767.
#[must_use]
pub fn step(from: u16, to: u16) -> i16 {
    to.wrapping_sub(from).cast_signed()
}

/// How many ticks `to` is ahead of `from`, in timestamps.
#[must_use]
pub fn ticks_between(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cycles_are_counted_both_ways() {
        let start = first(65_534);
        assert_eq!(extend(start, 65_535), start + 1);
        assert_eq!(extend(start, 1), start + 3);
        assert_eq!(extend(extend(start, 1), 65_533), start - 1);
        assert_eq!(extend(first(0), 65_535), first(0) - 1);
        assert_eq!(step(65_535, 0), 1);
        assert_eq!(step(0, 65_535), -1);
        assert_eq!(ticks_between(u32::MAX - 79, 80), 160);
    }
}
