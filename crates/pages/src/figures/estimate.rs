//! Shares and means with the interval that they lie in, and whether two of them differ.
//!
//! Calls are taken as independent of each other. They are not quite, since a customer may call twice and one outage
//! upsets many, so the intervals are somewhat too narrow.

/// Groups of fewer calls have no figure: it would say little, and might tell of one person.
pub use sidetone_store::SMALLEST_GROUP;

/// The standard normal deviate of a 95 % interval.
const Z: f64 = 1.959_963_984_540_054;

/// A figure with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// The 95 % interval that it lies in, where one can be told.
    pub interval: Option<(f64, f64)>,
    /// Calls that it stands on.
    pub n: u64,
}

impl Estimate {
    /// The same in another unit.
    pub(crate) fn times(self, factor: f64) -> Self {
        let interval = self.interval.map(|(low, high)| (low * factor, high * factor));
        Self { value: self.value * factor, interval, ..self }
    }
}

/// How a figure compares with the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Higher; the interval of the difference lies above zero.
    Higher,
    /// Lower; the interval of the difference lies below zero.
    Lower,
    /// The difference may be chance.
    Unclear,
}

impl Change {
    fn of((low, high): (f64, f64)) -> Self {
        if low > 0.0 {
            Self::Higher
        } else if high < 0.0 {
            Self::Lower
        } else {
            Self::Unclear
        }
    }
}

/// A difference of two figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Difference {
    pub(crate) value: f64,
    /// The 95 % interval that it lies in.
    pub(crate) interval: (f64, f64),
}

impl Difference {
    /// What the interval tells.
    pub(crate) fn change(self) -> Change {
        Change::of(self.interval)
    }
}

/// A count of cases among so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Share {
    pub(crate) cases: u64,
    pub(crate) of: u64,
}

impl Share {
    /// The share with Wilson's score interval (Wilson 1927, equation 3 of Newcombe 1998); `None` of a small group.
    pub(crate) fn estimate(self) -> Option<Estimate> {
        if self.of < SMALLEST_GROUP {
            return None;
        }
        let share = self.share();
        Some(Estimate { value: share, interval: Some(self.wilson()), n: self.of })
    }

    fn share(self) -> f64 {
        self.cases.min(self.of) as f64 / self.of.max(1) as f64
    }

    fn wilson(self) -> (f64, f64) {
        let (n, share) = (self.of as f64, self.share());
        let middle = share + Z * Z / (2.0 * n);
        let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
        let whole = 1.0 + Z * Z / n;
        (((middle - half) / whole).max(0.0), ((middle + half) / whole).min(1.0))
    }

    /// Whether this share differs from an earlier one: Newcombe's hybrid score interval (1998, method 10).
    pub(crate) fn change_from(self, before: Self) -> Option<Change> {
        self.difference(before).map(Difference::change)
    }

    /// This share less another one, with the interval of that (Newcombe 1998, method 10); `None` of small groups.
    pub(crate) fn difference(self, before: Self) -> Option<Difference> {
        if self.of < SMALLEST_GROUP || before.of < SMALLEST_GROUP {
            return None;
        }
        let (now, then) = (self.share(), before.share());
        let ((low, high), (low_before, high_before)) = (self.wilson(), before.wilson());
        let difference = now - then;
        let below = ((now - low).powi(2) + (high_before - then).powi(2)).sqrt();
        let above = ((high - now).powi(2) + (then - low_before).powi(2)).sqrt();
        Some(Difference { value: difference, interval: (difference - below, difference + above) })
    }
}

/// The sums that a mean with its interval is made of.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Sums {
    pub(crate) n: u64,
    pub(crate) sum: f64,
    pub(crate) squares: f64,
}

impl Sums {
    /// The mean with Student's interval; `None` of a small group and of sums that are no numbers.
    pub(crate) fn estimate(self) -> Option<Estimate> {
        if self.n < SMALLEST_GROUP || !self.sum.is_finite() || !self.squares.is_finite() {
            return None;
        }
        let mean = self.mean();
        let half = student(self.n - 1) * self.error();
        Some(Estimate { value: mean, interval: Some((mean - half, mean + half)), n: self.n })
    }

    fn mean(self) -> f64 {
        self.sum / self.n as f64
    }

    /// The standard error of the mean.
    fn error(self) -> f64 {
        let n = self.n as f64;
        // Sums of squares that differ by less than their rounding may come out below zero.
        let variance = ((self.squares - self.sum * self.sum / n) / (n - 1.0)).max(0.0);
        (variance / n).sqrt()
    }

    /// Whether this mean differs from an earlier one (Welch; the lesser of both degrees of freedom, which is cautious).
    pub(crate) fn change_from(self, before: Self) -> Option<Change> {
        self.difference(before).map(Difference::change)
    }

    /// This mean less another one, with the interval of that; `None` of small groups.
    pub(crate) fn difference(self, before: Self) -> Option<Difference> {
        self.estimate()?;
        before.estimate()?;
        let difference = self.mean() - before.mean();
        let half = student(self.n.min(before.n) - 1) * self.error().hypot(before.error());
        Some(Difference { value: difference, interval: (difference - half, difference + half) })
    }
}

/// The sums that a ratio of two totals with its interval is made of, each over calls.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratio {
    /// Calls.
    pub(crate) n: u64,
    pub(crate) part: f64,
    pub(crate) whole: f64,
    pub(crate) part_squares: f64,
    pub(crate) whole_squares: f64,
    /// The sum of both multiplied, call by call.
    pub(crate) products: f64,
}

