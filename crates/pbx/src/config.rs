//! `[pbx.ami]`, `[pbx.ari]`, `[pbx.esl]` and `[pbx.sip]` in the configuration file: the links to a PBX.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sidetone_events::{Kind, Revealed, Secret, SecretError};

use crate::counts::LinkKind;

/// The links to one PBX; stands inside its `[[pbx]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Links {
    /// Asterisk's manager interface.
    pub ami: Option<Ami>,
    /// Asterisk's REST interface.
    pub ari: Option<Ari>,
    /// FreeSWITCH's event socket.
    pub esl: Option<Esl>,
    /// SIP itself, for any PBX.
    pub sip: Option<Sip>,
}

/// `[pbx.ami]`: Asterisk's manager interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ami {
    /// `HOST:PORT`, as in `192.0.2.20:5038`. The password crosses this connection in the clear.
    pub address: String,
    /// The user, as in `manager.conf`.
    pub username: String,
    /// The user's secret.
    #[serde(default)]
    pub secret: Option<Secret>,
    /// The same, in a file of its own.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Kinds of events that become a `UserEvent`.
    #[serde(default = "default_events")]
    pub events: Vec<Kind>,
    /// Whether the `SIDETONE_…` variables are set on the call's channel.
    #[serde(default = "yes")]
    pub variables: bool,
    /// Whether cues go to the agent's phone too, as text.
    #[serde(default)]
    pub cues: CuesBy,
    /// Where Asterisk sends them: `{agent}` stands for the agent's label.
    #[serde(default = "default_cues_to")]
    pub cues_to: String,
}

/// How an agent is shown cues beside their page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CuesBy {
    /// Not at all.
    #[default]
    Off,
    /// By a text message to their phone: SIP MESSAGE (RFC 3428).
    Message,
}

/// `[pbx.ari]`: Asterisk's REST interface.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ari {
    /// The URL: `http://192.0.2.20:8088/ari`. With `http` anyone who can read the network sees the password.
    pub url: String,
    /// The user, as in `ari.conf`.
    pub username: String,
    /// The user's password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// The same, in a file of its own.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The application that Sidetone listens as. No other program may use this name: the earlier one would be
    /// disconnected.
    #[serde(default = "default_application")]
    pub application: String,
    /// Applications that events are posted to; Sidetone's own, if empty.
    #[serde(default)]
    pub notify: Vec<String>,
    /// Kinds of events that become a user event.
    #[serde(default = "default_events")]
    pub events: Vec<Kind>,
    /// Whether the `SIDETONE_…` variables are set on the call's channel.
    #[serde(default = "yes")]
    pub variables: bool,
    /// Certificates (PEM) to trust instead of the system's, with `https`.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// `[pbx.esl]`: FreeSWITCH's event socket, inbound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Esl {
    /// `HOST:PORT`, as in `192.0.2.20:8021`. The password crosses this connection in the clear.
    pub address: String,
    /// `user@domain`, to log in with `userauth`; without it `auth` is used, with the password of the socket itself.
    #[serde(default)]
    pub user: Option<String>,
    /// The password.
    #[serde(default)]
    pub password: Option<Secret>,
    /// The same, in a file of its own.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Kinds of events that become an event `CUSTOM sidetone::affect`.
    #[serde(default = "default_events")]
    pub events: Vec<Kind>,
    /// Whether the `SIDETONE_…` variables are set on the call's channel.
    #[serde(default = "yes")]
    pub variables: bool,
    /// Whether cues go to the agent's phone too, as text.
    #[serde(default)]
    pub cues: CuesBy,
    /// Where FreeSWITCH sends them, as its `chat` has it: `internal/{agent}@pbx.example`, where `{agent}` stands for
    /// the agent's label.
    #[serde(default)]
    pub cues_to: String,
}

/// `[pbx.sip]`: INFO and NOTIFY, for any PBX that asks for them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sip {
    /// Kinds of events that are sent. Default: those of the other links, or with EmotionML alerts alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<Kind>>,
    /// The format of the bodies.
    #[serde(default)]
    pub format: Format,
    /// Whether the PBX may subscribe to its calls, and gets NOTIFY.
    #[serde(default = "yes")]
    pub notify: bool,
    /// Whether the PBX gets INFO in the calls' own dialogs where it lists the package in Recv-Info. From the first such
    /// INFO on, the CSeq of the carrier's requests in that dialog is changed on its way to the PBX.
    #[serde(default)]
    pub info: bool,
}

/// The format of events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Sidetone's own JSON.
    #[default]
    Json,
    /// EmotionML 1.0, which has words for `affect` events only.
    EmotionMl,
}

impl Format {
    /// The content type of the bodies.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::EmotionMl => "application/emotionml+xml",
        }
    }
}

