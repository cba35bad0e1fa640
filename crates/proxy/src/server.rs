//! Putting the parts together, and taking them apart again.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use sidetone_announce::Library;
use sidetone_consent::Moment;
use sidetone_consent::list::{List, Lookup};
use sidetone_consent::log::{Log, Writer};
use sidetone_consent::page::{self, PageFacts};
use sidetone_emotion::model::Model;
use sidetone_events::{Bus, CallId, NumberHasher, Revealed, Sinks, Subscription, Timestamp};
use sidetone_pbx::config::Links;
use sidetone_pbx::{CallIdentity, PbxLinks, Told};
use sidetone_sip::anchor::{Anchor, Cause};
use sidetone_sip::aside::{Asides, Legs, SERVICE_USER};
use sidetone_sip::proxy::{Listener, Proxy, Settings};
use tokio::sync::mpsc::Receiver;

use crate::alarm::Alarm;
use crate::analysis::{Work, Worker, WorkerCounters};
use crate::calls::{Calls, Excluded, Rules};
use crate::config::{Analysis, Config, LogFormat, Media, Peer, Sip};
use crate::control::{self, ControlSocket};
use crate::disclosure::Disclosure;
use crate::media::{Engine, Notice};
use crate::signalling::{BySip, Core, Signalling};
use crate::stats::Stats;
use crate::{http, random, tap};

/// Bytes of each tap ring: about ten seconds of a thousand legs' G.711.
const TAP_RING: usize = 4 * 1024 * 1024;
/// What relay threads may have said that nobody has taken in yet; beyond it reports are dropped and counted.
const MOST_NOTICES: usize = 1_024;
/// The most m-lines of a call, and of streams in an offer.
const MOST_STREAMS: usize = 16;
/// A token of fewer bytes could be guessed.
const LEAST_TOKEN: usize = 16;
/// The running build.
pub(crate) const BUILD: &str = concat!("sidetone ", env!("CARGO_PKG_VERSION"));
/// Consent receipts that wait for the disk; beyond it they are lost, which is counted and told.
const MOST_RECEIPTS: usize = 10_000;
/// How long sinks may take to deliver what is queued when the process ends.
const LAST_EVENTS: Duration = Duration::from_secs(5);

/// Why Sidetone could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket, thread or file could not be had.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An announcement can't be used.
    #[error("announcement: {0}")]
    Announcement(String),
    /// The token for changes by HTTP can't be read, or is too short.
    #[error("http.token: {0}")]
    Token(String),
    /// The list of numbers that are never analysed can't be used.
    #[error("{0}")]
    List(String),
    /// The log of consent receipts can't be used.
    #[error("{0}")]
    Receipts(String),
    /// A link to a PBX could not be started.
    #[error("pbx: {0}")]
    Links(String),
    /// A sink could not be started.
    #[error("events: {0}")]
    Events(String),
}

/// Reads the configuration again; gives words for the operator if that fails.
pub type Reload = Box<dyn Fn() -> Result<Config, String> + Send + Sync>;

/// A running Sidetone. Dropping it ends everything.
pub struct Server {
    shared: Arc<Shared>,
    http: Option<SocketAddr>,
    _control: Option<ControlSocket>,
}

/// What HTTP, the control socket and signals share.
pub(crate) struct Shared {
    signalling: Arc<Signalling>,
    alarm: Alarm,
    calls: Arc<Calls>,
    bus: Bus,
    sinks: Mutex<Option<Sinks>>,
    links: Mutex<Option<PbxLinks>>,
    /// Name and SHA-256 of the model, if one is loaded.
    model: Option<(String, String)>,
    event_stream: axum::Router,
    workers: Vec<Arc<WorkerCounters>>,
    reload: Reload,
    started: Instant,
}

/// What a reload has done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// Tables that have changed and take effect only after a restart.
    pub needs_restart: Vec<&'static str>,
}

/// How a drain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DrainState {
    /// Whether new calls are refused.
    pub draining: bool,
    /// Calls that are up.
    pub calls: usize,
}

