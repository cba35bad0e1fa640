//! Cutting a party's sound into utterances, at its pauses.
//!
//! A recogniser that gets fixed lengths hears words cut in two. So sound is kept from a little before speech begins to
//! a little after it has ended, and given out when the party pauses. While they talk on, what there is so far is given
//! out once a second: its recognition is provisional, and comes again with the whole. So is what there is when a pause
//! begins, which is the whole if the pause goes on.

use std::collections::VecDeque;
use std::time::Duration;

/// Samples a second.
const RATE: u64 = 8_000;
/// Sound kept before the speech: a detector hears the first consonant late.
const BEFORE: u64 = RATE / 4;
/// Sound kept after it.
const AFTER: u64 = RATE / 5;
/// Sound kept while nobody talks. A turn is reported when it has lasted a second, or has ended.
const KEPT: u64 = 2 * RATE;
/// Speech of a long sentence: after it the detector's own hangover of 240 ms is pause enough.
const SENTENCE: u64 = 5 * RATE;
/// Pause after less than that: people stop after "yes" and go on.
const SHORT_PAUSE: u64 = RATE * 2 / 5;
/// The longest utterance. Whoever talks on is cut at the quietest place of its last [`SEARCHED`].
const LONGEST: u64 = 12 * RATE;
/// Where that place is looked for,
const SEARCHED: u64 = 3 * RATE;
/// in steps of this: 50 ms.
const STEP: u64 = RATE / 20;
/// Less speech than this is a click or a breath.
const SHORTEST: u64 = RATE / 5;
/// New speech after which a provisional piece is due.
const PROVISIONAL: u64 = RATE;
/// Quiet that may be the end: sooner than a detector says so. What is recognised from here on is ready the sooner.
const QUIET: u64 = RATE * 3 / 25;
/// Quiet is so many times less than the utterance's loudest of late (20 dB). On a line with more noise than that the
/// detector alone tells ends.
const LESS: u64 = 10;
/// How much of it is left after 20 ms, as a fraction: a third of a second halves it.
const FADES: (u64, u64) = (24, 25);

/// A piece of sound for a recogniser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The utterance's number, from 1.
    pub number: u32,
    /// Whether the utterance is whole; otherwise it goes on, and its sound comes again with the whole.
    pub whole: bool,
    /// Where the sound begins, in time by samples pushed.
    pub from: Duration,
    /// Where it ends.
    pub to: Duration,
    /// Speech in it.
    pub speech: Duration,
    /// The sound, 8 kHz mono.
    pub sound: Vec<i16>,
}

/// One party's sound, cut into utterances. All positions count samples since it was made.
#[derive(Debug, Default)]
pub struct Utterances {
    sound: VecDeque<i16>,
    /// Position behind the newest sample.
    heard: u64,
    open: Option<Open>,
    /// The party is speaking.
    speaking: bool,
    /// Mean size of samples where the party was loudest of late, and how long it has been far quieter than that.
    loudest: u64,
    quiet: u64,
    /// End of the last whole utterance.
    given_to: u64,
    numbers: u32,
    ready: VecDeque<Piece>,
}

/// The utterance in progress.
#[derive(Debug, Clone, Copy)]
struct Open {
    from: u64,
    /// End of the newest speech.
    to: u64,
    speech: u64,
    /// Speech at the last provisional piece.
    told: u64,
    paused: bool,
    /// Where it has been quiet for [`QUIET`], and is still: the utterance's end, if it is over.
    quiet_at: Option<u64>,
}

impl Open {
    /// Where the utterance ends, if nothing comes any more.
    fn end(&self) -> u64 {
        self.quiet_at.filter(|at| *at >= self.to).unwrap_or(self.to + AFTER)
    }
}