impl Sip {
    /// Kinds of events that are sent.
    #[must_use]
    pub fn kinds(&self) -> Vec<Kind> {
        match (&self.events, self.format) {
            (Some(kinds), _) => kinds.clone(),
            (None, Format::Json) => default_events(),
            (None, Format::EmotionMl) => vec![Kind::AffectAlert],
        }
    }
}

fn default_events() -> Vec<Kind> {
    vec![Kind::AffectAlert, Kind::ConsentChanged, Kind::CallEnded]
}

fn default_cues_to() -> String {
    format!("pjsip:{AGENT}")
}

fn default_application() -> String {
    "sidetone".to_owned()
}

const fn yes() -> bool {
    true
}

/// What stands for the agent's label in a destination.
pub(crate) const AGENT: &str = "{agent}";
/// The longest destination, in bytes.
const LONGEST_TO: usize = 200;

/// Where an agent's messages go; `None` if there are none.
pub(crate) fn messages(cues: CuesBy, to: &str) -> Option<String> {
    (cues == CuesBy::Message).then(|| to.to_owned())
}

/// Refuses a destination that is the same for all agents, or that could end a command.
fn destination(cues: CuesBy, to: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "{}:/@.-_;=[]".contains(c);
    if cues == CuesBy::Off {
        Ok(())
    } else if to.matches(AGENT).count() != 1 || to.len() > LONGEST_TO || !to.chars().all(plain) {
        Err(format!(
            "must have {AGENT} in it once, for the agent's label, and be of letters, digits and :/@.-_;=[], as in \
             pjsip:{AGENT} for Asterisk and internal/{AGENT}@pbx.example for FreeSWITCH"
        ))
    } else {
        Ok(())
    }
}

/// An unusable configuration.
#[derive(Debug, thiserror::Error)]
#[error("`{key}` of PBX `{pbx}` {why}")]
pub struct ConfigError {
    /// The PBX.
    pub pbx: String,
    /// The key, as in `ami.address`.
    pub key: &'static str,
    /// The problem.
    pub why: String,
}

impl Links {
    /// Refuses unusable values, without connecting to anything. Files of secrets are read.
    ///
    /// # Errors
    /// The first unusable value, with its key.
    pub fn validate(&self, pbx: &str) -> Result<(), ConfigError> {
        let wrong =
            |key, why: &dyn std::fmt::Display| ConfigError { pbx: pbx.to_owned(), key, why: why.to_string() };
        if let Some(ami) = &self.ami {
            address(&ami.address).map_err(|why| wrong("ami.address", &why))?;
            line(&ami.username).map_err(|why| wrong("ami.username", &why))?;
            secret(ami.secret.as_ref(), ami.secret_file.as_ref()).map_err(|why| wrong("ami.secret", &why))?;
            destination(ami.cues, &ami.cues_to).map_err(|why| wrong("ami.cues_to", &why))?;
        }
        if let Some(ari) = &self.ari {
            crate::ari::endpoint(&ari.url).map_err(|why| wrong("ari.url", &why))?;
            line(&ari.username).map_err(|why| wrong("ari.username", &why))?;
            if ari.username.contains(':') {
                return Err(wrong(
                    "ari.username",
                    &"must not hold a colon, which ends it when a login is sent; rename the user in ari.conf",
                ));
            }
            secret(ari.password.as_ref(), ari.password_file.as_ref())
                .map_err(|why| wrong("ari.password", &why))?;
            for name in ari.notify.iter().chain([&ari.application]) {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                if name.is_empty() || !name.chars().all(plain) {
                    let why =
                        format!("`{name}` is no name of an application: letters, digits, `-`, `_` and `.`");
                    return Err(wrong("ari.application", &why));
                }
            }
        }
        if let Some(esl) = &self.esl {
            address(&esl.address).map_err(|why| wrong("esl.address", &why))?;
            secret(esl.password.as_ref(), esl.password_file.as_ref())
                .map_err(|why| wrong("esl.password", &why))?;
            destination(esl.cues, &esl.cues_to).map_err(|why| wrong("esl.cues_to", &why))?;
            if let Some(user) = &esl.user {
                line(user).map_err(|why| wrong("esl.user", &why))?;
                if !user.contains('@') || user.contains(':') {
                    return Err(wrong("esl.user", &"must be `user@domain`"));
                }
            }
        }
        if let Some(sip) = &self.sip {
            if !sip.notify && !sip.info {
                let why = "is false, and so is info: nothing would ever be told; set one of them, or leave [pbx.sip] out";
                return Err(wrong("sip.notify", &why));
            }
            let beyond = |kind: &&Kind| !matches!(kind, Kind::AffectUpdate | Kind::AffectAlert);
            if sip.format == Format::EmotionMl
                && let Some(kind) = sip.kinds().iter().find(beyond)
            {
                let why = format!(
                    "names {kind}, for which EmotionML has no words; leave it out, or write format = \"json\""
                );
                return Err(wrong("sip.events", &why));
            }
        }
        Ok(())
    }