impl Server {
    /// Starts everything a configuration names, on the current tokio runtime. The configuration has passed
    /// `config::check`.
    ///
    /// # Errors
    /// When something it needs can't be had. The process should end then: what had been started is not taken back.
    pub async fn start(config: Config, reload: Reload) -> Result<Self, StartError> {
        let epoch = Instant::now();
        let config = Arc::new(config);
        let bus = Bus::new();
        let sinks =
            Sinks::start(&config.events, &bus).map_err(|error| StartError::Events(error.to_string()))?;
        let event_stream = sinks.hub().router();
        let hasher = match &config.events.number_salt {
            Some(salt) => NumberHasher::salted(salt),
            None => NumberHasher::with_random_salt(),
        }
        .map_err(|error| StartError::Events(error.to_string()))?;

        let listening = listening(&config);
        let model = listening
            .first()
            .map(|worker| (worker.model.meta().name.clone(), worker.model.sha256().to_owned()));
        let orders: Vec<Sender<Work>> = listening.iter().map(|worker| worker.orders.clone()).collect();
        let excluded = excluded(&config).map_err(StartError::List)?;
        let calls = Arc::new(Calls::new(bus.clone(), hasher, orders, rules(&config, excluded), epoch));
        let mut taps: Vec<Vec<tap::TapSender>> = (0..config.media.threads).map(|_| Vec::new()).collect();
        let mut workers = Vec::new();
        for (number, worker) in listening.into_iter().enumerate() {
            workers.push(worker.start(number, &mut taps, &calls, epoch)?);
        }

        let (notices, inbox) = tokio::sync::mpsc::channel(MOST_NOTICES);
        let engine = Engine::start(config.media.clone(), taps, &notices, epoch, random::number())?;
        calls.disclose_by(disclosure(
            &config,
            &engine,
            &calls,
            model.as_ref().map(|(_, sha256)| sha256.as_str()),
        )?);
        let core =
            Core::new(Arc::clone(&config), proxy(&config, engine), Arc::clone(&calls), random::number());
        let alarm = Alarm::new();
        let signalling = Signalling::bind(core, alarm.clone(), epoch)?;

        let shared = Arc::new(Shared {
            signalling: Arc::clone(&signalling),
            alarm: alarm.clone(),
            calls: Arc::clone(&calls),
            bus,
            sinks: Mutex::new(Some(sinks)),
            links: Mutex::new(None),
            model,
            event_stream,
            workers,
            reload,
            started: epoch,
        });
        let heartbeat = config.events.stream.heartbeat.0;
        let http = match config.http.listen.address() {
            Some(listen) => {
                let token = config.http.token.as_ref().map(|token| token.reveal(LEAST_TOKEN)).transpose();
                let token = token.map_err(|error| StartError::Token(error.to_string()))?;
                Some(http::start(listen, heartbeat, token, Arc::clone(&shared)).await?)
            }
            None => None,
        };
        let control = control::start(&config.control.socket, Arc::clone(&shared)).await?;
        let links = links(&config, &shared)?;
        *shared.links.lock().unwrap_or_else(PoisonError::into_inner) = links;
        // Last, so that no call is taken by a process that can't be had whole.
        alarm.vital("the call book", attend(Arc::clone(&signalling), calls, inbox));
        signalling.serve();
        Ok(Self { shared, http, _control: Some(control) })
    }

    /// Where HTTP is served.
    #[must_use]
    pub fn http(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Waits until a part without which no call can be served has broken down, and names it. The process should end then
    /// with a failure, and be started again.
    pub async fn broken(&self) -> &'static str {
        self.shared.alarm.fallen().await
    }

    /// A subscription to everything that happens.
    #[must_use]
    pub fn events(&self) -> Subscription {
        self.shared.tail()
    }

    /// Counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Reads the configuration again, as SIGHUP asks for, and lets log rotation take the events file.
    ///
    /// # Errors
    /// What is wrong with the file; the old configuration stays in force.
    pub fn reload(&self) -> Result<Reloaded, String> {
        self.shared.reload()
    }

