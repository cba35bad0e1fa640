//! What the shipped weights make of texts: what must hold for every text, and what people say that is hard to read.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;
use sidetone_call::{Abstention, Modality, Told, Topic};
use sidetone_language::text::{LONGEST, Scorer, Tongue};

fn read(text: &str) -> Told {
    Scorer::embedded().unwrap().read(text)
}

fn topics(text: &str) -> Vec<Topic> {
    let mut topics: Vec<Topic> = read(text).topics.into_iter().map(|found| found.topic).collect();
    topics.sort();
    topics
}

fn in_range(told: &Told) -> bool {
    let affect = &told.affect;
    let shares: f32 = affect.classes.iter().map(|(_, share)| share).sum();
    let units = [affect.distress, affect.confidence, told.urgency];
    let signed = [affect.valence, affect.arousal, told.satisfaction];
    let mentions = told.topics.iter().map(|found| found.probability);
    affect.modality == Modality::Words
        && (shares - 1.0).abs() < 1e-3
        && units.into_iter().chain(mentions).all(|x| (0.0..=1.0).contains(&x))
        && signed.into_iter().all(|x| (-1.0..=1.0).contains(&x))
        && told.topics.is_sorted_by(|a, b| a.probability >= b.probability)
}

proptest! {
    #[test]
    fn any_text_is_read_within_bounds_and_alike_each_time(text in "\\PC{0,300}") {
        let told = read(&text);
        prop_assert!(in_range(&told));
        prop_assert_eq!(&told, &read(&text));
        for found in &told.topics {
            prop_assert!(!found.phrase.is_empty() && text.contains(&found.phrase));
        }
    }
}

#[test]
fn hostile_texts_are_read_without_harm() {
    let long = "I want to cancel. ".repeat(100_000);
    let texts = [
        "",
        "\0\0\0",
        "[",
        "[[[[[[",
        "]",
        "'",
        "\u{202e}\u{200d}\u{feff}",
        "a\u{301}\u{301}\u{301}\u{301}",
        &"x".repeat(50_000),
        &"!?".repeat(20_000),
        &"\u{1f621}".repeat(20_000),
        &"'".repeat(20_000),
        &"\n".repeat(20_000),
        long.as_str(),
    ];
    for text in texts {
        assert!(in_range(&read(text)), "{}", text.chars().take(20).collect::<String>());
    }
}

#[test]
fn a_long_text_is_cut_and_that_is_said() {
    let scorer = Scorer::embedded().unwrap();
    let filler = "The parcel is blue. ".repeat(LONGEST / 20);
    let reading = scorer.reading(&format!("{filler} I want to cancel my contract."));
    assert!(reading.cut);
    assert!(reading.told.topics.is_empty());
    assert!(!scorer.reading(&filler).cut);
    // What stands within the bound is found, however much stands around it.
    let hidden = format!("{} I want to cancel my contract. {}", &filler[..4000], &filler[..4000]);
    assert_eq!(topics(&hidden), [Topic::Cancel]);
}

#[test]
fn too_little_and_foreign_texts_have_no_estimate() {
    assert_eq!(read("").affect.abstained, Some(Abstention::TooLittleSpeech));
    assert_eq!(read("the invoice").affect.abstained, Some(Abstention::TooLittleSpeech));
    let scorer = Scorer::embedded().unwrap();
    let french = scorer.reading("Je voudrais parler avec vous de mon contrat, merci de me rappeler demain");
    assert_eq!(french.tongue, Tongue::Other);
    assert_eq!(french.told.affect.abstained, Some(Abstention::Unsure));
    assert!(french.told.topics.is_empty());
    let german = scorer.reading("Ich m\u{f6}chte bitte mit dem Manager sprechen, und zwar sofort");
    assert_eq!(german.tongue, Tongue::German);
    assert_eq!(german.told.affect.abstained, Some(Abstention::Unsure));
    // What German is about is read, how it feels is not.
    assert!(
        german
            .told
            .topics
            .iter()
            .all(|found| found.topic == Topic::Supervisor || found.topic == Topic::Urgent)
    );
}

