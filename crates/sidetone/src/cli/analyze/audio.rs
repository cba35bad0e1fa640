//! An audio file as a call.

use std::io::Read;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use sidetone_call::Side;
use sidetone_capture::audio::{Container, Defect, Reader};
use sidetone_capture::calls::Customer;
use sidetone_codec::AnalysisBand;
use sidetone_events::{Parties, Timestamp};

use super::inputs::Input;
use super::replay::{End, Heard, Replay, Roles, Told};
use crate::cli::analyze::bench::Bench;

/// Samples given to the pipeline at once: 20 ms at 8 kHz, as a packet would bring them.
const PIECE: usize = 160;

/// Channels that are identical for this long are identical throughout.
const COMPARED_SECONDS: usize = 20;

/// Analyses a file; returns its faults too.
pub(super) fn analyse(
    input: &Input,
    container: Container,
    file: impl Read,
    bench: &Bench,
) -> anyhow::Result<(Option<Heard>, Option<Defect>)> {
    // Long: what the channels of a file may stand for, and then the hearing.
    let mut reader = Reader::new(container, file)?;
    let format = reader.format();
    let mut raw = vec![Vec::new(); format.channels];
    let same = read_beginning(&mut reader, &mut raw)?;
    let right = bench.customer == Some(Customer::Callee);
    let alone = format.channels == 1 || same;
    let (sides, roles): (&[Side], _) = match bench.customer {
        _ if same => (
            &[Side::Trunk],
            known("both channels, which are the same (of both parties mixed, the agent would be judged too)"),
        ),
        _ if alone => (
            &[Side::Trunk],
            known(
                "the only channel, taken for the customer's alone (of both mixed, the agent would be judged too)",
            ),
        ),
        // An address names no channel.
        Some(Customer::At(_)) => {
            let (one, other) = ("left".to_owned(), "right".to_owned());
            (&[Side::Trunk, Side::Pbx], Roles::Unknown { one, other, doubt: None })
        }
        _ if right => (&[Side::Pbx, Side::Trunk], known("the right channel")),
        _ => (&[Side::Trunk, Side::Pbx], known("the left channel")),
    };
    let mut legs = sides
        .iter()
        .map(|side| Ok((*side, AnalysisBand::new(format.rate, 1)?, Vec::new())))
        .collect::<anyhow::Result<Vec<_>>>()?;
    // The only evidence of a recording's time is the file's own date.
    let unix = input.modified().duration_since(UNIX_EPOCH).unwrap_or_default();
    let began = Timestamp::from_unix_millis(u64::try_from(unix.as_millis()).unwrap_or(0));
    let name = input.path().and_then(|path| path.file_name()).unwrap_or_default().to_string_lossy();
    let told = Told {
        name: &name,
        source: "recording",
        parties: Parties { caller: "", callee: "" },
        began,
        outbound: right,
        roles,
        alone: alone.then_some(Side::Trunk),
    };
    let mut replay = Replay::of(told, bench);
    replay.answered(Duration::ZERO);
    let mut given = 0;
    // The samples read for the comparison of channels come first.
    let mut read = raw.first().map_or(0, Vec::len);
    loop {
        for ((_, band, pcm), raw) in legs.iter_mut().zip(&mut raw) {
            band.push(raw, pcm);
            raw.clear();
        }
        while legs.iter().all(|(.., pcm)| pcm.len() >= PIECE) {
            for (side, _, pcm) in &mut legs {
                let rest = pcm.split_off(PIECE);
                replay.analysis.pcm(*side, pcm);
                *pcm = rest;
            }
            given += PIECE as u64;
            replay.advance(at(given));
        }
        if read == 0 {
            break;
        }
        raw.iter_mut().for_each(Vec::clear);
        read = reader.read(&mut raw).context("can't be read")?;
    }
    let heard = (given > 0).then(|| replay.finish(at(given), End::UNTOLD));
    Ok((heard, reader.defect()))
}

/// Reads the first seconds; returns whether the two channels have the same sound, which makes them one leg.
fn read_beginning(reader: &mut Reader<impl Read>, raw: &mut [Vec<i16>]) -> anyhow::Result<bool> {
    let enough = COMPARED_SECONDS * reader.format().rate as usize;
    while raw.first().is_some_and(|channel| channel.len() < enough) {
        if reader.read(raw).context("can't be read")? == 0 {
            break;
        }
    }
    let sounds = |channel: &[i16]| channel.iter().any(|sample| *sample != 0);
    Ok(matches!(raw, [left, right] if left == right && sounds(left)))
}

fn known(customer: &str) -> Roles {
    Roles::Known(customer.to_owned())
}

fn at(samples: u64) -> Duration {
    Duration::from_micros(samples * 125)
}