impl Utterances {
    /// Takes sound of a party, 8 kHz mono. Sound that is not its voice is to be given as silence. `speaking` is whether
    /// the detector has the party speaking at its end: a turn that has begun is told only when it has lasted a second.
    pub fn push(&mut self, pcm: &[i16], speaking: bool) {
        self.speaking = speaking;
        self.sound.extend(pcm);
        self.heard += pcm.len() as u64;
        self.level(pcm);
        self.cut();
        let kept = self.open.map_or(KEPT, |open| self.heard.saturating_sub(open.from)).max(KEPT);
        let surplus = (self.sound.len() as u64).saturating_sub(kept);
        self.sound.drain(..usize::try_from(surplus).unwrap_or(0));
    }

    /// Notes a quiet that may be the end of the utterance in progress, and gives out what there is.
    fn level(&mut self, pcm: &[i16]) {
        let length = pcm.len() as u64;
        let sum: u64 = pcm.iter().map(|sample| u64::from(sample.unsigned_abs())).sum();
        let Some(level) = sum.checked_div(length) else { return };
        self.loudest = level.max(self.loudest * FADES.0 / FADES.1);
        let is_quiet = level * LESS <= self.loudest;
        self.quiet = if is_quiet { self.quiet + length } else { 0 };
        let Some(open) = &mut self.open else { return };
        if !is_quiet {
            open.quiet_at = None;
        } else if self.quiet >= QUIET && open.quiet_at.is_none() && self.speaking {
            open.quiet_at = Some(self.heard);
            open.told = open.speech;
            let open = *open;
            self.give(open, self.heard, false);
        }
    }

    /// Begins to count at this position, before any sound is taken.
    pub fn skip(&mut self, samples: u64) {
        self.heard += samples;
    }

    /// The same for time in which the party said nothing that may be heard.
    pub fn silence(&mut self, samples: usize) {
        const ZEROS: [i16; 800] = [0; 800];
        let mut left = samples;
        while left > 0 {
            let piece = left.min(ZEROS.len());
            self.push(ZEROS.get(..piece).unwrap_or_default(), false);
            left -= piece;
        }
    }

    /// The party spoke from `from` to `to`, as a detector says that heard the same samples; `ended` if the turn ended
    /// there. Pieces come in order.
    pub fn speech(&mut self, from: Duration, to: Duration, ended: bool) {
        let (from, to) = (position(from).min(self.heard), position(to).min(self.heard));
        let first = (self.heard - self.sound.len() as u64).max(self.given_to);
        let open = self.open.get_or_insert_with(|| {
            self.numbers += 1;
            Open {
                from: from.saturating_sub(BEFORE).max(first),
                to: from,
                speech: 0,
                told: 0,
                paused: false,
                quiet_at: None,
            }
        });
        open.speech += to.saturating_sub(from.max(open.to));
        open.to = open.to.max(to);
        open.paused = ended;
        if !ended && open.speech - open.told >= PROVISIONAL && open.quiet_at.is_none() {
            open.told = open.speech;
            let open = *open;
            self.give(open, self.heard, false);
        }
        // The pause may be the end: what is recognised from here on is ready by the time that it is known to be.
        let begins =
            |open: &Open| ended && open.speech < SENTENCE && open.quiet_at.is_none_or(|at| at < open.to);
        self.open.filter(begins).into_iter().for_each(|open| self.give(open, open.end(), false));
        self.cut();
    }

    /// The party is silent from now on: an utterance in progress is whole.
    pub fn finish(&mut self) {
        if let Some(open) = self.open.take() {
            self.give(open, open.end(), true);
        }
    }

    /// The next piece.
    pub fn poll(&mut self) -> Option<Piece> {
        self.ready.pop_front()
    }

    /// Ends the utterance in progress if the party has paused for long enough, or has talked for too long.
    fn cut(&mut self) {
        let Some(open) = self.open else { return };
        let pause = if open.speech >= SENTENCE { 0 } else { SHORT_PAUSE };
        if open.paused && !self.speaking && self.heard.saturating_sub(open.to) >= pause {
            self.open = None;
            self.give(open, open.end(), true);
        } else if self.heard.saturating_sub(open.from) >= LONGEST {
            let at = self.quietest(open);
            let rest = open.to.saturating_sub(at);
            let speech = open.speech.saturating_sub(rest);
            self.give(Open { speech, ..open }, at, true);
            self.numbers += 1;
            self.open = Some(Open { from: at, speech: rest, told: rest, quiet_at: None, ..open });
        }
    }

