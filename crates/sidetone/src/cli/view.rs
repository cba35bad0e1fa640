//! A live call in a terminal: a panel that is redrawn in place once a second.

use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use sidetone_call::Topic;
use sidetone_insight::cues::CueTold;
use sidetone_insight::{AffectUpdate, Alert, AlertKind, Conduct, Insight, Phase, State, Trend};

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// The widest panel.
const WIDEST: usize = 78;
/// The narrowest panel: in a narrower terminal lines are cut off.
const NARROWEST: usize = 50;
/// Columns of a name, before the line's content.
const NAMES: usize = 11;

/// The state of the call that is shown.
#[derive(Debug, Default)]
pub(super) struct Panel {
    /// The first line.
    title: String,
    /// The parties, and the call's state.
    status: String,
    /// The time in the call.
    pub(super) clock: Duration,
    /// The current utterance, if known: speaker and words.
    pub(super) caption: Option<(String, String)>,
    /// The panel's width in columns.
    width: usize,
    history: Vec<(Duration, AffectUpdate)>,
    alerts: Vec<(Duration, Alert)>,
    conduct: Conduct,
    /// The line that the agent is shown.
    cue: Option<String>,
    /// What the customer said last, as it was recognised.
    said: Option<String>,
    /// What they have named, the newest last.
    topics: Vec<Topic>,
}

impl Panel {
    /// An empty panel, for a terminal of this many columns.
    pub(super) fn new(title: impl Into<String>, status: impl Into<String>, columns: usize) -> Self {
        // Some terminals wrap a line of exactly their width.
        let width = columns.saturating_sub(2).clamp(NARROWEST, WIDEST);
        Self { title: title.into(), status: status.into(), width, ..Self::default() }
    }

    /// Takes a new insight into the call.
    pub(super) fn take(&mut self, at: Duration, insight: &Insight) {
        match insight {
            Insight::AffectUpdate(update) if update.modality.is_voice() => {
                self.history.push((at, update.clone()));
            }
            Insight::AffectUpdate(_) => {}
            Insight::Alert(alert) => self.alerts.push((at, alert.clone())),
            Insight::Conduct(conduct) => self.conduct = conduct.clone(),
            Insight::Cue(CueTold::Shown(cue)) => self.cue = Some(cue.line.clone()),
            Insight::Cue(CueTold::Cleared(_)) => self.cue = None,
            Insight::Cue(CueTold::Withheld(_) | CueTold::Judged(_)) => {}
            Insight::Words(words) => self.said = Some(words.text.clone()),
            Insight::Topic(topic) => {
                self.topics.retain(|known| *known != topic.topic);
                self.topics.push(topic.topic);
            }
        }
    }

    /// The panel's lines. `colour` adds ANSI colours.
    pub(super) fn lines(&self, colour: bool) -> Vec<String> {
        let paint = Paint(colour);
        let mut lines = Vec::new();
        let clock = clock(self.clock);
        let gap = self.width.saturating_sub(self.title.chars().count() + clock.len());
        lines.push(format!("{}{}{}", paint.bold(&self.title), " ".repeat(gap), paint.bold(&clock)));
        lines.push(paint.dim(cut(&self.status, self.width)));
        lines.push(String::new());
        let latest = self.history.last().map(|(_, update)| update);
        lines.push(self.curve("valence", latest.map(|u| u.valence), |u| (u.valence + 1.0) / 2.0, paint));
        lines.push(self.curve("arousal", latest.map(|u| u.arousal), |u| (u.arousal + 1.0) / 2.0, paint));
        lines.push(self.curve("upset", latest.map(|u| u.distress), |u| u.distress, paint));
        lines.push(row("sounds", &latest.map_or_else(|| "(listening)".to_owned(), |u| mood(u, paint))));
        lines.push(row("alert", &self.alert_line(paint)));
        let [shares, pauses] = self.talk_lines(paint);
        lines.push(row("talk", &shares));
        lines.push(row("", &pauses));
        // As the agent sees it; two lines, so that the panel does not jump.
        let cue = self.cue.as_deref().unwrap_or_default();
        let mut cue = wrap(cue, self.width - NAMES - 1, 2).into_iter();
        lines.push(row("cue", &cue.next().map_or_else(|| paint.dim("none"), |line| paint.bold(&line))));
        lines.push(row("", &cue.next().map_or_else(String::new, |line| paint.bold(&line))));
        if let Some(said) = &self.said {
            let mut said = wrap(&format!("\u{201c}{said}\u{201d}"), self.width - NAMES - 1, 2).into_iter();
            lines.push(row("heard", &said.next().unwrap_or_default()));
            lines.push(row("", &said.next().unwrap_or_default()));
            let topics: Vec<String> =
                self.topics.iter().map(|topic| topic.name().replace('_', " ")).collect();
            let topics = if topics.is_empty() { paint.dim("none") } else { paint.bold(topics.join(", ")) };
            lines.push(row("topics", &topics));
        }
        lines.push(String::new());
        let (who, words) = self.caption.clone().unwrap_or_default();
        let mut words = wrap(&words, self.width - NAMES - 1, 2).into_iter();
        lines.push(row(&who, &words.next().unwrap_or_default()));
        lines.push(row("", &words.next().unwrap_or_default()));
        lines
    }

