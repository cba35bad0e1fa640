//! Announcements to many callers at once: how evenly their packets arrive.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use super::generator::{self, Leg, PERIOD};
use super::sidetone::{Disclosure, Sidetone};
use super::{Doors, Relay};
use crate::cpu::Busy;
use crate::program::Stage;
use crate::settings::Settings;

/// How long the built-in notice and a little more last.
const LISTENED: Duration = Duration::from_secs(12);
/// How long Sidetone makes its announcements ready.
const MADE_READY: Duration = Duration::from_secs(6);
/// Between two looks at the sockets; the kernel has stamped what came meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One run.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Run {
    pub(crate) calls: usize,
    /// Packets that arrived.
    pub(crate) packets: usize,
    /// Sequence numbers that were left out, or timestamps that did not run on.
    pub(crate) seams: usize,
    /// How far the time between two packets was from 20 ms, once all callers were being told: median and percentiles,
    /// in µs.
    pub(crate) off_p50_us: f64,
    pub(crate) off_p99_us: f64,
    pub(crate) off_p999_us: f64,
    /// CPU µs per packet, of the whole program.
    pub(crate) whole_us: f64,
}

/// Answers so many calls as fast as it can, and listens to what their callers are told.
pub(crate) fn measure(settings: &Settings, stage: &Stage) -> anyhow::Result<Run> {
    let dir = tempfile::Builder::new().prefix("sidetone-bench-").tempdir()?;
    let mut sidetone =
        Sidetone::start(&settings.sidetone, Disclosure::Notice, "off", None, stage, dir.path())?;
    // Sidetone encodes its announcements in the usual codecs when it starts, on the one CPU that it has here.
    std::thread::sleep(MADE_READY);
    let calls = settings.announced_calls;
    let before = Busy::of(sidetone.id())?;
    let mut legs = Vec::with_capacity(calls);
    let mut quiet = Vec::with_capacity(calls);
    for call in 0..calls {
        let (trunk, pbx) = (Leg::open(crate::place::TRUNK)?, Leg::open(crate::place::PBX)?);
        let Doors { .. } =
            sidetone.connect(trunk.address()?, pbx.address()?).with_context(|| format!("call {call}"))?;
        legs.push(trunk);
        quiet.push(pbx);
    }
    // Before, not all are told yet, and the one CPU is busy with answering.
    let all_told = generator::wall_clock()?;
    let mut arrived: Vec<BTreeMap<u16, (u32, u64)>> = vec![BTreeMap::new(); calls];
    let begun = Instant::now();
    while begun.elapsed() < LISTENED {
        for (leg, arrived) in legs.iter().zip(&mut arrived) {
            leg.collect(arrived)?;
        }
        std::thread::sleep(LOOK_EVERY);
    }
    let spent = Busy::of(sidetone.id())?.since(&before).total();
    sidetone.hang_up()?;
    let (mut off, mut seams) = (Vec::new(), 0);
    for packets in &arrived {
        // In the order of arrival: sequence numbers may come round.
        let mut packets: Vec<(u16, u32, u64)> =
            packets.iter().map(|(sequence, (timestamp, at))| (*sequence, *timestamp, *at)).collect();
        packets.sort_unstable_by_key(|(.., at)| *at);
        for pair in packets.windows(2) {
            let &[(before, ticks, then), (after, next, now)] = pair else { continue };
            seams += usize::from(after != before.wrapping_add(1) || next != ticks.wrapping_add(160));
            if then < all_told {
                continue;
            }
            off.push((now - then).abs_diff(u64::try_from(PERIOD.as_nanos())?));
        }
    }
    anyhow::ensure!(!off.is_empty(), "nobody was told anything");
    off.sort_unstable();
    let at = |share: f64| off.get(((off.len() as f64 * share) as usize).min(off.len() - 1));
    let percentile = |share| at(share).map_or(0.0, |ns| *ns as f64 / 1e3);
    let packets = arrived.iter().map(BTreeMap::len).sum();
    Ok(Run {
        calls,
        packets,
        seams,
        off_p50_us: percentile(0.5),
        off_p99_us: percentile(0.99),
        off_p999_us: percentile(0.999),
        whole_us: spent.as_secs_f64() * 1e6 / packets as f64,
    })
}
