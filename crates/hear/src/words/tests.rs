//! Recognisers that are slow, stuck, broken or too few: what it costs, and whom.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sidetone_language::reader::{Reader, Said, Speaker};
use sidetone_language::recognise::{NotRecognised, Recognise, Transcript};
use sidetone_language::text::Scorer;
use sidetone_language::utterance::Piece;
use sidetone_watch::{Alarm, Heartbeat};

use super::recognition::{Party, Recognition};

/// A recogniser that waits at a gate before each piece, and does as the piece's first sample says.
struct Gated {
    begun: Sender<i16>,
    open: Arc<Mutex<Receiver<()>>>,
}

const FAIL: i16 = -1;
const PANIC: i16 = -2;
const DOUBT: i16 = -3;

impl Recognise for Gated {
    fn language(&self) -> &str {
        "en"
    }

    fn transcribe(
        &mut self,
        sound: &[i16],
        abandoned: &dyn Fn() -> bool,
    ) -> Result<Transcript, NotRecognised> {
        let what = sound.first().copied().unwrap_or_default();
        // Whoever looks on has gone: the test is over.
        let _ = self.begun.send(what);
        loop {
            match self.open.lock().unwrap().recv_timeout(Duration::from_millis(1)) {
                Ok(()) => break,
                Err(_) if abandoned() => return Err(NotRecognised::Abandoned),
                Err(_) => {}
            }
        }
        match what {
            FAIL => Err(NotRecognised::Failed("out of memory".to_owned())),
            PANIC => panic!("tried out"),
            DOUBT => Ok(Transcript {
                doubt: Some(sidetone_language::recognise::Doubt::NoSpeech),
                text: "Thank you for watching.".to_owned(),
                ..Transcript::default()
            }),
            number => Ok(Transcript {
                text: format!("Sentence {number}."),
                confidence: 0.9,
                ..Transcript::default()
            }),
        }
    }
}

