//! `sidetone analyze` on the demo's own speech.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use sidetone_capture::pcap::Writer;

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
    let valences = |events: &[serde_json::Value]| -> Vec<f64> {
        of_kind(events, "affect.update")
            .iter()
            .filter_map(|event| event["data"]["valence"].as_f64())
            .collect()
    };
    // That they speak says what may be an echo of theirs. Nothing else of them changes what is said of the caller, or
    // some thirty seconds of the agent's speech would be told of too.
    let (alone, heard) = (valences(&alone), valences(&both));
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    assert!(heard.len() <= alone.len() && heard.len() * 10 >= alone.len() * 8, "{heard:?} {alone:?}");
    assert!((mean(&heard) - mean(&alone)).abs() < 0.1, "{heard:?} {alone:?}");
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
    for (name, content, wanted, status) in [
        ("text.wav", b"hello".as_slice(), "neither audio", 3),
        ("cut.wav", b"RIFF\x00\x00\x00\x00WAVEfmt ", "WAV", 3),
        ("music.mp3", b"\xFF\xFB\x90\x00 and so on", "ffmpeg", 3),
        ("empty.pcap", b"", "is empty", 5),
        (
            "silent.wav",
            b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\0\0\0",
            "nothing to analyse",
            5,
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let output = sidetone(&["analyze", &path.to_string_lossy()]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), error.contains(wanted)), (Some(status), true), "{name}: {error}");
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

/// Ten seconds of the demo's two parties as bare RTP, the agent a moment ahead.
fn bare_capture(to: &Path) {
    let read = |path: &str| -> Vec<i16> {
        hound::WavReader::open(repository(path)).unwrap().samples().map(Result::unwrap).take(80_000).collect()
    };
    let legs = [
        (read("demo/agent.wav"), "10.2.2.20:6000", "10.1.1.10:4000", 0xB_u32),
        (read("demo/caller.wav"), "10.1.1.10:4000", "10.2.2.20:6000", 0xA),
    ];
    let mut writer = Writer::new(Vec::new()).unwrap();
    for n in 0..500_u16 {
        for (offset, (samples, src, dst, ssrc)) in legs.iter().enumerate() {
            let mut packet = vec![0x80, 0];
            packet.extend(n.to_be_bytes());
            packet.extend((u32::from(n) * 160).to_be_bytes());
            packet.extend(ssrc.to_be_bytes());
            let samples = &samples[usize::from(n) * 160..][..160];
            packet.extend(samples.iter().map(|sample| sidetone_codec::g711::to_ulaw(*sample)));
            let at = Duration::from_millis(1_700_000_000_000 + u64::from(n) * 20 + offset as u64);
            writer.udp(at, src.parse().unwrap(), dst.parse().unwrap(), &packet).unwrap();
        }
    }
    std::fs::write(to, writer.into_inner()).unwrap();
}

fn text(output: &Output) -> (Option<i32>, String, String) {
    let read = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), read(&output.stdout), read(&output.stderr))
}

#[test]
fn in_bare_audio_nobody_is_judged_until_the_customer_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bare.pcap");
    bare_capture(&path);
    let path = path.to_string_lossy();
    let (status, out, error) = text(&sidetone(&["analyze", &path]));
    assert_eq!(status, Some(6), "{error}");
    assert!(out.contains("nobody judged") && out.contains("talk: 10.2.2.20:6000"), "{out}");
    assert!(error.contains("--customer 10.2.2.20:6000 or --customer 10.1.1.10:4000"), "{error}");
    let events = sidetone(&["analyze", "--json", &path]).stdout;
    let events: Vec<serde_json::Value> =
        String::from_utf8(events).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_valid(&events);
    assert_eq!(events[0]["data"]["analysed"], false);
    assert_eq!(
        events.iter().map(|event| event["kind"].as_str().unwrap()).collect::<Vec<_>>(),
        ["call.started", "call.answered", "call.ended"]
    );
    assert!(events.last().unwrap()["data"]["summary"].is_null());

    // The customer named, whoever was first to be heard, is judged as the same person's recording is.
    let judged = |customer: &str| {
        let events = json_lines(&["analyze", "--json", "--customer", customer, &path]);
        assert_valid(&events);
        events.last().unwrap()["data"]["summary"]["conduct"]["customer"]["talk_ms"].as_u64().unwrap()
    };
    assert_eq!(judged("10.1.1.10"), judged("callee"));
    assert_eq!(judged("10.2.2.20:6000"), judged("caller"));
    assert_ne!(judged("10.1.1.10"), judged("10.2.2.20"));
}

