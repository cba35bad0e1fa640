//! What a customer says, in a real call through the real recogniser.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use sidetone_scenarios::call::Call;
use sidetone_scenarios::net::{Net, host};
use sidetone_scenarios::repository;
use sidetone_scenarios::rtp::speak;
use sidetone_scenarios::sidetone::{Setup, Sidetone, binary, of_kind};
use sidetone_scenarios::sipp::Plan;
use sidetone_scenarios::until;

use crate::stored::{rows, store};

/// The demo's caller, from "I see that you have charged me twice" to "I want my money back".
fn speech() -> Vec<i16> {
    let mut reader = hound::WavReader::open(repository().join("demo/caller.wav")).unwrap();
    assert_eq!(reader.spec().sample_rate, 8_000);
    reader.samples().map(Result::unwrap).skip(24 * 8_000).take(18 * 8_000).collect()
}

/// The recogniser that `make peers` installs.
fn recogniser() -> PathBuf {
    let folder = repository().join(".peers/models/moonshine-tiny");
    assert!(folder.is_dir(), "{} is missing: `make peers` installs it", folder.display());
    folder
}

fn start(folder: &Path, model: &Path, more: &str) -> Call {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    let (spool, store) = (folder.join("spool.db"), folder.join("store.db"));
    setup.more = format!(
        "[spool]\npath = {spool:?}\n[store]\npath = {store:?}\n\
         [language]\nenabled = true\nmodel = \"{}/\"\n{more}\n",
        model.display()
    );
    let (uac, uas) = plans(&net);
    let mut call = Call::start_with(net, &setup, uac, uas);
    call.answered();
    call
}

fn plans(net: &Net) -> (Plan, Plan) {
    let mut uac = Plan::new("talk", "uac", net.at(host::TRUNK, 5060));
    uac.remote = Some(net.at(host::SIDETONE, 5060));
    (uac, Plan::new("talk", "uas", net.at(host::PBX, 5060)))
}

fn id(call: &Call) -> String {
    call.first_event()["call"]["id"].as_str().unwrap().to_owned()
}

fn view(call: &Call) -> Value {
    serde_json::from_str(&call.sidetone.command(&["call", &id(call), "--json"])).unwrap()
}

/// Words that the caller says, in any spelling that recognition may give them.
const SAID: [&str; 4] = ["third", "money", "listen", "charged"];

fn has_words(text: &str) -> bool {
    SAID.iter().any(|word| text.to_lowercase().contains(word))
}

#[test]
fn what_a_caller_says_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let receipts = folder.path().join("receipts");
    let more = format!("keep = true\n[consent]\nreceipts = {receipts:?}");
    let mut call = start(folder.path(), &recogniser(), &more);
    let id = id(&call);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    let said = until("words", || {
        let events = call.sidetone.events();
        let words = of_kind(&events, "words.final");
        let text: Vec<&str> = words.iter().filter_map(|event| event["data"]["text"].as_str()).collect();
        let text = text.join(" ").to_lowercase();
        // Recognition may mishear one of them.
        let heard =
            ["third", "money", "charged", "listen"].iter().filter(|word| text.contains(**word)).count();
        (heard >= 2).then_some(text)
    });
    assert!(said.split_whitespace().count() > 5, "{said}");
    let view = view(&call);
    let topics: Vec<&str> = view["words"]["topics"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|topic| topic["topic"].as_str())
        .collect();
    assert!(topics.contains(&"refund") || topics.contains(&"repeat_contact"), "{topics:?}");
    let page = call.sidetone.command(&["call", &id]);
    assert!(page.contains(&topics[0].replace('_', " ")) && has_words(&page), "{page}");
    call.caller.open_gate();
    let sidetone_metric = |name: &str| call.sidetone.metric(name);
    assert_eq!(sidetone_metric("sidetone_language_missing"), 0.0);
    assert!(sidetone_metric("sidetone_language_audio_seconds_total") > 5.0);
    let file = folder.path().join("store.db");
    until("words in the store", || store(&["export", "events"], &file).contains("words.final").then_some(()));
    let events = call.finish(6);
    let words = of_kind(&events, "words.final");
    for pair in words.windows(2) {
        assert!(pair[0]["data"]["to_ms"].as_u64() <= pair[1]["data"]["from_ms"].as_u64(), "{pair:?}");
    }
    let summary = &events.last().unwrap()["data"]["summary"]["words"];
    assert_eq!(summary["utterances"].as_u64().unwrap() as usize, words.len());
    assert!(summary["topics"].as_object().is_some_and(|topics| !topics.is_empty()), "{summary}");
    assert!(!of_kind(&events, "affect.update").is_empty(), "the voice is heard as ever");

    // For others: the consent record, and what was said with it.
    let receipts = receipts.to_str().unwrap();
    let export = |more: &[&str]| {
        let output =
            Command::new(binary()).args(["consent", "export", receipts, &id, "--vcon"]).args(more).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let vcon = export(&["--words", "--store", file.to_str().unwrap()]);
    let body = vcon["analysis"][0]["body"].as_array().unwrap();
    assert_eq!(body.len(), words.len());
    assert_eq!((&body[0]["text"], &body[0]["party"]), (&words[0]["data"]["text"], &0.into()));
    assert!(export(&[])["analysis"].is_null());
}

