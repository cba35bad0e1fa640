//! `sidetone demo`: a real call through a real Sidetone on this machine, shown live.

mod browser;
mod half_day;
mod lines;
mod plain;
mod stage;
mod viewers;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::rehearsal::{self, AGENT, CALLER};
use crate::server::Server;
use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Serialize;
use sidetone_call::Leg;
use sidetone_events::{Event, Happening};
use sidetone_hear::Language;
use sidetone_insight::cues::CueTold;
use sidetone_insight::{Insight, Phase, Summary};
use sidetone_serve::control::NotReloaded;
use sidetone_softphone::{
    Audio, Call, CallOptions, Clip, Codec, Comparison, MediaReport, Phone, PhoneConfig,
};

use super::run::runtime;
use super::view::{Paint, Panel, Screen, clock, width, wrap};
use crate::cli::output::{Output, remark, say, say_json};
use lines::{Ends, Lines};
use plain::plain;
use stage::{Ending, free_address, ports_beside, words};
use viewers::{LABELS, Opened, keep, show_pages};

/// Longer than the demo's speech; a call that is still up then has gone wrong.
const PATIENCE: Duration = Duration::from_secs(120);
/// The name of the agent's PBX.
const PBX: &str = "demo-agent";
/// Time to open the pages before the call begins.
const HEAD_START: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The codec of the call: pcmu, pcma, g722, opus or l16.
    #[arg(long, default_value = "pcmu")]
    codec: String,
    /// Show the call on the pages too, beside half a day of made-up ones, from a store of the demo's own, and leave
    /// them open after it until Ctrl-C. In a terminal this is so unless --no-pages is given.
    #[arg(long)]
    pages: bool,
    /// No pages: the call in the terminal, and nothing else.
    #[arg(long, conflicts_with = "pages")]
    no_pages: bool,
    /// Call yourself: serve a page with a phone, which calls from a browser on this machine with its microphone, by
    /// WebSocket, DTLS-SRTP and Opus. The pages come with it unless --no-pages is given. Until Ctrl-C.
    #[arg(long, conflicts_with = "codec")]
    browser: bool,
}

/// The result of the demo.
#[derive(Debug, Serialize)]
struct Outcome {
    completed: bool,
    caller_to_agent: Verdict,
    agent_to_caller: Verdict,
    affect_updates: usize,
    alerts_rising: usize,
    alerts_calmed: usize,
    summary: Option<Summary>,
}

/// The quality of one direction's media.
#[derive(Debug, Serialize)]
struct Verdict {
    sent: usize,
    received: usize,
    identical: usize,
    byte_identical: bool,
}

impl From<Comparison> for Verdict {
    fn from(comparison: Comparison) -> Self {
        Self {
            sent: comparison.sent,
            received: comparison.received,
            identical: comparison.identical,
            byte_identical: comparison.is_identical(),
        }
    }
}

impl Outcome {
    fn succeeded(&self) -> bool {
        self.completed
            && self.caller_to_agent.byte_identical
            && self.agent_to_caller.byte_identical
            && self.affect_updates > 0
            && self.summary.is_some()
    }
}

