//! `[events]` in the configuration file.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sidetone_insight::Period;

use crate::event::Kind;
use crate::secret::Secret;

/// `[events]`: the destinations of events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventsConfig {
    /// Whether events are written to standard output, a JSON object a line. The log goes to standard error.
    pub stdout: bool,
    /// Salt of the hashes that stand for telephone numbers, at least 16 bytes. Without one, a random salt is made at
    /// each start, and a number's hash changes with it.
    pub number_salt: Option<Secret>,
    /// A file of JSON lines.
    pub file: Option<FileConfig>,
    /// HTTP endpoints that events are posted to.
    #[serde(rename = "webhook")]
    pub webhooks: Vec<WebhookConfig>,
    /// The live stream at `/events`.
    pub stream: StreamConfig,
    /// Capacity of each destination's queue; beyond it the oldest event is dropped and counted.
    pub queue: usize,
}

impl Default for EventsConfig {
    fn default() -> Self {
        Self {
            stdout: false,
            number_salt: None,
            file: None,
            webhooks: Vec::new(),
            stream: StreamConfig::default(),
            queue: 4_096,
        }
    }
}

/// `[events.file]`: JSON lines in a file that is rotated by size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileConfig {
    /// The current file; `PATH.1` is the one before, and so on. Its folder must exist.
    pub path: PathBuf,
    /// Size at which the file is rotated, in bytes.
    #[serde(default = "FileConfig::default_max_bytes")]
    pub max_bytes: u64,
    /// Rotated files kept beside the current one.
    #[serde(default = "FileConfig::default_keep")]
    pub keep: u32,
    /// Days that an event is kept, however small the files are; 0 sets no limit.
    #[serde(default = "FileConfig::default_keep_days")]
    pub keep_days: u32,
    /// Kinds of events written; all, if empty.
    #[serde(default)]
    pub kinds: Vec<Kind>,
}

impl FileConfig {
    const fn default_max_bytes() -> u64 {
        64 * 1024 * 1024
    }

    const fn default_keep() -> u32 {
        7
    }

    const fn default_keep_days() -> u32 {
        30
    }
}

/// `[[events.webhook]]`: an HTTP endpoint that events are posted to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// The URL: `https://HOST[:PORT]/PATH`. `http` only to the machine itself, or with `allow_plain_http`.
    pub url: String,
    /// Key of the signature, at least 16 bytes.
    pub secret: Secret,
    /// A second key to sign with while receivers change over from one to the other.
    #[serde(default)]
    pub old_secret: Option<Secret>,
    /// Kinds of events posted; all, if empty.
    #[serde(default)]
    pub kinds: Vec<Kind>,
    /// Most events in one request. Waiting events go together; no event waits to be joined by more.
    #[serde(default = "WebhookConfig::default_batch")]
    pub batch: usize,
    /// Longest duration of a request, connecting included.
    #[serde(default = "WebhookConfig::default_timeout")]
    pub timeout: Period,
    /// Wait before the first retry; each later wait is twice as long, give or take a random part.
    #[serde(default = "WebhookConfig::default_retry_after")]
    pub retry_after: Period,
    /// Longest wait between two tries, whatever Retry-After says.
    #[serde(default = "WebhookConfig::default_retry_at_most")]
    pub retry_at_most: Period,
    /// Time after the first try at which a request is given up and counted as failed.
    #[serde(default = "WebhookConfig::default_give_up_after")]
    pub give_up_after: Period,
    /// Certificates (PEM) to trust instead of the system's.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Whether `http` is allowed to other machines: events then cross the network in the clear.
    #[serde(default)]
    pub allow_plain_http: bool,
}

impl WebhookConfig {
    const fn default_batch() -> usize {
        32
    }

    const fn default_timeout() -> Period {
        Period::from_secs(10)
    }

    const fn default_retry_after() -> Period {
        Period::from_secs(1)
    }

    const fn default_retry_at_most() -> Period {
        Period::from_secs(60)
    }

    const fn default_give_up_after() -> Period {
        Period::from_secs(900)
    }
}

/// `[events.stream]`: the live stream at `/events` (server-sent events).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StreamConfig {
    /// Token that clients must show as `Authorization: Bearer TOKEN`, at least 16 bytes. Without one, any client that
    /// reaches the port may listen.
    pub token: Option<Secret>,
    /// Events held for clients that reconnect, and the most that a slow one may lag behind.
    pub replay: usize,
    /// Most clients at once; beyond it 503.
    pub clients: usize,
    /// Time between two comments that keep idle connections open.
    pub heartbeat: Period,
}

impl Default for StreamConfig {
    fn default() -> Self {
        Self { token: None, replay: 1_024, clients: 64, heartbeat: Period::from_secs(15) }
    }
}
