//! Which token Whisper writes next, and when it is enough.
//!
//! It writes pieces of text between the times at which they begin and end. The times are not shown (`alignment` tells
//! better ones), but they make it stop: asked for text alone after a short sound, it begins to say it again.

use super::tokens::Tokens;

/// A piece of text that ends this near to the sound's end is the last: in steps of 20 ms.
const NEAR: u32 = 15;
/// What can't be chosen.
const NEVER: f32 = f32::MIN;

/// One text that is being written.
pub(super) struct Writing<'t> {
    tokens: &'t Tokens,
    /// Steps of 20 ms in the sound.
    length: u32,
    /// The newest time.
    last: u32,
    /// Whether a piece has begun and not ended.
    within: bool,
    /// Whether nothing has been written.
    fresh: bool,
}

impl<'t> Writing<'t> {
    /// Begins after the time nought, which is given and not chosen.
    pub(super) fn new(tokens: &'t Tokens, seconds: f32) -> Self {
        Self { tokens, length: (seconds * 50.0) as u32, last: 0, within: true, fresh: true }
    }

    /// The likeliest token that may stand here, and its probability among all. A time is chosen where all times
    /// together are likelier than any piece of text (Radford et al. 2022, section 4.5).
    pub(super) fn choose(&mut self, logits: &[f32]) -> (u32, f32) {
        let largest = logits.iter().copied().fold(f32::MIN, f32::max);
        let sum = |of: &mut dyn Iterator<Item = f32>| of.map(|logit| (logit - largest).exp()).sum::<f32>();
        let all = sum(&mut logits.iter().copied());
        let numbered = || (0u32..).zip(logits.iter().copied());
        let best = |of: &mut dyn Iterator<Item = (u32, f32)>| {
            of.fold((self.tokens.end, NEVER), |best, next| if next.1 > best.1 { next } else { best })
        };
        let text = best(
            &mut numbered().filter(|(token, _)| self.within && self.tokens.may_stand(*token, self.fresh)),
        );
        // A piece takes time; between two there may be none.
        let after = self.last + u32::from(self.within);
        let is_time = |token: &u32| self.tokens.steps(*token).is_some_and(|steps| steps >= after);
        let time = best(&mut numbered().filter(|(token, _)| !self.fresh && is_time(token)));
        let times = sum(&mut numbered().filter(|(token, _)| is_time(token)).map(|(_, logit)| logit)) / all;
        let end = numbered().find(|(token, _)| *token == self.tokens.end && !self.fresh);
        let probability = |logit: f32| (logit - largest).exp() / all;
        let mut chosen = if time.1 > NEVER && times > probability(text.1) { time } else { text };
        if let Some(end) = end.filter(|end| end.1 > chosen.1) {
            chosen = end;
        }
        self.fresh &= !self.tokens.is_text(chosen.0);
        (chosen.0, probability(chosen.1))
    }

    /// Takes a token that is no text; whether the text ends with it.
    pub(super) fn ends(&mut self, token: u32) -> bool {
        let Some(steps) = self.tokens.steps(token) else { return true };
        self.last = steps;
        self.within = !self.within;
        steps + NEAR >= self.length
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tests::tokens;
    use super::*;

    /// Logits in which some tokens stand out.
    fn logits(tokens: &Tokens, high: &[(u32, f32)]) -> Vec<f32> {
        let mut logits = vec![0.0; tokens.len()];
        high.iter().for_each(|(token, logit)| logits[*token as usize] = *logit);
        logits
    }

    #[test]
    fn text_comes_first_then_its_end_then_the_next_piece() {
        let tokens = tokens();
        let mut writing = Writing::new(&tokens, 0.6);
        let (word, end) = (256, tokens.end);
        let mut choose = |high: &[(u32, f32)]| {
            let (token, _) = writing.choose(&logits(&tokens, high));
            (token, !tokens.is_text(token) && writing.ends(token))
        };
        assert_eq!(choose(&[(end, 9.0), (tokens.time(3), 8.0), (word, 5.0)]), (word, false));
        assert_eq!(choose(&[(tokens.time(3), 9.0), (word, 5.0)]), (tokens.time(3), false));
        assert_eq!(
            choose(&[(word, 20.0), (tokens.time(4), 5.0)]),
            (tokens.time(4), false),
            "no text between"
        );
        assert_eq!(choose(&[(word, 9.0)]), (word, false));
        assert_eq!(choose(&[(tokens.time(29), 9.0)]), (tokens.time(29), true), "at the end of the sound");
    }

    #[test]
    fn times_together_outweigh_one_word_and_never_go_back() {
        let tokens = tokens();
        let mut writing = Writing::new(&tokens, 2.0);
        writing.choose(&logits(&tokens, &[(256, 9.0)]));
        let many: Vec<(u32, f32)> =
            (10..20).map(|steps| (tokens.time(steps), 5.0)).chain([(256, 6.5)]).collect();
        let (token, _) = writing.choose(&logits(&tokens, &many));
        assert_eq!(token, tokens.time(10));
        assert!(!writing.ends(token));
        let (token, _) = writing.choose(&logits(&tokens, &[(tokens.time(5), 9.0), (tokens.time(12), 5.0)]));
        assert_eq!(token, tokens.time(12));
    }
}