/// A German caller, by a voice of Kokoro-82M: for the third time, out of the contract, the money back, a cheek.
fn german() -> Vec<i16> {
    let file = repository().join("crates/language/tests/speech/complaint.de.flac");
    let sound = sidetone_codec::file::read(std::fs::File::open(file).unwrap()).unwrap();
    assert_eq!(sound.rate, 8_000);
    sound.samples.iter().map(|x| (x * 32_767.0) as i16).collect()
}

#[test]
fn a_caller_is_recognised_in_the_language_that_the_call_is_said_to_be_in() {
    let folder = tempfile::tempdir().unwrap();
    let whisper = recogniser().with_file_name("whisper-base");
    assert!(whisper.is_dir(), "{} is missing: `make peers` installs it", whisper.display());
    let more = format!("[[language.also]]\nlanguage = \"de\"\nmodel = \"{}/\"", whisper.display());
    let mut call = start(folder.path(), &recogniser(), &more);
    let id = id(&call);
    let said = |call: &Call| -> Vec<(String, String)> {
        let said = view(call)["words"]["said"].as_array().cloned().unwrap_or_default();
        let text = |it: &Value, key: &str| it[key].as_str().unwrap_or_default().to_owned();
        said.iter().map(|it| (text(it, "language"), text(it, "text"))).collect()
    };
    call.sidetone.command(&["tell", &id, "language", "de"]);
    speak(&mut call.caller_media, &mut call.callee_media, &german());
    let heard = until("German words", || {
        let text = said(&call).into_iter().filter(|(language, _)| language == "de").map(|(_, text)| text);
        let text = text.collect::<Vec<_>>().join(" ").to_lowercase();
        let words = ["vertrag", "kündigen", "geld", "zurück", "dritten"];
        (words.iter().filter(|word| text.contains(**word)).count() >= 3).then_some(text)
    });
    let topics = view(&call)["words"]["topics"].to_string();
    assert!(topics.contains("cancel") || topics.contains("refund"), "{topics} of {heard}");
    // A call may change its language.
    call.sidetone.command(&["tell", &id, "language", "en"]);
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    until("English words", || {
        said(&call).iter().any(|(language, text)| language == "en" && has_words(text)).then_some(())
    });
    call.caller.open_gate();
    call.finish(6);
}

#[test]
fn words_are_not_kept_unless_they_may_be() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = start(folder.path(), &recogniser(), "");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    // Who asks now is told.
    until("words in the call's view", || {
        view(&call)["words"]["said"].as_array().is_some_and(|it| !it.is_empty()).then_some(())
    });
    call.caller.open_gate();
    let dir = call.sidetone.dir().to_owned();
    let file = folder.path().join("store.db");
    let kept = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    until("the end in the store", || {
        store(&["export", "events"], &file).contains("call.ended").then_some(())
    });
    let events = kept(&dir.join("events.jsonl"));
    assert!(events.contains("\"kind\":\"erased\"") && !events.contains("words.final"), "{events}");
    for (what, text) in [
        ("events file", events),
        ("store", store(&["export", "events"], &file)),
        ("spool", kept(&folder.path().join("spool.db"))),
    ] {
        assert!(!has_words(&text), "words in the {what}");
    }
    assert_eq!(rows(&store(&["export", "calls"], &file)).len(), 2);
    call.finish(6);
}

