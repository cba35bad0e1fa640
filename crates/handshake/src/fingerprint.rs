//! Which certificate a peer's SDP promises (RFC 8122 §5).
use std::fmt;
use std::str::FromStr;

use ring::digest;
use thiserror::Error;

/// How many `a=fingerprint` lines of one description are kept.
const MOST: usize = 8;

/// Hash functions of fingerprints that count, in the order of their strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashFunction {
    /// SHA-256, which every peer must support (RFC 8122 §5).
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashFunction {
    const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// Its name in SDP.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            HashFunction::Sha256 => "sha-256",
            HashFunction::Sha384 => "sha-384",
            HashFunction::Sha512 => "sha-512",
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            HashFunction::Sha256 => &digest::SHA256,
            HashFunction::Sha384 => &digest::SHA384,
            HashFunction::Sha512 => &digest::SHA512,
        }
    }
}

/// The hash of a certificate: the value of an `a=fingerprint` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    function: HashFunction,
    digest: Vec<u8>,
}

/// Why the value of an `a=fingerprint` line is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error)]
pub enum FingerprintError {
    /// MD5 and SHA-1: a certificate with the same hash can be made for money. Also what is not known.
    #[error("the hash function is too weak, or unknown")]
    Function,
    /// Not as many octets in hexadecimal, with colons between them, as the function gives.
    #[error("not the hash function's length of octets in hexadecimal")]
    Digest,
}

impl Fingerprint {
    /// That of a certificate in DER.
    #[must_use]
    pub fn of(certificate: &[u8], function: HashFunction) -> Self {
        Self { function, digest: digest::digest(function.algorithm(), certificate).as_ref().to_vec() }
    }

    /// Its hash function.
    #[must_use]
    pub fn function(&self) -> HashFunction {
        self.function
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// The value of an `a=fingerprint` line: `sha-256 12:DF:…`, in any case.
    fn from_str(value: &str) -> Result<Self, Self::Err> {
        let (name, octets) = value.trim().split_once(' ').ok_or(FingerprintError::Digest)?;
        let function = HashFunction::ALL
            .into_iter()
            .find(|function| name.eq_ignore_ascii_case(function.name()))
            .ok_or(FingerprintError::Function)?;
        let length = function.algorithm().output_len();
        let mut digest = Vec::with_capacity(length);
        for octet in octets.trim().split(':') {
            if octet.len() != 2
                || !octet.bytes().all(|digit| digit.is_ascii_hexdigit())
                || digest.len() == length
            {
                return Err(FingerprintError::Digest);
            }
            digest.push(u8::from_str_radix(octet, 16).map_err(|_| FingerprintError::Digest)?);
        }
        if digest.len() == length { Ok(Self { function, digest }) } else { Err(FingerprintError::Digest) }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.function.name())?;
        let mut before = ' ';
        for octet in &self.digest {
            write!(f, "{before}{octet:02X}")?;
            before = ':';
        }
        Ok(())
    }
}

/// All fingerprints of one description: the certificates that its sender may show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fingerprints(Vec<Fingerprint>);

impl Fingerprints {
    /// From the values of the `a=fingerprint` lines that hold for a medium: its own or, if it has none, the session's.
    ///
    /// # Errors
    ///
    /// The first line's error, if no line is of use: whoever offers SHA-1 beside SHA-256 is taken at the better one.
    /// Lines after the eighth that is of use are passed over.
    pub fn parse<'a>(values: impl IntoIterator<Item = &'a str>) -> Result<Self, FingerprintError> {
        let mut error = FingerprintError::Digest;
        let mut kept = Vec::new();
        for (index, value) in values.into_iter().enumerate() {
            match value.parse() {
                Ok(fingerprint) if kept.len() < MOST => kept.push(fingerprint),
                Ok(_) => break,
                Err(reason) if index == 0 => error = reason,
                Err(_) => {}
            }
        }
        if kept.is_empty() { Err(error) } else { Ok(Self(kept)) }
    }

    /// Whether a certificate in DER is one of these. Of several hash functions the strongest decides, so that a peer
    /// gains nothing by finding a certificate that agrees in a weaker one (RFC 8122 §5).
    #[must_use]
    pub fn admit(&self, certificate: &[u8]) -> bool {
        let Some(strongest) = self.0.iter().map(|fingerprint| fingerprint.function).max() else {
            return false;
        };
        self.0.contains(&Fingerprint::of(certificate, strongest))
    }
}

impl From<Fingerprint> for Fingerprints {
    fn from(fingerprint: Fingerprint) -> Self {
        Self(vec![fingerprint])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CERTIFICATE: &[u8] = b"what a certificate would be";

    fn line(function: HashFunction) -> String {
        Fingerprint::of(CERTIFICATE, function).to_string()
    }

    #[test]
    fn fingerprint_case_is_not_looked_at() {
        let line = line(HashFunction::Sha256);
        for line in [line.to_lowercase(), line.to_uppercase(), line] {
            assert!(Fingerprints::parse([line.as_str()]).unwrap().admit(CERTIFICATE), "{line}");
        }
    }

    #[test]
    fn of_several_one_has_to_match() {
        let other = Fingerprint::of(b"another", HashFunction::Sha256).to_string();
        let both = Fingerprints::parse([other.as_str(), line(HashFunction::Sha256).as_str()]).unwrap();
        assert!(both.admit(CERTIFICATE));
        assert!(!both.admit(b"a third"));
    }

    #[test]
    fn the_strongest_function_decides() {
        let weak = line(HashFunction::Sha256);
        let strong = Fingerprint::of(b"another", HashFunction::Sha512).to_string();
        assert!(!Fingerprints::parse([weak.as_str(), strong.as_str()]).unwrap().admit(CERTIFICATE));
    }

    #[test]
    fn sha_1_and_md5_alone_are_refused_and_beside_a_better_one_passed_over() {
        let sha1 = "sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB";
        let md5 = "md5 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B";
        for weak in [sha1, md5] {
            assert_eq!(Fingerprints::parse([weak]), Err(FingerprintError::Function));
        }
        assert!(
            Fingerprints::parse([sha1, line(HashFunction::Sha256).as_str(), md5]).unwrap().admit(CERTIFICATE)
        );
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        let line = line(HashFunction::Sha256);
        for broken in [
            &line[..line.len() - 1],
            &line[..line.len() - 3],
            &format!("{line}:00"),
            &line.replace(':', ""),
            &line.replacen(':', "::", 1),
            "sha-256",
            "sha-256 ",
            &line.replacen("sha-256 ", "sha-256 +", 1),
        ] {
            assert_eq!(broken.parse::<Fingerprint>(), Err(FingerprintError::Digest), "{broken}");
        }
        assert_eq!(Fingerprints::parse([]), Err(FingerprintError::Digest));
    }

    #[test]
    fn no_more_than_eight_are_kept() {
        let other = Fingerprint::of(b"another", HashFunction::Sha256).to_string();
        let mine = line(HashFunction::Sha256);
        let lines = std::iter::repeat_n(other.as_str(), 8).chain([mine.as_str()]);
        assert!(!Fingerprints::parse(lines).unwrap().admit(CERTIFICATE));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(certificate in proptest::collection::vec(any::<u8>(), 0..64), function in 0..3_usize) {
            let fingerprint = Fingerprint::of(&certificate, HashFunction::ALL[function]);
            prop_assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
        }

        #[test]
        fn no_line_panics(line in "\\PC*") {
            let _ = line.parse::<Fingerprint>();
        }
    }
}
