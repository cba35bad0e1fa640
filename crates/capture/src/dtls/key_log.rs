//! Key logs, as browsers, OpenSSL and Wireshark write them (`SSLKEYLOGFILE`): a label, the client's random value, a
//! secret, in hexadecimal digits, one a line.

use std::collections::HashMap;
use std::fmt;

use data_encoding::HEXLOWER_PERMISSIVE;
use zeroize::{Zeroize, Zeroizing};

/// Longest key log that is read, in bytes. A browser writes some 200 bytes for each connection.
pub const MOST_BYTES: usize = 64 << 20;
/// Secrets that are kept.
const MOST_SECRETS: usize = 262_144;
/// The longest secret: of SHA-384.
const MOST_SECRET: usize = 48;

/// The random value in a ClientHello, by which a key log names its handshake.
pub(crate) type Random = [u8; 32];

/// The secrets of handshakes. Wiped when dropped; printed nowhere.
#[derive(Default)]
pub struct KeyLog {
    /// Master secrets of DTLS 1.2: `CLIENT_RANDOM`.
    masters: HashMap<Random, Secret>,
    /// Exporter master secrets of DTLS 1.3: `EXPORTER_SECRET`.
    exporters: HashMap<Random, Secret>,
}

/// A secret of 32 or 48 bytes.
pub(crate) type Secret = Zeroizing<Vec<u8>>;

/// A key log can't be used. No text of it shows what the log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyLogError {
    /// A line is no comment, and not a label with two values.
    #[error(
        "line {0}: not a label, a client's random value and a secret; a key log has lines like `CLIENT_RANDOM <64 hex digits> <96 hex digits>`: delete the line, or have the log written again (SSLKEYLOGFILE of a browser, `openssl s_client -keylogfile`)"
    )]
    Line(usize),
    /// A value has another length than its label's, or is not of hexadecimal digits.
    #[error(
        "line {0}: {1} takes 64 hexadecimal digits of random value and {2} of secret, and one has others: the line is cut or damaged; delete it, or have the log written again"
    )]
    Value(usize, &'static str, &'static str),
    /// No line of it has a secret for DTLS-SRTP.
    #[error(
        "no line is CLIENT_RANDOM (DTLS 1.2) or EXPORTER_SECRET (DTLS 1.3), so no key of SRTP follows from it: set SSLKEYLOGFILE before the party that shakes hands is started"
    )]
    Nothing,
    /// Longer than [`MOST_BYTES`], or with too many secrets.
    #[error("too long: cut it down to the capture's time (64 MiB and 262,144 secrets are read)")]
    TooLong,
}

impl KeyLog {
    /// Reads a key log. Lines with secrets of other uses (`CLIENT_HANDSHAKE_TRAFFIC_SECRET` …) are passed over.
    ///
    /// # Errors
    /// When a line is malformed, or none is of use.
    pub fn parse(text: &[u8]) -> Result<Self, KeyLogError> {
        if text.len() > MOST_BYTES {
            return Err(KeyLogError::TooLong);
        }
        let mut log = Self::default();
        let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
        for (line, number) in text.split(|byte| *byte == b'\n').zip(1..) {
            log.line(line.trim_ascii(), number)?;
        }
        if log.is_empty() { Err(KeyLogError::Nothing) } else { Ok(log) }
    }

    fn line(&mut self, line: &[u8], number: usize) -> Result<(), KeyLogError> {
        if line.is_empty() || line.first() == Some(&b'#') {
            return Ok(());
        }
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let (Some(label), Some(random), Some(secret), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(KeyLogError::Line(number));
        };
        if !label.iter().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_') {
            return Err(KeyLogError::Line(number));
        }
        let (secrets, label, digits, lengths): (_, _, _, &[usize]) = match label {
            b"CLIENT_RANDOM" => (&mut self.masters, "CLIENT_RANDOM", "96", &[48]),
            b"EXPORTER_SECRET" => (&mut self.exporters, "EXPORTER_SECRET", "64 or 96", &[32, 48]),
            _ => return Ok(()),
        };
        let wrong = KeyLogError::Value(number, label, digits);
        let random = hex(random).and_then(|random| Random::try_from(random.as_slice()).ok()).ok_or(wrong)?;
        let secret = hex(secret).filter(|secret| lengths.contains(&secret.len())).ok_or(wrong)?;
        if secrets.len() == MOST_SECRETS && !secrets.contains_key(&random) {
            return Err(KeyLogError::TooLong);
        }
        secrets.insert(random, secret);
        Ok(())
    }

    fn is_empty(&self) -> bool {
        self.masters.is_empty() && self.exporters.is_empty()
    }

    /// The master secret of a DTLS 1.2 handshake.
    pub(crate) fn master(&self, random: &Random) -> Option<&Secret> {
        self.masters.get(random)
    }

    /// The exporter master secret of a DTLS 1.3 handshake.
    pub(crate) fn exporter(&self, random: &Random) -> Option<&Secret> {
        self.exporters.get(random)
    }
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLog")
            .field("masters", &self.masters.len())
            .field("exporters", &self.exporters.len())
            .finish()
    }
}