/// Both legs of a conversation that a dialler has placed, the customer's first.
fn diallers_capture(to: &Path) {
    let read = |path: &str| -> Vec<i16> {
        hound::WavReader::open(repository(path)).unwrap().samples().map(Result::unwrap).take(80_000).collect()
    };
    let (customer, agent) = (read("demo/caller.wav"), read("demo/agent.wav"));
    let start = Duration::from_secs(1_700_000_000);
    let mut writer = Writer::new(Vec::new()).unwrap();
    let mut write = |at: Duration, src: &str, dst: &str, payload: &[u8]| {
        writer.udp(start + at, src.parse().unwrap(), dst.parse().unwrap(), payload).unwrap();
    };
    let sdp = |ip: &str, port: u16| {
        format!("v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n")
    };
    for (leg, ip, port, ours) in [(0_u64, "10.1.1.10", 4000, 7002), (1, "10.2.2.20", 6000, 7000)] {
        let message = |start: &str, tag: &str, method: &str, sdp: &str| {
            let length = sdp.len();
            format!(
                "{start}\r\nVia: SIP/2.0/UDP 10.3.3.3;branch=z9hG4bK{leg}{method}\r\nFrom: <sip:pbx@10.3.3.3>;tag=p{leg}\r\n\
                 To: <sip:9@{ip}>{tag}\r\nCall-ID: {leg}@p\r\nCSeq: 1 {method}\r\nMax-Forwards: 70\r\n\
                 Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{sdp}"
            )
        };
        let (pbx, phone) = ("10.3.3.3:5060", format!("{ip}:5060"));
        let at = |ms| Duration::from_millis(100 * leg + ms);
        let invite = message(&format!("INVITE sip:9@{ip} SIP/2.0"), "", "INVITE", &sdp("10.3.3.3", ours));
        let answer = message("SIP/2.0 200 OK", ";tag=q", "INVITE", &sdp(ip, port));
        write(at(0), pbx, &phone, invite.as_bytes());
        write(at(20), &phone, pbx, answer.as_bytes());
        write(
            at(40),
            pbx,
            &phone,
            message(&format!("ACK sip:9@{ip} SIP/2.0"), ";tag=q", "ACK", "").as_bytes(),
        );
    }
    for n in 0..500_u16 {
        for (ssrc, (voice, src, dst)) in (1_u32..).zip([
            (&customer, "10.1.1.10:4000", "10.3.3.3:7002"),
            (&customer, "10.3.3.3:7000", "10.2.2.20:6000"),
            (&agent, "10.2.2.20:6000", "10.3.3.3:7000"),
            (&agent, "10.3.3.3:7002", "10.1.1.10:4000"),
        ]) {
            let mut packet = vec![0x80, 0];
            packet.extend(n.to_be_bytes());
            packet.extend((u32::from(n) * 160).to_be_bytes());
            packet.extend(ssrc.to_be_bytes());
            let samples = &voice[usize::from(n) * 160..][..160];
            packet.extend(samples.iter().map(|sample| sidetone_codec::g711::to_ulaw(*sample)));
            write(Duration::from_millis(500 + u64::from(n) * 20), src, dst, &packet);
        }
    }
    std::fs::write(to, writer.into_inner()).unwrap();
}

#[test]
fn of_a_diallers_two_legs_nobody_is_judged_until_an_address_names_the_customer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dialler.pcap");
    diallers_capture(&path);
    let path = path.to_string_lossy();
    let (status, out, error) = text(&sidetone(&["analyze", &path]));
    assert_eq!(status, Some(6), "{out}{error}");
    assert!(out.contains("nobody judged") && out.contains("who placed the call is no answer"), "{out}");
    assert!(error.contains("10.1.1.10:4000") && error.contains("10.2.2.20:6000"), "{error}");
    assert!(!out.contains("estimates"), "{out}");
    let speech = |customer: &str| {
        let events = json_lines(&["analyze", "--json", "--customer", customer, &path]);
        events.last().unwrap()["data"]["summary"]["conduct"]["customer"]["talk_ms"].as_u64().unwrap()
    };
    let (customer, agent) = (speech("10.1.1.10:4000"), speech("10.2.2.20"));
    assert!(customer > 0 && agent > 0 && customer != agent, "{customer} {agent}");
}