    /// Refuses new calls and waits until those that are up have ended, at most `limits.drain`; returns how many
    /// were still up then.
    pub async fn drain(&self) -> usize {
        let patience = Duration::from(self.shared.signalling.core().config().limits.drain);
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let state = self.shared.drain(true);
            if state.calls == 0 || tokio::time::Instant::now() >= deadline {
                return state.calls;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Takes the calls that are still up out of the book, so that each has its `call.ended`, and lets the sinks
    /// deliver what is queued.
    pub async fn shutdown(self) {
        let keys = self.shared.calls.keys();
        self.shared.signalling.with(|core, now| {
            for key in keys {
                core.terminate(now, key, Cause::Operator);
            }
        });
        let deadline = tokio::time::Instant::now() + LAST_EVENTS;
        while !self.shared.calls.is_empty() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // The receipts of the calls that were just taken down are filed by now.
        let calls = Arc::clone(&self.shared.calls);
        let closed = tokio::task::spawn_blocking(move || {
            if let Some(disclosure) = calls.disclosure() {
                disclosure.close();
            }
        });
        if tokio::time::timeout(LAST_EVENTS, closed).await.is_err() {
            tracing::error!("consent receipts could not be brought to the disk in time");
        }
        let links = self.shared.links.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(links) = links {
            links.shutdown(LAST_EVENTS).await;
        }
        let sinks = self.shared.sinks.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sinks) = sinks {
            sinks.shutdown(LAST_EVENTS).await;
        }
    }
}

impl Shared {
    pub(crate) fn calls(&self) -> &Calls {
        &self.calls
    }

    pub(crate) fn alarm(&self) -> &Alarm {
        &self.alarm
    }

    /// What the policy page says, and the language of those who ask for none that it has.
    pub(crate) fn policy(&self) -> (PageFacts, page::Language) {
        let config = Arc::clone(self.signalling.core().config());
        let fallback = page::Language::of_tag(&config.consent.language).unwrap_or_default();
        (policy(&config, self.model.clone()), fallback)
    }

    pub(crate) fn event_stream(&self) -> axum::Router {
        self.event_stream.clone()
    }

    pub(crate) fn tail(&self) -> Subscription {
        self.bus.subscribe("tail", 4_096, &[])
    }

    pub(crate) fn drain(&self, draining: bool) -> DrainState {
        let mut core = self.signalling.core();
        if core.draining() != draining {
            tracing::info!(draining, "drain");
        }
        core.drain(draining);
        DrainState { draining, calls: core.anchor().calls() }
    }

    pub(crate) fn reload(&self) -> Result<Reloaded, String> {
        if let Some(sinks) = &*self.sinks.lock().unwrap_or_else(PoisonError::into_inner) {
            sinks.reopen();
        }
        let config = (self.reload)().inspect_err(|error| {
            tracing::error!(error, "the configuration could not be reloaded; the old one stays in force");
        })?;
        let old = Arc::clone(self.signalling.core().config());
        let needs_restart = frozen(&old, &config);
        let excluded = excluded(&config).inspect_err(|error| {
            tracing::error!(error, "the configuration could not be reloaded; the old one stays in force");
        })?;
        self.calls.reload(rules(&config, excluded));
        self.signalling.set_nameservers(&config.sip.nameservers);
        // What can't change while sockets are open stays as it was, so that what is shown is what is in force.
        let sip = Sip { nameservers: config.sip.nameservers.clone(), ..old.sip.clone() };
        let media = Media { timeout: config.media.timeout, ..old.media.clone() };
        let analysis = Analysis { thresholds: config.analysis.thresholds.clone(), ..old.analysis.clone() };
        let (events, http, control) = (old.events.clone(), old.http.clone(), old.control.clone());
        let announcement = old.announcement.clone();
        let pbxs = config.pbxs.into_iter().map(|pbx| {
            let links = old.pbxs.iter().find(|it| it.name == pbx.name).map(Peer::links);
            pbx.with_links(links.unwrap_or_default())
        });
        let pbxs = pbxs.collect();
        let config = Config { sip, media, analysis, announcement, events, http, control, pbxs, ..config };
        self.signalling.core().reload(Arc::new(config));
        tracing::info!(?needs_restart, "configuration reloaded");
        Ok(Reloaded { needs_restart })
    }

