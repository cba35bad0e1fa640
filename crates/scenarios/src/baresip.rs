//! baresip: a real softphone, remote-controlled.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::audio;
use crate::process::Process;
use crate::{GUARD, until};

/// The codec that the softphone speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// G.711 µ-law.
    Pcmu,
    /// G.722.
    G722,
    /// Opus.
    Opus,
}

impl Codec {
    fn baresip(self) -> (&'static str, u32, u16) {
        match self {
            Self::Pcmu => ("PCMU/8000/1", 8_000, 1),
            Self::G722 => ("G722/16000/1", 16_000, 1),
            Self::Opus => ("opus/48000/2", 48_000, 2),
        }
    }
}

/// A running softphone that plays a sound into every call and records what it hears.
#[derive(Debug)]
pub struct Baresip {
    process: Process,
    control: TcpStream,
    inbox: String,
    /// Where it shows texts that it receives.
    console: TcpStream,
    shown: Vec<u8>,
    dir: TempDir,
    played: Vec<f64>,
}

// No jitter buffer: Asterisk's packet-to-packet bridge begins a new count of sequence numbers in the middle of a
// stream, and where that count is the lower one baresip 1.0 takes every further packet for late, and is deaf for good.
const CONFIG: &str = "poll_method epoll
sip_listen @IP:5060
sip_trans_def udp
net_interface @IP
audio_source aufile,@DIR/played.wav
ausrc_srate @RATE
auplay_srate @RATE
ausrc_channels @CHANNELS
auplay_channels @CHANNELS
rtp_ports 40000-40100
rtcp_enable yes
jitter_buffer_delay 0-0
module_path /usr/lib/baresip/modules
module g711.so
module g722.so
module opus.so
module srtp.so
module dtls_srtp.so
module aufile.so
module sndfile.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen @IP:4444
module_app cons.so
cons_listen @IP:5555
snd_path @DIR/heard
";

impl Baresip {
    /// Starts a softphone at `own`. It plays [`audio::sweep`] in `voice`; `account` is what baresip's account line says
    /// beyond the codec, as in `;regint=0`.
    ///
    /// # Panics
    /// When it is not installed, or does not start.
    #[must_use]
    pub fn start(own: Ipv4Addr, user: &str, account: &str, codec: Codec, voice: f64) -> Self {
        let seconds = 40; // longer than any call here, since baresip hangs up at the end
        let sound = audio::sweep(codec.baresip().1, seconds, voice);
        Self::start_with(own, user, account, codec, &sound, audio::sweep(8_000, seconds, voice), "")
    }

    /// Starts it as [`Self::start`] does, with G.711 and SIP by TLS: it trusts that authority.
    ///
    /// # Panics
    /// When it is not installed, or does not start.
    #[must_use]
    pub fn start_by_tls(own: Ipv4Addr, user: &str, account: &str, voice: f64, authority: &Path) -> Self {
        let sound = audio::sweep(8_000, 40, voice);
        let more = format!("sip_cafile {}\n", authority.display());
        Self::start_with(own, user, account, Codec::Pcmu, &sound.clone(), sound, &more)
    }

    /// Starts it as [`Self::start`] does, with G.711 and a sound of one's own at 8 kHz. It hangs up at the end of it.
    ///
    /// # Panics
    /// When it is not installed, or does not start.
    #[must_use]
    pub fn start_saying(own: Ipv4Addr, user: &str, account: &str, sound: Vec<f64>) -> Self {
        Self::start_with(own, user, account, Codec::Pcmu, &sound.clone(), sound, "")
    }

    fn start_with(
        own: Ipv4Addr,
        user: &str,
        account: &str,
        codec: Codec,
        sound: &[f64],
        played: Vec<f64>,
        more: &str,
    ) -> Self {
        let dir = tempfile::Builder::new().prefix("sidetone-baresip-").tempdir().unwrap();
        let (name, rate, channels) = codec.baresip();
        let config = CONFIG
            .replace("@IP", &own.to_string())
            .replace("@DIR", dir.path().to_str().unwrap())
            .replace("@RATE", &rate.to_string())
            .replace("@CHANNELS", &channels.to_string());
        std::fs::write(dir.path().join("config"), config + more).unwrap();
        std::fs::write(dir.path().join("accounts"), format!("<sip:{user}>;audio_codecs={name}{account}\n"))
            .unwrap();
        std::fs::write(dir.path().join("contacts"), "").unwrap();
        std::fs::create_dir(dir.path().join("heard")).unwrap();
        audio::write(&dir.path().join("played.wav"), sound, rate, channels);
        let arguments = ["-f".to_owned(), dir.path().display().to_string()];
        let mut process = Process::start("baresip", Path::new("baresip"), &arguments, dir.path());
        let control = until("baresip's control port (is it installed? `make peers` does it)", || {
            assert!(process.is_running(), "baresip ended at once:\n{}", process.output());
            TcpStream::connect((own, 4444)).ok()
        });
        control.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        // It opens one after the other.
        let console = until("baresip's console", || TcpStream::connect((own, 5555)).ok());
        console.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        Self { process, control, inbox: String::new(), console, shown: Vec::new(), dir, played }
    }

