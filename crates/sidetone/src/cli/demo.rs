//! `sidetone demo`: a real call through a real Sidetone on this machine, shown live.

mod half_day;

use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::config::Config;
use crate::rehearsal::{self, AGENT, CALLER};
use crate::server::Server;
use anyhow::{Context, bail, ensure};
use clap::Args;
use serde::Serialize;
use sidetone_call::Leg;
use sidetone_events::{Event, Happening, Timestamp};
use sidetone_hear::Language;
use sidetone_insight::cues::CueTold;
use sidetone_insight::{Alert, Insight, Phase, Summary};
use sidetone_language::models;
use sidetone_language::recognise::WEIGHTS;
use sidetone_serve::control::NotReloaded;
use sidetone_softphone::{
    Audio, Call, CallOptions, Clip, Codec, Comparison, MediaReport, Phone, PhoneConfig,
};
use sidetone_store::{Role, Store, StoreConfig, Token};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::run::runtime;
use super::view::{Paint, Panel, Screen, clock, kind_word, still_up, width, wrap};
use crate::cli::output::{Output, remark, say, say_json};

/// Longer than the demo's speech; a call that is still up then has gone wrong.
const PATIENCE: Duration = Duration::from_secs(120);
/// Time to open the pages before the call begins.
const HEAD_START: Duration = Duration::from_secs(10);
/// What a PBX would tell of the demo's call.
const LABELS: [(&str, &str); 4] =
    [("queue", "billing"), ("agent", "2001"), ("team", "north"), ("tier", "gold")];

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

/// The signals that end the demo: its folder goes with it whichever comes.
struct Ending([Signal; 3]);

impl Ending {
    fn new() -> std::io::Result<Self> {
        let [terminate, interrupt, hangup] =
            [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()].map(signal);
        Ok(Self([terminate?, interrupt?, hangup?]))
    }

