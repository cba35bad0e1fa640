//! Training, adapting, judging and budgeting a model, as an operator does with their own labelled calls.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::common::{json_lines, repository, sidetone, stdout};

/// Pulses through a resonance, syllable by syllable: slow and low, or quick, high and lively.
fn voice(lively: bool, seed: u32) -> Vec<i16> {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as f32 / u32::MAX as f32
    };
    let base = (100.0 + 60.0 * random()) * if lively { 1.7 } else { 1.0 };
    let (mut pcm, mut phase, mut past) = (Vec::new(), 0.0f32, [0.0f32; 2]);
    while pcm.len() < 14_000 {
        let length = if lively { 1000 } else { 1900 };
        let angle = std::f32::consts::TAU * (500.0 + 900.0 * random()) / 8000.0;
        let bend = if lively { 0.6 * random() - 0.3 } else { 0.0 };
        for n in 0..length {
            let part = n as f32 / length as f32;
            phase += base * (1.0 + bend * (part - 0.5)) / 8000.0;
            let pulse = if phase >= 1.0 { 1.0 } else { 0.0 };
            phase = phase.fract();
            let x = pulse + 1.92 * angle.cos() * past[0] - 0.9216 * past[1];
            past = [x, past[0]];
            pcm.push((1500.0 * x * (std::f32::consts::PI * part).sin().max(0.1)) as i16);
        }
    }
    pcm
}

/// Eight speakers, some with a label that is no class; the manifest has no more columns than it must.
fn make_corpus(root: &Path) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut table = String::from("path,emotion,speaker,corpus\n");
    for speaker in 0..8 {
        for clip in 0..8 {
            let name = format!("{speaker}-{clip}.wav");
            let mut file = hound::WavWriter::create(root.join(&name), spec).unwrap();
            for x in voice(clip % 2 == 0, speaker * 8 + clip + 1) {
                file.write_sample(x).unwrap();
            }
            file.finalize().unwrap();
            let emotion = match clip {
                7 => "perplexity",
                _ if clip % 2 == 0 => "anger",
                _ => "neutral",
            };
            // Paths may be absolute too.
            let path = if clip == 0 { root.join(&name).display().to_string() } else { name };
            writeln!(table, "{path},{emotion},caller{speaker},calls").unwrap();
        }
    }
    fs::write(root.join("labels.csv"), table).unwrap();
}

const TINY: &str = r#"{"stem":16,"channels":24,"dilations":[1,2],"heads":2,"hidden":16}"#;

