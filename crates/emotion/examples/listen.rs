//! `listen MODEL|embedded FILE...`: hears each file as one call over G.711 and prints every estimate as a line of JSON.
#![allow(clippy::print_stdout)]

use std::path::Path;

use sidetone_consent::permit::{RecordingPermit, Stated};
use sidetone_emotion::{
    FrameMark, Listener, Model,
    corpus::{Band, audio},
    estimate_due,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("usage: listen MODEL|embedded FILE...")?;
    let model = if name == "embedded" { Model::embedded()? } else { Model::open(Path::new(&name))? };
    for file in arguments {
        let mut listener = Listener::new(RecordingPermit::new(Stated::Customer), model.clone());
        for packet in Band::G711.through(&audio::read(Path::new(&file))?).chunks(160) {
            listener.push(packet, FrameMark::Audio);
            for (_, estimate) in estimate_due(&mut [&mut listener]) {
                let line = serde_json::json!({ "file": file, "estimate": estimate });
                println!("{line}");
            }
        }
    }
    Ok(())
}