#[test]
fn a_negation_turns_a_topic_off() {
    for (yes, no, topic) in [
        ("I want to cancel my contract", "I don't want to cancel my contract", Topic::Cancel),
        ("I am calling to complain", "I'm not calling to complain, I just have a question", Topic::Complaint),
        ("I need to speak to a manager", "No, I don't need to speak to a manager", Topic::Supervisor),
        ("This is urgent", "This is not urgent, take your time", Topic::Urgent),
        ("Thank you very much for your help", "Thanks for nothing", Topic::Thanks),
        ("My husband died last week", "My phone died last week", Topic::Bereavement),
        ("I lost my father last month", "I lost my father's warranty card", Topic::Bereavement),
        ("This is the third time I'm calling", "We are in the third time zone", Topic::RepeatContact),
        ("I lost my job", "I found a new job", Topic::Hardship),
        ("I want a refund", "I don't want a refund, I want it repaired", Topic::Refund),
        ("I will sue you", "My sister Sue will call you", Topic::Legal),
        ("My sister Sue will sue you", "My friend Sue is here", Topic::Legal),
    ] {
        assert!(topics(yes).contains(&topic), "{yes}: {:?}", topics(yes));
        assert!(!topics(no).contains(&topic), "{no}: {:?}", topics(no));
    }
}

#[test]
fn praise_by_negation_is_praise_and_irony_with_its_marks_is_none() {
    assert!(!topics("It's not bad at all").contains(&Topic::Complaint));
    assert!(read("Not bad at all, I'm impressed").satisfaction > 0.0);
    for irony in ["Great, just great, it's broken again", "Oh wonderful, another bill that makes no sense"] {
        assert!(topics(irony).contains(&Topic::Complaint), "{irony}: {:?}", topics(irony));
        assert!(!topics(irony).contains(&Topic::Thanks), "{irony}: {:?}", topics(irony));
        assert!(read(irony).satisfaction < 0.0, "{irony}");
    }
    let blame = "Thanks to your company I lost my job";
    assert!(!topics(blame).contains(&Topic::Thanks), "{:?}", topics(blame));
}

#[test]
fn feelings_stand_where_they_belong_on_the_voices_scale() {
    let (angry, glad) =
        (read("I am absolutely furious about this, I hate it"), read("I love this, it makes me so happy"));
    assert!(angry.affect.valence < -0.2 && glad.affect.valence > 0.3);
    assert!(angry.affect.distress > 0.6 && glad.affect.distress < 0.2);
    assert_eq!(angry.affect.class(), sidetone_call::Class::Anger);
    assert_eq!(glad.affect.class(), sidetone_call::Class::Happiness);
    assert_eq!(read("I'm scared and so worried about tomorrow").affect.class(), sidetone_call::Class::Fear);
    assert_eq!(read("I am so sad, I cried all night").affect.class(), sidetone_call::Class::Sadness);
}

#[test]
fn what_a_recogniser_makes_of_words_is_still_read() {
    for (heard, topic) in [
        ("um i i want to cancel my contact please", Topic::Cancel),
        ("id like to speak to a super visor", Topic::Supervisor),
        ("this is the third time im call about it", Topic::RepeatContact),
        ("my husbands passed away last week", Topic::Bereavement),
        ("i want my money back you charge me twice", Topic::Refund),
        ("I WANT TO CANCEL MY CONTRACT", Topic::Cancel),
    ] {
        assert!(topics(heard).contains(&topic), "{heard}: {:?}", topics(heard));
    }
}

#[test]
fn a_text_in_two_languages_is_read_in_the_one_that_is_known() {
    let mixed = "hola quiero cancel my subscription please, it is too expensive";
    assert!(topics(mixed).contains(&Topic::Cancel), "{:?}", topics(mixed));
}

