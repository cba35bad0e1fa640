//! The traced signalling as a capture file.

use std::fs::File;
use std::io::{self, BufWriter};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use sidetone_capture::pcap::Writer;

/// A capture to be written: its file is writable and still unchanged.
pub(super) struct Place {
    path: PathBuf,
    file: File,
    /// The file did not exist before.
    made: bool,
}

impl Place {
    /// Opens the file, or makes it for its owner alone: call records are confidential, hashed or not. Its content stays
    /// until there is something to write.
    pub(super) fn find(path: &Path) -> anyhow::Result<Self> {
        let made = !path.exists();
        let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(path);
        let file = file.with_context(|| format!("{} can't be written", path.display()))?;
        Ok(Self { path: path.to_owned(), file, made })
    }

    /// Begins the capture, replacing the file's content.
    pub(super) fn begin(self) -> anyhow::Result<Capture> {
        let Self { path, file, .. } = self;
        let begin = || {
            // A pipe has no length.
            if file.metadata()?.is_file() {
                file.set_len(0)?;
            }
            let mut writer = Writer::new(BufWriter::new(file))?;
            writer.flush()?;
            Ok::<_, io::Error>(Capture(writer))
        };
        begin().with_context(|| format!("{} can't be written", path.display()))
    }

    /// Removes the file if it did not exist before.
    pub(super) fn give_up(self) {
        if self.made {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// A capture that is being written. Every message is a UDP datagram in it, whatever its transport was: all tools can
/// read that without the rest of a TCP connection.
pub(super) struct Capture(Writer<BufWriter<File>>);

impl Capture {
    /// Takes a line of the trace; lines other than messages are skipped.
    pub(super) fn take(&mut self, line: &Value) -> io::Result<()> {
        let address = |key: &str| line.get(key).and_then(Value::as_str)?.parse::<SocketAddr>().ok();
        let at = line.get("unix_us").and_then(Value::as_u64);
        let text = line.get("text").and_then(Value::as_str);
        let (Some(local), Some(remote), Some(at), Some(text)) =
            (address("local"), address("remote"), at, text)
        else {
            return Ok(());
        };
        let (from, to) =
            if line.get("way") == Some(&Value::from("in")) { (remote, local) } else { (local, remote) };
        self.0.udp(Duration::from_micros(at), from, to, text.as_bytes())?;
        // A program that follows the file sees each message at once.
        self.0.flush()
    }
}