/// The bytes that hexadecimal digits state, if they are as many as a secret's at most.
fn hex(digits: &[u8]) -> Option<Secret> {
    if digits.len() > 2 * MOST_SECRET || !digits.len().is_multiple_of(2) {
        return None;
    }
    let mut bytes = Zeroizing::new(vec![0; digits.len() / 2]);
    if HEXLOWER_PERMISSIVE.decode_mut(digits, &mut bytes).is_err() {
        bytes.zeroize();
        return None;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(label: &str, random: usize, secret: usize) -> String {
        format!("{label} {} {}", "aB".repeat(random), "0c".repeat(secret))
    }

    #[test]
    fn lines_of_other_uses_comments_and_line_ends_are_passed_over() {
        let text = format!(
            "\u{feff}# by a browser\r\n\r\n{}\r\n{}\n{}\n{}",
            line("CLIENT_RANDOM", 32, 48),
            line("CLIENT_HANDSHAKE_TRAFFIC_SECRET", 32, 32),
            line("EXPORTER_SECRET", 32, 32),
            line("RSA", 8, 48),
        );
        let log = KeyLog::parse(text.as_bytes()).unwrap();
        assert_eq!(log.master(&[0xab; 32]).map(|secret| secret.to_vec()), Some(vec![0x0c; 48]));
        assert_eq!(log.exporter(&[0xab; 32]).map(|secret| secret.to_vec()), Some(vec![0x0c; 32]));
        assert_eq!(format!("{log:?}"), "KeyLog { masters: 1, exporters: 1 }");
    }

    #[test]
    fn a_malformed_line_is_named_and_not_shown() {
        let good = line("CLIENT_RANDOM", 32, 48);
        for (text, error) in [
            ("-----BEGIN PRIVATE KEY-----".to_owned(), KeyLogError::Line(2)),
            ("CLIENT_RANDOM abcd".to_owned(), KeyLogError::Line(2)),
            (format!("{good} 00"), KeyLogError::Line(2)),
            ("client_random 00 00".to_owned(), KeyLogError::Line(2)),
            (line("CLIENT_RANDOM", 31, 48), KeyLogError::Value(2, "CLIENT_RANDOM", "96")),
            (line("CLIENT_RANDOM", 32, 32), KeyLogError::Value(2, "CLIENT_RANDOM", "96")),
            (line("EXPORTER_SECRET", 32, 40), KeyLogError::Value(2, "EXPORTER_SECRET", "64 or 96")),
            (line("CLIENT_RANDOM", 32, 48).replace("0c", "0g"), KeyLogError::Value(2, "CLIENT_RANDOM", "96")),
            (line("CLIENT_RANDOM", 32, 90_000), KeyLogError::Value(2, "CLIENT_RANDOM", "96")),
        ] {
            let found = KeyLog::parse(format!("{good}\n{text}\n").as_bytes()).unwrap_err();
            assert_eq!(found, error, "{}", text.get(..40).unwrap_or(&text));
            let said = found.to_string();
            assert!(
                said.starts_with("line 2: ") && !said.contains("0c0c") && !said.contains("BEGIN"),
                "{said}"
            );
        }
        assert_eq!(KeyLog::parse(b"# nothing\n").unwrap_err(), KeyLogError::Nothing);
        assert_eq!(
            KeyLog::parse(line("SERVER_TRAFFIC_SECRET_0", 32, 32).as_bytes()).unwrap_err(),
            KeyLogError::Nothing
        );
    }
}
