//! An audio file as a call.

use std::io::Read;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use sidetone_capture::audio::{Container, Defect, Reader};
use sidetone_capture::calls::Customer;
use sidetone_codec::AnalysisBand;
use sidetone_events::{Parties, Timestamp};
use sidetone_sip::Face;

use super::Bench;
use super::inputs::Input;
use super::replay::{End, Heard, Replay, Roles, Told};

/// Samples given to the pipeline at once: 20 ms at 8 kHz, as a packet would bring them.
const PIECE: usize = 160;

/// Hears a file; gives also what is wrong with it.
pub(super) fn analyse(
    input: &Input,
    container: Container,
    file: impl Read,
    bench: &Bench,
) -> anyhow::Result<(Option<Heard>, Option<Defect>)> {
    let mut reader = Reader::new(container, file)?;
    let format = reader.format();
    let right = bench.customer == Some(Customer::Callee);
    let (faces, roles): (&[Face], _) = match (format.channels, bench.customer) {
        (1, _) => (
            &[Face::Trunk],
            known(
                "the only channel, taken for the customer's alone (of both mixed, the agent would be judged too)",
            ),
        ),
        // An address names no channel.
        (_, Some(Customer::At(_))) => {
            (&[Face::Trunk, Face::Pbx], Roles::Unknown { one: "left".to_owned(), other: "right".to_owned() })
        }
        _ if right => (&[Face::Pbx, Face::Trunk], known("the right channel")),
        _ => (&[Face::Trunk, Face::Pbx], known("the left channel")),
    };
    let mut legs = faces
        .iter()
        .map(|face| Ok((*face, AnalysisBand::new(format.rate, 1)?, Vec::new())))
        .collect::<anyhow::Result<Vec<_>>>()?;
    // A recording tells nothing of when it was made but the file's own date.
    let modified =
        input.path().and_then(|path| std::fs::metadata(path).ok()?.modified().ok()).unwrap_or(UNIX_EPOCH);
    let unix = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    let began = Timestamp::from_unix_millis(u64::try_from(unix.as_millis()).unwrap_or(0));
    let name = input.path().and_then(|path| path.file_name()).unwrap_or_default().to_string_lossy();
    let told = Told {
        name: &name,
        source: "recording",
        parties: Parties { caller: "", callee: "" },
        began,
        outbound: right,
        roles,
        alone: (format.channels == 1).then_some(Face::Trunk),
    };
    let mut replay = Replay::of(told, bench);
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
    let heard = (given > 0).then(|| replay.finish(at(given), End::UNTOLD));
    Ok((heard, reader.defect()))
}

fn known(customer: &str) -> Roles {
    Roles::Known(customer.to_owned())
}

fn at(samples: u64) -> Duration {
    Duration::from_micros(samples * 125)
}