    /// Whether there is no link.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds().next().is_none()
    }

    /// Which there are.
    pub fn kinds(&self) -> impl Iterator<Item = LinkKind> {
        let Self { ami, ari, esl, sip } = self;
        let each = [
            (ami.is_some(), LinkKind::Ami),
            (ari.is_some(), LinkKind::Ari),
            (esl.is_some(), LinkKind::Esl),
            (sip.is_some(), LinkKind::Sip),
        ];
        each.into_iter().filter_map(|(there, kind)| there.then_some(kind))
    }
}

/// A text that is not `HOST:PORT`.
#[derive(Debug, thiserror::Error)]
enum AddressError {
    #[error("begins with {0}://, and is no URL; {EXAMPLE}")]
    Url(String),
    #[error("holds more than a host and a port; {EXAMPLE}")]
    More,
    #[error("names no port; {EXAMPLE}")]
    NoPort,
    #[error("must be HOST:PORT, and an IPv6 address stands in brackets: [2001:db8::20]:5038")]
    Brackets,
    #[error("names no host; {EXAMPLE}")]
    NoHost,
    #[error("names no port from 1 to 65535; {EXAMPLE}")]
    Port,
}

const EXAMPLE: &str = "write HOST:PORT, as in 192.0.2.20:5038";

/// `HOST:PORT` with a port, and nothing else.
fn address(text: &str) -> Result<(), AddressError> {
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(AddressError::Url(scheme.to_owned()));
    }
    if text.contains(['/', '@', '?', '#']) || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(AddressError::More);
    }
    let (host, port) = text.rsplit_once(':').ok_or(AddressError::NoPort)?;
    let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if host.contains([':', '[', ']']) && bracketed.is_none_or(|ip| ip.parse::<std::net::Ipv6Addr>().is_err())
    {
        return Err(AddressError::Brackets);
    }
    if host.is_empty() {
        return Err(AddressError::NoHost);
    }
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || port.parse::<u16>().map_or(true, |port| port == 0) {
        return Err(AddressError::Port);
    }
    Ok(())
}

/// A text that can't be sent on a line of its own.
#[derive(Debug, thiserror::Error)]
#[error("is empty or holds control characters; write it as the PBX knows it")]
pub(crate) struct NotALine;

/// Refuses an empty text, and characters that would end a line.
fn line(text: &str) -> Result<(), NotALine> {
    let fits = !text.is_empty() && !text.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(NotALine) }
}

/// Why a link's secret can't be obtained.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkSecretError {
    #[error("is missing; write it, or name a file that holds it in the key of that name with _file")]
    Missing,
    #[error("is given twice, here and as a file; leave one of them out")]
    Twice,
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("must be UTF-8")]
    NotText,
    #[error(transparent)]
    NotALine(#[from] NotALine),
}