    pub(crate) fn stats(&self) -> Stats {
        // Before the core is locked: what is told by SIP is counted there.
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let links = links.as_ref().map(PbxLinks::counts).unwrap_or_default();
        let mut core = self.signalling.core();
        let sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        Stats::gather(
            &mut core,
            &self.calls,
            &self.workers,
            sinks.as_ref().map(Sinks::counts).unwrap_or_default(),
            links,
            self.bus.published(),
            self.signalling.connections(),
            self.alarm.panics(),
            self.started.elapsed(),
        )
    }
}

/// Tables whose change needs a restart.
fn frozen(old: &Config, new: &Config) -> Vec<&'static str> {
    fn differ<T: Serialize>(old: &T, new: &T) -> bool {
        serde_json::to_value(old).ok() != serde_json::to_value(new).ok()
    }
    let (mut old_sip, mut new_sip) = (old.sip.clone(), new.sip.clone());
    old_sip.nameservers.clear();
    new_sip.nameservers.clear();
    let (mut old_media, new_media) = (old.media.clone(), new.media.clone());
    old_media.timeout = new_media.timeout;
    let formats: [&LogFormat; 2] = [&old.log.format, &new.log.format];
    [
        ("sip", differ(&old_sip, &new_sip)),
        ("media", differ(&old_media, &new_media)),
        ("analysis.model", old.analysis.model != new.analysis.model),
        ("analysis.workers", old.analysis.workers != new.analysis.workers),
        ("announcement", old.announcement != new.announcement),
        ("pbx.ami, pbx.ari, pbx.esl, pbx.sip", links_of(old) != links_of(new)),
        ("consent.receipts", old.consent.receipts != new.consent.receipts),
        ("events", old.events != new.events),
        ("http", differ(&old.http, &new.http)),
        ("control", differ(&old.control, &new.control)),
        ("log.format", formats[0] != formats[1]),
    ]
    .into_iter()
    .filter_map(|(table, changed)| changed.then_some(table))
    .collect()
}

/// The links of each PBX that has some.
fn links_of(config: &Config) -> Vec<(String, Links)> {
    let links = config.pbxs.iter().map(|pbx| (pbx.name.clone(), pbx.links()));
    links.filter(|(_, links)| !links.is_empty()).collect()
}

/// What the policy page says of a configuration.
fn policy(config: &Config, model: Option<(String, String)>) -> PageFacts {
    let consent = &config.consent;
    let mut policies: Vec<_> = config.trunks.iter().map(|trunk| trunk.disclosure).collect();
    policies.extend(consent.rules.iter().filter_map(|rule| rule.policy));
    let mut sinks = Vec::new();
    if config.pbxs.iter().any(|pbx| !pbx.links().is_empty()) {
        sinks.push(page::Sink::PhoneSystem);
    }
    let host = |url: &str| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        rest.split(['/', ':', '?']).next().unwrap_or_default().to_owned()
    };
    sinks.extend(config.events.webhooks.iter().map(|webhook| page::Sink::Webhook(host(&webhook.url))));
    if config.events.file.is_some() {
        sinks.push(page::Sink::File);
    }
    if config.http.listen.address().is_some() {
        sinks.extend([page::Sink::Screens, page::Sink::Metrics]);
    }
    PageFacts {
        operator: consent.operator.clone(),
        policies,
        opt_out_digit: consent.opt_out_digit,
        opt_in_digit: consent.opt_in_digit,
        never_tiers: consent.never_tiers.clone(),
        has_list: consent.do_not_analyse.is_some(),
        exclude_withheld: consent.exclude_withheld,
        has_receipts: consent.receipts.is_some(),
        receipts_days: consent.receipts_days,
        sinks,
        build: BUILD.to_owned(),
        model,
        made: Moment::from_unix_millis(Timestamp::now().unix_millis()),
    }
}

