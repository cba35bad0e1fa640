//! Tells what is in recordings: `cargo run -p sidetone-capture --example inspect -- FILES…`
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Read, Seek};

use sidetone_capture::Kind;
use sidetone_capture::calls::{Calls, Happening, Options};
use sidetone_capture::datagrams::Datagrams;
use sidetone_capture::wav;

fn main() -> Result<(), Box<dyn Error>> {
    for path in std::env::args().skip(1) {
        let mut file = BufReader::new(File::open(&path)?);
        let mut beginning = [0; 12];
        let read = file.read(&mut beginning)?;
        file.rewind()?;
        match Kind::of(beginning.get(..read).unwrap_or_default()) {
            Some(Kind::Wav) => audio(&path, file)?,
            Some(Kind::Capture) => capture(&path, file)?,
            None => println!("{path}: neither WAV nor capture"),
        }
    }
    Ok(())
}

fn audio(path: &str, file: impl Read) -> Result<(), Box<dyn Error>> {
    let mut reader = wav::Reader::new(file)?;
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
    let (format, stated, cut) = (reader.format(), reader.frames(), reader.truncated());
    println!("{path}: {format:?}, {frames} frames (header: {stated:?}, truncated: {cut}), peaks {peaks:?}");
    Ok(())
}

fn capture(path: &str, file: impl Read) -> Result<(), Box<dyn Error>> {
    let mut datagrams = Datagrams::new(file)?;
    let mut calls = Calls::new(Options::default());
    for datagram in datagrams.by_ref() {
        calls.observe(&datagram);
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
