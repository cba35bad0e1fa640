//! DTMF keys in the bodies of INFO and NOTIFY, in each of the forms that senders have.
//!
//! | content type | body | who sends it |
//! | --- | --- | --- |
//! | `application/dtmf-relay` | `Signal=9`, `Signal: 9` | Cisco, Asterisk, FreeSWITCH and most others |
//! | `application/dtmf` | `9`, `Signal=9` | Asterisk, older phones |
//! | `audio/telephone-event` | `d=9`, `Signal=9`, `9`, or four bytes of RFC 4733 | softphones, Cisco (unsolicited NOTIFY) |
//! | `application/vnd.nortelnetworks.digits` | `d=9` below `p=Digit-Collection` | Nortel, Avaya |
//! | `application/kpml-response+xml` | `digits="9"` | RFC 4730 |
//! Such a body may also be one part of a multipart body. Values may stand in quotes, and an event's number may have a
//! zero before it.
//!
//! A key counts once for each report of it; whoever takes keys for a choice is not harmed by hearing it twice.

/// The most keys of a body that are taken.
const MOST: usize = 16;
/// The most parts of a multipart body that are looked at.
const MOST_PARTS: usize = 8;

/// The keys that a body reports, `0` to `9`, `*`, `#`, `A` to `D`. `kind` is its content type, parameters and all.
pub(super) fn keys(kind: &str, body: &[u8]) -> Vec<char> {
    let mut keys = match boundary(kind) {
        Some(boundary) => parts(&boundary, body).flat_map(|(kind, body)| keys_of_part(kind, body)).collect(),
        None => keys_of_part(kind, body),
    };
    keys.truncate(MOST);
    keys
}

/// The boundary of a multipart body (RFC 2046 §5.1.1), with its two hyphens.
fn boundary(kind: &str) -> Option<String> {
    let mut fields = kind.split(';');
    let kind = fields.next()?.trim().to_ascii_lowercase();
    kind.starts_with("multipart/").then_some(())?;
    let named = |field: &str| {
        let (name, value) = field.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then(|| format!("--{}", value.trim().trim_matches('"')))
    };
    fields.find_map(named)
}

/// The parts between boundaries: content type and body.
fn parts<'a>(boundary: &'a str, body: &'a [u8]) -> impl Iterator<Item = (&'a str, &'a [u8])> {
    let whole = text(body).unwrap_or_default();
    whole.split(boundary).skip(1).take(MOST_PARTS).filter_map(|part| {
        let part = part.trim_start_matches([' ', '\t']);
        let part = part.strip_prefix("\r\n").or_else(|| part.strip_prefix('\n'))?;
        let (head, body) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n"))?;
        let kind = fields(head)
            .find(|(name, _)| name.eq_ignore_ascii_case("content-type") || name.eq_ignore_ascii_case("c"));
        Some((kind?.1, body.as_bytes()))
    })
}

