//! Which cues a call would have been shown: of a recording, of events that were kept, or of a call in the store.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};
use sidetone_call::{CustomerOnly, Modality};
use sidetone_capture::calls::Customer;
use sidetone_events::{Event, Happening};
use sidetone_insight::cues::{Coach, CueSet, CueTold, Situation};
use sidetone_insight::{AffectUpdate, State, Thresholds, Trend};
use sidetone_store::{CallDetails, Store};

use super::Which;
use crate::cli::analyze::Analyze;
use crate::cli::cue_lines::tell;
use crate::cli::output::{Output, remark, say};
use crate::cli::store::Place;

/// How often the coach looks at a call.
const STEP: Duration = Duration::from_millis(500);
/// A call is looked at to this time at most.
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

#[derive(Debug, Args)]
pub(in crate::cli) struct Replay {
    /// A recording or capture, as `sidetone analyze` reads them; a file of events (.jsonl), as a sink or `sidetone
    /// analyze --json` writes them; or the id of a call in the store.
    #[arg(value_name = "FILE|CALL")]
    of: String,
    /// In a file with events of several calls: this one, by Sidetone's id.
    #[arg(long, value_name = "ID")]
    call: Option<String>,
    /// Who the customer is, where a recording does not show it: as for `sidetone analyze`.
    #[arg(long, value_name = "PARTY")]
    customer: Option<Customer>,
    /// A key log with the secrets of the DTLS handshakes in a capture: as for `sidetone analyze`.
    #[arg(long, value_name = "FILE")]
    dtls_keylog: Option<PathBuf>,
    /// Recognise what is said in a recording, for cues that go by words: by the recogniser of that name or folder,
    /// moonshine-tiny if none is named. `sidetone model fetch` installs one.
    #[arg(long, value_name = "RECOGNISER", num_args = 0..=1, require_equals = true, default_missing_value = "moonshine-tiny")]
    words: Option<String>,
    /// The language that the customer speaks, as in BCP 47, for a recogniser that knows several.
    #[arg(long, value_name = "TAG", requires = "words", default_value = "en")]
    spoken: String,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    place: Place,
}

impl Replay {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        let set = self.which.load(output.json)?;
        let path = Path::new(&self.of);
        if path.extension().is_some_and(|it| it == "jsonl" || it == "ndjson") {
            self.no_words()?;
            let happenings = self.read(path)?;
            return told(&happenings, &set, true, output);
        }
        if path.exists() {
            let analyze = Analyze::of_cues(
                PathBuf::from(path),
                self.customer,
                self.dtls_keylog,
                self.words,
                self.spoken,
                set,
            );
            return analyze.run(output);
        }
        if self.of.contains(['/', '.']) {
            bail!("{} is not there", self.of);
        }
        self.no_words()?;
        let mut store = Store::open(&self.place.config()?)?;
        let found = store.call(&self.of)?;
        let details = found
            .with_context(|| format!("{} is no file, and there is no such call in the store", self.of))?;
        told(&kept(&details)?, &set, true, output)
    }

    /// Only sound has words that can be recognised.
    fn no_words(&self) -> anyhow::Result<()> {
        if self.words.is_some() {
            bail!("--words is for recordings: events have their words already, where any were kept");
        }
        Ok(())
    }

    /// What happened in one call, by a file of events.
    fn read(&self, path: &Path) -> anyhow::Result<Vec<(Duration, Happening)>> {
        if !path.is_file() {
            bail!("{} is no file", path.display());
        }
        let file = std::fs::File::open(path).with_context(|| format!("{} can't be read", path.display()))?;
        let mut of: Option<String> = self.call.clone();
        let mut happenings = Vec::new();
        for (number, line) in (1..).zip(BufReader::new(file).lines()) {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            let event: Event = serde_json::from_str(&line)
                .with_context(|| format!("{}, line {number}: is no event", path.display()))?;
            let id = event.call.id.to_string();
            match &of {
                None => of = Some(id),
                Some(of) if *of == id => {}
                Some(_) if self.call.is_some() => continue,
                Some(of) => bail!(
                    "{} has events of several calls; say which by --call: {of}, {id}, …",
                    path.display()
                ),
            }
            happenings.push((event.at, event.happening));
        }
        if happenings.is_empty() {
            bail!("{} has no event of that call", path.display());
        }
        Ok(happenings)
    }
}

