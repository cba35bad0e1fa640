//! `sidetone analyze` on the demo's own speech.

use super::common::{assert_valid, json_lines, of_kind, repository, sidetone, stdout};

#[test]
fn a_recording_gives_valid_events_that_end_in_a_summary() {
    let events = json_lines(&["analyze", "--json", &repository("demo/caller.wav")]);
    assert_valid(&events);
    assert_eq!(events[0]["kind"], "call.started");
    assert_eq!(events.last().unwrap()["kind"], "call.ended");
    assert!(
        of_kind(&events, "affect.update").len() >= 15,
        "{} updates",
        of_kind(&events, "affect.update").len()
    );
    let seqs: Vec<u64> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=events.len() as u64).collect::<Vec<_>>());
}

#[test]
fn a_replay_is_the_same_to_the_byte() {
    let arguments = ["analyze", "--json", &repository("demo/caller.wav")];
    assert_eq!(stdout(&arguments), stdout(&arguments));
}

#[test]
fn the_agents_recording_in_the_agents_place_is_never_judged() {
    let folder = tempfile::tempdir().unwrap();
    let stereo = folder.path().join("call.wav");
    stereo_of(&repository("demo/caller.wav"), &repository("demo/agent.wav"), &stereo);
    let stereo = stereo.to_string_lossy();
    let alone = json_lines(&["analyze", "--json", &repository("demo/caller.wav")]);
    let both = json_lines(&["analyze", "--json", &stereo]);
    let valences = |events: &[serde_json::Value]| -> Vec<serde_json::Value> {
        of_kind(events, "affect.update").iter().map(|event| event["data"]["valence"].clone()).collect()
    };
    assert_eq!(
        valences(&alone),
        valences(&both),
        "the agent's voice must change nothing in what is said of the caller"
    );
    let ended = both.last().unwrap();
    let agent = &ended["data"]["summary"]["conduct"]["agent"];
    assert!(agent["talk_ms"].as_u64().unwrap() > 10_000, "{agent}");
}

#[test]
fn a_timeline_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let plots = folder.path().to_string_lossy().into_owned();
    stdout(&["analyze", "--plots", &plots, &repository("demo/caller.wav")]);
    let svg = std::fs::read_to_string(folder.path().join("caller.svg")).unwrap();
    assert!(svg.starts_with("<svg"));
    assert!(std::fs::read(folder.path().join("caller.png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn what_cannot_be_read_is_said_and_fails() {
    for (name, content, wanted) in [
        ("text.wav", b"hello".as_slice(), "neither WAV nor pcap"),
        ("cut.wav", b"RIFF\x00\x00\x00\x00WAVEfmt ", "WAV"),
        ("empty.pcap", b"", "neither WAV nor pcap"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let output = sidetone(&["analyze", &path.to_string_lossy()]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(wanted), "{name}: {error}");
    }
}

fn stereo_of(left: &str, right: &str, to: &std::path::Path) {
    let read =
        |path| -> Vec<i16> { hound::WavReader::open(path).unwrap().samples().map(Result::unwrap).collect() };
    let spec = hound::WavSpec {
        channels: 2,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(to, spec).unwrap();
    for (left, right) in read(left).into_iter().zip(read(right)) {
        writer.write_sample(left).unwrap();
        writer.write_sample(right).unwrap();
    }
    writer.finalize().unwrap();
}