    /// The quietest place in the last seconds.
    fn quietest(&self, open: Open) -> u64 {
        let first = self.heard - self.sound.len() as u64;
        let begin = self.heard.saturating_sub(SEARCHED).max(open.from + 1);
        let loudness = |at: u64| -> u64 {
            let skip = usize::try_from(at - first).unwrap_or(0);
            let step = self.sound.iter().skip(skip).take(STEP as usize);
            step.map(|sample| u64::from(sample.unsigned_abs())).sum()
        };
        let places = (0..).map(|step| begin + step * STEP).take_while(|at| at + STEP <= self.heard);
        places.min_by_key(|at| loudness(*at)).map_or(self.heard, |at| at + STEP / 2)
    }

    fn give(&mut self, open: Open, to: u64, whole: bool) {
        let to = to.min(self.heard);
        if whole {
            self.given_to = self.given_to.max(to);
        }
        if open.speech < SHORTEST || to <= open.from {
            return;
        }
        let first = self.heard - self.sound.len() as u64;
        let skip = usize::try_from(open.from.saturating_sub(first)).unwrap_or(0);
        let take = usize::try_from(to - open.from).unwrap_or(0);
        let sound = self.sound.iter().skip(skip).take(take).copied().collect();
        let (from, to, speech) = (time(open.from), time(to), time(open.speech));
        self.ready.push_back(Piece { number: self.numbers, whole, from, to, speech, sound });
    }
}

fn position(at: Duration) -> u64 {
    u64::try_from(at.as_micros() / 125).unwrap_or(u64::MAX)
}

