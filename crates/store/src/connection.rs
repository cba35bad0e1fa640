//! Connection strings, as libpq has them. `sslmode` and `sslrootcert` are read here: the client's own parser knows
//! neither `verify-full` nor a file of certificates.

use std::net::IpAddr;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use tokio_postgres::config::{ChannelBinding, Host, SslMode};
use tokio_postgres::{Config, Error};

/// Where a PostgreSQL is, and how the way to it is protected.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) config: Config,
    pub(crate) protection: Protection,
    /// The certificates that the server's must lead to; without a file, those that the system trusts.
    pub(crate) roots: Option<PathBuf>,
}

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protection {
    /// In the clear.
    Disable,
    /// Encrypted if the server can, whoever it is.
    Prefer,
    /// Encrypted, whoever the server is.
    Require,
    /// Encrypted, and the server's certificate leads to one that is trusted.
    VerifyCa,
    /// The same, and the certificate names the host.
    VerifyFull,
}

/// A connection string that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ConnectionFault(String);

impl ConnectionFault {
    fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }
}

impl Protection {
    fn parse(text: &str) -> Result<Self, ConnectionFault> {
        Ok(match text {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => {
                let why = "has an sslmode that there is not; write verify-full, verify-ca, require, prefer or disable";
                return Err(ConnectionFault::new(why));
            }
        })
    }

    pub(crate) fn mode(self) -> SslMode {
        match self {
            Self::Disable => SslMode::Disable,
            Self::Prefer => SslMode::Prefer,
            Self::Require | Self::VerifyCa | Self::VerifyFull => SslMode::Require,
        }
    }
}

impl Connection {
    /// Reads a connection string without a password. Without `sslmode` a server of another machine has to show a
    /// certificate of its name; one of this machine is asked for TLS, and a socket is not.
    pub(crate) fn parse(text: &str) -> Result<Self, ConnectionFault> {
        let (rest, taken) = take_out(text);
        let config: Config = rest.parse().map_err(|error| unreadable(&rest, &error))?;
        if config.get_password().is_some() {
            let why =
                "holds a password; write it into a file of its own, and name that in postgres_password_file";
            return Err(ConnectionFault::new(why));
        }
        if config.get_hosts().is_empty() {
            let why =
                "names no host; write host=127.0.0.1, or the folder of its socket, host=/var/run/postgresql";
            return Err(ConnectionFault::new(why));
        }
        let (mode, root) = (taken.mode.as_deref(), taken.root.as_deref());
        let sockets = config.get_hosts().iter().filter(|host| matches!(host, Host::Unix(_))).count();
        let are_sockets = sockets == config.get_hosts().len();
        let protection = match mode {
            Some(mode) => Protection::parse(mode)?,
            None if root.is_some() || !is_this_machine(&config) => Protection::VerifyFull,
            None => Protection::Prefer,
        };
        if root.is_some() && matches!(protection, Protection::Disable | Protection::Prefer) {
            let why = "has an sslrootcert that its sslmode makes nothing of; write sslmode=verify-full";
            return Err(ConnectionFault::new(why));
        }
        // libpq too checks against certificates that are named.
        let protection = match protection {
            Protection::Require if root.is_some() => Protection::VerifyCa,
            // Nobody listens on a socket of this machine, and no server speaks TLS there.
            _ if are_sockets => Protection::Disable,
            asked => asked,
        };
        if sockets > 0 && protection.mode() == SslMode::Require {
            let why =
                "has a socket beside a host that must speak TLS, which no socket does; name one kind of them";
            return Err(ConnectionFault::new(why));
        }
        if config.get_channel_binding() == ChannelBinding::Require {
            let why = "asks for channel binding, which Sidetone does not speak; leave it out, and write sslmode=verify-full";
            return Err(ConnectionFault::new(why));
        }
        let roots = root.filter(|root| *root != "system").map(PathBuf::from);
        Ok(Self { config, protection, roots })
    }

    /// The same, with the password of its user.
    pub(crate) fn with_password(mut self, password: &[u8]) -> Self {
        self.config.password(password);
        self
    }
}

/// Whether every host is this machine: a socket, `localhost`, or a loopback address.
fn is_this_machine(config: &Config) -> bool {
    let addresses = config.get_hostaddrs();
    if !addresses.is_empty() {
        return addresses.iter().all(IpAddr::is_loopback);
    }
    config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
        }
    })
}

/// The client's own words, unless a part of a password may stand in them.
fn unreadable(text: &str, error: &Error) -> ConnectionFault {
    let may_tell = !text.contains("password") && !text.contains('@');
    let cause = std::error::Error::source(error).filter(|_| may_tell);
    let cause = cause.map_or_else(String::new, |cause| format!(" ({cause})"));
    ConnectionFault(format!(
        "is no connection string{cause}; write host=127.0.0.1 user=sidetone dbname=sidetone, or postgres://sidetone@127.0.0.1/sidetone"
    ))
}

/// What is read here.
#[derive(Default)]
struct Taken {
    mode: Option<String>,
    root: Option<String>,
}

impl Taken {
    /// Whether the parameter is one that is read here; the last one counts, as with libpq.
    fn take(&mut self, key: &str, value: &str) -> bool {
        let place = match key {
            "sslmode" => &mut self.mode,
            "sslrootcert" => &mut self.root,
            _ => return false,
        };
        *place = Some(value.to_owned());
        true
    }
}

