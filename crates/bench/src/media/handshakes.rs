//! Handshakes of DTLS-SRTP: what each costs, and what the packets of calls that are up feel of them.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;
use sidetone_handshake::{Dtls, Fingerprints, Handshake, Identity, Output, Role, Settings as Shake, Trust};

use super::generator::{self, Leg, Plan, Travelled};
use super::sidetone::{Disclosure, Sidetone};
use super::{Relay, Speech, periods, sip};
use crate::cpu::Busy;
use crate::place;
use crate::program::Stage;
use crate::settings::Settings;

/// Calls that are up, and go on.
const CALLS: usize = 100;
/// Between two looks at the sockets of those who shake hands.
const LOOK_EVERY: Duration = Duration::from_micros(500);
/// How long the last of them have.
const LAST: Duration = Duration::from_secs(2);

/// One run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    pub(crate) calls: usize,
    /// Handshakes a second.
    pub(crate) rate: u32,
    pub(crate) begun: usize,
    pub(crate) done: usize,
    /// CPU ms of Sidetone's for each, beyond what the calls cost without.
    pub(crate) each_ms: f64,
    /// The packets of the calls that were up.
    #[serde(flatten)]
    pub(crate) travelled: Travelled,
}

/// A caller who is about to shake hands.
struct Caller {
    socket: UdpSocket,
    session: Dtls,
    with: SocketAddr,
    /// Open, so that nothing bounces.
    _callee: UdpSocket,
}

/// The same calls without anybody who shakes hands, and with them.
pub(crate) fn measure(settings: &Settings, stage: &Stage) -> anyhow::Result<[Run; 2]> {
    let speech = Speech::load(&settings.speech)?;
    let (mut quiet, idle) = one(settings, stage, &speech, 0)?;
    let (mut busy, spent) = one(settings, stage, &speech, settings.handshakes)?;
    quiet.each_ms = 0.0;
    busy.each_ms = spent.saturating_sub(idle).as_secs_f64() * 1e3 / busy.done.max(1) as f64;
    Ok([quiet, busy])
}

fn one(settings: &Settings, stage: &Stage, speech: &Speech, rate: u32) -> anyhow::Result<(Run, Duration)> {
    const SECURITY: &str = "[media.security]\ntrunk = \"terminate\"\npbx = \"plain\"\n";
    let dir = tempfile::Builder::new().prefix("sidetone-bench-").tempdir()?;
    let mut sidetone =
        Sidetone::start_with(&settings.sidetone, Disclosure::None, "off", None, stage, dir.path(), SECURITY)?;
    let mut legs = Vec::with_capacity(CALLS * 2);
    for call in 0..CALLS {
        let (mut trunk, mut pbx) = (Leg::open(place::TRUNK)?, Leg::open(place::PBX)?);
        let doors =
            sidetone.connect(trunk.address()?, pbx.address()?).with_context(|| format!("call {call}"))?;
        trunk.aim(doors.trunk, Arc::clone(&speech.customer), call * 37);
        pbx.aim(doors.pbx, Arc::clone(&speech.agent), call * 37);
        legs.extend([trunk, pbx]);
    }
    let identity = Arc::new(Shake::new(Identity::generate()?, false)?);
    let count = (settings.window.as_secs_f64() * f64::from(rate)) as usize;
    let mut crowd = Vec::with_capacity(count);
    for call in 0..count {
        crowd.push(Caller::ring(&mut sidetone, &identity).with_context(|| format!("caller {call}"))?);
    }
    let plan = Plan { warm_up: periods(settings.warm_up), window: periods(settings.window) };
    let (pid, mut edges) = (sidetone.id(), Vec::new());
    let (begin, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let travelled = std::thread::scope(|scope| {
        let shaking = scope.spawn(|| {
            while !begin.load(Relaxed) {
                std::thread::sleep(LOOK_EVERY);
            }
            shake(&mut crowd, rate, &done)
        });
        let driver = scope.spawn(|| {
            stage.enter_as_driver()?;
            generator::drive(&mut legs, plan, || {
                edges.push(Busy::of(pid)?);
                begin.store(true, Relaxed);
                Ok(())
            })
        });
        let travelled = driver.join().map_err(|_| anyhow::anyhow!("the generator panicked"))??;
        begin.store(true, Relaxed);
        shaking.join().map_err(|_| anyhow::anyhow!("who shakes hands panicked"))??;
        anyhow::Ok(travelled)
    })?;
    sidetone.hang_up()?;
    let [before, after] = edges.as_slice() else { anyhow::bail!("the window was not measured") };
    let spent = after.since(before).total();
    let run = Run { calls: CALLS, rate, begun: count, done: done.into_inner(), each_ms: 0.0, travelled };
    Ok((run, spent))
}

impl Caller {
    /// Sets the call up: whoever begins the handshake is the caller.
    fn ring(sidetone: &mut Sidetone, identity: &Arc<Shake>) -> anyhow::Result<Self> {
        let (socket, pbx) = (UdpSocket::bind((place::TRUNK, 0))?, UdpSocket::bind((place::PBX, 0))?);
        socket.set_nonblocking(true)?;
        let offer = sip::sdp(socket.local_addr()?).replace("RTP/AVP", "UDP/TLS/RTP/SAVP")
            + &format!("a=fingerprint:{}\r\na=setup:active\r\n", identity.identity().fingerprint());
        let (with, answer) = sidetone.connect_shaken(&offer, pbx.local_addr()?)?;
        let promised = answer.lines().filter_map(|line| line.strip_prefix("a=fingerprint:"));
        let expected = Fingerprints::parse(promised).context("no fingerprint in the answer")?;
        let session = Dtls::new(Arc::clone(identity), Role::Client, Trust::Ice, expected);
        Ok(Self { socket, session, with, _callee: pbx })
    }

    /// Takes what has come, sends what is to go. Whether it has its keys.
    fn turn(&mut self, now: Instant) -> anyhow::Result<bool> {
        let mut buffer = [0; 2_048];
        while let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
            self.session.receive(now, from, buffer.get(..length).unwrap_or_default());
        }
        if self.session.next_timeout().is_some_and(|at| at <= now) {
            self.session.tick(now);
        }
        let mut keyed = false;
        while let Some(output) = self.session.poll() {
            match output {
                Output::Datagram { to, bytes } => _ = self.socket.send_to(&bytes, to)?,
                Output::Keys(_) => keyed = true,
                other => anyhow::bail!("a handshake ended with {other:?}"),
            }
        }
        Ok(keyed)
    }
}

/// Begins so many a second, and sees all of them through.
fn shake(crowd: &mut [Caller], rate: u32, done: &AtomicUsize) -> anyhow::Result<()> {
    let begun = Instant::now();
    let (mut first, mut next) = (0, 0);
    let mut keyed = vec![false; crowd.len()];
    let end = Duration::from_secs_f64(crowd.len() as f64 / f64::from(rate.max(1))) + LAST;
    while first < crowd.len() && begun.elapsed() < end {
        let now = Instant::now();
        let due = ((now - begun).as_secs_f64() * f64::from(rate)) as usize;
        while next < due.min(crowd.len()) {
            if let Some(caller) = crowd.get_mut(next) {
                caller.session.aim(now, caller.with);
            }
            next += 1;
        }
        for (caller, keyed) in crowd.iter_mut().zip(&mut keyed).take(next).skip(first) {
            if !*keyed && caller.turn(now)? {
                (*keyed, _) = (true, done.fetch_add(1, Relaxed));
            }
        }
        while keyed.get(first).copied().unwrap_or_default() {
            first += 1;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
