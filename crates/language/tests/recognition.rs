//! Real weights on real and made sounds: words where somebody speaks, and none where nobody does. The weights and the
//! music come from tools/peers.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)] // helpers of tests

use std::cell::Cell;
use std::f32::consts::TAU;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sidetone_codec::file::read;
use sidetone_codec::resample::Resampler;
use sidetone_language::party::Mouth;
use sidetone_language::recognise::whisper::Whisper;
use sidetone_language::recognise::{NotRecognised, Recognise, Recogniser, TOKENS, Transcript, WEIGHTS, open};
use sidetone_language::tongue::Language;

const RATE: usize = 8_000;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn peers() -> PathBuf {
    std::env::var_os("SIDETONE_PEERS").map_or_else(|| root().join(".peers"), PathBuf::from)
}

fn installed(name: &str) -> PathBuf {
    let folder = peers().join("models").join(name);
    assert!(
        folder.join(WEIGHTS).is_file(),
        "the weights of {name} are missing: run `tools/peers/install.sh recogniser` first"
    );
    folder
}

fn weights() -> PathBuf {
    installed("moonshine-tiny")
}

fn whisper(language: &str) -> Whisper {
    Whisper::open(&installed("whisper-base"), language).unwrap()
}

fn plain(text: &str) -> String {
    text.to_lowercase().replace(|c: char| !c.is_alphanumeric() && c != ' ', "")
}

fn recogniser() -> Recogniser {
    Recogniser::open(&weights()).unwrap()
}

fn narrow(path: &Path) -> Vec<i16> {
    let sound = read(File::open(path).unwrap()).unwrap();
    let pcm: Vec<i16> = sound.samples.iter().map(|x| (x * 32_767.0) as i16).collect();
    let mut narrow = Vec::new();
    Resampler::new(sound.rate, RATE as u32).unwrap().push(&pcm, &mut narrow);
    narrow
}

/// The announcement that a call is analysed, read by a voice; the first seconds of it.
fn announcement() -> Vec<i16> {
    narrow(&root().join("crates/announce/announcements/en/notice.opus"))
}

fn recognised(pcm: &[i16]) -> Transcript {
    recogniser().transcribe(pcm, &|| false).unwrap()
}

#[test]
fn an_announcement_is_written_down_word_for_word_with_times_in_order() {
    let pcm = announcement();
    let transcript = recognised(&pcm);
    // What the announcement says (crates/announce/announcements/manifest.toml), but for the spelling of one word.
    let said = "To help improve our service, your conversation may be analyzed by AI to better understand tone and \
                sentiment. To opt out, press nine.";
    assert_eq!(plain(&transcript.text), plain(said), "{transcript:?}");
    assert!(transcript.confidence > 0.8 && transcript.doubt.is_none(), "{transcript:?}");

    let joined: Vec<&str> = transcript.words.iter().map(|word| word.text.as_str()).collect();
    assert_eq!(joined.join(" "), transcript.text);
    let length = Duration::from_millis(pcm.len() as u64 / 8 + 30);
    for pair in transcript.words.windows(2) {
        assert!(pair[0].from < pair[0].to && pair[0].from <= pair[1].from, "{pair:?}");
        assert!(pair[1].to <= length, "{pair:?}");
    }
    assert_eq!(recognised(&pcm), transcript, "the same sound gives the same words");
}

#[test]
fn silence_before_and_within_speech_is_in_no_word() {
    let speech = announcement();
    let second = &speech[..speech.len().min(3 * RATE)];
    let pcm = [&vec![0; RATE][..], second].concat();
    let transcript = recognised(&pcm);
    let first = transcript.words.first().unwrap();
    assert!(first.from >= Duration::from_millis(900), "{first:?}");
    assert!(first.from <= Duration::from_millis(1500), "{first:?}");
}

#[test]
fn an_objection_ends_it_at_once() {
    let pcm = announcement();
    let mut recogniser = recogniser();
    for asked_before in [0usize, 1, 5, 12, 20] {
        let left = Cell::new(asked_before);
        let abandoned = || left.replace(left.get().saturating_sub(1)) == 0;
        assert_eq!(recogniser.transcribe(&pcm, &abandoned), Err(NotRecognised::Abandoned), "{asked_before}");
    }
}

