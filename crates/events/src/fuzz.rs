//! Bodies for fuzzing: each parser takes any bytes at all and keeps its promises.

use std::time::Duration;

use crate::sink::webhook::signature;
use crate::{CallRef, Direction, Event, NumberHasher, Parties, Secret, Timestamp};

/// An event that can be parsed is written and parsed back unchanged.
///
/// # Panics
/// If it changes.
pub fn event(bytes: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Event>(bytes) else { return };
    let json = serde_json::to_string(&event).unwrap_or_default();
    let again = serde_json::from_str::<Event>(&json);
    assert!(again.is_ok_and(|again| again == event), "reads back otherwise: {json}");
    assert!(!json.contains('\n'), "one line");
}

/// Whatever name a party gives, its digits don't appear in JSON or debug output.
///
/// # Panics
/// If they do.
pub fn number(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let Ok(hasher) = NumberHasher::salted(&Secret::new("a salt for nothing but tests")) else { return };
    let _ = hasher.hash(&text);
    let (caller, call_id) = text.split_at(text.floor_char_boundary(text.len() / 2));
    let parties = Parties { caller, callee: &text };
    // All ones encode to letters only: an id of zeros would itself hold a number of zeros.
    let id = crate::CallId::new(Timestamp::from_unix_millis((1 << 48) - 1), u128::MAX);
    let call = CallRef::new(&hasher, id, call_id, "trunk", Direction::Inbound, parties);
    let digits: String = caller.chars().filter(char::is_ascii_digit).collect();
    let only_digits = caller.bytes().all(|byte| byte.is_ascii_digit());
    if only_digits && digits.len() >= 8 {
        let shown =
            format!("{call:?} {parties:?} {hasher:?} {}", serde_json::to_string(&call).unwrap_or_default());
        assert!(!shown.contains(&digits), "{digits} in {shown}");
    }
}

/// A signature header is refused or, if it verifies, was made with the secret.
///
/// # Panics
/// If a forged one verifies.
pub fn signature(bytes: &[u8]) {
    let header = String::from_utf8_lossy(bytes);
    let now = Timestamp::from_unix_millis(1_772_357_400_000);
    let verdict =
        signature::verify(b"a secret nobody has guessed", &header, b"[]", now, Duration::from_secs(300));
    assert!(verdict.is_err(), "forged: {header}");
}