#[test]
fn an_operator_trains_judges_adapts_and_budgets_on_their_own_calls() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    make_corpus(root);
    let text = |path: &Path| path.to_string_lossy().into_owned();
    let (manifest, base) = (text(&root.join("labels.csv")), text(root));
    let (first, second) = (text(&root.join("first")), text(&root.join("second")));
    let data = ["--manifest", &manifest, "--root", &base];
    let split = ["--test", "caller6,caller7", "--validation", "caller5"];

    let train = |out: &str, more: &[&str]| {
        let command = ["model", "train", "--out", out, "--epochs", "5", "--batch", "8", "--rate", "0.006"];
        json_lines(&[&command, &data[..], &split[..], more, &["--json"]].concat())
    };
    let lines = train(&first, &["--name", "ours", "--network", TINY]);
    assert_eq!(lines.len(), 6, "five epochs and the report");
    let report = &lines[5];
    assert_eq!(report["split"]["test"].as_array().unwrap().len(), 2);
    let card = fs::read_to_string(root.join("first/CARD.md")).unwrap();
    assert!(card.contains("--test caller6,caller7 --validation caller5"), "{card}");

    let weights = text(&root.join("first/model.safetensors"));
    let info = stdout(&["model", "info", "--model", &weights]);
    assert!(info.starts_with("ours"), "{info}");

    // A model of one's own is adapted by the same command; the card says so.
    train(&second, &["--from", &weights, "--name", "adapted"]);
    assert!(fs::read_to_string(root.join("second/CARD.md")).unwrap().contains("adapted from another model"));

    // Between what it was and what that made of it.
    let (other, between) = (text(&root.join("second/model.safetensors")), text(&root.join("between")));
    let both = format!("{weights},{other}");
    let blended =
        &json_lines(&["model", "blend", "--of", &both, "--share", "0.4", "--out", &between, "--json"])[0];
    assert!(stdout(&["model", "info", "--model", &between]).starts_with("adapted"), "{blended}");
    let alone = sidetone(&["model", "blend", "--of", &weights, "--out", &between]);
    assert!(!alone.status.success(), "{alone:?}");

    // Last, a model learns what is no voice.
    let told = text(&root.join("told"));
    let music = ["model", "music", "--model", &weights, "--out", &told, "--json"];
    let music = &json_lines(&[&music[..], &data[..]].concat())[0];
    assert!(music["told"]["tones"]["share"].as_f64().unwrap() > 0.5, "{music}");
    assert!(fs::read_to_string(root.join("told/CARD.md")).unwrap().contains("## No voice"));

    let plots = text(&root.join("plots"));
    let answers = text(&root.join("answers.jsonl"));
    let judged = [
        "model",
        "eval",
        "--model",
        &weights,
        "--plots",
        &plots,
        "--answers",
        &answers,
        "--loss",
        "0.03",
        "--json",
    ];
    let evaluation = &json_lines(&[&judged[..], &data[..]].concat())[0];
    assert_eq!(evaluation["unmapped"], 2, "two clips of the test speakers have a label that is no class");
    assert!(evaluation["corpora"][0]["sets"][0]["uar"]["value"].as_f64().unwrap() > 0.7, "{evaluation}");
    let answered = fs::read_to_string(&answers).unwrap();
    assert_eq!(answered.lines().count() as u64, evaluation["corpora"][0]["clips"].as_u64().unwrap());
    assert!(
        answered
            .lines()
            .all(|line| line.contains(r#""meant":"anger""#) || line.contains(r#""meant":"neutral""#)),
        "{answered}"
    );
    for plot in ["calls-native-confusion", "calls-native-reliability", "calls-risk-coverage"] {
        for kind in ["svg", "png"] {
            assert!(root.join("plots").join(format!("{plot}.{kind}")).is_file(), "{plot}.{kind}");
        }
    }

    let budget = ["model", "budget", "--model", &weights, "--hours", "0.1", "--json"];
    let told = &json_lines(&[&budget[..], &data[..]].concat())[0];
    assert_eq!(told["scenes"].as_array().unwrap().len(), 3);
    assert!(told["scenes"][0]["estimates"].as_u64().unwrap() > 100);
    assert!(told["upsets"]["calls"].as_u64().unwrap() >= 4, "{told}");
    assert_eq!(told["at_once"]["calls"], told["upsets"]["calls"], "{told}");
    assert!(told["happy"]["alerted"].as_u64() <= told["happy"]["calls"].as_u64(), "{told}");

    // Paired by clip with the adapted one; and asked about a corpus that it never had.
    let paired = ["model", "eval", "--model", &weights, "--against", &other, "--json"];
    let paired = &json_lines(&[&paired[..], &data[..]].concat())[0];
    assert!(paired["corpora"][0]["sets"][0]["p"].as_f64().unwrap() > 0.0, "{paired}");
    let renamed = fs::read_to_string(root.join("labels.csv")).unwrap().replace(",calls\n", ",others\n");
    fs::write(root.join("others.csv"), renamed.replace("caller", "other")).unwrap();
    let elsewhere = text(&root.join("others.csv"));
    let asked =
        ["model", "eval", "--strangers-to", &weights, "--manifest", &elsewhere, "--root", &base, "--json"];
    let asked = &json_lines(&asked)[0];
    assert_eq!(asked["rows"][0]["report"]["corpus"], "others", "{asked}");
}

#[test]
fn what_is_missing_is_said_once_and_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().to_string_lossy().into_owned();
    for command in [["model", "train"], ["model", "eval"]] {
        let mut line = command.to_vec();
        line.extend(["--manifest", "/nowhere/labels.csv", "--root", &base]);
        if command[1] == "train" {
            line.extend(["--out", &base]);
        }
        let output = sidetone(&line);
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.matches("/nowhere/labels.csv").count(), 1, "{said}");
        assert!(said.contains("write a CSV with the columns path, emotion, speaker and corpus"), "{said}");
    }
    fs::write(folder.path().join("labels.csv"), "path,emotion,speaker,corpus\ngone.wav,anger,a,c\n").unwrap();
    let manifest = folder.path().join("labels.csv");
    let output = sidetone(&["model", "eval", "--manifest", &manifest.to_string_lossy(), "--root", &base]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.matches("gone.wav").count(), 1, "{said}");
    assert!(said.contains("No such file"), "{said}");
}