    async fn asked(&mut self) {
        let Self([terminate, interrupt, hangup]) = self;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
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
            shown = show_pages(opened, address, &server, language, output) => shown?,
            () = ending.asked() => bail!("interrupted before the call"),
        }
    }

    let options = |wav| -> anyhow::Result<CallOptions> {
        let audio = Audio::exactly(Clip::from_wav(wav).context("the demo's speech can't be read")?);
        Ok(CallOptions { codecs: vec![codec], audio, ..CallOptions::default() })
    };
    let answer = options(AGENT)?;
    let answering = tokio::spawn(async move { agent.accept(answer).await });
    let target = format!("sip:agent@{sidetone}");
    let call = caller.call(&target, options(CALLER)?).await.context("the call did not get through")?;
    let answered = answering.await??;

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
    loop {
        ensure!(began.elapsed() < PATIENCE, "the call did not end within {} s", PATIENCE.as_secs());
        tokio::select! {
            event = events.recv() => {
                let Some(event) = event else { bail!("Sidetone ended before the call did") };
                if output.json {
                    say(&event.json);
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
    server.shutdown().await;
    Ok(outcome(&call.report(), &answered.report(), &told))
}

/// Words are recognised where a recogniser is installed. Both parties of the demo are synthetic, so all is kept.
fn words(output: Output) -> Language {
    let language = Language { enabled: true, agents: true, keep: true, ..Language::default() };
    if language.folder(&models::folder()).join(WEIGHTS).is_file() {
        return language;
    }
    let model = language.model;
    remark(output.json, &format!("to see what the caller says too: sidetone model fetch {model}"));
    Language::default()
}

async fn both_played(call: &Call, answered: &Call) {
    tokio::join!(call.played(), answered.played());
}

fn free_address() -> anyhow::Result<SocketAddr> {
    let probe =
        std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("no UDP port is free on 127.0.0.1")?;
    Ok(probe.local_addr()?)
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
        name = "demo-agent"
        hosts = [{{ to = "sip:{agent}" }}]
        allow = ["{agent}"]
        "#,
        ip = sidetone.ip(),
        // The larger port range beside SIP's own port, which the system has chosen.
        ports = if sidetone.port() > 40_000 { "20000-39999" } else { "40001-59999" },
    );
    toml::from_str(&text).context("the demo's configuration can't be read")
}

/// The pages of the demo, and those who sign in to them.
struct Opened {
    store: StoreConfig,
    supervisor: String,
    director: String,
    agent: String,
    operator: String,
    /// A CRM's, which tells what became of calls.
    crm: Token,
}

/// Tells how to sign in, and makes the half day meanwhile.
async fn show_pages(
    opened: &Opened,
    address: SocketAddr,
    server: &Server,
    language: Language,
    output: Output,
) -> anyhow::Result<()> {
    let paint = Paint::detect();
    remark(output.json, &format!("pages: {}", paint.bold(format!("http://{address}/"))));
    remark(output.json, "to sign in, give one of these tokens:");
    for (who, token) in [
        ("as a supervisor, to see the live wall, calls and figures", &opened.supervisor),
        ("as a director, to see figures", &opened.director),
        ("as the call's agent, to see their call and its cues", &opened.agent),
        ("as an operator, to see the service and compliance", &opened.operator),
    ] {
        // A line of its own each, which fits a terminal of 80 columns and is copied whole.
        remark(output.json, &format!("{who}:"));
        remark(output.json, token);
    }
    let began = Instant::now();
    let said = "making half a day before: calls of the demo's own speech, with made-up callers and outcomes";
    remark(output.json, &format!("{said} ({})", half_day::CALLS));
    let (book, store, crm) = (server.book(), opened.store.clone(), opened.crm.clone());
    let made = tokio::task::spawn_blocking(move || {
        let spool = book.spool().context("the demo keeps no spool")?;
        half_day::play(spool, Timestamp::now(), &language)?;
        half_day::add_outcomes(&store, &crm)
    });
    made.await.context("the half day broke")??;
    // Time to open the pages: the call is short.
    remark(output.json, &format!("the call begins in {} seconds", HEAD_START.as_secs()));
    tokio::time::sleep(HEAD_START.saturating_sub(began.elapsed()).max(HEAD_START / 2)).await;
    Ok(())
}

/// Has the demo keep its call, and serve pages of it on a free port.
fn keep(config: &mut Config, folder: &std::path::Path) -> anyhow::Result<Opened> {
    let store = StoreConfig::in_file(folder.join("store.db"));
    let now = Timestamp::now();
    let mut made = Store::create(&store).context("no store can be made for the demo")?;
    let agent = "2001".parse().context("no agent has this label")?;
    let agent = made.create_agent_token("demo agent", &agent, None, now).context("no token can be made")?;
    let mut token =
        |name: &str, role: Role| made.create_token(name, role, None, now).context("no token can be made");
    let opened = Opened {
        store: store.clone(),
        supervisor: token("demo supervisor", Role::Supervisor)?.secret,
        director: token("demo director", Role::Director)?.secret,
        agent: agent.secret,
        operator: token("demo operator", Role::Operator)?.secret,
        crm: token("demo CRM", Role::Integration)?.token,
    };
    config.spool = Some(toml::from_str(&format!("path = {:?}", folder.join("spool.db")))?);
    config.store = Some(store);
    config.http.listen = "127.0.0.1:0".parse()?;
    Ok(opened)
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

/// Prints a notable event where no panel can be drawn.
fn plain(event: &Event, alerts: &mut Vec<(Duration, Alert)>, paint: Paint) {
    let at = clock(event.at);
    match &event.happening {
        Happening::AffectAlert(alert) => {
            alerts.push((event.at, alert.clone()));
            let kind = kind_word(alert.alert);
            say(match (alert.phase, still_up(alerts)) {
                (Phase::Rising, _) => paint.red(format!("{at}  alert   {kind} rising")),
                // The other alert is still up: "calmed" would be true of this alert and false of the caller.
                (Phase::Calmed, Some((_, other))) => {
                    paint.red(format!("{at}  alert   {kind} has become {}", kind_word(other.alert)))
                }
                (Phase::Calmed, None) => paint.green(format!("{at}  alert   {kind} calmed")),
            });
        }
        Happening::CueShown(cue) => say(paint.bold(format!("{at}  cue     {}", cue.line))),
        Happening::WordsFinal(words) => say(format!("{at}  heard   {}", words.text)),
        Happening::WordsTopic(topic) => {
            say(paint.bold(format!("{at}  topic   {}: {}", topic.topic.name(), topic.phrase)));
        }
        Happening::AffectUpdate(update) if update.modality.is_voice() => say(paint.dim(format!(
            "{at}  affect  valence {:+.2}  arousal {:+.2}  upset {:.2}  {:?}",
            update.valence, update.arousal, update.distress, update.state
        ))),
        _ => {}
    }
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
