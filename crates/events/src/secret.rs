//! Text that must never be shown.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The largest file that is taken for a secret, in bytes.
const LARGEST: u64 = 64 * 1024;

/// A key, a salt or a token from the configuration: `"text"`, or `{ file = "PATH" }` for one that lives in a file of
/// its own (a systemd credential, a mounted secret). It is neither printed nor written back.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Kept);

#[derive(Clone, PartialEq, Eq)]
enum Kept {
    Here(String),
    File(PathBuf),
}

/// A secret that can't be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Its file can't be read.
    #[error("can't read the secret in {}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        why: io::Error,
    },
    /// It is too short to be one.
    #[error("a secret holds at least {least} bytes")]
    TooShort {
        /// How many it must hold.
        least: usize,
    },
}

impl SecretError {
    /// What the operator can do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => "write that many, or { file = \"PATH\" } of a file that holds them",
            Self::Unreadable { why, .. } => match why.kind() {
                io::ErrorKind::NotFound => "make that file, or mend its path",
                io::ErrorKind::PermissionDenied => "let Sidetone's user read that file",
                _ => "name another file",
            },
        }
    }
}

impl Secret {
    /// A secret that is at hand.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Kept::Here(text.into()))
    }

    /// A secret in a file; white space at its end doesn't count.
    #[must_use]
    pub fn in_file(path: impl AsRef<Path>) -> Self {
        Self(Kept::File(path.as_ref().to_owned()))
    }

    /// The file that it lives in, if it lives in one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Kept::Here(_) => None,
            Kept::File(path) => Some(path),
        }
    }

    /// The secret itself, if it has at least `least` bytes.
    ///
    /// # Errors
    /// When its file can't be read, or it is shorter.
    pub fn reveal(&self, least: usize) -> Result<Revealed, SecretError> {
        let text = match &self.0 {
            Kept::Here(text) => text.clone(),
            Kept::File(path) => match read(path) {
                Ok(text) => text.trim_end().to_owned(),
                Err(why) => return Err(SecretError::Unreadable { path: path.clone(), why }),
            },
        };
        if text.len() < least.max(1) {
            return Err(SecretError::TooShort { least: least.max(1) });
        }
        Ok(Revealed(text.into_bytes()))
    }
}

/// Reads a file that holds a secret: regular, and no larger than any secret, so that a device or a pipe named by
/// mistake neither fills the memory nor is waited for.
fn read(path: &Path) -> io::Result<String> {
    let file = std::fs::metadata(path)?;
    if !file.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if file.len() > LARGEST {
        return Err(io::Error::other(format!("it is larger than any secret ({LARGEST} bytes)")));
    }
    std::fs::read_to_string(path)
}

/// A secret in use.
#[derive(Clone, PartialEq, Eq)]
pub struct Revealed(Vec<u8>);

impl Revealed {
    /// The secret, for whoever has to show it to a peer.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl fmt::Debug for Revealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Revealed(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str("(secret)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a secret as text, or { file = \"PATH\" }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::new(text))
            }

            fn visit_map<M: de::MapAccess<'de>>(self, map: M) -> Result<Secret, M::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct InFile {
                    file: PathBuf,
                }
                let InFile { file } = InFile::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Ok(Secret::in_file(file))
            }
        }
        from.deserialize_any(Visitor)
    }
}
