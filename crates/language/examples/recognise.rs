//! Recognises audio files, each as one utterance, and prints a line of JSON for each: what was recognised and what it
//! cost. `recognise FOLDER FILE...`; run it with `RAYON_NUM_THREADS=1`.

#![allow(clippy::print_stdout)]

use std::{error::Error, fs::File, path::Path, time::Instant};

use serde_json::json;
use sidetone_codec::{file::read, resample::Resampler};
use sidetone_language::recognise::{RATE, Recogniser, widen};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: recognise FOLDER FILE...")?;
    let recogniser = Recogniser::open(Path::new(&folder))?;
    for path in arguments {
        let sound = read(File::open(&path)?)?;
        let wide = if sound.rate == 8000 {
            widen(&sound.samples.iter().map(|x| (x * 32_767.0) as i16).collect::<Vec<_>>())
        } else {
            let pcm: Vec<i16> = sound.samples.iter().map(|x| (x * 32_767.0) as i16).collect();
            let mut wide = Vec::new();
            Resampler::new(sound.rate, RATE)?.push(&pcm, &mut wide);
            wide.into_iter().map(|x| f32::from(x) / 32_768.0).collect()
        };
        let begin = Instant::now();
        let transcript = recogniser.transcribe_wide(&wide, &|| false)?;
        let seconds = wide.len() as f64 / f64::from(RATE);
        println!(
            "{}",
            json!({
                "file": path,
                "text": transcript.text,
                "confidence": transcript.confidence,
                "doubt": transcript.doubt.map(|it| format!("{it:?}")),
                "words": transcript.words.iter().map(|it| (&it.text, it.from.as_secs_f64(), it.to.as_secs_f64()))
                    .collect::<Vec<_>>(),
                "seconds": seconds,
                "milliseconds": begin.elapsed().as_secs_f64() * 1e3,
            })
        );
    }
    Ok(())
}