    /// Waits until a text message with these words is shown on its console.
    ///
    /// # Panics
    /// When none comes.
    pub fn wait_text(&mut self, words: &str) {
        until(&format!("a text on the phone with {words:?}"), || {
            let mut buffer = [0; 4096];
            if let Ok(length) = self.console.read(&mut buffer) {
                self.shown.extend_from_slice(&buffer[..length]);
            }
            String::from_utf8_lossy(&self.shown).contains(words).then_some(())
        });
    }

    /// Gives a command of baresip's menu: `dial`, `hold`, `resume`, `hangup`, `transfer`.
    ///
    /// # Panics
    /// When the control connection is gone.
    pub fn command(&mut self, command: &str, parameters: &str) {
        let json = format!("{{\"command\":\"{command}\",\"params\":\"{parameters}\",\"token\":\"t\"}}");
        write!(self.control, "{}:{json},", json.len()).unwrap();
    }

    /// Waits for an event, as in `CALL_ESTABLISHED`; everything before it is forgotten.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait_event(&mut self, event: &str) {
        let start = Instant::now();
        let sought = format!("\"type\":\"{event}\"");
        loop {
            if let Some(at) = self.inbox.find(&sought) {
                self.inbox.drain(..at + sought.len());
                return;
            }
            assert!(
                start.elapsed() < GUARD,
                "no {event} from baresip; it said {:?} and printed:\n{}",
                self.inbox,
                self.process.output().replace('\r', "\n").trim()
            );
            let mut buffer = [0; 4096];
            if let Ok(length) = self.control.read(&mut buffer) {
                self.inbox.push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
        }
    }

    /// The sound that it plays, at 8 kHz.
    #[must_use]
    pub fn played(&self) -> &[f64] {
        &self.played
    }

    /// The sound that it has heard in its present stretch of call, at 8 kHz.
    #[must_use]
    pub fn heard(&self) -> Vec<f64> {
        self.newest_recording().map(|path| audio::read_8k(&path)).unwrap_or_default()
    }

    /// Bits a second that it receives just now, by its own status line.
    ///
    /// baresip 1.0 decodes no further once it has held a call itself, so after that this has to do for hearing.
    #[must_use]
    pub fn receiving(&self) -> u32 {
        let output = self.process.output();
        // `audio=SENT/RECEIVED (bit/s)`
        let newest =
            output.rsplit("audio=").next().and_then(|rest| rest.split('/').nth(1)?.split(' ').next());
        newest.and_then(|rate| rate.parse().ok()).unwrap_or(0)
    }

    fn newest_recording(&self) -> Option<PathBuf> {
        let files = std::fs::read_dir(self.dir.path().join("heard")).ok()?;
        files
            .filter_map(|file| Some(file.ok()?.path()))
            .filter(|path| path.to_string_lossy().ends_with("-dec.wav"))
            .max_by_key(|path| std::fs::metadata(path).and_then(|data| data.modified()).ok())
    }

    /// Waits until it hears a sound that is `played`, in what arrives from now on.
    ///
    /// # Panics
    /// When it does not hear it.
    pub fn wait_until_hears(&self, what: &str, played: &[f64]) {
        let before = self.heard().len();
        let mut best = 0.0;
        let start = Instant::now();
        while best < 0.8 {
            std::thread::sleep(Duration::from_millis(100));
            let heard = self.heard();
            let fresh = heard.get(before..).unwrap_or(&heard);
            if fresh.len() >= 12_000 {
                best = audio::likeness(played, &fresh[fresh.len() - 12_000..]);
            }
            assert!(
                start.elapsed() < GUARD,
                "{what}: heard {} samples, of which the last are like the sound sought by {best:.2} only; \
                 it receives {} bit/s and printed:\n{}",
                heard.len(),
                self.receiving(),
                self.process.output().replace('\r', "\n").trim()
            );
        }
    }
}
