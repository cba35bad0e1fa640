//! `[store]` in the configuration file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::connection::Connection;

/// `[store]`: what happened in calls, kept to be asked about.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// The SQLite file. While it is open, `PATH-wal` and `PATH-shm` stand beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// A PostgreSQL instead: a connection string without a password, as in
    /// `host=127.0.0.1 user=sidetone dbname=sidetone`, or a URL. `sslmode` and `sslrootcert` are libpq's; without them
    /// a server of another machine has to show a certificate of its name that the system trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres: Option<String>,
    /// A file that holds that user's password; without one none is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postgres_password_file: Option<PathBuf>,
    /// Days after which a call is deleted, with everything about it; 0 keeps it for good.
    #[serde(default = "StoreConfig::default_keep_calls_days")]
    pub keep_calls_days: u32,
    /// Days after which a call's timeline is deleted: how the customer seemed to feel from moment to moment, and the
    /// events. The call's row with its summary stays. 0 keeps it as long as the call, which it goes with in any case.
    #[serde(default = "StoreConfig::default_keep_timelines_days")]
    pub keep_timelines_days: u32,
    /// Days after which a call's words are deleted, where any are kept (`language.keep`): its utterances, and the
    /// phrases by which topics and alerts were known. Which topics there were stays with the call. 0 keeps them as long
    /// as the timeline, which they go with in any case.
    #[serde(default = "StoreConfig::default_keep_words_days")]
    pub keep_words_days: u32,
}

impl StoreConfig {
    /// Thirteen months: a month can be compared with the same one a year before.
    const fn default_keep_calls_days() -> u32 {
        396
    }

    const fn default_keep_timelines_days() -> u32 {
        90
    }

    const fn default_keep_words_days() -> u32 {
        30
    }

    /// A store in an SQLite file, kept for the usual time.
    #[must_use]
    pub fn in_file(path: PathBuf) -> Self {
        Self {
            path: Some(path),
            postgres: None,
            postgres_password_file: None,
            keep_calls_days: Self::default_keep_calls_days(),
            keep_timelines_days: Self::default_keep_timelines_days(),
            keep_words_days: Self::default_keep_words_days(),
        }
    }

    /// An unusable value, as the key within `[store]` and the remedy.
    #[must_use]
    pub fn fault(&self) -> Option<(&'static str, String)> {
        match (&self.path, &self.postgres) {
            (None, None) => {
                return Some((
                    "path",
                    "is missing; name a file, as in /var/lib/sidetone/store.db, or a postgres".to_owned(),
                ));
            }
            (Some(_), Some(_)) => {
                return Some(("postgres", "stands beside path; leave one of them out".to_owned()));
            }
            (Some(path), None)
                if path.to_string_lossy().trim().is_empty() || path.as_os_str() == ":memory:" =>
            {
                return Some((
                    "path",
                    "names no file; name one, as in /var/lib/sidetone/store.db".to_owned(),
                ));
            }
            (None, Some(text)) => {
                if let Err(fault) = Connection::parse(text) {
                    return Some(("postgres", fault.to_string()));
                }
            }
            (Some(_), None) => {}
        }
        if self.postgres_password_file.is_some() && self.postgres.is_none() {
            let why = "stands without postgres, which it is the password of".to_owned();
            return Some(("postgres_password_file", why));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Option<&'static str> {
        toml::from_str::<StoreConfig>(text).unwrap().fault().map(|(key, _)| key)
    }

    #[test]
    fn one_line_is_enough() {
        assert_eq!(fault("path = \"/var/lib/sidetone/store.db\""), None);
        assert_eq!(fault("postgres = \"host=127.0.0.1 user=sidetone dbname=sidetone\""), None);
        assert_eq!(fault("postgres = \"postgresql://sidetone@127.0.0.1/sidetone\""), None);
    }

    #[test]
    fn what_cant_be_meant_is_refused() {
        for (text, key) in [
            ("", "path"),
            ("path = \"\"", "path"),
            ("path = \"a\"\npostgres = \"host=b\"", "postgres"),
            ("postgres = \"host\"", "postgres"),
            ("postgres = \"user=a\"", "postgres"),
            ("postgres = \"postgresql://a:b@c/d\"", "postgres"),
            ("postgres = \"host=a user=b password=c\"", "postgres"),
            ("path = \"a\"\npostgres_password_file = \"b\"", "postgres_password_file"),
            ("path = \"  \"", "path"),
            ("postgres = \"host=a port=99999\"", "postgres"),
        ] {
            assert_eq!(fault(text), Some(key), "{text}");
        }
    }
}
