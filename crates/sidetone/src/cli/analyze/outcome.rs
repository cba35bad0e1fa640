//! The outcome of an analysis, as an exit status.

use std::process::ExitCode;

/// The text on exit statuses in `--help`.
pub(super) const EXIT_STATUSES: &str = "\
Exit status: the lowest of these that holds of any input
  0  every input was read whole, and every call in it was analysed
  1  nothing could be begun: the model, the salt, the key log or the folder for drawings
  2  the command line is wrong
  3  an input could not be read
  4  an input is damaged or cut off; what stands before that was analysed
  5  an input holds nothing to analyse: no call, or no audio that can be decoded
  6  a call was heard and nobody judged, since it isn't known who the customer is (see --customer)";

/// The outcome for one input, or for all of them; the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// The input could not be read.
    Unread,
    /// The part of a damaged or cut file before the damage was analysed.
    Damaged,
    /// There was nothing to analyse.
    Nothing,
    /// A call was heard in which nobody could be judged.
    NobodyJudged,
    /// The whole input was analysed.
    Whole,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Unread => Self::from(3),
            Outcome::Damaged => Self::from(4),
            Outcome::Nothing => Self::from(5),
            Outcome::NobodyJudged => Self::from(6),
            Outcome::Whole => Self::SUCCESS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gravest_outcome_counts() {
        let all = [Outcome::Whole, Outcome::NobodyJudged, Outcome::Unread, Outcome::Nothing];
        assert_eq!(all.into_iter().min(), Some(Outcome::Unread));
        assert!(EXIT_STATUSES.lines().count() == 8);
    }
}
