//! Forwarding: CPU time per packet, delay and loss, of any relay that can be asked to connect two parties.

pub(crate) mod announcing;
mod bencode;
pub(crate) mod desks;
mod generator;
pub(crate) mod handshakes;
pub(crate) mod reaction;
mod rtpengine;
mod sidetone;
mod sip;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use sidetone_call::{Keying, Suite};
use sidetone_sip::sdp::crypto::Crypto;

use crate::cpu::{Busy, Spent};
use crate::program::Stage;
use crate::settings::Settings;
use generator::{Leg, PERIOD, Plan, Travelled};
pub(crate) use sidetone::{Disclosure, Sidetone, config, get, serve as sidetone_at};

/// A relay under test.
pub(crate) trait Relay {
    /// Sets one call up between two media addresses, and says where each of them is to send to.
    fn connect(&mut self, trunk: SocketAddr, pbx: SocketAddr) -> anyhow::Result<Doors>;
    /// Ends all calls.
    fn hang_up(&mut self) -> anyhow::Result<()>;
    /// The subject's process, if there is one.
    fn pid(&self) -> Option<u32>;
    /// The part of it that went into relaying, where the relay also does something else.
    fn relaying(&self, spent: &Spent) -> Duration {
        spent.total()
    }
    /// The part of it that went into listening.
    fn hearing(&self, _spent: &Spent) -> Duration {
        Duration::ZERO
    }
    /// Copies that the listening part had no time for, and seconds of customers' audio that it has heard, so far.
    fn heard(&self) -> anyhow::Result<Heard> {
        Ok(Heard::default())
    }
}

/// Where a relay takes the two parties' media.
#[derive(Debug, Clone)]
pub(crate) struct Doors {
    pub(crate) trunk: SocketAddr,
    pub(crate) pbx: SocketAddr,
    /// The key of what the trunk's party is sent, where it speaks SRTP.
    pub(crate) key: Option<Keying>,
}

/// The work of the listening part.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Heard {
    pub(crate) dropped: f64,
    pub(crate) audio_seconds: f64,
}

/// The program that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Subject {
    /// Nobody: the parties send to each other.
    Nobody,
    /// rtpengine in user space, forwarding only.
    Rtpengine,
    /// Sidetone with a trunk that lets nobody be listened to.
    Sidetone,
    /// Sidetone listening to every call.
    SidetoneHearing,
    /// Sidetone deaf, its settled calls forwarded by the kernel.
    SidetoneKernel,
    /// The same, listening to every call.
    SidetoneKernelHearing,
    /// rtpengine with SRTP on one side and RTP on the other.
    RtpengineSecured,
    /// Sidetone likewise, deaf.
    SidetoneSecured,
}

impl Subject {
    /// rtpengine with the same task.
    pub(crate) const fn peer(self) -> Self {
        match self {
            Self::RtpengineSecured | Self::SidetoneSecured => Self::RtpengineSecured,
            _ => Self::Rtpengine,
        }
    }

    /// Whether it listens.
    pub(crate) const fn hears(self) -> bool {
        matches!(self, Self::SidetoneHearing | Self::SidetoneKernelHearing)
    }

    /// Whether the kernel forwards for it.
    pub(crate) const fn by_kernel(self) -> bool {
        matches!(self, Self::SidetoneKernel | Self::SidetoneKernelHearing)
    }

    /// What callers protect their packets with.
    fn key(self) -> Option<Crypto> {
        const SUITE: Suite = Suite::AesCm128Sha1_80;
        let secured = matches!(self, Self::RtpengineSecured | Self::SidetoneSecured);
        let keying = Keying::new(SUITE, &[7; 30]).filter(|_| secured)?;
        Some(Crypto { tag: 1, keying })
    }
}

/// One run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    pub(crate) subject: Subject,
    pub(crate) calls: usize,
    /// CPU µs per forwarded packet: of all that relays (for Sidetone hearing: the relay threads alone).
    pub(crate) relay_us: f64,
    /// CPU µs per forwarded packet: of the whole program.
    pub(crate) whole_us: f64,
    /// CPU µs per forwarded packet: of whoever sends and receives, and of the kernel on their behalf. It is of interest
    /// beside that of nobody: the kernel forwards in the time of whoever sends.
    pub(crate) around_us: f64,
    /// CPU ms of the analysis workers per second of one call.
    pub(crate) hearing_ms: f64,
    /// CPU ms of everything that neither relays nor hears, per second of one call.
    pub(crate) rest_ms: f64,
    /// Share of packets whose copy found the ring to analysis full.
    pub(crate) unheard: f64,
    /// Seconds of customers' audio that reached the network, per second of one call.
    pub(crate) heard_share: f64,
    #[serde(flatten)]
    pub(crate) travelled: Travelled,
}

/// Speech for both directions, as µ-law; each a whole number of packets.
#[derive(Debug, Clone)]
pub(crate) struct Speech {
    pub(crate) customer: Arc<[u8]>,
    pub(crate) agent: Arc<[u8]>,
}

impl Speech {
    /// The demo's two sides of a call.
    pub(crate) fn load(demo: &Path) -> anyhow::Result<Self> {
        Ok(Self { customer: ulaw(&demo.join("caller.wav"))?, agent: ulaw(&demo.join("agent.wav"))? })
    }
}

