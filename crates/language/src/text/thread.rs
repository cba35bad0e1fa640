//! Several messages of one person, read as one story.

use serde::Serialize;
use sidetone_call::{Mention, Told};

/// What a message counts beside the one after it: what was felt a while ago has passed, or has been answered.
const FADING: f32 = 0.7;

/// What the messages of one writer tell together, oldest first. Feed it with [`Thread::push`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Thread {
    /// How many there are.
    pub messages: usize,
    /// Unpleasant to pleasant, `[-1, 1]`: the messages' mean, newer ones counting more. Abstentions have no say.
    pub valence: f32,
    /// Probability that the writer is upset, `[0, 1]`, by the same mean.
    pub distress: f32,
    /// The greatest distress of any message.
    pub peak_distress: f32,
    /// How soon something has to happen, `[0, 1]`: urgency fades as feelings do.
    pub urgency: f32,
    /// Dissatisfied to satisfied, `[-1, 1]`, by the same mean.
    pub satisfaction: f32,
    /// The topics of all messages, likeliest first, each as in the message where it was likeliest.
    pub topics: Vec<Mention>,
    #[serde(skip)]
    felt: f32,
    #[serde(skip)]
    said: f32,
}

impl Thread {
    /// Takes in the next message.
    pub fn push(&mut self, told: &Told) {
        self.messages += 1;
        if told.affect.abstained.is_none() {
            self.felt = self.felt * FADING + 1.0;
            self.valence += (told.affect.valence - self.valence) / self.felt;
            self.distress += (told.affect.distress - self.distress) / self.felt;
            self.peak_distress = self.peak_distress.max(told.affect.distress);
        }
        self.said = self.said * FADING + 1.0;
        self.satisfaction += (told.satisfaction - self.satisfaction) / self.said;
        self.urgency = (self.urgency * FADING).max(told.urgency);
        for mention in &told.topics {
            match self.topics.iter_mut().find(|known| known.topic == mention.topic) {
                Some(known) if known.probability >= mention.probability => {}
                Some(known) => known.clone_from(mention),
                None => self.topics.push(mention.clone()),
            }
        }
        self.topics.sort_by(|a, b| b.probability.total_cmp(&a.probability));
    }
}

#[cfg(test)]
mod tests {
    use sidetone_call::{Abstention, Estimate, Topic};

    use super::*;

    fn told(valence: f32, urgency: f32, topic: Topic, probability: f32) -> Told {
        let affect = Estimate { valence, distress: (1.0 - valence) / 2.0, ..Estimate::default() };
        let topics = vec![Mention { topic, probability, phrase: "so".into() }];
        Told { affect, topics, urgency, satisfaction: valence }
    }

    #[test]
    fn newer_messages_count_more_and_topics_stay() {
        let mut thread = Thread::default();
        thread.push(&told(-1.0, 1.0, Topic::Urgent, 0.9));
        thread.push(&told(1.0, 0.0, Topic::Thanks, 0.6));
        assert!(thread.valence > 0.1 && thread.valence < 0.3, "{}", thread.valence);
        assert_eq!(thread.peak_distress, 1.0);
        assert_eq!(thread.urgency, 0.7);
        let topics: Vec<Topic> = thread.topics.iter().map(|mention| mention.topic).collect();
        assert_eq!(topics, [Topic::Urgent, Topic::Thanks]);
    }

    #[test]
    fn abstentions_have_no_say_in_what_is_felt() {
        let mut thread = Thread::default();
        thread.push(&told(0.5, 0.0, Topic::Thanks, 0.9));
        let mut unsure = told(-1.0, 0.0, Topic::Thanks, 0.5);
        unsure.affect.abstained = Some(Abstention::Unsure);
        thread.push(&unsure);
        assert_eq!(thread.valence, 0.5);
        assert_eq!(thread.topics.len(), 1);
    }
}