#[test]
fn too_short_or_too_long_a_sound_is_told_or_empty() {
    let mut recogniser = recogniser();
    for samples in [0, 1, 400] {
        assert_eq!(recogniser.transcribe(&vec![0; samples], &|| false), Ok(Transcript::default()));
    }
    let error = recogniser.transcribe(&vec![0; 31 * RATE], &|| false).unwrap_err();
    assert!(error.to_string().contains("30 s"), "{error}");
}

/// Sounds in which nobody speaks, each with its name.
fn nobody() -> Vec<(String, Vec<i16>)> {
    let sound = |seconds: f32, at: &dyn Fn(f32) -> f32| -> Vec<i16> {
        (0..(seconds * RATE as f32) as usize)
            .map(|n| at(n as f32 / RATE as f32).clamp(-32e3, 32e3) as i16)
            .collect()
    };
    let tone = |hz: f32, t: f32| (TAU * hz * t).sin();
    let on = |t: f32, period: f32, share: f32| if t % period < share { 1.0 } else { 0.0 };
    let mut all = vec![
        ("silence".to_owned(), vec![0; 4 * RATE]),
        ("ringback, Europe".to_owned(), sound(4.0, &|t| 8e3 * on(t, 5.0, 1.0) * tone(425.0, t))),
        (
            "ringback, America".to_owned(),
            sound(4.0, &|t| 5e3 * on(t, 6.0, 2.0) * (tone(440.0, t) + tone(480.0, t))),
        ),
        ("busy".to_owned(), sound(4.0, &|t| 8e3 * on(t, 1.0, 0.5) * tone(425.0, t))),
        ("fax".to_owned(), sound(3.0, &|t| 8e3 * tone(1100.0, t))),
        ("clicks".to_owned(), sound(3.0, &|t| if t % 0.5 < 0.000_2 { 2e4 } else { 0.0 })),
    ];
    for (key, low, high) in
        [("1", 697.0, 1209.0), ("5", 770.0, 1336.0), ("9", 852.0, 1477.0), ("#", 941.0, 1477.0)]
    {
        let keys = sound(3.0, &|t| 6e3 * on(t, 0.2, 0.1) * (tone(low, t) + tone(high, t)));
        all.push((format!("key {key}"), keys));
    }
    let mut state = 1u32;
    for level in [10.0, 50.0, 200.0, 1000.0, 4000.0] {
        for (colour, kept) in [("white", 0.0), ("soft", 0.9)] {
            let mut past = 0.0f32;
            let noise: Vec<i16> = (0..4 * RATE)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let white = (state >> 8) as f32 / (1 << 23) as f32 - 1.0;
                    past = kept * past + white * (1.0 - kept * kept).sqrt();
                    (past * level) as i16
                })
                .collect();
            all.push((format!("{colour} noise, {level}"), noise));
        }
    }
    all
}

fn assert_unsaid(recogniser: &mut dyn Recognise, sounds: &[(String, Vec<i16>)]) {
    let mut said = Vec::new();
    for (name, pcm) in sounds {
        let transcript = recogniser.transcribe(pcm, &|| false).unwrap();
        if transcript.doubt.is_none() && !transcript.text.is_empty() {
            said.push(format!("{name}: {:?}", transcript.text));
        }
    }
    assert!(said.is_empty(), "words that nobody said: {said:#?}");
}

#[test]
fn tones_keys_noise_and_silence_give_no_words() {
    assert_unsaid(&mut recogniser(), &nobody());
}

#[test]
fn tones_keys_noise_and_silence_give_no_german_words_either() {
    let some: Vec<_> = nobody().into_iter().step_by(3).collect();
    assert_unsaid(&mut whisper("de"), &some);
}

/// Pieces of hold music, some six seconds each.
fn music(step: usize, most: usize) -> Vec<(String, Vec<i16>)> {
    let folder = peers().join("sounds/music");
    let files = fs::read_dir(&folder).unwrap_or_else(|_| {
        panic!("there is no music in {}: run `tools/peers/install.sh sounds` first", folder.display())
    });
    let mut pieces = Vec::new();
    for file in files.map(|file| file.unwrap().path()) {
        let music = narrow(&file);
        for (number, piece) in music.chunks(6 * RATE).step_by(step).take(most).enumerate() {
            pieces.push((format!("{} from {} s", file.display(), number * 6 * step), piece.to_vec()));
        }
    }
    assert!(pieces.len() >= most, "{}", pieces.len());
    pieces
}