#[test]
fn german_names_topics_and_only_looks_like_them_where_nothing_is_meant() {
    for (yes, no, topic) in [
        (
            "Ich m\u{f6}chte meinen Vertrag k\u{fc}ndigen",
            "Ich m\u{f6}chte gar nicht k\u{fc}ndigen",
            Topic::Cancel,
        ),
        (
            "Mein Vater ist gestorben",
            "Ich habe die Garantiekarte von meinem Vater verloren",
            Topic::Bereavement,
        ),
        ("Das ist schon das dritte Mal", "Ich rufe zum ersten Mal an", Topic::RepeatContact),
        ("ich will mein geld zurueck", "Ich will kein Geld, nur die richtige Gr\u{f6}\u{df}e", Topic::Refund),
    ] {
        assert!(topics(yes).contains(&topic), "{yes}: {:?}", topics(yes));
        assert!(!topics(no).contains(&topic), "{no}: {:?}", topics(no));
    }
}

#[test]
fn the_phrase_carries_the_topic_and_not_the_whole_text() {
    let text = "Good morning, my name is on the account, and I would like to cancel my contract because we are moving house.";
    let told = read(text);
    let found = told.topics.iter().find(|found| found.topic == Topic::Cancel).unwrap();
    assert!(found.phrase.contains("cancel") && found.phrase.len() < text.len() / 2, "{}", found.phrase);
}

/// How many of the plain sentences may be misread. None is; with other draws in training two or three were, at even
/// odds.
const MOST_MISREAD: usize = 3;

/// What callers say in the fewest words, with a greeting before it, a question behind it, denied, told of somebody
/// else.
#[test]
fn plain_sentences_are_read_as_they_are_meant() {
    let mut misread = Vec::new();
    let lines = include_str!("text/plain.tsv").lines().filter(|line| !line.starts_with('#'));
    for (wanted, text) in lines.map(|line| line.split_once('\t').unwrap()) {
        let (is_meant, name) = (wanted.starts_with('+'), &wanted[1..]);
        assert!(Topic::ALL.iter().any(|topic| topic.name() == name), "{wanted}");
        let told = read(text);
        let is_named = told.topics.iter().any(|found| found.topic.name() == name);
        if is_named != is_meant {
            let found =
                told.topics.iter().map(|found| format!("{} {:.2}", found.topic.name(), found.probability));
            misread.push(format!("{wanted} {text:?}: {}", found.collect::<Vec<_>>().join(", ")));
        }
    }
    assert!(misread.len() <= MOST_MISREAD, "{} misread:\n{}", misread.len(), misread.join("\n"));
}

/// How many of a topic's held-out sentences must be found at least: what the shipped weights reach, less a little. The
/// sentences are those of corpus/heldout.en.tsv, both halves.
const FLOORS: [(Topic, f32); 10] = [
    (Topic::Cancel, 0.70),
    (Topic::Refund, 0.81),
    (Topic::Complaint, 0.70),
    (Topic::Legal, 0.65),
    (Topic::Supervisor, 0.85),
    (Topic::RepeatContact, 0.75),
    (Topic::Urgent, 0.93),
    (Topic::Bereavement, 0.83),
    (Topic::Hardship, 0.79),
    (Topic::Thanks, 0.84),
];
/// In how many of the sentences about nothing something may be found.
const MOST_FALSE: f32 = 0.13;

#[test]
fn held_out_topics_are_found_and_nothing_where_there_is_nothing() {
    let sentences: Vec<(Vec<&str>, &str)> = include_str!("../corpus/heldout.en.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('\t').map(|(topics, text)| (topics.split(',').collect(), text)).unwrap())
        .collect();
    let mut reached = Vec::new();
    for (topic, floor) in FLOORS {
        let meant: Vec<&str> = sentences
            .iter()
            .filter(|(meant, _)| meant.contains(&topic.name()))
            .map(|(_, text)| *text)
            .collect();
        let found = meant.iter().filter(|text| topics(text).contains(&topic)).count();
        reached.push((topic.name(), found as f32 / meant.len() as f32, floor));
    }
    assert!(reached.iter().all(|(_, recall, floor)| recall >= floor), "{reached:?}");
    let nothing: Vec<&str> =
        sentences.iter().filter(|(meant, _)| meant.contains(&"none")).map(|(_, text)| *text).collect();
    let wrong = nothing.iter().filter(|text| !topics(text).is_empty()).count();
    assert!(wrong as f32 / nothing.len() as f32 <= MOST_FALSE, "{wrong} of {}", nothing.len());
}