#[test]
fn a_file_that_is_no_model_is_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    fs::write(&path, b"RIFF....WAVE").unwrap();
    let output = sidetone(&["model", "info", "--model", &path.to_string_lossy()]);
    assert!(!output.status.success());
    assert!(String::from_utf8(output.stderr).unwrap().contains("not a complete safetensors file"));
}

#[test]
fn a_recognisers_weights_are_installed_from_a_folder_if_they_are_the_very_ones() {
    let from = recogniser();
    let into = tempfile::tempdir().unwrap();
    let place = into.path().join("models").display().to_string();
    let installed =
        &json_lines(&["--json", "model", "fetch", "moonshine-tiny", "--from", &from, "--into", &place])[0];
    assert_eq!(installed["card"]["verified"], true, "{installed}");
    assert_eq!(installed["card"]["licence"], "MIT");
    let listed = &json_lines(&["--json", "model", "list", "--into", &place])[0];
    assert_eq!(listed["installed"]["files"], installed["card"]["files"]);
    // Nothing is left beside it.
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 1);
    let again = stdout(&["model", "fetch", "moonshine-tiny", "--into", &place]);
    assert!(again.contains("is installed already"), "{again}");
}

#[test]
fn weights_that_were_changed_are_refused_and_what_was_installed_stays() {
    let from = recogniser();
    let into = tempfile::tempdir().unwrap();
    let changed = into.path().join("changed");
    std::fs::create_dir(&changed).unwrap();
    for file in ["model.safetensors", "tokens.bin"] {
        std::fs::copy(format!("{from}/{file}"), changed.join(file)).unwrap();
    }
    let weights = changed.join("model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, &bytes).unwrap();
    let place = into.path().join("models").display().to_string();
    let changed = changed.display().to_string();
    let fetch = ["model", "fetch", "moonshine-tiny", "--from", &changed, "--into", &place];
    let refused = sidetone(&fetch);
    assert!(!refused.status.success());
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(error.contains("SHA-256") && error.contains("--accept-unverified"), "{error}");
    assert_eq!(std::fs::read_dir(&place).unwrap().count(), 0);

    // Whoever takes them all the same has them marked.
    let taken = stdout(&[&fetch[..], &["--accept-unverified"]].concat());
    assert!(taken.contains("is installed"), "{taken}");
    let list = stdout(&["model", "list", "--into", &place]);
    assert!(list.contains("unverified"), "{list}");

    // A network that is cut short is usable by nobody, whatever is accepted.
    bytes.truncate(bytes.len() / 2);
    std::fs::write(&weights, &bytes).unwrap();
    let broken = sidetone(&[&fetch[..], &["--accept-unverified", "--again"]].concat());
    assert!(!broken.status.success());
    assert!(String::from_utf8_lossy(&broken.stderr).contains("not usable"), "{broken:?}");
    assert!(stdout(&["model", "list", "--into", &place]).contains("unverified"));
}

#[test]
fn a_model_that_nobody_knows_and_a_package_that_is_none_are_told() {
    let into = tempfile::tempdir().unwrap();
    let place = into.path().display().to_string();
    let error = sidetone(&["model", "fetch", "nothing", "--into", &place]).stderr;
    assert!(String::from_utf8_lossy(&error).contains("moonshine-tiny"));
    let file = into.path().join("package.whl").display().to_string();
    std::fs::write(&file, b"PK\x03\x04 and no more").unwrap();
    let error = sidetone(&["model", "fetch", "moonshine-tiny", "--from", &file, "--into", &place]).stderr;
    assert!(
        String::from_utf8_lossy(&error).contains("is not that package"),
        "{}",
        String::from_utf8_lossy(&error)
    );
}

/// The weights that tools/peers/recogniser.sh fetched.
fn recogniser() -> String {
    let folder = std::env::var("SIDETONE_PEERS").unwrap_or_else(|_| repository(".peers"));
    let folder = format!("{folder}/models/moonshine-tiny");
    let there = std::path::Path::new(&folder).join("card.json").is_file();
    assert!(there, "the recogniser's weights are missing; run tools/peers/install.sh recogniser");
    folder
}