impl Ratio {
    /// The ratio with its interval by linearisation (Cochran, Sampling Techniques, 6.4); `None` of a small group.
    pub(crate) fn estimate(self) -> Option<Estimate> {
        if self.n < SMALLEST_GROUP || self.whole <= 0.0 || !self.error().is_finite() {
            return None;
        }
        let (value, half) = (self.value(), student(self.n - 1) * self.error());
        let interval = ((value - half).max(0.0), (value + half).min(1.0));
        Some(Estimate { value, interval: Some(interval), n: self.n })
    }

    fn value(self) -> f64 {
        (self.part / self.whole).clamp(0.0, 1.0)
    }

    fn error(self) -> f64 {
        let (n, value) = (self.n as f64, self.value());
        let residual = self.part_squares - 2.0 * value * self.products + value * value * self.whole_squares;
        (residual.max(0.0) * n / (n - 1.0)).sqrt() / self.whole
    }

    /// Whether this ratio differs from an earlier one.
    pub(crate) fn change_from(self, before: Self) -> Option<Change> {
        self.estimate()?;
        before.estimate()?;
        let value = self.value() - before.value();
        let half = student(self.n.min(before.n) - 1) * self.error().hypot(before.error());
        Some(Difference { value, interval: (value - half, value + half) }.change())
    }
}

/// Student's two-sided 95 % point, by the expansion in 1 / degrees of freedom (Abramowitz and Stegun 26.7.5): right to
/// three decimals from 9 degrees on, which is the fewest that come here.
fn student(degrees: u64) -> f64 {
    let v = degrees.max(1) as f64;
    let (z3, z5, z7) = (Z.powi(3), Z.powi(5), Z.powi(7));
    Z + (z3 + Z) / (4.0 * v)
        + (5.0 * z5 + 16.0 * z3 + 3.0 * Z) / (96.0 * v * v)
        + (3.0 * z7 + 19.0 * z5 + 17.0 * z3 - 15.0 * Z) / (384.0 * v * v * v)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) {
        assert!((a - b).abs() < 6e-4, "{a} {b}");
    }

    #[test]
    fn wilson_gives_the_published_intervals() {
        // Newcombe 1998, table I, method 3.
        for (cases, of, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (below, above) = Share { cases, of }.estimate().unwrap().interval.unwrap();
            close(below, low);
            close(above, high);
        }
        assert_eq!(Share { cases: 3, of: 9 }.estimate(), None);
        assert_eq!(Share { cases: 20, of: 10 }.estimate().unwrap().value, 1.0);
    }

    #[test]
    fn two_shares_differ_only_beyond_chance() {
        // Newcombe 1998 (differences), table II, method 10: 56/70 against 48/80 is [0.0524, 0.3339].
        let (now, before) = (Share { cases: 56, of: 70 }, Share { cases: 48, of: 80 });
        assert_eq!(now.change_from(before), Some(Change::Higher));
        assert_eq!(before.change_from(now), Some(Change::Lower));
        let (now, before) = (Share { cases: 9, of: 10 }, Share { cases: 3, of: 9 });
        assert_eq!(now.change_from(before), None);
        assert_eq!(now.change_from(Share { cases: 8, of: 10 }), Some(Change::Unclear));
    }

    #[test]
    fn a_mean_has_students_interval() {
        close(student(9), 2.262_2);
        close(student(29), 2.045_2);
        close(student(1_000_000), Z);
        // 1 to 10: mean 5.5, standard deviation 3.0277, so 5.5 ± 2.2622 · 0.95743.
        let estimate = Sums { n: 10, sum: 55.0, squares: 385.0 }.estimate().unwrap();
        let (low, high) = estimate.interval.unwrap();
        close(estimate.value, 5.5);
        close(low, 3.334_1);
        close(high, 7.665_9);
    }

    #[test]
    fn a_ratio_has_an_interval_by_its_calls() {
        // Ten calls of 10 s of speech, of which five have 4 s judged and five 6 s: 0.5, and each call a mean by itself.
        let ratio = Ratio {
            n: 10,
            part: 50.0,
            whole: 100.0,
            part_squares: 260.0,
            whole_squares: 1_000.0,
            products: 500.0,
        };
        let estimate = ratio.estimate().unwrap();
        let mean = Sums { n: 10, sum: 5.0, squares: 2.6 }.estimate().unwrap();
        let ((low, high), (mean_low, mean_high)) = (estimate.interval.unwrap(), mean.interval.unwrap());
        close(estimate.value, 0.5);
        close(low, mean_low);
        close(high, mean_high);
        assert_eq!(ratio.change_from(ratio), Some(Change::Unclear));
        assert_eq!(Ratio { n: 9, ..ratio }.estimate(), None);
        assert_eq!(Ratio { whole: 0.0, ..ratio }.estimate(), None);
    }

    #[test]
    fn sums_that_are_none_and_rounding_do_no_harm() {
        assert_eq!(Sums { n: 9, sum: 1.0, squares: 1.0 }.estimate(), None);
        assert_eq!(Sums { n: 50, sum: f64::NAN, squares: 1.0 }.estimate(), None);
        let same = Sums { n: 10, sum: 1.0, squares: 0.099_999_999 };
        assert_eq!(same.estimate().unwrap().interval, Some((0.1, 0.1)));
        assert_eq!(same.change_from(same), Some(Change::Unclear));
    }
}
