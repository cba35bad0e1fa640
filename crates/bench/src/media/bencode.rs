//! Bencode, the little that rtpengine's control protocol ("ng") needs: dictionaries and lists of strings.

use std::fmt::Write as _;

/// Something to be encoded.
#[derive(Debug, Clone)]
pub(super) enum Value<'a> {
    Text(&'a str),
    List(&'a [&'a str]),
}

/// A dictionary; its keys are put in order, as the format asks.
pub(super) fn encode(entries: &[(&str, Value<'_>)]) -> String {
    let mut entries: Vec<_> = entries.iter().collect();
    entries.sort_by_key(|(key, _)| *key);
    let mut out = String::from("d");
    let text = |out: &mut String, text: &str| _ = write!(out, "{}:{text}", text.len());
    for (key, value) in entries {
        text(&mut out, key);
        match value {
            Value::Text(value) => text(&mut out, value),
            Value::List(items) => {
                out.push('l');
                items.iter().for_each(|item| text(&mut out, item));
                out.push('e');
            }
        }
    }
    out.push('e');
    out
}

/// The string that stands under `key` in a dictionary, at its outermost level.
pub(super) fn find<'a>(dictionary: &'a str, key: &str) -> Option<&'a str> {
    let mut rest = dictionary.strip_prefix('d')?;
    while !rest.starts_with('e') {
        let (name, value) = string(rest)?;
        if name == key {
            return string(value).map(|(value, _)| value);
        }
        rest = skip(value, 0)?;
    }
    None
}

fn string(encoded: &str) -> Option<(&str, &str)> {
    let (length, rest) = encoded.split_once(':')?;
    rest.split_at_checked(length.parse().ok()?)
}

/// The bytes behind the first value.
fn skip(encoded: &str, depth: usize) -> Option<&str> {
    if depth > 8 {
        return None;
    }
    match encoded.as_bytes().first()? {
        b'i' => encoded.split_once('e').map(|(_, rest)| rest),
        b'l' | b'd' => {
            let mut rest = encoded.get(1..)?;
            while !rest.starts_with('e') {
                rest = skip(rest, depth + 1)?;
            }
            rest.get(1..)
        }
        _ => string(encoded).map(|(_, rest)| rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_out_in_order() {
        let encoded = encode(&[
            ("sdp", Value::Text("v=0")),
            ("command", Value::Text("offer")),
            ("r", Value::List(&["a", "bc"])),
        ]);
        assert_eq!(encoded, "d7:command5:offer1:rl1:a2:bce3:sdp3:v=0e");
        assert_eq!(find(&encoded, "sdp"), Some("v=0"));
        assert_eq!(find(&encoded, "bc"), None);
    }

    #[test]
    fn nested_values_are_passed_over() {
        assert_eq!(find("d1:ad3:sdp3:bade1:bi42e3:sdp4:goode", "sdp"), Some("good"));
    }

    #[test]
    fn what_is_cut_short_is_nothing() {
        let whole = "d1:ali1ei2ee3:sdp4:goode";
        for end in 0..whole.len() - 1 {
            assert_eq!(find(&whole[..end], "sdp"), None, "{end}");
        }
        assert_eq!(find(&format!("d1:a{}", "l".repeat(10_000)), "sdp"), None);
    }
}