/// Speech of the demo's caller, two seconds a day for three days; with `counting`, timestamps go on with the clock.
fn capture_of_days(to: &Path, counting: bool) {
    let pcm: Vec<i16> = hound::WavReader::open(repository("demo/caller.wav"))
        .unwrap()
        .samples()
        .map(Result::unwrap)
        .collect();
    let mut writer = Writer::new(Vec::new()).unwrap();
    let addr = |host: &str| host.parse::<std::net::SocketAddr>().unwrap();
    let (one, other) = (addr("192.0.2.1:4000"), addr("192.0.2.2:4002"));
    for day in 0..3_u32 {
        for number in 0..100_u32 {
            let sequence = u16::try_from(day * 100 + number).unwrap();
            let since = if counting { day.wrapping_mul(86_400 * 8_000) } else { day * 100 * 160 };
            let start = (40_000 + number * 160) as usize;
            let payload: Vec<u8> =
                pcm[start..start + 160].iter().map(|sample| sidetone_codec::g711::to_ulaw(*sample)).collect();
            let mut rtp = vec![0x80, 0];
            rtp.extend(sequence.to_be_bytes());
            rtp.extend((since.wrapping_add(number * 160)).to_be_bytes());
            rtp.extend(7_u32.to_be_bytes());
            rtp.extend(payload);
            let at = Duration::from_millis(
                1_700_000_000_000 + u64::from(day) * 86_400_000 + u64::from(number) * 20,
            );
            writer.udp(at, one, other, &rtp).unwrap();
            writer.udp(at, other, one, &rtp).unwrap();
        }
    }
    std::fs::write(to, writer.into_inner()).unwrap();
}

#[test]
fn days_between_packets_are_passed_over_and_said() {
    let folder = tempfile::tempdir().unwrap();
    for counting in [false, true] {
        let path = folder.path().join(format!("days-{counting}.pcap"));
        capture_of_days(&path, counting);
        let path = path.to_string_lossy();
        let began = std::time::Instant::now();
        for arguments in [
            &["analyze", "--customer", "192.0.2.1", &*path][..],
            &["cues", "replay", "--customer", "192.0.2.1", &path],
        ] {
            let (status, out, error) = text(&sidetone(arguments));
            assert_eq!(status, Some(0), "{error}");
            assert!(format!("{out}{error}").contains("are passed over"), "{arguments:?}: {out}{error}");
        }
        // Otherwise it grows with what lies between the packets: some seconds a day.
        assert!(began.elapsed() < Duration::from_secs(60), "{counting}: {:?}", began.elapsed());
    }
}

#[test]
fn of_one_channel_no_agent_is_made_up() {
    let events = json_lines(&["analyze", "--json", &repository("demo/caller.wav")]);
    let conduct = &events.last().unwrap()["data"]["summary"]["conduct"];
    assert!(
        conduct["customer"]["talk_share"].is_null() && conduct["agent"]["talk_share"].is_null(),
        "{conduct}"
    );
    assert_eq!((conduct["agent"]["talk_ms"].as_u64(), conduct["silence_ms"].as_u64()), (Some(0), Some(0)));
    let report = stdout(&["analyze", &repository("demo/caller.wav")]);
    assert!(
        report.contains("the other party isn't in this recording") && !report.contains("agent 0 %"),
        "{report}"
    );
}

#[test]
fn two_channels_of_one_sound_are_one_leg() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("twice.wav");
    let caller = repository("demo/caller.wav");
    stereo_of(&caller, &caller, &path);
    let report = stdout(&["analyze", &path.to_string_lossy()]);
    assert!(report.contains("both channels, which are the same") && !report.contains("agent 5"), "{report}");
}

