//! Which sound on a party's leg may be the other party's voice, given back by a telephone or by the line.
//!
//! A microphone hears the loudspeaker beside it, and a two-wire line returns part of what it carries. What comes back
//! is speech, and may be upset speech, so no detector of speech keeps it apart. But it comes only while the other party
//! speaks or shortly afterwards, and softer than whoever holds the telephone.

/// Samples for which the other party's voice may still come back after they fell silent: 400 ms, the most that ITU-T
/// G.114 thinks a connection can bear one way, with a room's tail in it.
const TAIL: u64 = 3200;
/// What is left of the loudest step lately after another sample: 1 dB less in 25 ms, so that a syllable's weak end
/// passes with its vowel.
const FORGET: f32 = 0.998_85;
/// Loudness lately, as a part of this party's own usual power, from which a sound is theirs whoever else speaks: 2 dB
/// below. A speaker's vowels stand some 3 to 6 dB above their own mean.
const OWN: f32 = 0.63;

/// Holds back what may be an echo.
#[derive(Debug, Clone, Default)]
pub(crate) struct Echo {
    speaks: bool,
    /// The sample until which the other party may be heard.
    until: u64,
    /// Loudness lately, and the sample that it counts from.
    loudest: f32,
    newest: u64,
    held_back: u64,
}

impl Echo {
    /// Whether the other party speaks, from the sample `now` on.
    pub(crate) fn far_end(&mut self, speaks: bool, now: u64) {
        if self.speaks || speaks {
            self.until = now + TAIL;
        }
        self.speaks = speaks;
    }

    /// Whether a step of this mean square that ends at the sample `end` is this party's own voice; `usual` is theirs so
    /// far. Who has said nothing yet can't be told from what comes back: then nothing passes while the other one
    /// speaks.
    pub(crate) fn admits(&mut self, end: u64, power: f32, usual: Option<f32>) -> bool {
        let since = end.saturating_sub(self.newest).min(8000);
        self.loudest = (self.loudest * FORGET.powi(since as i32)).max(power);
        self.newest = end;
        let alone = !self.speaks && end > self.until || self.until == 0;
        let own = alone || usual.is_some_and(|usual| self.loudest >= OWN * usual);
        self.held_back += u64::from(!own);
        own
    }

    /// Steps held back so far.
    pub(crate) fn held_back(&self) -> u64 {
        self.held_back
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A step at 40 a second.
    fn end(step: u64) -> u64 {
        200 * (step + 1)
    }

    #[test]
    fn what_is_softer_than_the_caller_is_held_back_while_the_other_one_speaks_and_shortly_after() {
        let mut echo = Echo::default();
        assert!(echo.admits(end(0), 0.001, Some(0.01)), "nobody else speaks");
        echo.far_end(true, end(0));
        assert!(!echo.admits(end(1), 0.001, Some(0.01)), "10 dB below the caller");
        assert!(echo.admits(end(2), 0.02, Some(0.01)), "the caller talks over them");
        assert!(echo.admits(end(3), 0.001, Some(0.01)), "their syllable ends");
        echo.far_end(false, end(20));
        let held = (21..80).filter(|step| !echo.admits(end(*step), 0.001, Some(0.01))).count();
        assert_eq!(held, 16, "the tail, then no more");
    }

    #[test]
    fn a_caller_who_answers_after_a_pause_is_heard_from_the_first_word() {
        let mut echo = Echo::default();
        echo.far_end(true, 0);
        echo.far_end(false, end(40));
        assert!(echo.admits(end(90), 0.001, Some(0.01)));
        assert!(echo.admits(end(91), 0.001, None));
    }

    #[test]
    fn a_caller_who_has_said_nothing_is_not_heard_in_what_comes_back() {
        let mut echo = Echo::default();
        echo.far_end(true, 0);
        assert!(!echo.admits(end(0), 0.5, None));
        assert_eq!(echo.held_back(), 1);
    }

    proptest! {
        #[test]
        fn without_another_voice_all_passes(powers in prop::collection::vec(0.0f32..1.0, 0..200)) {
            let mut echo = Echo::default();
            prop_assert!((0..).zip(&powers).all(|(step, power)| echo.admits(end(step), *power, Some(0.1))));
            prop_assert_eq!(echo.held_back(), 0);
        }

        #[test]
        fn who_is_as_loud_as_ever_is_never_held_back(
            powers in prop::collection::vec(0.1f32..1.0, 1..200), speaks: bool
        ) {
            let mut echo = Echo::default();
            echo.far_end(speaks, 0);
            prop_assert!((0..).zip(&powers).all(|(step, power)| echo.admits(end(step), *power, Some(0.1))));
        }
    }
}
