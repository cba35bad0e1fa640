//! Keys as RTP packets (RFC 4733).

/// The event number of a key: `0` to `9`, `*`, `#`, `A` to `D`.
pub(super) const fn event(key: char) -> Option<u8> {
    Some(match key {
        '0'..='9' => key as u8 - b'0',
        '*' => 10,
        '#' => 11,
        'A'..='D' => key as u8 - b'A' + 12,
        'a'..='d' => key as u8 - b'a' + 12,
        _ => return None,
    })
}

const fn key(event: u8) -> Option<char> {
    Some(match event {
        0..=9 => (b'0' + event) as char,
        10 => '*',
        11 => '#',
        12..=15 => (b'A' + event - 12) as char,
        _ => return None,
    })
}

/// The payload of one event packet; `duration` in timestamp ticks.
pub(super) const fn payload(event: u8, end: bool, duration: u16) -> [u8; 4] {
    let [high, low] = duration.to_be_bytes();
    // -10 dBm0, the usual level.
    [event, if end { 0x80 | 10 } else { 10 }, high, low]
}

/// Reads keys out of event packets: each event once, however often its packets are repeated.
#[derive(Debug, Default)]
pub(super) struct Keys {
    current: Option<(u32, u32)>,
    pub(super) pressed: String,
}

impl Keys {
    pub(super) fn packet(&mut self, ssrc: u32, timestamp: u32, payload: &[u8]) {
        let Some(&event) = payload.first() else { return };
        if payload.len() >= 4 && self.current != Some((ssrc, timestamp)) {
            self.current = Some((ssrc, timestamp));
            self.pressed.extend(key(event));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_events_agree() {
        for name in "0123456789*#ABCD".chars() {
            assert_eq!(key(event(name).unwrap()), Some(name));
        }
        assert_eq!((event('x'), key(16)), (None, None));
    }

    #[test]
    fn repeated_packets_are_one_key() {
        let mut keys = Keys::default();
        for end in [false, false, true, true, true] {
            keys.packet(1, 800, &payload(5, end, 320));
        }
        keys.packet(1, 2_400, &payload(5, false, 160));
        keys.packet(1, 4_000, &[5]);
        assert_eq!(keys.pressed, "55");
    }
}