#[test]
fn folders_and_standard_input_are_recordings_too() {
    let folder = tempfile::tempdir().unwrap();
    let within = folder.path().join("2026/november");
    std::fs::create_dir_all(&within).unwrap();
    std::fs::copy(repository("demo/caller.wav"), within.join("b.wav")).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "not a recording").unwrap();
    std::fs::write(folder.path().join(".hidden.wav"), "neither").unwrap();
    bare_capture(&folder.path().join("a.pcap"));
    let path = folder.path().to_string_lossy();
    let (status, out, error) = text(&sidetone(&["analyze", "--table", "--customer", "callee", &path]));
    assert_eq!(status, Some(0), "{error}");
    assert!(error.contains("no recordings, and passed over: 1"), "{error}");
    let rows: Vec<&str> = out.lines().collect();
    // In order of names, each folder's own files where its name stands.
    assert_eq!(rows.len(), 3, "{out}");
    assert!(
        rows[0].starts_with("began (UTC)") && rows[1].ends_with("b.wav") && rows[2].ends_with("a.pcap"),
        "{out}"
    );
    assert!(rows[2].starts_with("2023-11-14 22:13:20"), "{out}");

    let mut child = Command::new(env!("CARGO_BIN_EXE_sidetone"))
        .args(["analyze", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let wav = std::fs::read(repository("demo/caller.wav")).unwrap();
    child.stdin.take().unwrap().write_all(&wav).unwrap();
    let (status, out, error) = text(&child.wait_with_output().unwrap());
    assert_eq!((status, out.starts_with("standard input\n")), (Some(0), true), "{out}{error}");
    assert!(!out.contains("1970-"), "{out}");
}

#[test]
fn what_is_there_of_a_cut_file_is_analysed_and_said_to_be_cut() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.pcap");
    bare_capture(&whole);
    let mut bytes = std::fs::read(&whole).unwrap();
    bytes.truncate(bytes.len() - 30);
    let cut = folder.path().join("cut.pcap");
    std::fs::write(&cut, bytes).unwrap();
    let (status, out, error) = text(&sidetone(&["analyze", "--customer", "callee", &cut.to_string_lossy()]));
    assert_eq!(status, Some(4), "{error}");
    assert!(error.contains("ends in the middle of a frame") && out.contains(" of call, "), "{error}{out}");
}

#[test]
fn exit_statuses_are_told_by_help() {
    let help = stdout(&["analyze", "--help"]);
    for status in
        ["Exit status", "  3  an input could not be read", "  6  a call was heard and nobody judged"]
    {
        assert!(help.contains(status), "{help}");
    }
}

/// The binary's exit status, output and complaints.
fn analyse(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = sidetone(arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_protected_call_is_heard_with_its_keys_and_they_are_shown_nowhere() {
    let fixture = |name: &str| repository(&format!("crates/capture/tests/fixtures/{name}"));
    let (sdes, dtls, keys) =
        (fixture("baresip-sdes.pcap"), fixture("baresip-dtls.pcap"), fixture("baresip-dtls.keys"));
    for arguments in [vec![sdes.as_str()], vec!["--dtls-keylog", &keys, &dtls]] {
        let (status, told, complaints) = analyse(&[&["analyze"], &arguments[..]].concat());
        assert_eq!(status, Some(0), "{told}{complaints}");
        assert!(told.contains(" protected packets of 10.44.0.1:") && !told.contains("not heard"), "{told}");
        let (_, told, notes) = analyse(&[&["analyze", "--json", "--events"], &arguments[..]].concat());
        let counts: Vec<serde_json::Value> =
            notes.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(counts.len(), 2, "{notes}");
        assert!(
            counts.iter().all(|party| party["opened"].as_u64() > Some(60) && party["sealed"] == 0),
            "{notes}"
        );
        for secret in ["inline:", "p5a7XMPj03aVHsg4koTVq9ZVmsUE4iV68zl0kDMw", "9cbb2c4b7b4c15813e4b4"] {
            assert!(!told.contains(secret) && !notes.contains(secret), "{secret}");
        }
    }
    let (status, told, complaints) = analyse(&["analyze", &dtls]);
    assert_eq!(status, Some(5), "{told}{complaints}");
    assert!(told.contains("protected, and the capture has no key for it: give the secrets"), "{told}");
    let events = sidetone(&["analyze", "--json", &dtls]).stdout;
    let events = String::from_utf8(events).unwrap();
    assert!(events.contains("call.untappable") && events.contains("\"dtls\""), "{events}");
}

#[test]
fn a_malformed_key_log_is_named_with_line_and_remedy_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("keys.log");
    std::fs::write(&log, "# keys\nCLIENT_RANDOM abcdef 0123456789abcdef\n").unwrap();
    let log = log.to_string_lossy();
    let (status, _, complaint) = analyse(&["analyze", "--dtls-keylog", &log, &repository("demo/caller.wav")]);
    assert_eq!(status, Some(1), "{complaint}");
    assert!(
        complaint.contains("keys.log") && complaint.contains("line 2") && complaint.contains("delete it"),
        "{complaint}"
    );
    assert!(!complaint.contains("0123456789abcdef"), "{complaint}");
    let (status, _, complaint) =
        analyse(&["analyze", "--dtls-keylog", "/nowhere", &repository("demo/caller.wav")]);
    assert_eq!(status, Some(1), "{complaint}");
    assert!(complaint.contains("--dtls-keylog /nowhere"), "{complaint}");
}
