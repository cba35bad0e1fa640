//! A line without its inferences, in the same number of bytes.

use crate::event::{Event, Kind};
use crate::id::CallId;

/// The text before a call's id: its first occurrence in a line is the envelope's.
const CALL: &[u8] = b"\"call\":{\"id\":\"";
const SEQ: &[u8] = b"\"seq\":";
const KIND: &[u8] = b"\"kind\":\"";
/// The replacement of a line's kind and data.
const ERASED: &[u8] = b"\"kind\":\"erased\",\"data\":{}}";
/// Characters of a call's id.
const ID: usize = 26;

/// The call that a line belongs to.
pub(super) fn call_of(line: &[u8]) -> Option<CallId> {
    let rest = line.get(find(line, CALL)? + CALL.len()..)?;
    std::str::from_utf8(rest.get(..ID)?).ok()?.parse().ok()
}

/// The number of the line's event within its call.
pub(super) fn seq_of(line: &[u8]) -> Option<u64> {
    let rest = line.get(find(line, SEQ)? + SEQ.len()..)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(rest.get(..digits)?).ok()?.parse().ok()
}

/// The line without its inferences, of the same length; `None` if it has none, or if its number (`seq`) is not below
/// `before`. A line that a crash left half overwritten is recognised by its beginning.
pub(super) fn redacted(line: &[u8], before: u64) -> Option<Vec<u8>> {
    let mut rest = match serde_json::from_slice::<Event>(line) {
        Ok(event) if event.seq >= before || !event.infers() => return None,
        Ok(event) => serde_json::to_vec(&event.without_inferences()).ok()?,
        Err(_) => stump(line)?,
    };
    if rest.len() > line.len() {
        rest = stump(line)?;
    }
    rest.resize(line.len(), b' ');
    Some(rest)
}

/// The envelope of a line that can't be parsed whole, if its kind is one with inferences.
fn stump(line: &[u8]) -> Option<Vec<u8>> {
    let kind = find(line, KIND)?;
    let name = line.get(kind + KIND.len()..)?;
    let mut inferred =
        Kind::ALL.iter().filter(|kind| kind.infers() || matches!(kind, Kind::CallEnded | Kind::Erased));
    if !inferred.any(|kind| name.starts_with(kind.name().as_bytes())) {
        return None;
    }
    let envelope = line.get(..kind)?;
    let stump = [envelope, ERASED].concat();
    (stump.len() <= line.len()).then_some(stump)
}

fn find(line: &[u8], needle: &[u8]) -> Option<usize> {
    line.windows(needle.len()).position(|window| window == needle)
}