/// What happened in a call that the store keeps. Of the customer it keeps less than the events had: their state is
/// read off the valence again, and no trend is known.
fn kept(details: &CallDetails) -> anyhow::Result<Vec<(Duration, Happening)>> {
    let smoothing = Thresholds::default().smoothing;
    let mut happenings = Vec::new();
    for event in &details.events {
        let whole: Value = json!({ "kind": event.kind, "data": event.data });
        // Kinds of a newer Sidetone tell cues nothing.
        if let Ok(happening) = serde_json::from_value::<Happening>(whole) {
            happenings.push((Duration::from_millis(event.at_ms), happening));
        }
    }
    for point in &details.affect {
        let [valence, arousal, distress, confidence] =
            [point.valence, point.arousal, point.distress, point.confidence].map(|value| value as f32);
        let state = if valence >= smoothing.mood {
            State::Positive
        } else if valence <= -smoothing.mood {
            State::Negative
        } else {
            State::Neutral
        };
        let update = AffectUpdate {
            leg: CustomerOnly,
            modality: Modality::Voice,
            valence,
            arousal,
            distress,
            confidence,
            state,
            trend: Trend::Steady,
            relative: None,
            classes: std::collections::BTreeMap::new(),
            speech: Duration::ZERO,
            estimates: 1,
            abstained: 0,
        };
        happenings.push((Duration::from_millis(point.at_ms), Happening::AffectUpdate(update)));
    }
    happenings.sort_by_key(|(at, _)| *at);
    Ok(happenings)
}

/// Replays what was told of a call.
fn told(
    happenings: &[(Duration, Happening)],
    set: &Arc<CueSet>,
    remarked: bool,
    output: Output,
) -> anyhow::Result<ExitCode> {
    if remarked {
        let said = "replayed from events: how both talked is known each ten seconds, and silence not at all, so cues \
                    on talk come up to ten seconds later than live, and those on silence do not come";
        remark(output.json, said);
    }
    let mut coach = Coach::new(Arc::clone(set));
    let (mut situation, mut now) = (Situation::default(), Duration::ZERO);
    let mut count = 0;
    for (at, happening) in happenings {
        let at = (*at).min(LONGEST);
        while now + STEP <= at {
            now += STEP;
            for told in coach.step(now, &situation.moment(now)) {
                count += u32::from(matches!(told, CueTold::Shown(_)));
                tell(now, &told, output)?;
            }
        }
        match happening {
            Happening::AffectUpdate(update) if update.modality.is_voice() => situation.affect(at, update),
            Happening::WordsTopic(topic) => {
                situation.words(at, topic.urgency, topic.satisfaction);
                situation.topic(at, topic.topic);
            }
            Happening::AffectAlert(alert) => situation.alert(at, alert),
            Happening::Conduct(conduct) => situation.conduct(at, conduct, None),
            Happening::CallHeld(held) => situation.hold(held.by, at),
            Happening::CallResumed(resumed) => situation.resume(resumed.by, at),
            Happening::CallLabelled(labels) => situation.labels(labels),
            Happening::ConsentChanged(change) if change.erased => situation.forget_affect(),
            _ => {}
        }
    }
    for told in coach.finish(now, &situation.moment(now)) {
        tell(now, &told, output)?;
    }
    if !output.json && count == 0 {
        say("no cue would have been shown");
    }
    Ok(ExitCode::SUCCESS)
}
