//! What has been said in a call, for as long as it is up.

use std::collections::VecDeque;

use serde::Serialize;
use sidetone_insight::{WordsFinal, WordsTopic};

/// Utterances kept of a call: an hour of talk; beyond it the oldest go.
const MOST: usize = 1_000;

/// What has been said in a call so far; redacted.
#[derive(Debug, Clone, Default, Serialize)]
pub struct WordsView {
    /// The words so far of an utterance of the customer that goes on. They may change.
    pub so_far: Option<String>,
    /// Whole utterances, oldest first.
    pub said: VecDeque<WordsFinal>,
    /// The topics that the customer named, oldest first; each as it was named last.
    pub topics: Vec<WordsTopic>,
}

impl WordsView {
    /// Whether nothing has been recognised.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.so_far.is_none() && self.said.is_empty() && self.topics.is_empty()
    }

    pub(crate) fn said(&mut self, words: &WordsFinal) {
        self.so_far = None;
        if self.said.len() >= MOST {
            self.said.pop_front();
        }
        self.said.push_back(words.clone());
    }

    pub(crate) fn named(&mut self, topic: &WordsTopic) {
        self.topics.retain(|known| known.topic != topic.topic);
        self.topics.push(topic.clone());
    }
}
