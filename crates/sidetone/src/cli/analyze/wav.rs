//! A WAV recording as a call.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use sidetone_capture::wav::Reader;
use sidetone_codec::AnalysisBand;
use sidetone_events::{Parties, Timestamp};
use sidetone_sip::Face;

use super::replay::{End, Heard, Replay};
use super::{Bench, Party};

/// Samples given to the pipeline at once: 20 ms at 8 kHz, as a packet would bring them.
const PIECE: usize = 160;

pub(super) fn analyse(file: &Path, input: impl Read, bench: &Bench) -> anyhow::Result<Heard> {
    let mut reader = Reader::new(input)?;
    let format = reader.format();
    let faces: &[Face] = match (format.channels, bench.customer) {
        (1, _) => &[Face::Trunk],
        (_, Party::Caller) => &[Face::Trunk, Face::Pbx],
        (_, Party::Callee) => &[Face::Pbx, Face::Trunk],
    };
    let mut legs = faces
        .iter()
        .map(|face| Ok((*face, AnalysisBand::new(format.rate, 1)?, Vec::new())))
        .collect::<anyhow::Result<Vec<_>>>()?;
    // A recording tells nothing of when it was made but the file's own date.
    let modified = std::fs::metadata(file).and_then(|metadata| metadata.modified()).unwrap_or(UNIX_EPOCH);
    let unix = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    let began = Timestamp::from_unix_millis(u64::try_from(unix.as_millis()).unwrap_or(0));
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let mut replay = Replay::of(&name, "recording", Parties { caller: "", callee: "" }, began, bench);
    replay.answered(Duration::ZERO);
    let mut given = 0;
    let mut raw = vec![Vec::new(); legs.len()];
    loop {
        let read = reader.read(&mut raw).context("can't be read")?;
        for ((_, band, pcm), raw) in legs.iter_mut().zip(&mut raw) {
            band.push(raw, pcm);
            raw.clear();
        }
        while legs.iter().all(|(.., pcm)| pcm.len() >= PIECE) {
            for (face, _, pcm) in &mut legs {
                let rest = pcm.split_off(PIECE);
                replay.analysis.pcm(*face, pcm);
                *pcm = rest;
            }
            given += PIECE as u64;
            replay.advance(at(given));
        }
        if read == 0 {
            break;
        }
    }
    Ok(replay.finish(at(given), End::UNTOLD))
}

fn at(samples: u64) -> Duration {
    Duration::from_micros(samples * 125)
}
