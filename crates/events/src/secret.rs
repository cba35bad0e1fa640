//! Text that must never be shown.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The largest file that is taken for a secret, in bytes.
const LARGEST: u64 = 64 * 1024;

/// A key, a salt or a token from the configuration: `"text"`, or `{ file = "PATH" }` for a secret in a file of its own
/// (a systemd credential, a mounted secret). It is neither printed nor written back.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Kept);

#[derive(Clone, PartialEq, Eq)]
enum Kept {
    Here(String),
    File(PathBuf),
}

/// A secret that can't be obtained.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The secret's file can't be read.
    #[error("can't read the secret in {}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: io::Error,
    },
    /// The secret is too short.
    #[error("a secret holds at least {least} bytes")]
    TooShort {
        /// The least number of bytes.
        least: usize,
    },
}

impl SecretError {
    /// The remedy for the operator.
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
    /// A secret given as text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Kept::Here(text.into()))
    }

    /// A secret in a file; white space at its end doesn't count.
    #[must_use]
    pub fn in_file(path: impl AsRef<Path>) -> Self {
        Self(Kept::File(path.as_ref().to_owned()))
    }

    /// The secret's file, if it has one.
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
    /// When its file can't be read, or the secret is shorter.
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

/// Reads a file that holds a secret. It must be regular, and no larger than any secret, so that a device or a pipe
/// named by mistake neither fills the memory nor blocks.
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
    /// The secret's bytes, to show them to a peer.
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