fn ulaw(path: &Path) -> anyhow::Result<Arc<[u8]>> {
    let mut wav = hound::WavReader::open(path).with_context(|| format!("{}", path.display()))?;
    anyhow::ensure!(
        wav.spec().sample_rate == 8_000 && wav.spec().channels == 1,
        "{} is not mono at 8 kHz",
        path.display()
    );
    let mut codes =
        wav.samples::<i16>().map(|s| s.map(sidetone_codec::g711::to_ulaw)).collect::<Result<Vec<_>, _>>()?;
    codes.truncate(codes.len() / generator::PAYLOAD * generator::PAYLOAD);
    anyhow::ensure!(!codes.is_empty(), "{} is empty", path.display());
    Ok(codes.into())
}

/// Starts a subject and measures it with each number of calls in turn; on failure what was measured stays.
pub(crate) fn measure(
    subject: Subject,
    loads: &[usize],
    settings: &Settings,
    stage: &Stage,
    speech: &Speech,
    runs: &mut Vec<Run>,
) -> anyhow::Result<()> {
    let dir = tempfile::Builder::new().prefix("sidetone-bench-").tempdir()?;
    let mut relay: Box<dyn Relay> = match subject {
        Subject::Rtpengine | Subject::RtpengineSecured => {
            Box::new(rtpengine::Rtpengine::start(subject.key(), stage, dir.path())?)
        }
        Subject::Nobody => Box::new(Nobody),
        Subject::Sidetone
        | Subject::SidetoneHearing
        | Subject::SidetoneKernel
        | Subject::SidetoneKernelHearing
        | Subject::SidetoneSecured => {
            let told = if subject.hears() { Disclosure::GivenUpstream } else { Disclosure::None };
            let kernel = if subject.by_kernel() { "require" } else { "off" };
            Box::new(Sidetone::start(&settings.sidetone, told, kernel, subject.key(), stage, dir.path())?)
        }
    };
    for &calls in loads {
        runs.push(run(subject, relay.as_mut(), calls, settings, stage, speech)?);
    }
    Ok(())
}

fn run(
    subject: Subject,
    relay: &mut dyn Relay,
    calls: usize,
    settings: &Settings,
    stage: &Stage,
    speech: &Speech,
) -> anyhow::Result<Run> {
    let mut legs = Vec::with_capacity(calls * 2);
    for call in 0..calls {
        let (mut trunk, mut pbx) = (Leg::open(crate::place::TRUNK)?, Leg::open(crate::place::PBX)?);
        let doors =
            relay.connect(trunk.address()?, pbx.address()?).with_context(|| format!("call {call}"))?;
        // Everybody says something else at any moment.
        let start = call * 37;
        trunk.aim(doors.trunk, Arc::clone(&speech.customer), start);
        if let Some(key) = subject.key() {
            let theirs = doors.key.context("the relay has answered without a key")?;
            trunk.secure(key.keying, theirs)?;
        }
        pbx.aim(doors.pbx, Arc::clone(&speech.agent), start);
        legs.push(trunk);
        legs.push(pbx);
    }
    let plan = Plan { warm_up: periods(settings.warm_up), window: periods(settings.window) };
    let (pid, mut edges) = (relay.pid(), Vec::new());
    let before = relay.heard()?;
    let travelled = std::thread::scope(|scope| {
        let driver = scope.spawn(|| {
            stage.enter_as_driver()?;
            generator::drive(&mut legs, plan, || {
                edges.push((pid.map_or_else(|| Ok(Busy::default()), Busy::of)?, Busy::of_sender()?));
                Ok(())
            })
        });
        driver.join().map_err(|_| anyhow::anyhow!("the generator panicked"))?
    })?;
    let after = relay.heard()?;
    relay.hang_up()?;
    let [begin, end] = edges.as_slice() else { anyhow::bail!("the window was not measured") };
    let (spent, around) = (end.0.since(&begin.0), end.1.since(&begin.1));
    let (relaying, hearing) = (relay.relaying(&spent), relay.hearing(&spent));
    let rest = spent.total().saturating_sub(relaying + hearing);
    let packets = travelled.sent as f64;
    let call_seconds = calls as f64 * (PERIOD * plan.window).as_secs_f64();
    // The audio that was heard is known for the whole time of driving only.
    let driven = f64::from(plan.periods()) / f64::from(plan.window);
    Ok(Run {
        subject,
        calls,
        relay_us: relaying.as_secs_f64() * 1e6 / packets,
        whole_us: spent.total().as_secs_f64() * 1e6 / packets,
        around_us: around.total().as_secs_f64() * 1e6 / packets,
        hearing_ms: hearing.as_secs_f64() * 1e3 / call_seconds,
        rest_ms: rest.as_secs_f64() * 1e3 / call_seconds,
        unheard: (after.dropped - before.dropped) / (packets * driven),
        heard_share: (after.audio_seconds - before.audio_seconds) / (call_seconds * driven),
        travelled,
    })
}

/// Nobody between the parties.
struct Nobody;

impl Relay for Nobody {
    fn connect(&mut self, trunk: SocketAddr, pbx: SocketAddr) -> anyhow::Result<Doors> {
        Ok(Doors { trunk: pbx, pbx: trunk, key: None })
    }

    fn hang_up(&mut self) -> anyhow::Result<()> {
        Ok(())
    }

    fn pid(&self) -> Option<u32> {
        None
    }
}

fn periods(length: Duration) -> u32 {
    u32::try_from(length.as_millis() / PERIOD.as_millis()).unwrap_or(u32::MAX).max(1)
}