    fn curve(
        &self,
        name: &str,
        value: Option<f32>,
        height: impl Fn(&AffectUpdate) -> f32,
        paint: Paint,
    ) -> String {
        let columns = self.width - NAMES - 9;
        let skip = self.history.len().saturating_sub(columns);
        let mut bars = String::new();
        for (_, update) in self.history.iter().skip(skip) {
            let bar = bar(height(update));
            match update.state {
                State::Frustrated | State::Distressed => bars.push_str(&paint.red(bar)),
                State::Negative => bars.push_str(&paint.yellow(bar)),
                State::Positive => bars.push_str(&paint.green(bar)),
                State::Neutral => bars.push_str(bar.encode_utf8(&mut [0; 4])),
            }
        }
        let value = value.map_or_else(|| "   -  ".to_owned(), |value| format!("{value:>+6.2}"));
        row(name, &format!("{value}  {bars}"))
    }

    fn alert_line(&self, paint: Paint) -> String {
        let Some((at, last)) = self.alerts.last() else { return paint.dim("none") };
        // One kind may end while the other is up: then the caller is as upset as before.
        let (at, alert) = still_up(&self.alerts).unwrap_or((at, last));
        let kind = kind_word(alert.alert);
        match alert.phase {
            Phase::Rising => paint.red(format!("{kind} rising since {}", clock(*at))),
            Phase::Calmed => paint.green(format!(
                "{kind} calmed at {}, after {} s",
                clock(*at),
                alert.lasted.unwrap_or_default().as_secs()
            )),
        }
    }

    /// How much each party talks, and how they get along.
    fn talk_lines(&self, paint: Paint) -> [String; 2] {
        let conduct = &self.conduct;
        let Some(share) = conduct.customer.talk_share else { return [paint.dim("-"), String::new()] };
        let bar = (self.width - NAMES).saturating_sub(27).min(24);
        let filled = (share * bar as f32).round().clamp(0.0, bar as f32) as usize;
        let shares = format!(
            "caller {:>3.0} % {}{} agent {:>3.0} %",
            share * 100.0,
            "█".repeat(filled),
            paint.dim("█".repeat(bar - filled)),
            (1.0 - share) * 100.0,
        );
        let pauses = format!(
            "overlap {:.1} s, longest silence {:.1} s",
            conduct.overlap.as_secs_f32(),
            conduct.longest_silence.as_secs_f32(),
        );
        [shares, pauses]
    }
}

/// The alert that is up, the latest if both kinds are, and since when.
pub(super) fn still_up(alerts: &[(Duration, Alert)]) -> Option<(&Duration, &Alert)> {
    let latest = |kind| alerts.iter().rfind(|(_, alert)| alert.alert == kind);
    let up = AlertKind::ALL.into_iter().filter_map(latest).filter(|(_, alert)| alert.phase == Phase::Rising);
    up.max_by_key(|(at, _)| *at).map(|(at, alert)| (at, alert))
}

/// The word for an alert's kind.
pub(super) fn kind_word(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Frustration => "frustration",
        AlertKind::Distress => "distress",
    }
}

fn mood(update: &AffectUpdate, paint: Paint) -> String {
    let state = match update.state {
        State::Neutral => "neutral".to_owned(),
        State::Positive => paint.green("pleased"),
        State::Negative => paint.yellow("displeased"),
        State::Frustrated => paint.red("frustrated"),
        State::Distressed => paint.red("distressed"),
    };
    let trend = match update.trend {
        Trend::Improving => "improving",
        Trend::Steady => "steady",
        Trend::Worsening => "worsening",
    };
    format!("{state}, {trend}; confidence {:.0} %", update.confidence * 100.0)
}

