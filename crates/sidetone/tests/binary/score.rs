//! Reading messages, as a desk does with its chats, mails and comments.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::{json_lines, sidetone, stdout};

fn topics(message: &Value) -> Vec<&str> {
    message["topics"].as_array().unwrap().iter().map(|found| found["topic"].as_str().unwrap()).collect()
}

#[test]
fn a_message_is_read_and_the_phrase_is_shown() {
    let text = "Hello, I want to cancel my contract. This is the third time I'm calling about it!";
    let messages = json_lines(&["score", "--text", text, "--json"]);
    let [message] = messages.as_slice() else { panic!("{messages:?}") };
    assert!(topics(message).contains(&"cancel"), "{message}");
    assert!(topics(message).contains(&"repeat_contact"), "{message}");
    for found in message["topics"].as_array().unwrap() {
        assert!(text.contains(found["phrase"].as_str().unwrap()), "{found}");
    }
    assert_eq!(message["language"], "en");
    assert_eq!(message["affect"]["modality"], "words");
    assert!(stdout(&["score", "--text", text]).contains("cancel"));
}

#[test]
fn a_thread_is_told_beside_its_messages() {
    let lines = json_lines(&[
        "score",
        "--json",
        "--text",
        "Your service is terrible, I want my money back.",
        "--text",
        "Thank you so much, you've been very helpful.",
    ]);
    assert_eq!(lines.len(), 3);
    let thread = &lines[2];
    assert_eq!(thread["messages"], 2);
    assert!(lines[0]["satisfaction"].as_f64() < Some(-0.5), "{}", lines[0]);
    assert!(lines[1]["satisfaction"].as_f64() > Some(0.5), "{}", lines[1]);
    assert!(thread["satisfaction"].as_f64() > lines[0]["satisfaction"].as_f64());
    assert!(topics(thread).contains(&"refund"), "{thread}");
}

#[test]
fn quoted_mail_is_not_read_and_numbers_are_not_printed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.txt");
    let mail = "Please refund 4111 1111 1111 1111, you charged me twice.\n\nRegards\nJane\n\nOn Mon, 3 May 2027, Jane wrote:\n> I want to cancel my contract.\n";
    fs::write(&path, mail).unwrap();
    let path = path.to_string_lossy();
    let own = &json_lines(&["score", "--json", "--file", &path])[0];
    assert_eq!(topics(own), ["refund"], "{own}");
    assert!(!own.to_string().contains("4111"), "{own}");
    let whole = &json_lines(&["score", "--json", "--whole", "--file", &path])[0];
    assert!(topics(whole).contains(&"cancel"), "{whole}");
    assert!(!whole.to_string().contains("4111"), "{whole}");
}

#[test]
fn a_batch_keeps_names_and_threads_and_tells_its_pace() {
    let mut input = String::new();
    for number in 0..50 {
        let text =
            if number % 2 == 0 { "I want to cancel my subscription" } else { "what are your opening hours" };
        input +=
            &format!("{}\n\n", json!({ "id": number, "thread": number % 2, "text": text, "other": [1] }));
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_sidetone"))
        .args(["score", "--json", "--jsonl", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let lines: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 52);
    assert_eq!((&lines[7]["id"], &lines[7]["thread"]), (&json!(7), &json!("1")));
    assert_eq!(topics(&lines[50]), ["cancel"]);
    assert_eq!(topics(&lines[51]), Vec::<&str>::new());
    assert!(String::from_utf8_lossy(&output.stderr).contains("a second"));
}

#[test]
fn what_cannot_be_read_is_said_without_quoting_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("messages.jsonl");
    fs::write(&path, "{\"text\":\"fine\"}\n{\"text\": my secret 4711}\n").unwrap();
    let output = sidetone(&["score", "--jsonl", &path.to_string_lossy()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("line 2") && !said.contains("secret") && !said.contains("4711"), "{said}");
    assert!(!sidetone(&["score"]).status.success());
    let missing = sidetone(&["score", "--file", "/nowhere/mail.txt"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("/nowhere/mail.txt"));
    let weights = sidetone(&["score", "--text", "hello", "--weights", &folder.path().to_string_lossy()]);
    assert!(String::from_utf8_lossy(&weights.stderr).contains("train-text"));
}

#[test]
fn weights_are_trained_again_alike_and_read_texts() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir_all(path("goemotions")).unwrap();
    fs::create_dir_all(path("corpus")).unwrap();
    let comments =
        "I am so angry at this\t2\ta\nthank you very much\t15\tb\nthe bus is red\t27\tc\n".repeat(20);
    fs::write(path("goemotions/train.tsv"), &comments).unwrap();
    fs::write(path("goemotions/dev.tsv"), &comments).unwrap();
    let grammar = "language = \"en\"\n[slots]\nfiller = \"um | well\"\n[[say]]\ntopics = [\"cancel\"]\nlines = [\"(please|) cancel (it|this)\", \"i want to cancel\"]\n[[say]]\ntopics = []\nlines = [\"the (red|blue) one\", \"yes it is\"]\n";
    fs::write(path("corpus/topics.en.toml"), grammar).unwrap();
    fs::write(path("corpus/heldout.en.tsv"), "cancel\tI would like to cancel\nnone\tthe green one\n")
        .unwrap();
    let text = |name: &str| path(name).to_string_lossy().into_owned();
    let train = |out: &str| {
        let (comments, corpus, out) = (text("goemotions"), text("corpus"), text(out));
        let flags = ["--json", "--utterances", "400", "--comments", "40"];
        let mut arguments =
            vec!["model", "train-text", "--goemotions", &comments, "--corpus", &corpus, "--out", &out];
        arguments.extend(flags);
        json_lines(&arguments).remove(0)
    };
    let report = train("first");
    assert!(report["affect"]["value"].is_number(), "{report}");
    train("second");
    assert_eq!(
        fs::read(path("first/model.safetensors")).unwrap(),
        fs::read(path("second/model.safetensors")).unwrap()
    );
    assert!(fs::read_to_string(path("first/CARD.md")).unwrap().contains("GoEmotions"));
    let read =
        &json_lines(&["score", "--json", "--weights", &text("first"), "--text", "please cancel this"])[0];
    assert_eq!(topics(read), ["cancel"], "{read}");
}
