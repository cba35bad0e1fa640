//! Callers are told, in one unbroken stream, and decide; before that, and after they object, nobody listens.

mod agents;
mod agreement;
mod announcement;
mod early;
mod lists;
mod outlived;
mod overlap;
mod refusal;
mod transfer;

use std::io::Cursor;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sidetone_announce::{Clip, Encoded};
use sidetone_codec::Codec;
use sidetone_scenarios::call::{Call, Toward};
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::rtp::{Arrived, converse};
use sidetone_scenarios::sidetone::{Setup, of_kind};
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::{repository, until};
use tempfile::TempDir;

/// Payload type of telephone-events in the scenarios.
const EVENTS: u8 = 101;
/// What whoever changes something by HTTP has to show.
const TOKEN: &str = "a token for nothing but tests";

/// A call under a policy. Its announcements are called `notice` and `opt-in`, which are one recording, and `other`.
struct Case<'a> {
    scenario: &'a str,
    /// How long the recording is, in seconds.
    seconds: f64,
    disclosure: &'a str,
    /// More tables of the configuration.
    more: &'a str,
    toward: Toward,
    /// More options for the callee's SIPp.
    callee: &'a [&'a str],
    /// More options for the caller's SIPp.
    caller: &'a [&'a str],
    /// Whom the PBX calls counts as a customer.
    analyse_outbound: bool,
}

impl Default for Case<'_> {
    fn default() -> Self {
        let (scenario, disclosure, toward) = ("talk", "notice", Toward::Pbx);
        Self {
            scenario,
            seconds: 1.5,
            disclosure,
            more: "",
            toward,
            callee: &[],
            caller: &[],
            analyse_outbound: true,
        }
    }
}

impl Case<'_> {
    /// Begins the call. The folder holds the recordings; the payloads are those of `notice`, as G.711 µ-law.
    fn begin(&self) -> (Call, TempDir, Vec<Vec<u8>>) {
        let folder = tempfile::tempdir().unwrap();
        let recording = recording(folder.path(), "notice", self.seconds, 0);
        let other = recording_of_another(folder.path(), self.seconds);
        let net = Net::lease();
        let mut setup = Setup::usual(&net);
        setup.disclosure = self.disclosure.to_owned();
        setup.http = format!("token = {TOKEN:?}\n");
        setup.more = format!(
            "{}\n[announcement.files.notice]\nen = {recording:?}\n[announcement.files.opt-in]\nen = {recording:?}\n\
             [announcement.files.other]\nen = {other:?}\n",
            self.more
        );
        setup.trunk_keys = format!("analyse_outbound = {}\n", self.analyse_outbound);
        let (mut uac, mut uas) = plans(&net, self.scenario, self.toward);
        uac.options.extend(self.caller.iter().map(|option| (*option).to_owned()));
        uas.options.extend(self.callee.iter().map(|option| (*option).to_owned()));
        (Call::start_with(net, &setup, uac, uas), folder, payloads(&recording))
    }

    /// As [`Self::begin`], up to the answer.
    fn answered(&self) -> (Call, TempDir, Vec<Vec<u8>>) {
        let (mut call, folder, payloads) = self.begin();
        call.answered();
        (call, folder, payloads)
    }
}

fn start(disclosure: &str, more: &str) -> (Call, TempDir, Vec<Vec<u8>>) {
    Case { disclosure, more, ..Case::default() }.answered()
}