fn bar(height: f32) -> char {
    let step = (height * BARS.len() as f32).clamp(0.0, BARS.len() as f32 - 1.0) as usize;
    BARS.get(step).copied().unwrap_or(' ')
}

fn row(name: &str, content: &str) -> String {
    format!(" {name:<width$}{content}", width = NAMES - 1)
}

/// `mm:ss`.
pub(super) fn clock(at: Duration) -> String {
    format!("{:02}:{:02}", at.as_secs() / 60, at.as_secs() % 60)
}

/// Text cut to this many columns, with an ellipsis where it is cut.
pub(super) fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    text.chars().take(columns.saturating_sub(1)).chain(['…']).collect()
}

/// Columns of the terminal; 80 where there is none.
pub(super) fn width() -> usize {
    terminal_size::terminal_size().map_or(80, |(width, _)| usize::from(width.0))
}

/// Breaks text into lines; a text longer than `most` lines ends in an ellipsis.
pub(super) fn wrap(text: &str, width: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let full = lines.len() == most;
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                let _ = write!(line, " {word}");
            }
            Some(line) if full => {
                line.push('…');
                break;
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// ANSI colours, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint(pub(super) bool);

impl Paint {
    /// Colours on a terminal, unless the user has turned them off (no-color.org).
    pub(super) fn detect() -> Self {
        Self(
            std::io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        )
    }

    fn wrap(self, code: u8, text: impl std::fmt::Display) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }
    pub(super) fn bold(self, text: impl std::fmt::Display) -> String {
        self.wrap(1, text)
    }
    pub(super) fn dim(self, text: impl std::fmt::Display) -> String {
        self.wrap(2, text)
    }
    pub(super) fn red(self, text: impl std::fmt::Display) -> String {
        self.wrap(31, text)
    }
    pub(super) fn green(self, text: impl std::fmt::Display) -> String {
        self.wrap(32, text)
    }
    pub(super) fn yellow(self, text: impl std::fmt::Display) -> String {
        self.wrap(33, text)
    }
}

/// Redraws lines in place.
#[derive(Debug, Default)]
pub(super) struct Screen {
    drawn: usize,
}

impl Screen {
    /// Draws the lines over the previous ones.
    pub(super) fn draw(&mut self, lines: &[String]) {
        let mut text = String::new();
        if self.drawn > 0 {
            let _ = write!(text, "\x1b[{}A", self.drawn);
        }
        for line in lines {
            let _ = writeln!(text, "\x1b[2K{line}");
        }
        self.drawn = lines.len();
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_panel_fits_and_shows_the_state() {
        for columns in [60, 80, 200] {
            let status = "127.0.0.1:40000 > 127.0.0.1:40001 > agent   PCMU, answered, and more besides";
            let mut panel = Panel::new("demo", status, columns);
            panel.clock = Duration::from_secs(75);
            panel.caption = Some(("caller".to_owned(), "many words ".repeat(40)));
            let empty = panel.lines(false);
            let update: AffectUpdate = serde_json::from_value(serde_json::json!({
                "leg": "customer", "valence": -0.5, "arousal": 0.7, "distress": 0.9, "confidence": 0.6,
                "state": "frustrated", "trend": "worsening", "relative": null, "classes": {}, "speech_ms": 1000,
                "estimates": 2, "abstained": 0
            }))
            .unwrap();
            for second in 0..500 {
                panel.take(Duration::from_secs(second), &Insight::AffectUpdate(update.clone()));
            }
            let mut conduct = Conduct::default();
            conduct.customer.talk_share = Some(0.55);
            panel.take(Duration::from_secs(500), &Insight::Conduct(conduct));
            let lines = panel.lines(false);
            assert_eq!(lines.len(), empty.len());
            assert!(lines.len() < 24);
            assert!(lines.iter().all(|line| line.chars().count() < columns), "{columns}: {lines:#?}");
            let text = lines.join("\n");
            assert!(
                text.contains("01:15") && text.contains("frustrated, worsening") && text.contains("-0.50")
            );
            assert!(text.contains('…'));
        }
    }

    #[test]
    fn bars_cover_the_scale() {
        assert_eq!([-1.0, 0.0, 0.5, 1.0, 2.0].map(bar), ['▁', '▁', '▅', '█', '█']);
    }
}