#[test]
fn hold_music_gives_no_words() {
    assert_unsaid(&mut recogniser(), &music(4, 12));
}

#[test]
fn hold_music_gives_no_german_words_either() {
    // Fewer: it takes some five times as long.
    assert_unsaid(&mut whisper("de"), &music(8, 1));
}

/// The German announcement, read by a voice.
fn german() -> Vec<i16> {
    narrow(&root().join("crates/announce/announcements/de/notice.opus"))
}

#[test]
fn german_is_written_down_with_times_in_order_and_alike_each_time() {
    let pcm = german();
    let mut whisper = whisper("de-AT");
    let transcript = whisper.transcribe(&pcm, &|| false).unwrap();
    assert!(transcript.doubt.is_none() && transcript.confidence > 0.6, "{transcript:?}");
    // The voice is an old one; what it says stands in crates/announce/announcements/manifest.toml.
    let heard = plain(&transcript.text);
    let said = ["verbessern", "gespräch", "intelligenz", "stimmung", "verstehen", "nicht", "drücken"];
    let missed: Vec<&&str> = said.iter().filter(|word| !heard.contains(**word)).collect();
    assert!(missed.len() <= 1, "{missed:?} in {heard}");

    let joined: Vec<&str> = transcript.words.iter().map(|word| word.text.as_str()).collect();
    assert_eq!(joined.join(" "), transcript.text);
    let length = Duration::from_millis(pcm.len() as u64 / 8 + 1_000);
    for pair in transcript.words.windows(2) {
        assert!(pair[0].from < pair[0].to && pair[0].from <= pair[1].from, "{pair:?}");
        assert!(pair[1].to <= length, "{pair:?}");
    }
    assert_eq!(
        whisper.transcribe(&pcm, &|| false).unwrap(),
        transcript,
        "the same sound gives the same words"
    );
}

#[test]
fn a_network_of_many_languages_serves_each_that_it_knows() {
    let folder = installed("whisper-base");
    let english = open(&folder, "en").unwrap();
    assert_eq!(english.in_language("de-CH").unwrap().language(), "de-CH");
    assert!(english.in_language("xx").is_none());
    let refused = |folder: &Path, language: &str| open(folder, language).unwrap_err().to_string();
    assert!(refused(&folder, "klingon").contains("\"klingon\""), "{}", refused(&folder, "klingon"));
    assert!(refused(&weights(), "de").contains("does not know the language \"de\""));
    assert!(open(&weights(), "en-GB").is_ok());
    let mut english = english;
    let heard = plain(&english.transcribe(&announcement(), &|| false).unwrap().text);
    assert!(heard.contains("your conversation may be analy") && heard.contains("press"), "{heard}");
}

#[test]
fn an_objection_ends_german_at_once_too() {
    let (pcm, mut whisper) = (german(), whisper("de"));
    for asked_before in [0usize, 1, 5, 12, 20] {
        let left = Cell::new(asked_before);
        let abandoned = || left.replace(left.get().saturating_sub(1)) == 0;
        assert_eq!(whisper.transcribe(&pcm, &abandoned), Err(NotRecognised::Abandoned), "{asked_before}");
    }
    for samples in [0, 1, 400] {
        assert_eq!(whisper.transcribe(&vec![0; samples], &|| false), Ok(Transcript::default()));
    }
    let error = whisper.transcribe(&vec![0; 31 * RATE], &|| false).unwrap_err();
    assert!(error.to_string().contains("30 s"), "{error}");
}

#[test]
fn what_german_speech_holds_of_numbers_is_taken_out() {
    // By a voice of Kokoro-82M, 8 kHz: the number of a customer, and after a pause that of a telephone.
    let pcm = narrow(&root().join("crates/language/tests/speech/numbers.de.flac"));
    let (mut whisper, mut mouth) = (whisper("de"), Mouth::of_customer(Language::German));
    let half = pcm.len() / 2;
    for (piece, digits) in [(&pcm[..half], 6), (&pcm[half..], 8)] {
        let written = whisper.transcribe(piece, &|| false).unwrap().text;
        let heard = written.chars().filter(char::is_ascii_digit).count();
        assert!(heard >= digits, "digits were recognised: {written}");
        let left = mouth.utterance(&written).to_string();
        assert!(left.contains('[') && !left.contains(|c: char| c.is_ascii_digit()), "{written}: {left}");
    }
}

