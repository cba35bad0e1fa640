//! Redundant audio data (RFC 2198), as `red` payloads carry audio and telephone-events twice.

/// One block of a redundant payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    /// The block's payload type.
    pub payload_type: u8,
    /// How many ticks before the packet's timestamp the block begins; 0 for the primary one.
    pub timestamp_offset: u16,
    /// The block's bytes.
    pub payload: &'a [u8],
}

/// Why a payload isn't `red`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("redundant payload is truncated or has more than {MAX_BLOCKS} blocks")]
pub struct Malformed;

/// Blocks accepted in one packet.
pub const MAX_BLOCKS: usize = 8;

/// Reads the blocks of a `red` payload, the oldest first and the primary one last.
///
/// # Errors
/// [`Malformed`] if a header or a block does not fit, or there are more than [`MAX_BLOCKS`].
pub fn blocks(payload: &[u8]) -> Result<impl Iterator<Item = Block<'_>>, Malformed> {
    let mut found = [None; MAX_BLOCKS];
    let mut slots = found.iter_mut();
    let mut headers = payload;
    // Headers come first, all of them; lengths are summed to know where the blocks begin.
    let mut lengths = [0usize; MAX_BLOCKS];
    let mut sizes = lengths.iter_mut();
    loop {
        let slot = slots.next().ok_or(Malformed)?;
        match *headers {
            [first, a, b, c, ref rest @ ..] if first & 0x80 != 0 => {
                let timestamp_offset = u16::from_be_bytes([a, b]) >> 2;
                if let Some(size) = sizes.next() {
                    *size = usize::from(u16::from_be_bytes([b & 3, c]));
                }
                *slot = Some(Block { payload_type: first & 0x7f, timestamp_offset, payload: &[] as &[u8] });
                headers = rest;
            }
            [first, ref rest @ ..] if first & 0x80 == 0 => {
                *slot = Some(Block { payload_type: first, timestamp_offset: 0, payload: &[] });
                headers = rest;
                break;
            }
            _ => return Err(Malformed),
        }
    }
    let mut data = headers;
    let last = found.iter().flatten().count() - 1;
    for ((index, block), size) in found.iter_mut().flatten().enumerate().zip(lengths) {
        let size = if index == last { data.len() } else { size };
        let (own, rest) = data.split_at_checked(size).ok_or(Malformed)?;
        block.payload = own;
        data = rest;
    }
    Ok(found.into_iter().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_blocks_come_first() {
        // Two redundant blocks of 2 and 1 bytes, 320 and 160 ticks old, then the primary one.
        let payload = [0x80 | 5, 0x05, 0x00, 2, 0x80 | 5, 0x02, 0x80, 1, 5, 10, 11, 20, 30, 31];
        let read: Vec<_> = blocks(&payload).unwrap().collect();
        assert_eq!(
            read,
            [
                Block { payload_type: 5, timestamp_offset: 320, payload: &[10, 11] },
                Block { payload_type: 5, timestamp_offset: 160, payload: &[20] },
                Block { payload_type: 5, timestamp_offset: 0, payload: &[30, 31] },
            ]
        );
    }

    #[test]
    fn a_primary_block_alone_may_be_empty() {
        let read: Vec<_> = blocks(&[101]).unwrap().collect();
        assert_eq!(read, [Block { payload_type: 101, timestamp_offset: 0, payload: &[] }]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(blocks(&[]).is_err());
        assert!(blocks(&[0x85, 0, 0]).is_err());
        assert!(blocks(&[0x85, 0, 0, 4, 5, 1, 2, 3]).is_err());
        let endless: Vec<u8> = [0x85, 0, 0, 0].repeat(MAX_BLOCKS + 1);
        assert!(blocks(&endless).is_err());
    }
}