/// The configured secret, revealed.
pub(crate) fn secret(here: Option<&Secret>, file: Option<&PathBuf>) -> Result<Revealed, LinkSecretError> {
    let secret = match (here, file) {
        (Some(secret), None) => secret.clone(),
        (None, Some(path)) => Secret::in_file(path),
        (None, None) => return Err(LinkSecretError::Missing),
        (Some(_), Some(_)) => return Err(LinkSecretError::Twice),
    };
    let revealed = secret.reveal(1)?;
    line(std::str::from_utf8(revealed.bytes()).map_err(|_| LinkSecretError::NotText)?)?;
    Ok(revealed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Links {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn little_has_to_be_said() {
        let links = read(
            "[ami]\naddress = \"127.0.0.1:5038\"\nusername = \"sidetone\"\nsecret = \"hush\"\n\
             [ari]\nurl = \"http://127.0.0.1:8088/ari\"\nusername = \"sidetone\"\npassword = \"hush\"\n\
             [esl]\naddress = \"[::1]:8021\"\npassword = \"hush\"\n",
        );
        links.validate("pbx").unwrap();
        let ami = links.ami.unwrap();
        assert!(ami.variables && ami.cues == CuesBy::Off);
        assert_eq!(ami.events, [Kind::AffectAlert, Kind::ConsentChanged, Kind::CallEnded]);
        assert_eq!(links.ari.unwrap().application, "sidetone");
    }

    #[test]
    fn what_cant_be_meant_is_refused() {
        for (wrong, key) in [
            ("[ami]\naddress = \"127.0.0.1\"\nusername = \"a\"\nsecret = \"b\"", "ami.address"),
            ("[ami]\naddress = \"127.0.0.1:0\"\nusername = \"a\"\nsecret = \"b\"", "ami.address"),
            ("[ami]\naddress = \"tcp://127.0.0.1:5038\"\nusername = \"a\"\nsecret = \"b\"", "ami.address"),
            ("[ami]\naddress = \"127.0.0.1:5038/\"\nusername = \"a\"\nsecret = \"b\"", "ami.address"),
            ("[ami]\naddress = \"a@127.0.0.1:5038\"\nusername = \"a\"\nsecret = \"b\"", "ami.address"),
            ("[ami]\naddress = \"127.0.0.1: 5038\"\nusername = \"a\"\nsecret = \"b\"", "ami.address"),
            ("[ami]\naddress = \"127.0.0.1:+5038\"\nusername = \"a\"\nsecret = \"b\"", "ami.address"),
            ("[ami]\naddress = \"127.0.0.1:70000\"\nusername = \"a\"\nsecret = \"b\"", "ami.address"),
            ("[ami]\naddress = \":5038\"\nusername = \"a\"\nsecret = \"b\"", "ami.address"),
            ("[esl]\naddress = \"2001:db8::1:8021\"\npassword = \"b\"", "esl.address"),
            ("[esl]\naddress = \"[::1:8021\"\npassword = \"b\"", "esl.address"),
            ("[ari]\nurl = \"http://h:99999/ari\"\nusername = \"a\"\npassword = \"b\"", "ari.url"),
            ("[ari]\nurl = \"http://h:0/ari\"\nusername = \"a\"\npassword = \"b\"", "ari.url"),
            ("[ari]\nurl = \"127.0.0.1:8088\"\nusername = \"a\"\npassword = \"b\"", "ari.url"),
            ("[ari]\nurl = \"tcp://127.0.0.1:8088/ari\"\nusername = \"a\"\npassword = \"b\"", "ari.url"),
            ("[ami]\naddress = \"h:1\"\nusername = \"a\\r\\nAction: x\"\nsecret = \"b\"", "ami.username"),
            ("[ami]\naddress = \"h:1\"\nusername = \"a\"\nsecret = \"b\\n\"", "ami.secret"),
            ("[ami]\naddress = \"h:1\"\nusername = \"a\"", "ami.secret"),
            ("[ami]\naddress = \"h:1\"\nusername = \"a\"\nsecret_file = \"/nowhere/at/all\"", "ami.secret"),
            ("[ari]\nurl = \"ftp://h/\"\nusername = \"a\"\npassword = \"b\"", "ari.url"),
            ("[ari]\nurl = \"http://a:b@h/\"\nusername = \"a\"\npassword = \"b\"", "ari.url"),
            ("[ari]\nurl = \"http://h/ari\"\nusername = \"a:b\"\npassword = \"b\"", "ari.username"),
            (
                "[ari]\nurl = \"http://h/ari\"\nusername = \"a\"\npassword = \"b\"\nnotify = [\"a&b\"]",
                "ari.application",
            ),
            ("[esl]\naddress = \"h:1\"\npassword = \"b\"\nuser = \"nobody\"", "esl.user"),
            (
                "[ami]\naddress = \"h:1\"\nusername = \"a\"\nsecret = \"b\"\ncues = \"message\"\ncues_to = \"pjsip:all\"",
                "ami.cues_to",
            ),
            ("[esl]\naddress = \"h:1\"\npassword = \"b\"\ncues = \"message\"", "esl.cues_to"),
            (
                "[esl]\naddress = \"h:1\"\npassword = \"b\"\ncues = \"message\"\ncues_to = \"internal/{agent}@h|x\"",
                "esl.cues_to",
            ),
            ("[sip]\nnotify = false", "sip.notify"),
            ("[sip]\nformat = \"emotionml\"\nevents = [\"affect.alert\", \"call.ended\"]", "sip.events"),
        ] {
            let error = read(wrong).validate("office").unwrap_err();
            assert_eq!((error.key, error.pbx.as_str()), (key, "office"), "{wrong}");
        }
    }

    #[test]
    fn sip_needs_nothing_but_its_table() {
        let json = read("[sip]\n").sip.unwrap();
        assert!(json.notify && !json.info);
        assert_eq!(read("[sip]\n").kinds().collect::<Vec<_>>(), [LinkKind::Sip]);
        assert!(Links::default().is_empty() && !read("[sip]\n").is_empty());
        assert_eq!(json.kinds(), default_events());
        let links = read("[sip]\nformat = \"emotionml\"\ninfo = true\n");
        links.validate("pbx").unwrap();
        assert_eq!(links.sip.unwrap().kinds(), [Kind::AffectAlert]);
    }

    #[test]
    fn a_password_is_never_shown() {
        let links = read("[esl]\naddress = \"h:1\"\npassword = \"ClueCon\"\n");
        assert!(!format!("{links:?}").contains("ClueCon"));
        assert!(!toml::to_string(&links).unwrap().contains("ClueCon"));
    }
}