impl Demo {
    pub(super) fn run(self, output: Output) -> anyhow::Result<ExitCode> {
        if self.browser {
            return runtime()?.block_on(browser::run(!self.no_pages, output));
        }
        let codec: Codec =
            self.codec.parse().ok().context("unknown codec; write pcmu, pcma, g722, opus or l16")?;
        let watched = !output.json && std::io::stdout().is_terminal();
        let pages = self.pages || watched && !self.no_pages;
        let outcome = runtime()?.block_on(call(codec, pages, output))?;
        if output.json {
            say_json(&serde_json::json!({ "demo": outcome, "succeeded": outcome.succeeded() }))?;
        } else {
            sum_up(&outcome);
        }
        Ok(if outcome.succeeded() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

async fn call(codec: Codec, pages: bool, output: Output) -> anyhow::Result<Outcome> {
    // Long: the demo from its first socket to its outcome.
    let mut ending = Ending::new().context("signals can't be listened to")?;
    let folder = tempfile::tempdir().context("no temporary folder can be made")?;
    let phone = |user: &str| PhoneConfig { user: user.to_owned(), ..PhoneConfig::default() };
    let (caller, agent) = (Phone::bind(phone("caller")).await?, Phone::bind(phone("agent")).await?);
    let sidetone = free_address()?;
    let mut config = config(sidetone, caller.address(), agent.address(), folder.path())?;
    config.language = words(output);
    let language = config.language.clone();
    let opened = if pages { Some(keep(&mut config, folder.path())?) } else { None };
    let server = Server::start(
        config,
        Box::new(|| Err(NotReloaded(vec!["the demo has no configuration file".to_owned()]))),
    )
    .await?;
    let mut events = server.events();
    if let (Some(opened), Some(address)) = (&opened, server.http()) {
        tokio::select! {
            shown = await_viewers(opened, address, &server, language, output) => shown?,
            () = ending.asked() => bail!("interrupted before the call"),
        }
    }

    let options = |wav| -> anyhow::Result<CallOptions> {
        let audio = Audio::exactly(Clip::from_wav(wav).context("the demo's speech can't be read")?);
        Ok(CallOptions { codecs: vec![codec], audio, ..CallOptions::default() })
    };
    let answer = options(AGENT)?;
    let answering = agent.clone();
    let answering = tokio::spawn(async move { answering.accept(answer).await });
    let target = format!("sip:agent@{sidetone}");
    let call = caller.call(&target, options(CALLER)?).await.context("the call did not get through")?;
    let answered = answering.await??;
    let ends = Ends { book: server.book(), caller: caller.clone(), agent, target, pbx: PBX };
    // They go on until the pages are closed.
    let lines = opened.as_ref().map(|_| Lines::start(&ends)).transpose()?;

    let status = format!("{} > {sidetone} > agent   {codec}, answered", caller.address());
    let mut panel = Panel::new("sidetone demo: a call through this machine", status, width());
    let turns = rehearsal::turns()?;
    let live = !output.json && std::io::stdout().is_terminal();
    let mut told = Vec::new();
    let began = Instant::now();
    let mut hung_up = false;
    let mut screen = Screen::default();
    let paint = Paint::detect();
    let mut captions = 0;
    let mut alerts = Vec::new();
    let mut own = None;
    loop {
        ensure!(began.elapsed() < PATIENCE, "the call did not end within {} s", PATIENCE.as_secs());
        tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { bail!("Sidetone ended before the call did") };
                // The first one is the demo's own call; others are shown on the pages alone.
                if *own.get_or_insert(event.event.call.id) != event.event.call.id {
                    continue;
                }
                if output.json {
                    say(event.json());
                } else if !live {
                    plain(&event.event, &mut alerts, paint);
                }
                show(&mut panel, &event.event);
                if opened.is_some() && matches!(event.event.happening, Happening::CallStarted(_)) {
                    server.label(&event.event.call.id.to_string(), &LABELS);
                }
                let over = matches!(event.event.happening, Happening::CallEnded(_));
                told.push(event.event.clone());
                if over {
                    break;
                }
            }
            () = tokio::time::sleep(Duration::from_millis(250)) => {}
            // So that the demo's folder goes with it.
            () = ending.asked() => bail!("interrupted; the call was not heard to its end"),
        }
        panel.clock = began.elapsed();
        let at = began.elapsed().as_secs_f64();
        let spoken = turns.iter().enumerate().rfind(|(_, turn)| turn.start <= at && at < turn.end + 0.6);
        panel.caption = spoken.map(|(_, turn)| (turn.who.clone(), turn.text.clone()));
        if let Some((index, turn)) = spoken
            && !live
            && !output.json
            && index >= captions
        {
            captions = index + 1;
            say(format_args!("{}  {:<7} {}", clock(began.elapsed()), turn.who, turn.text));
        }
        if live {
            screen.draw(&panel.lines(paint.0));
        }
        if !hung_up && tokio::time::timeout(Duration::ZERO, both_played(&call, &answered)).await.is_ok() {
            hung_up = true;
            // The last packets are still under way.
            tokio::time::sleep(Duration::from_millis(300)).await;
            call.hangup().await.context("hanging up was not answered")?;
        }
    }
    if live {
        panel.caption = None;
        screen.draw(&panel.lines(paint.0));
    }
    if opened.is_some() {
        remark(output.json, "the pages stay open; Ctrl-C ends the demo");
        ending.asked().await;
    }
    drop(lines);
    server.shutdown().await;
    Ok(outcome(&call.report(), &answered.report(), &told))
}

async fn both_played(call: &Call, answered: &Call) {
    tokio::join!(call.played(), answered.played());
}

fn config(
    sidetone: SocketAddr,
    caller: SocketAddr,
    agent: SocketAddr,
    folder: &std::path::Path,
) -> anyhow::Result<Config> {
    let socket = folder.join("control.sock");
    let text = format!(
        r#"
        [sip]
        listen = ["udp:{sidetone}"]
        [media]
        address = "{ip}"
        ports = "{ports}"
        [http]
        listen = "off"
        [control]
        socket = {socket:?}
        [health]
        options_interval = "0s"
        [[trunk]]
        name = "demo-caller"
        hosts = [{{ to = "sip:{caller}" }}]
        allow = ["{caller}"]
        # The demo's caller is a recording made for this; nobody is listened to.
        disclosure = "given-upstream"
        [[pbx]]
        name = "{PBX}"
        hosts = [{{ to = "sip:{agent}" }}]
        allow = ["{agent}"]
        "#,
        ip = sidetone.ip(),
        ports = ports_beside(sidetone),
    );
    toml::from_str(&text).context("the demo's configuration can't be read")
}

/// Shows the pages, and gives time to open them: the call is short.
async fn await_viewers(
    opened: &Opened,
    address: SocketAddr,
    server: &Server,
    language: Language,
    output: Output,
) -> anyhow::Result<()> {
    let began = Instant::now();
    show_pages(opened, address, server, language, output).await?;
    remark(output.json, &format!("the call begins in {} seconds", HEAD_START.as_secs()));
    tokio::time::sleep(HEAD_START.saturating_sub(began.elapsed()).max(HEAD_START / 2)).await;
    Ok(())
}

fn show(panel: &mut Panel, event: &Event) {
    let insight = match &event.happening {
        Happening::AffectUpdate(update) => Insight::AffectUpdate(update.clone()),
        Happening::AffectAlert(alert) => Insight::Alert(alert.clone()),
        Happening::Conduct(conduct) => Insight::Conduct(conduct.clone()),
        Happening::CueShown(cue) => Insight::Cue(CueTold::Shown(cue.clone())),
        Happening::CueCleared(cue) => Insight::Cue(CueTold::Cleared(cue.clone())),
        Happening::WordsFinal(words) if words.leg == Leg::Customer => Insight::Words(words.clone()),
        Happening::WordsTopic(topic) => Insight::Topic(topic.clone()),
        _ => return,
    };
    panel.take(event.at, &insight);
}

fn outcome(caller: &MediaReport, agent: &MediaReport, told: &[Event]) -> Outcome {
    let alerts = |phase| {
        told.iter()
            .filter(|e| matches!(&e.happening, Happening::AffectAlert(alert) if alert.phase == phase))
            .count()
    };
    let ended = told.iter().find_map(|event| match &event.happening {
        Happening::CallEnded(ended) => Some(ended),
        _ => None,
    });
    Outcome {
        completed: ended.is_some_and(|ended| ended.cause == sidetone_call::Cause::Hangup),
        caller_to_agent: MediaReport::byte_identical(&caller.sent, &agent.received).into(),
        agent_to_caller: MediaReport::byte_identical(&agent.sent, &caller.received).into(),
        affect_updates: told.iter().filter(|e| matches!(e.happening, Happening::AffectUpdate(_))).count(),
        alerts_rising: alerts(Phase::Rising),
        alerts_calmed: alerts(Phase::Calmed),
        summary: ended.and_then(|ended| ended.summary.clone()),
    }
}

fn sum_up(outcome: &Outcome) {
    let paint = Paint::detect();
    let tick = |good: bool| if good { paint.green("ok  ") } else { paint.red("FAIL") };
    say("");
    tell(&tick(outcome.completed), "the call went through and was hung up");
    for (way, verdict) in
        [("caller to agent", &outcome.caller_to_agent), ("agent to caller", &outcome.agent_to_caller)]
    {
        let (sent, identical) = (verdict.sent, verdict.identical);
        let words = format!("{way}: {sent} packets sent, {identical} arrived byte for byte");
        tell(&tick(verdict.byte_identical), &words);
    }
    let words = format!(
        "{} affect updates, {} alerts raised, {} calmed",
        outcome.affect_updates, outcome.alerts_rising, outcome.alerts_calmed
    );
    tell(&tick(outcome.affect_updates > 0), &words);
    let Some(summary) = &outcome.summary else {
        return tell(&tick(false), "no summary came");
    };
    if let Some(sentiment) = &summary.sentiment {
        let words = format!(
            "the caller: {:+.2} at the start, {:+.2} at the lowest ({}), {:+.2} at the end; shift {:+.2}",
            sentiment.start,
            sentiment.lowest.valence,
            clock(sentiment.lowest.at),
            sentiment.end,
            sentiment.shift
        );
        tell("    ", &words);
    }
    let words = format!(
        "{:.0} s of the caller's speech judged: {} estimates, {} declined",
        summary.analysis.judged.as_secs_f32(),
        summary.analysis.estimates,
        summary.analysis.abstained
    );
    tell("    ", &words);
    tell("    ", "the agent's voice was not judged at all");
}

/// Prints a sign of four columns and a text beside it, wrapped where the terminal is narrow.
fn tell(sign: &str, words: &str) {
    for (number, line) in wrap(words, width().saturating_sub(6).max(20), 4).iter().enumerate() {
        say(format_args!("{} {line}", if number == 0 { sign } else { "    " }));
    }
}
