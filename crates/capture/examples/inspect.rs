//! Tells what is in recordings: `cargo run -p sidetone-capture --example inspect -- FILES…`
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Read};

use sidetone_capture::audio::{Container, Reader};
use sidetone_capture::calls::{Calls, Happening, Options};
use sidetone_capture::datagrams::Datagrams;
use sidetone_capture::{Kind, open};

fn main() -> Result<(), Box<dyn Error>> {
    for path in std::env::args().skip(1) {
        let (kind, file) = open(BufReader::new(File::open(&path)?))?;
        match kind {
            Kind::Audio(container) => audio(&path, container, file)?,
            Kind::Capture => capture(&path, file)?,
            other => println!("{path}: {other:?}"),
        }
    }
    Ok(())
}

fn audio(path: &str, container: Container, file: impl Read) -> Result<(), Box<dyn Error>> {
    let mut reader = Reader::new(container, file)?;
    let mut channels = vec![Vec::new(); reader.format().channels];
    let mut frames = 0;
    let mut peaks = vec![0; channels.len()];
    loop {
        let read = reader.read(&mut channels)?;
        if read == 0 {
            break;
        }
        frames += read;
        for (peak, channel) in peaks.iter_mut().zip(&mut channels) {
            *peak = channel.drain(..).map(i16::unsigned_abs).fold(*peak, u16::max);
        }
    }
    println!("{path}: {:?}, {frames} frames, {:?}, peaks {peaks:?}", reader.format(), reader.defect());
    Ok(())
}

fn capture(path: &str, file: impl Read) -> Result<(), Box<dyn Error>> {
    let mut datagrams = Datagrams::new(file)?;
    let mut calls = Calls::new(Options::default());
    for datagram in datagrams.by_ref() {
        calls.observe(datagram);
    }
    let (recordings, counters) = calls.finish();
    println!("{path}: {:?}\n  {counters:?}", datagrams.counters());
    if let Some(damage) = datagrams.damage() {
        println!("  {damage}");
    }
    for recording in recordings {
        println!("  {:?}: {:?}, {} packets", recording.origin(), recording.duration(), recording.packets());
        let facts = recording
            .replay()
            .filter(|(_, happening)| !matches!(happening, Happening::Packet { .. } | Happening::Plan { .. }));
        for (at, fact) in facts {
            println!("    {:9.3} {fact:?}", at.as_secs_f64());
        }
    }
    Ok(())
}