fn time(samples: u64) -> Duration {
    Duration::from_micros(samples * 125)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u64 = RATE / 1000;

    /// A party that talks in the stretches given, in milliseconds, as the detector tells it.
    fn cut(stretches: &[(u64, u64)], to: u64) -> Vec<Piece> {
        let mut utterances = Utterances::default();
        let mut pieces = Vec::new();
        let is_speech = |at: u64| stretches.iter().any(|(from, to)| (*from..*to).contains(&at));
        for at in (0..to).step_by(20) {
            let sample = if is_speech(at) { 1_000 } else { 0 };
            let speaking = stretches.iter().any(|(from, to)| (*from..to + 240).contains(&at));
            utterances.push(&[sample; 160], speaking);
            let now = at + 20;
            for (from, to) in stretches {
                // As `SpeechDetector`: each second of a turn, and 240 ms after its end.
                let ends = now == to + 240;
                let told = from + now.min(*to).saturating_sub(*from) / 1000 * 1000;
                if ends {
                    let begin = from + (to - from - 1) / 1000 * 1000;
                    utterances.speech(millis(begin), millis(*to), true);
                } else if now <= *to && now > *from && told == now {
                    utterances.speech(millis(now - 1000), millis(now), false);
                }
            }
            while let Some(piece) = utterances.poll() {
                pieces.push(piece);
            }
        }
        utterances.finish();
        pieces.extend(std::iter::from_fn(|| utterances.poll()));
        pieces
    }

    fn millis(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn wholes(pieces: &[Piece]) -> Vec<(u64, u64)> {
        let whole = pieces.iter().filter(|piece| piece.whole);
        whole.map(|piece| (piece.from.as_millis() as u64, piece.to.as_millis() as u64)).collect()
    }

    #[test]
    fn an_utterance_is_given_out_at_its_pause_with_a_little_around_it() {
        let pieces = cut(&[(1_000, 7_000)], 9_000);
        assert_eq!(wholes(&pieces), [(750, 7_120)]);
        let provisional: Vec<_> = pieces.iter().filter(|piece| !piece.whole).map(|piece| piece.to).collect();
        // The last is the whole, a tenth of a second before the detector has it that the turn is over.
        assert_eq!(provisional, [2_000, 3_000, 4_000, 5_000, 6_000, 7_000, 7_120].map(millis));
        assert!(pieces.iter().all(|piece| piece.number == 1));
        assert_eq!(pieces.last().unwrap().sound.len() as u64, 6_370 * MS);
    }

    #[test]
    fn a_short_answer_waits_for_what_may_follow() {
        assert_eq!(wholes(&cut(&[(1_000, 1_500), (1_800, 4_000)], 6_000)), [(750, 4_120)]);
        assert_eq!(wholes(&cut(&[(1_000, 1_500), (2_500, 5_000)], 6_000)), [(750, 1_700), (2_250, 5_120)]);
    }

    #[test]
    fn a_quiet_that_was_not_the_end_ends_nothing() {
        let pieces = cut(&[(1_000, 3_000), (3_160, 6_400)], 9_000);
        assert_eq!(wholes(&pieces), [(750, 6_520)]);
        assert!(pieces.iter().any(|piece| !piece.whole && piece.to == millis(3_120)), "{pieces:?}");
    }

    #[test]
    fn on_a_noisy_line_the_detector_alone_tells_the_end() {
        let mut utterances = Utterances::default();
        for at in 0..300u64 {
            let is_speech = (50..200).contains(&at);
            utterances.push(&[if is_speech { 900 } else { 200 }; 160], (50..212).contains(&at));
            if is_speech && at % 50 == 49 && at > 50 {
                utterances.speech(millis(20 * at - 980), millis(20 * at + 20), false);
            }
            if at == 212 {
                utterances.speech(millis(4_000), millis(4_000), true);
            }
        }
        utterances.finish();
        let pieces: Vec<Piece> = std::iter::from_fn(|| utterances.poll()).collect();
        assert_eq!(wholes(&pieces), [(750, 4_200)]);
    }

    #[test]
    fn whoever_never_pauses_is_cut_where_it_is_quietest() {
        let mut utterances = Utterances::default();
        for second in 0..30u64 {
            let mut sound = vec![900i16; RATE as usize];
            if second == 10 {
                sound[2_000..2_400].fill(3);
            }
            utterances.push(&sound, true);
            utterances.speech(millis(second * 1000), millis(second * 1000 + 1000), false);
        }
        utterances.finish();
        let pieces: Vec<_> = std::iter::from_fn(|| utterances.poll()).collect();
        let wholes = wholes(&pieces);
        assert_eq!(wholes[0], (0, 10_275));
        assert_eq!(wholes.last().unwrap().1, 30_000);
        assert!(wholes.windows(2).all(|pair| pair[0].1 == pair[1].0), "{wholes:?}");
        let speech: Duration = pieces.iter().filter(|piece| piece.whole).map(|piece| piece.speech).sum();
        assert_eq!(speech, Duration::from_secs(30));
    }

    #[test]
    fn a_click_is_no_utterance() {
        assert_eq!(cut(&[(1_000, 1_100)], 3_000), []);
    }

    proptest! {
        #[test]
        fn it_holds_what_it_must_and_no_more(
            steps in prop::collection::vec((0u64..3_000, 0u64..3_000, any::<bool>(), 0usize..24_000), 0..60)
        ) {
            let mut utterances = Utterances::default();
            let mut last = 0;
            for (back, length, ended, pushed) in steps {
                utterances.push(&vec![1; pushed], !ended);
                let from = utterances.heard.saturating_sub(back);
                utterances.speech(time(from), time(from + length), ended);
                prop_assert!(utterances.sound.len() as u64 <= LONGEST + KEPT + 24_000);
                while let Some(piece) = utterances.poll() {
                    prop_assert!(piece.from < piece.to && piece.number >= last);
                    prop_assert_eq!(piece.sound.len() as u64, position(piece.to) - position(piece.from));
                    last = piece.number;
                }
            }
        }
    }
}