#[test]
fn an_objection_in_mid_sentence_leaves_not_one_word() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = start(folder.path(), &recogniser(), "keep = true");
    let speech = speech();
    speak(&mut call.caller_media, &mut call.callee_media, &speech);
    until("words", || (!of_kind(&call.sidetone.events(), "words.final").is_empty()).then_some(()));
    // Two seconds into the next sentence.
    speak(&mut call.caller_media, &mut call.callee_media, &speech[..16_000]);
    let id = id(&call);
    call.sidetone.command(&["tell", &id, "consent", "refused"]);
    assert!(view(&call)["words"].is_null());
    speak(&mut call.caller_media, &mut call.callee_media, &speech[16_000..]);
    assert!(view(&call)["words"].is_null());
    let told = call.sidetone.metric("sidetone_language_utterances_total");
    call.caller.open_gate();
    let file = folder.path().join("store.db");
    until("the end in the store", || {
        store(&["export", "events"], &file).contains("call.ended").then_some(())
    });
    let text = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
    until("the events file to be erased", || {
        (!has_words(&text(&call.sidetone.dir().join("events.jsonl")))).then_some(())
    });
    assert!(!has_words(&store(&["export", "events"], &file)), "words in the store");
    assert!(!has_words(&text(&folder.path().join("spool.db"))), "words in the spool");
    assert_eq!(
        call.sidetone.metric("sidetone_language_utterances_total"),
        told,
        "nothing was recognised since"
    );
    let events = call.finish(6);
    let refused =
        events.iter().position(|event| event["kind"] == "consent.changed" && event["data"]["erased"] == true);
    let after = &events[refused.unwrap()..];
    assert!(after.iter().all(|event| !event["kind"].as_str().unwrap().starts_with("words.")), "{after:?}");
}

#[test]
fn whose_words_are_recognised_may_change_while_it_runs_and_what_is_kept_may_not() {
    let net = Net::lease();
    let mut setup = Setup::usual(&net);
    let only = "queues = [\"billing\"]";
    setup.more = format!("[language]\nenabled = true\nmodel = \"{}/\"\n{only}\n", recogniser().display());
    let sidetone = Sidetone::start(&net, &setup);
    let config = sidetone.dir().join("sidetone.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    assert!(text.contains(only));
    std::fs::write(&config, text.replace(only, "keep = true")).unwrap();
    let told = sidetone.command(&["reload"]);
    assert!(told.contains("keep") && told.contains("restart"), "{told}");
    let (uac, uas) = plans(&net);
    let mut call = Call::through(net, sidetone, uac, uas);
    call.answered();
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    until("words in the call's view", || {
        view(&call)["words"]["said"].as_array().is_some_and(|it| !it.is_empty()).then_some(())
    });
    call.caller.open_gate();
    let dir = call.sidetone.dir().to_owned();
    until("the call's end", || {
        let kept = std::fs::read_to_string(dir.join("events.jsonl")).unwrap();
        kept.contains("call.ended").then(|| assert!(!has_words(&kept), "{kept}"))
    });
    call.finish(6);
}

#[test]
fn without_a_recogniser_calls_are_calls() {
    let folder = tempfile::tempdir().unwrap();
    let mut call = start(folder.path(), &folder.path().join("nothing"), "");
    speak(&mut call.caller_media, &mut call.callee_media, &speech());
    until("an estimate", || (!of_kind(&call.sidetone.events(), "affect.update").is_empty()).then_some(()));
    assert_eq!(call.sidetone.metric("sidetone_language_missing"), 1.0);
    assert_eq!(call.sidetone.get("/readyz").unwrap().0, 200, "a call without words is a call");
    assert!(view(&call)["words"].is_null());
    call.caller.open_gate();
    call.finish(6);
}