fn plans(net: &Net, scenario: &str, toward: Toward) -> (Plan, Plan) {
    let (caller, callee) = match toward {
        Toward::Pbx => (host::TRUNK, host::PBX),
        Toward::Trunk => (host::PBX, host::TRUNK),
    };
    let mut uac = Plan::new(scenario, "uac", net.at(caller, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    (uac, Plan::new(scenario, "uas", net.at(callee, 5060)))
}

/// So much speech, as an operator's own recording: the loudest stretch, or the `nth` after it.
fn recording(folder: &Path, name: &str, seconds: f64, nth: usize) -> PathBuf {
    let length = (seconds * 8_000.0) as usize;
    let mut reader = hound::WavReader::open(repository().join("demo/agent.wav")).unwrap();
    let path = folder.join(format!("{name}.wav"));
    let mut writer = hound::WavWriter::create(&path, reader.spec()).unwrap();
    let samples: Vec<i16> = reader.samples().map(Result::unwrap).collect();
    let mut stretches: Vec<usize> = (0..samples.len() - length).step_by(4_000).collect();
    stretches.sort_by_key(|from| {
        let loudness = samples[*from..from + length].iter().map(|x| i64::from(x.unsigned_abs())).sum::<i64>();
        std::cmp::Reverse(loudness)
    });
    for sample in &samples[stretches[nth]..][..length] {
        writer.write_sample(*sample).unwrap();
    }
    writer.finalize().unwrap();
    path
}

/// Another recording, no packet of which sounds like one of the first.
fn recording_of_another(folder: &Path, seconds: f64) -> PathBuf {
    recording(folder, "other", seconds, 3)
}

/// The payloads that a listener is to get.
fn payloads(path: &Path) -> Vec<Vec<u8>> {
    let clip = Clip::read("announcement", Cursor::new(std::fs::read(path).unwrap()), -23.0).unwrap();
    let encoded = Encoded::new(&clip, &Codec::Pcmu, 20).unwrap();
    (0..encoded.packets()).map(|n| encoded.payload(n).unwrap().to_vec()).collect()
}

fn header(packet: &[u8]) -> (u32, u16, u32) {
    (
        u32::from_be_bytes(packet[8..12].try_into().unwrap()),
        u16::from_be_bytes(packet[2..4].try_into().unwrap()),
        u32::from_be_bytes(packet[4..8].try_into().unwrap()),
    )
}

/// One SSRC, no sequence number left out, timestamps that run on.
fn assert_one_stream(packets: &[Vec<u8>]) {
    for pair in packets.windows(2) {
        let (before, after) = (header(&pair[0]), header(&pair[1]));
        assert_eq!(after.0, before.0, "SSRC");
        assert_eq!(after.1, before.1.wrapping_add(1), "sequence");
        // A machine that stood still for a moment makes a pause, which is marked as one.
        let marked = pair[1][1] & 0x80 != 0;
        if pair[1][1] & 0x7f == 0 && pair[0][1] & 0x7f == 0 && !marked {
            assert_eq!(after.2.wrapping_sub(before.2), 160, "timestamp");
        }
    }
}

/// Whether there is more to it than silence, which others may send too.
fn sounds(payload: &[u8]) -> bool {
    payload.iter().any(|byte| *byte != payload[0])
}

/// Where the announcement stands among packets: its first and last.
fn announcement(packets: &[Vec<u8>], payloads: &[Vec<u8>]) -> (usize, usize) {
    let word = payloads.iter().position(|payload| sounds(payload)).unwrap_or(0);
    let at = packets.iter().position(|packet| packet[12..] == payloads[word]).expect("its first word");
    (at - word, at - word + payloads.len())
}

/// The whole announcement, every packet of it in its order, with nothing between, and none of it twice. Returns where
/// it ends.
fn assert_told_once(packets: &[Vec<u8>], payloads: &[Vec<u8>]) -> usize {
    let (first, end) = announcement(packets, payloads);
    assert!(packets.len() >= end, "{} packets came, the announcement goes on to {end}", packets.len());
    for (n, (packet, payload)) in packets[first..end].iter().zip(payloads).enumerate() {
        assert_eq!(&packet[12..], payload, "packet {n} of the announcement");
    }
    assert_eq!(told(packets, payloads), payloads.iter().filter(|payload| sounds(payload)).count());
    end
}

/// How many packets sound like the announcement.
fn told(packets: &[Vec<u8>], payloads: &[Vec<u8>]) -> usize {
    packets.iter().filter(|packet| sounds(&packet[12..]) && payloads.contains(&packet[12..].to_vec())).count()
}

fn states(events: &[Value]) -> Vec<(&str, &str)> {
    of_kind(events, "consent.changed")
        .iter()
        .map(|event| (event["data"]["state"].as_str().unwrap(), event["data"]["by"].as_str().unwrap()))
        .collect()
}

/// What became of the announcements: name and phase.
fn phases(events: &[Value]) -> Vec<(&str, &str)> {
    of_kind(events, "announcement")
        .iter()
        .map(|event| (event["data"]["name"].as_str().unwrap(), event["data"]["phase"].as_str().unwrap()))
        .collect()
}

fn speech() -> Vec<i16> {
    let mut reader = hound::WavReader::open(repository().join("demo/caller.wav")).unwrap();
    reader.samples().map(Result::unwrap).skip(24 * 8_000).take(5 * 8_000).collect()
}

fn talk(call: &mut Call, packets: u32) -> Arrived {
    converse(&mut call.caller_media, &mut call.callee_media, packets, |_, _, _| {})
}

/// The call as the command line shows it.
fn view(call: &Call) -> Value {
    let calls = call.sidetone.command(&["calls", "--json"]);
    serde_json::from_str(calls.lines().next().expect("a call that is up")).unwrap()
}

/// The call's name at Sidetone.
fn id(call: &Call) -> String {
    view(call)["id"].as_str().unwrap().to_owned()
}

/// Waits for a state, and who brought it about.
fn until_state(call: &Call, state: &str, by: &str) {
    until(state, || states(&call.sidetone.events()).contains(&(state, by)).then_some(()));
}

fn until_announcing(call: &Call) {
    until("the announcement", || {
        (!of_kind(&call.sidetone.events(), "announcement").is_empty()).then_some(())
    });
}

/// How much sound has reached the model, in milliseconds.
fn heard_ms(call: &Call) -> f64 {
    call.sidetone.metric("sidetone_analysis_audio_seconds_total") * 1e3
}

/// Not one frame of the call has reached the model, and nothing was inferred.
fn assert_nobody_listened(call: &Call) {
    assert_eq!(heard_ms(call), 0.0, "not one frame reached the model");
    assert_no_affect(&call.sidetone.events());
}

/// What is inferred of a customer, as it would stand in a file.
const INFERRED: [&str; 5] =
    ["affect.update", "affect.alert", "\"kind\":\"conduct\"", "\"valence\":", "\"talk_share\":"];

/// Every line of every file below Sidetone's folder that holds anything inferred.
fn lines_that_infer(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            lines.extend(lines_that_infer(&path));
        } else if path.is_file() {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            let infers = |line: &&str| INFERRED.iter().any(|word| line.contains(word));
            lines.extend(text.lines().filter(infers).map(|line| format!("{}: {line}", path.display())));
        }
    }
    lines
}

fn assert_no_affect(events: &[Value]) {
    let affect = events.iter().find(|event| event["kind"].as_str().unwrap().starts_with("affect."));
    assert!(affect.is_none(), "{affect:?}");
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(1.0)
}
