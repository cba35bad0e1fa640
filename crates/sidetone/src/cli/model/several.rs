//! Several models beside each other: on the corpora that they never had, and paired by clip.

use std::process::ExitCode;

use serde_json::json;
use sidetone_emotion::eval::compare::Comparison;
use sidetone_emotion::eval::strangers::Strangers;
use sidetone_emotion::model::Model;

use super::eval::figure;
use crate::cli::output::{Output, say, say_json};

/// What models make of corpora that they never had, as a Markdown table.
pub(super) fn strangers(strangers: &Strangers, output: Output) -> anyhow::Result<ExitCode> {
    if output.json {
        say_json(strangers)?;
        return Ok(ExitCode::SUCCESS);
    }
    print(strangers);
    if let Some(known) = &strangers.manner_known {
        say(format_args!("\nEach speaker's manner known from 8 s of calm clips, which are left out:\n"));
        print(known);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(strangers: &Strangers) {
    say(format_args!(
        "| trained on | asked about | speakers, clips | classes: UAR | of chance | 4 classes: UAR | calibration error, of which chance | \
         anger and fear against calm, AUC |\n| --- | --- | --- | --- | --- | --- | --- | --- |"
    ));
    for row in &strangers.rows {
        let report = &row.report;
        let Some((own, four)) = report.sets.first().zip(row.four()) else { continue };
        say(format_args!(
            "| {} | {} | {}, {} | {}: {} | {:.3} | {} | {:.3}, {:.3} | {} |",
            row.trained_on.join(", "),
            report.corpus,
            report.speakers,
            report.clips,
            own.classes.len(),
            figure(own.uar.as_ref()),
            1.0 / own.classes.len() as f64,
            figure(four.uar.as_ref()),
            four.calibration_error,
            four.calibration_noise,
            figure(report.alarm_against_calm.as_ref()),
        ));
    }
    for (what, value) in [
        ("mean recall over four classes", strangers.mean_of_four),
        ("smallest AUC, anger and fear against calm", strangers.worst_alarm_area),
        ("largest calibration error above chance", strangers.worst_calibration),
    ] {
        if let Some(value) = value {
            say(format_args!("{what}: {value:.3}"));
        }
    }
}

/// Two models, paired by clip.
pub(super) fn compared(
    compared: &[Comparison],
    first: &Model,
    second: &Model,
    output: Output,
) -> anyhow::Result<ExitCode> {
    if output.json {
        say_json(&json!({ "first": first.sha256(), "second": second.sha256(), "corpora": compared }))?;
        return Ok(ExitCode::SUCCESS);
    }
    say(format_args!(
        "{} ({}) less {} ({}); intervals are 95 %, over speakers; p by sign flips over speakers",
        first.meta().name,
        first.sha256().get(..12).unwrap_or_default(),
        second.meta().name,
        second.sha256().get(..12).unwrap_or_default(),
    ));
    for corpus in compared {
        say(format_args!("\n{}: {} clips, {} speakers", corpus.corpus, corpus.clips, corpus.speakers));
        for set in &corpus.sets {
            say(format_args!(
                "  {:<8} UAR {:.3} and {:.3}, difference {}, p {:.4}; right by one alone: {} and {} clips",
                set.set,
                set.first,
                set.second,
                figure(set.difference.as_ref()),
                set.p,
                set.first_only,
                set.second_only
            ));
        }
        let area = figure(corpus.alarm_area.as_ref());
        say(format_args!("  anger and fear against calm and neutral, difference of AUC {area}"));
    }
    Ok(ExitCode::SUCCESS)
}