fn keys_of_part(kind: &str, body: &[u8]) -> Vec<char> {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "audio/telephone-event" if event(body).is_some() => event(body).into_iter().collect(),
        "application/dtmf" | "application/dtmf-relay" | "audio/telephone-event" => {
            text(body).and_then(signal).into_iter().collect()
        }
        "application/vnd.nortelnetworks.digits" => text(body).map(collected).unwrap_or_default(),
        "application/kpml-response+xml" => text(body).map(response).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn text(body: &[u8]) -> Option<&str> {
    std::str::from_utf8(body).ok()
}

/// A payload of RFC 4733 §2.3: none of its codes for keys is a printable character, so it can't be taken for text.
fn event(body: &[u8]) -> Option<char> {
    let [code @ 0..=15, flags, ..] = *body.first_chunk::<4>()? else { return None };
    // A line of text may begin with a line end; its second byte then is another one or a letter.
    (flags & 0x40 == 0 && body.len() == 4).then_some(())?;
    b"0123456789*#ABCD".get(usize::from(code)).map(|sign| char::from(*sign))
}

/// The fields of a body, `name=value` or `name: value`.
fn fields(body: &str) -> impl Iterator<Item = (&str, &str)> {
    body.lines().filter_map(|line| {
        let (name, value) = line.split_once(['=', ':'])?;
        Some((name.trim(), value.trim()))
    })
}

/// The field that says which key, or a body that is nothing but the key.
fn signal(body: &str) -> Option<char> {
    let named = |wanted: &str| {
        fields(body).find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
    };
    digit(named("signal").or_else(|| named("d")).unwrap_or(body))
}

/// The digits that a Nortel body has collected.
fn collected(body: &str) -> Vec<char> {
    let of_digits = |(name, value): (&str, &str)| {
        matches!(name.to_ascii_lowercase().as_str(), "d" | "digits").then(|| value.to_owned())
    };
    fields(body).filter_map(of_digits).flat_map(|value| signs(&value)).collect()
}

/// The attribute `digits` of a KPML response (RFC 4730 §5.3).
fn response(body: &str) -> Vec<char> {
    // The element may have a prefix of its namespace.
    let named = |tag: &&str| {
        let name = tag.split(|c: char| c.is_whitespace() || c == '>' || c == '/').next().unwrap_or_default();
        name.rsplit(':').next() == Some("kpml-response")
    };
    let Some(element) = body.split('<').skip(1).find(named) else { return Vec::new() };
    let element = element.split('>').next().unwrap_or_default();
    let value = element.split_once("digits").and_then(|(_, rest)| {
        let rest = rest.trim_start().strip_prefix('=')?.trim_start();
        let quote = rest.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        rest.get(1..)?.split(quote).next()
    });
    value.map(signs).unwrap_or_default()
}

/// Each character that is a key's sign.
fn signs(value: &str) -> Vec<char> {
    value.chars().take(MOST).filter_map(|sign| digit(sign.encode_utf8(&mut [0; 4]))).collect()
}

/// A key, as its sign, as its name or as the number of its event (RFC 4733 §3.2).
fn digit(signal: &str) -> Option<char> {
    let signal = signal.trim().trim_matches(['"', '\'']).trim();
    let signal = match signal.strip_prefix('0') {
        Some(number) if number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit()) => number,
        _ => signal,
    };
    let mut signs = signal.chars();
    match (signs.next(), signs.next()) {
        (Some(sign @ ('0'..='9' | '*' | '#')), None) => Some(sign),
        (Some(sign @ ('A'..='D' | 'a'..='d')), None) => Some(sign.to_ascii_uppercase()),
        _ => match signal.to_ascii_lowercase().as_str() {
            "10" | "star" | "asterisk" => Some('*'),
            "11" | "pound" | "hash" => Some('#'),
            "12" => Some('A'),
            "13" => Some('B'),
            "14" => Some('C'),
            "15" => Some('D'),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::keys;

    fn told(kind: &str, body: &[u8]) -> String {
        keys(kind, body).into_iter().collect()
    }

    #[test]
    fn every_form_of_a_key_is_read() {
        for (kind, body, pressed) in [
            ("application/dtmf-relay", "Signal=9\r\nDuration=160\r\n", "9"),
            ("application/dtmf-relay", "Signal: 9\r\n", "9"),
            ("application/dtmf-relay", "Duration: 100\r\nSIGNAL :\t*", "*"),
            ("application/dtmf-relay", "9", "9"),
            ("application/dtmf-relay; v=1", "signal= # \r\n", "#"),
            ("Application/DTMF", "11", "#"),
            ("application/dtmf", "9\r\n", "9"),
            ("application/dtmf", "Signal=9\n", "9"),
            ("audio/telephone-event", "d=9\r\n", "9"),
            ("audio/telephone-event", "Signal=9\r\nDuration=160\r\n", "9"),
            ("audio/telephone-event", "9", "9"),
            ("audio/telephone-event", "d=9\n", "9"),
            ("audio/telephone-event;rate=8000", "Signal=star", "*"),
            ("application/vnd.nortelnetworks.digits", "p=Digit-Collection\r\ny=Digits\r\n\r\nd=9\r\n", "9"),
            ("application/vnd.nortelnetworks.digits", "p=Digit-Collection\ny=Digits\nd=19#\n", "19#"),
            (
                "application/kpml-response+xml",
                "<?xml version=\"1.0\"?><kpml-response version=\"1.0\" code=\"200\" text=\"OK\" digits=\"9\" tag=\"x\"/>",
                "9",
            ),
            ("application/kpml-response+xml", "<kpml-response digits = '*9'></kpml-response>", "*9"),
            ("application/kpml-response+xml", "<k:kpml-response xmlns:k='urn:x' digits='9'/>", "9"),
            ("application/dtmf-relay", "Signal=\"9\"\r\n", "9"),
            ("application/dtmf-relay", "Signal=09\r\nDuration=100\r\n", "9"),
            ("application/dtmf-relay", "Signal=0\r\n", "0"),
            ("application/dtmf-relay", "Signal=00\r\n", "0"),
            (
                "multipart/mixed;boundary=\"xx\"",
                "--xx\r\nContent-Type: text/plain\r\n\r\n5\r\n--xx\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal=9\r\n--xx--\r\n",
                "9",
            ),
            ("Multipart/Mixed; Boundary=b", "--b\nc: application/dtmf\n\n9\n--b--\n", "9"),
        ] {
            assert_eq!(told(kind, body.as_bytes()), pressed, "{kind} {body:?}");
        }
        assert_eq!(told("audio/telephone-event", &[9, 0x8a, 3, 0x20]), "9");
        assert_eq!(told("audio/telephone-event", &[11, 10, 0, 160]), "#");
    }

    #[test]
    fn all_else_is_no_key() {
        for (kind, body) in [
            ("application/dtmf", "99"),
            ("application/dtmf-relay", "Signal=0a\r\n"),
            ("multipart/mixed", "--xx\r\nContent-Type: application/dtmf\r\n\r\n9\r\n--xx--\r\n"),
            ("multipart/mixed;boundary=xx", "--yy\r\nContent-Type: application/dtmf\r\n\r\n9\r\n--yy--\r\n"),
            ("application/kpml-response+xml", "<kpml-responses digits=\"9\"/>"),
            ("application/dtmf", ""),
            ("application/dtmf-relay", "Duration=9"),
            ("application/dtmf-relay", "Signal=\r\n"),
            ("application/dtmf-relay", "Signal=99"),
            ("text/plain", "9"),
            ("", "9"),
            ("application/vnd.nortelnetworks.digits", "p=Digit-Collection\r\ny=Digits\r\n"),
            ("application/kpml-response+xml", "<kpml-response code=\"200\"/>"),
            ("application/kpml-response+xml", "digits=\"9\""),
            ("application/kpml-response+xml", "<kpml-response digits=9"),
        ] {
            assert_eq!(told(kind, body.as_bytes()), "", "{kind} {body:?}");
        }
        assert_eq!(told("audio/telephone-event", &[16, 0x8a, 3, 0x20]), "", "a flash hook");
        assert_eq!(told("application/dtmf", &[0xff; 9]), "");
        assert_eq!(told("application/vnd.nortelnetworks.digits", "d=9\n".repeat(1_000).as_bytes()).len(), 16);
    }
}
