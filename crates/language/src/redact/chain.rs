//! Every number of a text, also one that is given in short groups with words between them.

use std::ops::Range;

use super::judge::{is_years, judge};
use super::kind::Kind;
use super::reader::{Claims, Reader};
use super::run::{Run, SINGLES, at, begins};
use super::token::Shape;

/// Every number that has to go.
pub(super) fn find(reader: &Reader<'_>) -> Claims {
    let mut claims = Claims::new();
    let mut chain = Chain::default();
    let mut index = 0;
    while let Some(token) = reader.tokens.get(index) {
        let run = if begins(reader, index) { at(reader, index) } else { None };
        match (token.shape, run) {
            (_, Some(run)) => {
                index = run.range.end.max(index + 1);
                let kind = judge(reader, &run);
                claims.extend(kind.map(|kind| (run.range.clone(), kind)));
                chain.add(&run, kind.is_some(), &mut claims);
            }
            (Shape::Placeholder(kind), _) => {
                chain.stood(index, kind, &mut claims);
                index += 1;
            }
            _ => index += 1,
        }
    }
    chain.close(&mut claims);
    claims
}

/// Short groups of one number with words between them: `four one one, then there's one one one, after that`.
#[derive(Default)]
pub(super) struct Chain {
    /// Groups that would stay.
    groups: Vec<Range<usize>>,
    end: usize,
    digits: usize,
    count: usize,
}

impl Chain {
    /// Tokens between two groups.
    const GAP: usize = 6;
    /// Digits, and groups, that make a chain a number.
    const DIGITS: usize = 6;
    const GROUPS: usize = 3;

    pub(super) fn add(&mut self, run: &Run, gone: bool, claims: &mut Claims) {
        let dictated = run.singles >= 2 && run.singles == run.digits.len();
        let written = run.groups == [4] && run.items == 1 && !is_years(run) && !run.digits.ends_with("00");
        if !(dictated || written || gone) {
            return;
        }
        self.reach(run.range.start, claims);
        if !gone {
            self.groups.push(run.range.clone());
        }
        self.end = run.range.end;
        self.digits += run.digits.len();
        self.count += 1;
    }

    pub(super) fn stood(&mut self, index: usize, kind: Kind, claims: &mut Claims) {
        if matches!(kind, Kind::Card | Kind::Number | Kind::Phone | Kind::Iban | Kind::Id | Kind::Secret) {
            self.reach(index, claims);
            self.end = index + 1;
            self.digits += SINGLES;
            self.count += 1;
        }
    }

    /// Ends the chain if the next group is too far away.
    fn reach(&mut self, start: usize, claims: &mut Claims) {
        if start > self.end + Self::GAP {
            self.close(claims);
        }
    }

    pub(super) fn close(&mut self, claims: &mut Claims) {
        if self.digits >= Self::DIGITS && self.count >= Self::GROUPS {
            claims.extend(self.groups.drain(..).map(|range| (range, Kind::Number)));
        }
        *self = Self::default();
    }
}