/// What calls go by.
fn rules(config: &Config, excluded: Option<Excluded>) -> Rules {
    Rules {
        thresholds: config.analysis.thresholds.clone(),
        media_timeout: config.media.timeout.into(),
        consent: config.consent.clone(),
        excluded,
    }
}

/// Who is never listened to. Where the list can't be read, nobody is listened to.
fn excluded(config: &Config) -> Result<Option<Excluded>, String> {
    let Some(path) = &config.consent.do_not_analyse else { return Ok(None) };
    let key = config.events.number_salt.as_ref().map(|salt| salt.reveal(1)).transpose();
    let key = key.map_err(|error| format!("events.number_salt: {error}"))?;
    let list = List::open(path, key.as_ref().map(Revealed::bytes), &config.consent.numbering)
        .map_err(|error| format!("consent.do_not_analyse: {error}"))?;
    let withheld = config.consent.exclude_withheld;
    Ok(Some(Box::new(move |number: &str| match list.look_up(number) {
        Lookup::Listed => true,
        Lookup::NotListed => false,
        Lookup::Withheld => withheld,
    })))
}

/// What telling callers takes.
fn disclosure(
    config: &Config,
    engine: &Engine,
    calls: &Arc<Calls>,
    model: Option<&str>,
) -> Result<Disclosure, StartError> {
    let library = Library::load(&config.announcement, &config.consent.language)
        .map_err(|error| StartError::Announcement(error.to_string()))?;
    let receipts = match &config.consent.receipts {
        Some(folder) => Some(receipts(folder, config.consent.receipts_days)?),
        None => None,
    };
    let book = Arc::downgrade(calls);
    let failed = Box::new(move |call, id, failure| {
        if let Some(book) = book.upgrade() {
            book.announcement_failed(call, id, failure);
        }
    });
    let announcements = config.announcement.clone();
    let model = model.map(str::to_owned);
    let started =
        Disclosure::start(Arc::new(library), announcements, engine.announcer(), receipts, model, failed)?;
    Ok(started)
}

/// Opens the log of receipts and starts its writer.
fn receipts(folder: &Path, days: Option<u32>) -> Result<Writer, StartError> {
    let wrong = |error: &dyn std::fmt::Display| {
        StartError::Receipts(format!("consent.receipts {}: {error}", folder.display()))
    };
    let now = Moment::from_unix_millis(Timestamp::now().unix_millis());
    let (log, opened) = Log::open(folder, BUILD, now).map_err(|error| wrong(&error))?;
    if let Some(damage) = &opened.damage {
        tracing::error!(damage, "the log of consent receipts has been tampered with or damaged");
    }
    Writer::start(log, MOST_RECEIPTS, days, now, |trouble| {
        tracing::error!(?trouble, "consent receipts are in trouble");
    })
    .map_err(|error| wrong(&error))
}

/// Starts the links to PBXs, if there are any.
fn links(config: &Config, shared: &Arc<Shared>) -> Result<Option<PbxLinks>, StartError> {
    let links = links_of(config);
    if links.is_empty() {
        return Ok(None);
    }
    let (book, told) = (Arc::downgrade(&shared.calls), Arc::downgrade(&shared.calls));
    let raw = Arc::new(move |id: &CallId| {
        let (sip_call_id, pbx) = book.upgrade()?.identity(id)?;
        Some(CallIdentity { sip_call_id, pbx })
    });
    let hear = Arc::new(move |what: Told| {
        if let Some(calls) = told.upgrade() {
            calls.told(&what.sip_call_id, &what.telling, what.source);
        }
    });
    let by_sip = Arc::new(BySip(Arc::downgrade(&shared.signalling)));
    let started = PbxLinks::start(links, &shared.bus, raw, hear, by_sip);
    started.map(Some).map_err(|error| StartError::Links(error.to_string()))
}