/// A connection string without what is read here.
fn take_out(text: &str) -> (String, Taken) {
    let is_url = text.starts_with("postgres://") || text.starts_with("postgresql://");
    if is_url { out_of_url(text) } else { out_of_pairs(text) }
}

fn out_of_url(text: &str) -> (String, Taken) {
    let mut taken = Taken::default();
    let Some((place, query)) = text.split_once('?') else { return (text.to_owned(), taken) };
    let left = query.split('&').filter(|parameter| {
        let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        !taken.take(key, &percent_decode_str(value).decode_utf8_lossy())
    });
    let left = left.collect::<Vec<_>>().join("&");
    let rest = if left.is_empty() { place.to_owned() } else { format!("{place}?{left}") };
    (rest, taken)
}

fn out_of_pairs(text: &str) -> (String, Taken) {
    let (mut rest, mut taken, mut left) = (String::new(), Taken::default(), text);
    while let Some((key, value, behind)) = first_pair(left) {
        if !taken.take(key, &value) {
            rest.push_str(left.strip_suffix(behind).unwrap_or(left));
        }
        left = behind;
    }
    (rest + left, taken)
}

/// The first `key = value`, and what stands behind it. A value stands in quotes or ends at white space; a backslash
/// takes the next character as it is.
fn first_pair(text: &str) -> Option<(&str, String, &str)> {
    let (key, value) = text.split_once('=')?;
    let value = value.trim_start();
    let quoted = value.strip_prefix('\'');
    let mut characters = quoted.unwrap_or(value).chars();
    let mut read = String::new();
    while let Some(character) = characters.next() {
        match character {
            '\'' if quoted.is_some() => break,
            space if quoted.is_none() && space.is_whitespace() => break,
            '\\' => read.extend(characters.next()),
            plain => read.push(plain),
        }
    }
    Some((key.trim(), read, characters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn protection(text: &str) -> Protection {
        Connection::parse(text).unwrap().protection
    }

    #[test]
    fn a_server_of_another_machine_shows_its_certificate_unless_the_operator_says_otherwise() {
        for text in [
            "host=db.example.org user=a",
            "postgres://a@db.example.org/a",
            "postgres://a@192.0.2.1/a?connect_timeout=3",
            "host=localhost,db.example.org user=a",
            "host=localhost hostaddr=192.0.2.1 user=a",
            "host=localhost user=a sslrootcert=/etc/ca.pem",
        ] {
            assert_eq!(protection(text), Protection::VerifyFull, "{text}");
        }
        for text in ["host=localhost user=a", "host=127.0.0.1 user=a", "postgres://a@[::1]/a"] {
            assert_eq!(protection(text), Protection::Prefer, "{text}");
        }
        for text in ["host=/run/postgresql user=a", "postgres://a@%2Frun%2Fpostgresql/a?sslmode=verify-full"]
        {
            assert_eq!(protection(text), Protection::Disable, "{text}");
        }
        for (mode, protected) in [
            ("disable", Protection::Disable),
            ("prefer", Protection::Prefer),
            ("require", Protection::Require),
            ("verify-ca", Protection::VerifyCa),
            ("verify-full", Protection::VerifyFull),
        ] {
            assert_eq!(protection(&format!("host=db user=a sslmode={mode} dbname=b")), protected);
            assert_eq!(protection(&format!("postgresql://a@db/b?sslmode={mode}")), protected);
        }
        assert_eq!(protection("host=db user=a sslmode=require sslrootcert=/ca"), Protection::VerifyCa);
    }

    #[test]
    fn parameters_are_taken_out_as_libpq_reads_them() {
        let parsed = Connection::parse(
            r"host = db sslrootcert = '/etc/the CA\'s.pem' user='o\'hara' sslmode=require application_name='sslmode=x'",
        );
        let parsed = parsed.unwrap();
        assert_eq!(parsed.roots.unwrap().to_str(), Some("/etc/the CA's.pem"));
        assert_eq!(parsed.config.get_user(), Some("o'hara"));
        assert_eq!(parsed.config.get_application_name(), Some("sslmode=x"));
        let url = "postgres://a@db:5433/b?sslmode=verify-full&keepalives=0&sslrootcert=%2Fetc%2Fa%20b.pem";
        let parsed = Connection::parse(url).unwrap();
        assert_eq!(parsed.roots.unwrap().to_str(), Some("/etc/a b.pem"));
        assert_eq!((parsed.config.get_ports(), parsed.config.get_keepalives()), ([5433].as_slice(), false));
        assert!(Connection::parse("host=db sslrootcert=system").unwrap().roots.is_none());
    }

    #[test]
    fn what_cant_be_meant_is_told_and_no_password_with_it() {
        for (text, told) in [
            ("host=db sslmode=allow", "sslmode that there is not"),
            ("host=db sslmode=", "sslmode that there is not"),
            ("host=db sslmode=prefer sslrootcert=/ca", "makes nothing of"),
            ("host=/run,db user=a", "a socket beside a host"),
            ("host=db channel_binding=require", "channel binding"),
            ("host=db sslcert=/a", "unknown option `sslcert`"),
            ("postgres://a:hunter2@db/b", "holds a password"),
            ("postgres://a:hun?ter2=x@db/b", "holds a password"),
            ("postgres://a@db/b?ter2=x", "is no connection string;"),
            ("host=db user=a password=hun ter2=x", "is no connection string;"),
        ] {
            let why = Connection::parse(text).unwrap_err().to_string();
            assert!(why.contains(told) && !why.contains("ter2"), "{text}: {why}");
        }
    }
}
