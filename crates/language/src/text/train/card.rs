//! The card that training writes beside the weights.

use std::fmt::Write as _;

use super::report::{Report, TopicFigures, TrainOptions};
use crate::text::scorer::Scorer;

/// The card's text.
pub(super) fn write(options: &TrainOptions, report: &Report, scorer: &Scorer) -> String {
    let mut text = String::new();
    let _ = render(&mut text, options, report, scorer);
    text
}

fn render(text: &mut String, options: &TrainOptions, report: &Report, scorer: &Scorer) -> std::fmt::Result {
    let _ = (options, scorer);
    writeln!(text, "# {}\n", options.name)?;
    writeln!(text, "{}", report.affect)?;
    for set in &report.topics {
        topics(text, set)?;
    }
    Ok(())
}

fn topics(text: &mut String, set: &TopicFigures) -> std::fmt::Result {
    writeln!(text, "{} {}", set.set, set.f1)
}
