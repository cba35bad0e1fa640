//! Where the marks of an axis stand, and what is written at them.

/// Steps between marks of a time axis, in seconds: what a clock's reader counts in.
const TIME_STEPS: [f32; 16] = [
    0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0,
    14_400.0,
];

/// Marks of a time axis that shows `seconds` on `width` pixels, at least `apart` pixels from one another.
pub(crate) fn time_marks(seconds: f32, width: f32, apart: f32) -> Vec<f32> {
    let least = seconds * apart / width;
    let step = TIME_STEPS.into_iter().find(|step| *step >= least).unwrap_or_else(|| {
        // Whole days, for what is hardly a call any more.
        (least / 86_400.0).ceil() * 86_400.0
    });
    let count = (seconds / step + 1e-4).floor() as usize;
    (0..=count).map(|n| n as f32 * step).collect()
}

/// A time as a clock shows it: `1:05`, `1:02:05`, `0:00.5`.
pub(crate) fn clock(seconds: f32) -> String {
    let tenths = (f64::from(seconds.max(0.0)) * 10.0).round() as u64;
    let (whole, tenth) = (tenths / 10, tenths % 10);
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    let mut text = if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    };
    if tenth > 0 && whole < 60 {
        text.push_str(&format!(".{tenth}"));
    }
    text
}

/// Marks of an axis from `low` to `high` in steps of 1, 2 or 5 times a power of ten, about `wanted` of them.
pub(crate) fn marks(low: f32, high: f32, wanted: usize) -> Vec<f32> {
    let span = high - low;
    if !(span.is_finite() && span > 0.0) {
        return vec![low];
    }
    let rough = span / wanted.max(1) as f32;
    let power = 10f32.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|n| n * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(rough);
    let first = (low / step - 1e-3).ceil() as i64;
    let last = (high / step + 1e-3).floor() as i64;
    (first..=last).map(|n| n as f32 * step).collect()
}

/// A number of an axis in steps of `step`, with a true minus sign; large ones as powers of ten.
pub(crate) fn number(value: f32, step: f32) -> String {
    if step >= 1e5 {
        return signed(&format!("{value:.0e}"));
    }
    let decimals = if step > 0.0 { (-(step * 1.001).log10().floor()).clamp(0.0, 4.0) as usize } else { 2 };
    signed(&format!("{value:.decimals$}"))
}

/// Replaces a hyphen by a minus sign, and `-0` by `0`.
pub(crate) fn signed(text: &str) -> String {
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|letter| matches!(letter, '0' | '.')) => rest.to_owned(),
        Some(rest) => format!("−{rest}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_marks_are_round_and_apart() {
        assert_eq!(
            time_marks(60.0, 1000.0, 80.0),
            [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0]
        );
        assert_eq!(time_marks(2.0, 1000.0, 80.0), [0.0, 0.5, 1.0, 1.5, 2.0]);
        for seconds in [1.0, 7.3, 95.0, 3_601.0, 86_399.0, 1e7] {
            let marks = time_marks(seconds, 1000.0, 80.0);
            assert!((2..=14).contains(&marks.len()), "{seconds}: {marks:?}");
            assert!(marks.windows(2).all(|pair| (pair[1] - pair[0]) / seconds * 1000.0 >= 79.9));
        }
    }

    #[test]
    fn clocks() {
        let shown = [0.0, 0.5, 5.0, 65.0, 125.4, 3600.0, 3725.0].map(clock);
        assert_eq!(shown, ["0:00", "0:00.5", "0:05", "1:05", "2:05", "1:00:00", "1:02:05"]);
    }

    #[test]
    fn numbers() {
        assert_eq!(marks(-1.0, 1.0, 4), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(marks(0.0, 1.0, 5).len(), 6);
        assert_eq!(marks(1.0, 1.0, 5), [1.0]);
        assert_eq!(
            [number(-0.5, 0.5), number(0.25, 0.05), number(30.0, 10.0), number(-0.0, 0.1)],
            ["−0.5", "0.25", "30", "0.0"]
        );
    }
}