#[test]
fn damaged_weights_of_whisper_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let source = installed("whisper-base");
    let refused = || Whisper::open(folder.path(), "de").unwrap_err().to_string();
    assert!(refused().contains(TOKENS));
    fs::copy(source.join(TOKENS), folder.path().join(TOKENS)).unwrap();
    assert!(refused().contains(WEIGHTS));
    let whole = fs::read(source.join(WEIGHTS)).unwrap();
    for length in [0, 200, whole.len() / 2, whole.len() - 1] {
        fs::write(folder.path().join(WEIGHTS), &whole[..length]).unwrap();
        assert!(refused().contains("safetensors"), "{length}: {}", refused());
    }
    // Another network's weights, and another's tokens.
    fs::copy(weights().join(WEIGHTS), folder.path().join(WEIGHTS)).unwrap();
    assert!(refused().contains("is missing"), "{}", refused());
    fs::copy(weights().join(TOKENS), folder.path().join(TOKENS)).unwrap();
    assert!(refused().contains("lacks the mark"), "{}", refused());
}

#[test]
fn a_model_that_is_damaged_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let refused = || Recogniser::open(folder.path()).unwrap_err().to_string();
    assert!(refused().contains(TOKENS));
    fs::copy(weights().join(TOKENS), folder.path().join(TOKENS)).unwrap();
    assert!(refused().contains(WEIGHTS));

    let whole = fs::read(weights().join(WEIGHTS)).unwrap();
    let path = folder.path().join(WEIGHTS);
    for length in [0, 7, 200, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        assert!(refused().contains("safetensors"), "{length}: {}", refused());
    }
    // A tensor of another name, and so one that is missing.
    let mut other = whole;
    let name = b"model.encoder.conv1.weight";
    let at = other.windows(name.len()).position(|window| window == name).unwrap();
    other[at] = b'n';
    fs::write(&path, &other).unwrap();
    assert!(refused().contains("model.encoder.conv1.weight is missing"), "{}", refused());
    fs::write(folder.path().join(TOKENS), [1, b'x']).unwrap();
    assert!(refused().contains("the vocabulary has 1 tokens"), "{}", refused());
}

/// Memory of this process that is in use: now, without the pages of files, which the system takes and gives back as it
/// likes, and at most so far, with them; in KiB.
fn memory() -> (u64, u64) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let of = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (of("RssAnon:"), of("VmHWM:"))
}

/// Utterances of all lengths that the cutter gives out, one after the other as fast as they can be recognised. With
/// `SIDETONE_MINUTES=60` it is an hour of them, which takes a processor two minutes or three.
#[test]
fn however_much_is_said_a_recogniser_takes_no_more_memory() {
    // The allocator keeps the room of the largest utterance's buffers, some 8 MiB, or gives it back, as it comes.
    const GROWS: u64 = 12 << 10;
    let minutes = std::env::var("SIDETONE_MINUTES").map_or(3, |minutes| minutes.parse().unwrap());
    let weights_only = {
        let _kept = recogniser();
        memory().0
    };
    let mut recogniser = recogniser();
    let said = announcement();
    let speech: Vec<i16> = said.iter().cycle().take(13 * RATE).copied().collect();
    // The longest first, so that whatever grows with length has grown before it is looked at.
    let lengths = [12.0, 0.4, 3.0, 7.5, 1.2, 11.0, 2.0, 5.0f32];
    let mut recognise = |seconds: f32| {
        let piece = &speech[..(seconds * RATE as f32) as usize];
        recogniser.transcribe(piece, &|| false).unwrap();
    };
    lengths.into_iter().for_each(&mut recognise);
    let (before, _) = memory();
    let mut left = (minutes * 60) as f32;
    for seconds in lengths.into_iter().cycle() {
        recognise(seconds);
        left -= seconds;
        if left < 0.0 {
            break;
        }
    }
    let (after, most) = memory();
    println!(
        "KiB: {weights_only} with weights, {before} after one round, {after} at the end, {most} at most"
    );
    assert!(after <= before + GROWS, "{before} KiB to {after} KiB in {minutes} minutes of speech");
}
