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
}
