//! Text that must never be shown.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The largest file that is taken for a secret, in bytes.
const LARGEST: u64 = 64 * 1024;

/// A key, a salt or a token from the configuration: `"text"`, `{ file = "PATH" }` for a secret in a file of its own (a
/// systemd credential, a mounted secret), or `{ env = "NAME" }` for one in a variable of the environment. It is neither
/// printed nor written back.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Kept);

#[derive(Clone, PartialEq, Eq)]
enum Kept {
    Here(String),
    File(PathBuf),
    Variable(String),
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
    /// There is no such variable.
    #[error("there is no variable {name} in the environment")]
    NoVariable {
        /// The variable.
        name: String,
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
            Self::NoVariable { .. } => "set it where Sidetone is started, or write { file = \"PATH\" }",
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
            Kept::Here(_) | Kept::Variable(_) => None,
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
            Kept::Variable(name) => {
                std::env::var(name).map_err(|_| SecretError::NoVariable { name: name.clone() })?
            }
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
                f.write_str("a secret as text, { file = \"PATH\" } or { env = \"NAME\" }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::new(text))
            }

            fn visit_map<M: de::MapAccess<'de>>(self, map: M) -> Result<Secret, M::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Elsewhere {
                    file: Option<PathBuf>,
                    env: Option<String>,
                }
                match Elsewhere::deserialize(de::value::MapAccessDeserializer::new(map))? {
                    Elsewhere { file: Some(file), env: None } => Ok(Secret::in_file(file)),
                    Elsewhere { file: None, env: Some(name) } => Ok(Secret(Kept::Variable(name))),
                    _ => Err(de::Error::custom("one of `file` and `env` names the secret's place")),
                }
            }
        }
        from.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_may_stand_in_a_variable() {
        // The one variable that every test has.
        let secret: Secret = serde_json::from_str(r#"{ "env": "CARGO_PKG_NAME" }"#).unwrap();
        assert_eq!(secret.reveal(1).unwrap().bytes(), b"sidetone-events");
        let none: Secret = serde_json::from_str(r#"{ "env": "SIDETONE_NO_SUCH_VARIABLE" }"#).unwrap();
        let error = none.reveal(1).unwrap_err();
        assert!(
            matches!(error, SecretError::NoVariable { .. }) && error.remedy().contains("set it"),
            "{error}"
        );
        for wrong in ["{}", r#"{ "env": "A", "file": "b" }"#, r#"{ "other": "A" }"#] {
            assert!(serde_json::from_str::<Secret>(wrong).is_err(), "{wrong}");
        }
    }
}