struct Bench {
    recognition: Arc<Recognition>,
    begun: Receiver<i16>,
    gate: Sender<()>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Bench {
    fn new(calls: usize) -> Self {
        let recognition = Recognition::new(1, calls, Instant::now());
        let ((begun_at, begun), (gate, open)) = (channel(), channel());
        let recogniser = Gated { begun: begun_at, open: Arc::new(Mutex::new(open)) };
        let reader = Reader::new(Box::new(recogniser), Arc::new(Scorer::embedded().unwrap()));
        let (working, beat) = (Arc::clone(&recognition), Heartbeat::new("words-0", Duration::ZERO));
        let thread = std::thread::spawn(move || working.run(reader, &beat, &Alarm::new()));
        Self { recognition, begun, gate, thread: Some(thread) }
    }

    /// Waits until the recogniser has a piece before it.
    fn begins(&self) -> i16 {
        self.begun.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    fn lets_through(&self, pieces: usize) {
        (0..pieces).for_each(|_| self.gate.send(()).unwrap());
    }

    fn count(&self, counter: fn(&super::WordsCounters) -> &std::sync::atomic::AtomicU64) -> u64 {
        counter(self.recognition.counters()).load(Relaxed)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.recognition.close();
        // What it is at ends at an open gate.
        let _ = (0..64).try_for_each(|_| self.gate.send(()));
        self.thread.take().unwrap().join().unwrap();
    }
}

fn piece(number: u32, what: i16, whole: bool, seconds: u64) -> Piece {
    Piece {
        number,
        whole,
        from: Duration::ZERO,
        to: Duration::from_secs(seconds),
        speech: Duration::from_secs(seconds),
        sound: vec![what; 8],
    }
}

fn texts(said: Vec<Said>) -> Vec<String> {
    let text = |said: Said| match said {
        Said::SoFar { text, .. } => format!("{text} …"),
        Said::Customer(utterance) => utterance.text,
        Said::Agent(utterance) => utterance.text,
    };
    said.into_iter().map(text).collect()
}

/// Waits until all of a party's whole utterances have come back.
fn all_of(party: &Party) -> Vec<String> {
    let began = Instant::now();
    while party.awaits() {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing comes back");
        std::thread::sleep(Duration::from_millis(1));
    }
    texts(party.take())
}

#[test]
fn what_was_said_comes_back_in_order() {
    let bench = Bench::new(10);
    let party = bench.recognition.join(Speaker::customer, 3, None);
    (1..=3).for_each(|number| party.give(piece(number, number as i16, true, 2)));
    bench.lets_through(3);
    assert_eq!(all_of(&party), ["Sentence 1.", "Sentence 2.", "Sentence 3."]);
}

#[test]
fn a_party_that_goes_leaves_nothing_behind() {
    let bench = Bench::new(10);
    let (objecting, other) = (
        bench.recognition.join(Speaker::customer, 3, None),
        bench.recognition.join(Speaker::customer, 3, None),
    );
    objecting.give(piece(1, 1, true, 2));
    objecting.give(piece(2, 2, true, 2));
    assert_eq!(bench.begins(), 1, "in the middle of an utterance");
    drop(objecting);
    other.give(piece(1, 7, true, 2));
    assert_eq!(bench.begins(), 7, "the second one went with its party");
    assert_eq!(bench.count(|counters| &counters.abandoned), 1);
    bench.lets_through(1);
    assert_eq!(all_of(&other), ["Sentence 7."]);
    assert_eq!((bench.count(|it| &it.utterances), bench.count(|it| &it.waiting_ms)), (1, 0));
    assert_eq!(bench.count(|counters| &counters.parties), 1);
}

#[test]
fn what_goes_wrong_costs_one_utterance() {
    let bench = Bench::new(10);
    let party = bench.recognition.join(Speaker::customer, 3, None);
    for (number, what) in [(1, FAIL), (2, PANIC), (3, DOUBT), (4, 4)] {
        party.give(piece(number, what, true, 2));
    }
    bench.lets_through(4);
    assert_eq!(all_of(&party), ["Sentence 4."]);
    assert_eq!((bench.count(|it| &it.failed), bench.count(|it| &it.doubted)), (2, 1));
}

#[test]
fn a_stuck_recogniser_is_waited_for_by_nobody() {
    let bench = Bench::new(10);
    let (party, important) = (
        bench.recognition.join(Speaker::customer, 3, None),
        bench.recognition.join(Speaker::customer, 1, None),
    );
    party.give(piece(1, 1, true, 10));
    bench.begins();
    (2..=60).for_each(|number| party.give(piece(number, number as i16, true, 10)));
    important.give(piece(1, 100, true, 10));
    assert!(bench.count(|it| &it.waiting_ms) <= 30_000);
    assert_eq!(bench.count(|it| &it.shed), 57);
    bench.lets_through(4);
    assert_eq!(all_of(&important), ["Sentence 100."]);
    assert_eq!(all_of(&party), ["Sentence 1.", "Sentence 59.", "Sentence 60."], "the newest are kept");
}

#[test]
fn beyond_the_calls_allowed_the_more_important_are_recognised() {
    let bench = Bench::new(2);
    let ordinary: Vec<Party> = (0..3).map(|_| bench.recognition.join(Speaker::customer, 3, None)).collect();
    let mut late = bench.recognition.join(Speaker::customer, 4, None);
    late.rank(1);
    for (number, party) in (1..).zip(ordinary.iter().chain([&late])) {
        party.give(piece(1, number, true, 2));
    }
    bench.lets_through(2);
    let said: Vec<Vec<String>> = ordinary.iter().chain([&late]).map(all_of).collect();
    assert_eq!(said, [vec!["Sentence 1."], vec![], vec![], vec!["Sentence 4."]]);
    assert_eq!(bench.count(|it| &it.beyond), 2);
}

#[test]
fn provisional_words_come_until_the_whole_is_there() {
    let bench = Bench::new(10);
    let party = bench.recognition.join(Speaker::customer, 3, None);
    party.give(piece(1, 5, false, 1));
    bench.begins();
    bench.lets_through(1);
    let began = Instant::now();
    let mut so_far = Vec::new();
    while so_far.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
        so_far = party.take();
    }
    assert_eq!(texts(so_far), ["Sentence 5. …"]);
    party.give(piece(1, 6, true, 2));
    bench.lets_through(1);
    assert_eq!(all_of(&party), ["Sentence 6."]);
    assert_eq!((bench.count(|it| &it.provisional), bench.count(|it| &it.utterances)), (1, 1));
}

#[test]
fn what_was_recognised_when_the_pause_began_is_not_recognised_again() {
    let bench = Bench::new(10);
    let party = bench.recognition.join(Speaker::customer, 3, None);
    party.give(piece(1, 5, false, 2));
    assert_eq!(bench.begins(), 5);
    // The pause went on: the utterance is whole as it was, while the recogniser is still at it.
    party.give(piece(1, 5, true, 2));
    bench.lets_through(1);
    let mut said = Vec::new();
    let began = Instant::now();
    while !said.contains(&"Sentence 5.".to_owned()) {
        assert!(began.elapsed() < Duration::from_secs(60), "{said:?}");
        std::thread::sleep(Duration::from_millis(1));
        said.extend(texts(party.take()));
    }
    assert!(bench.begun.try_recv().is_err(), "it was heard once");
    assert_eq!(bench.count(|it| &it.utterances), 1);
    // Whoever spoke on instead is heard anew.
    party.give(piece(2, 7, false, 2));
    assert_eq!(bench.begins(), 7);
    party.give(piece(2, 8, true, 3));
    assert_eq!(bench.begins(), 8);
    bench.lets_through(1);
    assert_eq!(all_of(&party), ["Sentence 8."]);
}

#[test]
fn of_sixty_calls_ten_are_recognised_and_they_are_those_that_matter_most() {
    let bench = Bench::new(10);
    let mut parties: Vec<Party> =
        (0..60).map(|_| bench.recognition.join(Speaker::customer, 4, None)).collect();
    // The PBX tells of tiers later: every sixth call is of the first, of which the sixty have ten.
    parties.iter_mut().step_by(6).for_each(|party| party.rank(1));
    for (number, party) in (1..).zip(&parties) {
        party.give(piece(1, number, true, 2));
    }
    bench.lets_through(10);
    let said: Vec<Vec<String>> = parties.iter().map(all_of).collect();
    for (place, said) in said.iter().enumerate() {
        assert_eq!(said.len(), usize::from(place % 6 == 0), "{place}: {said:?}");
    }
    assert_eq!((bench.count(|it| &it.beyond), bench.count(|it| &it.shed)), (50, 0));
    // A place that becomes free is the next one's.
    parties.remove(0);
    parties[0].give(piece(2, 61, true, 2));
    bench.lets_through(1);
    assert_eq!(all_of(&parties[0]), ["Sentence 61."]);
}

/// Says which language it was asked for.
struct Polyglot(&'static str);

impl Recognise for Polyglot {
    fn language(&self) -> &str {
        self.0
    }

    fn transcribe(&mut self, _: &[i16], _: &dyn Fn() -> bool) -> Result<Transcript, NotRecognised> {
        Ok(Transcript { text: format!("Sentence in {}.", self.0), confidence: 0.9, ..Transcript::default() })
    }
}

#[test]
fn each_party_is_recognised_in_its_language() {
    let recognition = Recognition::new(1, 10, Instant::now());
    let reader = Reader::none(Arc::new(Scorer::embedded().unwrap()))
        .with(Box::new(Polyglot("en")))
        .with(Box::new(Polyglot("de")));
    let (working, beat) = (Arc::clone(&recognition), Heartbeat::new("words-0", Duration::ZERO));
    let thread = std::thread::spawn(move || working.run(reader, &beat, &Alarm::new()));
    for (tongue, said) in [(None, "en"), (Some("de-AT"), "de"), (Some("en-GB"), "en")] {
        let party = recognition.join(Speaker::customer, 3, tongue.map(Arc::from));
        party.give(piece(1, 1, true, 2));
        assert_eq!(all_of(&party), [format!("Sentence in {said}.")]);
    }
    let party = recognition.join(Speaker::customer, 3, Some(Arc::from("fr")));
    party.give(piece(1, 1, true, 2));
    assert_eq!(all_of(&party), Vec::<String>::new());
    assert_eq!(recognition.counters().failed.load(Relaxed), 1, "nobody knows French");
    recognition.close();
    thread.join().unwrap();
}