fn proxy(config: &Config, engine: Engine) -> Proxy<Asides<Anchor<Engine>>> {
    let listeners =
        config.sip.listen.iter().map(|listen| Listener::bound(listen.transport, listen.addr)).collect();
    let settings = Settings {
        hostnames: config.sip.hostnames.clone(),
        service_user: by_sip(config, |sip| sip.notify).then(|| SERVICE_USER.to_owned()),
        failover_after: config.sip.failover_after.into(),
        max_transactions: config.sip.max_transactions,
        udp_limit: config.sip.udp_limit,
        retry_after: config.limits.retry_after.into(),
        ..Settings::new(listeners)
    };
    // The anchor's own bound stands above the limit that admission enforces and that a reload may raise.
    let anchor = sidetone_sip::anchor::Settings {
        max_calls: config.limits.calls.saturating_mul(4).max(10_000),
        max_streams: MOST_STREAMS,
        ..sidetone_sip::anchor::Settings::default()
    };
    let legs = Legs::new(&settings, by_sip(config, |sip| sip.info));
    Proxy::new(
        settings,
        Asides::new(Anchor::new(engine, anchor), legs, by_sip(config, |_| true)),
        random::number(),
    )
}

/// Whether any PBX is told by SIP in that way.
fn by_sip(config: &Config, way: impl Fn(&sidetone_pbx::config::Sip) -> bool) -> bool {
    config.pbxs.iter().filter_map(|pbx| pbx.sip.as_ref()).any(way)
}

/// A worker before it is started: the orders' channel has to exist before the call book, which the worker reports to.
struct Listening {
    orders: Sender<Work>,
    inbox: std::sync::mpsc::Receiver<Work>,
    model: Arc<Model>,
}

/// Workers, if any trunk lets its callers be listened to.
fn listening(config: &Config) -> Vec<Listening> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let count = if config.analysis.workers > 0 { config.analysis.workers } else { (cores / 2).max(1) };
    let model = match &config.analysis.model {
        Some(path) => Model::open(path),
        None => Model::embedded(),
    };
    let model = match model {
        Ok(model) => model,
        // Calls come first: they are carried, and nothing is inferred.
        Err(error) => {
            tracing::error!(%error, "the model can't be loaded: calls are carried, none is analysed");
            return Vec::new();
        }
    };
    (0..count)
        .map(|_| {
            let (orders, inbox) = channel();
            Listening { orders, inbox, model: Arc::clone(&model) }
        })
        .collect()
}

impl Listening {
    fn start(
        self,
        number: usize,
        taps: &mut [Vec<tap::TapSender>],
        calls: &Arc<Calls>,
        epoch: Instant,
    ) -> io::Result<Arc<WorkerCounters>> {
        let mut receivers = Vec::new();
        for thread in taps {
            let (sender, receiver) = tap::ring(TAP_RING);
            thread.push(sender);
            receivers.push(receiver);
        }
        let counters = Arc::new(WorkerCounters::default());
        // The book holds the orders' sender: a strong reference here would keep both alive for ever.
        let book = Arc::downgrade(calls);
        let worker = Worker {
            inbox: self.inbox,
            taps: receivers,
            model: self.model,
            report: Box::new(move |outcome| {
                if let Some(book) = book.upgrade() {
                    book.outcome(outcome);
                }
            }),
            counters: Arc::clone(&counters),
            epoch,
        };
        std::thread::Builder::new().name(format!("hear-{number}")).spawn(move || worker.run())?;
        Ok(counters)
    }
}

/// Takes what the relay threads say into the call book.
async fn attend(signalling: Arc<Signalling>, calls: Arc<Calls>, mut inbox: Receiver<Notice>) {
    let mut sweep = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            notice = inbox.recv() => {
                let Some(notice) = notice else { return };
                let dead = calls.notice(signalling.now(), notice);
                if !dead.is_empty() {
                    signalling.with(|core, now| {
                        for call in dead {
                            core.terminate(now, call, Cause::MediaTimeout);
                        }
                    });
                }
            }
            _ = sweep.tick() => {
                calls.close_overdue(signalling.now());
                calls.consent_timeouts(signalling.now());
            }
        }
    }
}

/// Sums over the workers.
pub(crate) fn sum(
    workers: &[Arc<WorkerCounters>],
    value: impl Fn(&WorkerCounters) -> &std::sync::atomic::AtomicU64,
) -> u64 {
    workers.iter().map(|worker| value(worker).load(Relaxed)).sum()
}
