//! The traced signalling as a capture file.

use std::fs::File;
use std::io::{self, BufWriter};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use sidetone_capture::pcap::Writer;

/// A capture that is being written. Every message is a UDP datagram in it, whatever it travelled by: that is what all
/// tools read without the rest of a TCP connection.
pub(super) struct Capture(Writer<BufWriter<File>>);

impl Capture {
    /// Begins a file that only its owner may read: who spoke with whom when is nobody else's business, hashed or not.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::options().write(true).create(true).truncate(true).mode(0o600).open(path);
        let file = file.with_context(|| format!("{} can't be written", path.display()))?;
        let writer = Writer::new(BufWriter::new(file)).and_then(|mut writer| {
            writer.flush()?;
            Ok(writer)
        });
        Ok(Self(writer.with_context(|| format!("{} can't be written", path.display()))?))
    }

    /// Takes a line of the trace; what is no message is passed over.
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
        // Whoever watches it grow sees each message at once.
        self.0.flush()
    }
}
