//! rtpengine in user space, asked by its own control protocol to connect two parties.

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;

use super::bencode::{Value, encode, find};
use sidetone_call::Keying;
use sidetone_sip::sdp::crypto::Crypto;

use super::sip::{audio_port, key, sdp, secured};
use super::{Doors, Relay};
use crate::place;
use crate::program::{Class, Launch, Program, Stage};

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// A running rtpengine.
#[derive(Debug)]
pub(super) struct Rtpengine {
    program: Program,
    control: UdpSocket,
    cookie: u32,
    calls: Vec<String>,
    /// The key of what the callers send, if they speak SRTP.
    key: Option<Crypto>,
}

impl Rtpengine {
    pub(super) fn start(key: Option<Crypto>, stage: &Stage, dir: &Path) -> anyhow::Result<Self> {
        let listen = place::free(place::SUBJECT)?;
        let class = stage.class(Class::First);
        let launch =
            Launch { name: "rtpengine", program: Path::new("rtpengine"), cpu: stage.subject, class, dir };
        let program = launch.start(&[
            "--config-file=none".to_owned(),
            "--table=-1".to_owned(),
            format!("--interface={}", place::SUBJECT),
            format!("--listen-ng={listen}"),
            "--port-min=30000".to_owned(),
            "--port-max=39999".to_owned(),
            // One CPU is all that it has here.
            "--num-threads=1".to_owned(),
            "--log-level=4".to_owned(),
            "--log-stderr".to_owned(),
            "--foreground".to_owned(),
        ])?;
        let control = UdpSocket::bind((place::TRUNK, 0))?;
        control.connect(listen)?;
        let mut rtpengine = Self { program, control, cookie: 0, calls: Vec::new(), key };
        rtpengine.control.set_read_timeout(Some(Duration::from_millis(100)))?;
        let (control, program) = (rtpengine.control.try_clone()?, &mut rtpengine.program);
        program.wait_until(|| {
            control.send(format!("0 {}", encode(&[("command", Value::Text("ping"))])).as_bytes()).ok()?;
            control.recv(&mut [0; 256]).ok()
        })?;
        rtpengine.control.set_read_timeout(Some(PATIENCE))?;
        Ok(rtpengine)
    }

    fn ask(&mut self, command: &[(&str, Value<'_>)]) -> anyhow::Result<String> {
        self.cookie += 1;
        let cookie = format!("{} ", self.cookie);
        self.control.send(format!("{cookie}{}", encode(command)).as_bytes())?;
        let mut buffer = vec![0; 65_536];
        loop {
            let length = self.control.recv(&mut buffer).context("rtpengine does not answer")?;
            let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
            // Answers to earlier pings may still come.
            if let Some(answer) = text.strip_prefix(&cookie) {
                anyhow::ensure!(find(answer, "result") != Some("error"), "rtpengine refuses: {answer}");
                return Ok(answer.to_owned());
            }
        }
    }

    /// The port in the SDP that comes back, and the key, if there is one.
    fn negotiate(&mut self, command: &[(&str, Value<'_>)]) -> anyhow::Result<(SocketAddr, Option<Keying>)> {
        let answer = self.ask(command)?;
        let sdp = find(&answer, "sdp");
        let port = sdp.and_then(audio_port);
        let port = port.with_context(|| format!("rtpengine names no port: {answer}"))?;
        Ok(((place::SUBJECT, port).into(), sdp.and_then(key)))
    }
}

impl Relay for Rtpengine {
    fn connect(&mut self, trunk: SocketAddr, pbx: SocketAddr) -> anyhow::Result<Doors> {
        let call = format!("bench-{}", self.cookie);
        let replace = ["origin", "session-connection"];
        let secured = self.key.as_ref().map(|key| secured(trunk, key));
        // Toward each side what it speaks itself.
        let (toward_callee, toward_caller) =
            if secured.is_some() { ("RTP/AVP", "RTP/SAVP") } else { ("RTP/AVP", "RTP/AVP") };
        let (offer, answer) = (secured.unwrap_or_else(|| sdp(trunk)), sdp(pbx));
        let mut command = vec![
            ("command", Value::Text("offer")),
            ("call-id", Value::Text(&call)),
            ("from-tag", Value::Text("trunk")),
            ("ICE", Value::Text("remove")),
            ("replace", Value::List(&replace)),
            ("transport-protocol", Value::Text(toward_callee)),
            ("sdp", Value::Text(&offer)),
        ];
        let (toward_pbx, _) = self.negotiate(&command)?;
        command.retain(|(key, _)| !matches!(*key, "command" | "sdp" | "transport-protocol"));
        command.extend([
            ("command", Value::Text("answer")),
            ("to-tag", Value::Text("pbx")),
            ("transport-protocol", Value::Text(toward_caller)),
            ("sdp", Value::Text(&answer)),
        ]);
        let (toward_trunk, key) = self.negotiate(&command)?;
        self.calls.push(call);
        Ok(Doors { trunk: toward_trunk, pbx: toward_pbx, key })
    }

    fn hang_up(&mut self) -> anyhow::Result<()> {
        for call in std::mem::take(&mut self.calls) {
            self.ask(&[
                ("command", Value::Text("delete")),
                ("call-id", Value::Text(&call)),
                ("from-tag", Value::Text("trunk")),
                ("delete-delay", Value::Text("0")),
            ])?;
        }
        Ok(())
    }

    fn pid(&self) -> Option<u32> {
        Some(self.program.id())
    }
}
