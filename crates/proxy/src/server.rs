//! Putting the parts together, and taking them apart again.

mod dialog_key;
mod listening;
mod page;
mod parts;
mod prepared;
mod reload;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use sidetone_consent::page::{Language, PageFacts};
use sidetone_events::{Bus, Sinks, Subscription};
use sidetone_pbx::PbxLinks;
use sidetone_sip::anchor::Cause;
use tokio::sync::mpsc::Receiver;

use listening::listening;
use parts::{Missing, links, numbers, prompter, proxy, receipts, rules};
pub use prepared::Prepared;
use prepared::list_fault;
pub use reload::{Reload, Reloaded, Reread};

use crate::calls::Calls;
use crate::config::{Config, Fault, events_fault};
use crate::control::{self, ControlSocket};
use crate::signalling::{Core, Signalling};
use crate::stats::Stats;
use crate::trace::{Trace, Tracer, Wanted};
use crate::{http, random};
use sidetone_hear::{Orders, WorkerCounters};
use sidetone_relay::{Engine, Notice};
use sidetone_tap::TapSender;
use sidetone_watch::Alarm;

/// What relay threads may have said that nobody has taken in yet; beyond it reports are dropped and counted.
const MOST_NOTICES: usize = 1_024;
/// A token of fewer bytes could be guessed.
const LEAST_TOKEN: usize = 16;
/// How long parties may take to answer the BYE, CANCEL or 503 that they are sent when the process ends: two repetitions over UDP.
const LAST_BYES: Duration = Duration::from_secs(2);
/// How long sinks may take to deliver what is queued when the process ends.
const LAST_EVENTS: Duration = Duration::from_secs(5);

/// Why Sidetone could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A socket, thread or file could not be had.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The configuration can't be run; everything that is wrong with it.
    #[error("{}", .0.iter().map(|fault| format!("{} {}", fault.key, fault.problem)).collect::<Vec<_>>().join("; "))]
    Config(Vec<Fault>),
    /// A link to a PBX could not be started.
    #[error("pbx: {0}")]
    Links(String),
}

impl From<Fault> for StartError {
    fn from(fault: Fault) -> Self {
        Self::Config(vec![fault])
    }
}

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
    reload: Mutex<Reload>,
    started: Instant,
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
    /// Prepares a configuration and starts everything that it names, on the current tokio runtime.
    ///
    /// # Errors
    /// As [`Self::launch`], and when [`Prepared::new`] finds a fault that keeps it from running.
    pub async fn start(config: Config, reload: Reload) -> Result<Self, StartError> {
        let (prepared, faults) = Prepared::new(config);
        match prepared {
            Some(prepared) => Self::launch(prepared, reload).await,
            None => Err(StartError::Config(faults.into_iter().filter(|fault| fault.fatal).collect())),
        }
    }

    /// Binds and starts everything that a configuration names, on the current tokio runtime.
    ///
    /// # Errors
    /// When a socket, a thread or a file can't be had, with the key that names it. The process should end then: what had been started is not taken
    /// back.
    pub async fn launch(prepared: Prepared, reload: Reload) -> Result<Self, StartError> {
        let epoch = Instant::now();
        let Prepared { config, hasher, library, model, http_token } = prepared;
        let bus = Bus::new();
        let sinks = Sinks::start(&config.events, &bus).map_err(|error| events_fault(None, &error))?;
        let event_stream = sinks.hub().router();

        let mut listening = listening(&config, model.as_ref());
        let model = listening
            .first()
            .map(|worker| (worker.model.meta().name.clone(), worker.model.sha256().to_owned()));
        let orders: Vec<Orders> = listening.iter_mut().filter_map(|worker| worker.orders.take()).collect();
        let tracing_hasher = hasher.clone();
        let numbers = numbers(&config, None, Missing::Begun).map_err(|problem| list_fault(&problem))?;
        let calls = Arc::new(Calls::new(bus.clone(), hasher, orders, rules(&config, numbers), epoch));
        let mut taps: Vec<Vec<TapSender>> = (0..config.media.threads).map(|_| Vec::new()).collect();
        let alarm = Alarm::new();
        let mut workers = Vec::new();
        for (number, worker) in listening.into_iter().enumerate() {
            workers.push(worker.start(number, &mut taps, &calls, epoch, &alarm)?);
        }

        let (notices, inbox) = tokio::sync::mpsc::channel(MOST_NOTICES);
        let listening_at =
            config.sip.listen.iter().map(|listen| listen.addr).chain(config.http.listen.address());
        let engine = Engine::start(config.media.clone(), taps, &notices, epoch, random::number(), &alarm)?
            .guarding(listening_at.collect());
        let sha256 = model.as_ref().map(|(_, sha256)| sha256.as_str());
        let receipts = receipts(&config, sha256)?;
        calls.disclose_by(prompter(&config, library, &engine, &calls, epoch, &alarm)?, receipts);
        let core =
            Core::new(Arc::clone(&config), proxy(&config, engine), Arc::clone(&calls), random::number());
        let tracer = Tracer::start(tracing_hasher, &calls, calls.epoch_wall(), epoch, &alarm)?;
        let signalling = Signalling::bind(core, alarm.clone(), tracer, epoch)?;

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
            reload: Mutex::new(reload),
            started: epoch,
        });
        let heartbeat = config.events.stream.heartbeat.0;
        let http = match config.http.listen.address() {
            Some(listen) => Some(http::start(listen, heartbeat, http_token, Arc::clone(&shared)).await?),
            None => None,
        };
        let control = control::start(&config.control.socket, Arc::clone(&shared)).await?;
        let links = links(&config, &shared)?;
        *shared.links.lock().unwrap_or_else(PoisonError::into_inner) = links;
        // Last, so that no call is taken by a process that can't be had whole.
        alarm.vital("the call book", attend(Arc::clone(&signalling), calls, alarm.clone(), inbox));
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
    pub async fn broken(&self) -> Arc<str> {
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
    pub async fn reload(&self) -> Result<Reloaded, String> {
        self.shared.reload().await
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

    /// Ends the calls that are still up: their media goes with this process, so both parties are sent BYE rather than left
    /// with a call that nobody hears. Of calls that are not answered yet the caller gets 503, and whoever is called a CANCEL.
    /// Each has its `call.ended`; the sinks deliver what is queued.
    pub async fn shutdown(self) {
        let keys = self.shared.calls.keys();
        self.shared.signalling.with(|core, now| {
            for key in keys {
                core.hang_up(now, key, Cause::Operator);
            }
            core.proxy().abandon(now);
        });
        let deadline = tokio::time::Instant::now() + LAST_BYES;
        while self.shared.signalling.core().unconfirmed() > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let deadline = tokio::time::Instant::now() + LAST_EVENTS;
        while !self.shared.calls.is_empty() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        // Those of calls that were just taken down are filed by now, but for calls whose worker does not answer.
        self.shared.calls.file_all();
        let calls = Arc::clone(&self.shared.calls);
        let closed = tokio::task::spawn_blocking(move || {
            if let Some(receipts) = calls.receipts() {
                receipts.close();
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
    pub(crate) fn policy(&self) -> (PageFacts, Language) {
        let config = Arc::clone(self.signalling.core().config());
        let fallback = Language::of_tag(&config.consent.language).unwrap_or_default();
        (page::facts(&config, self.model.clone()), fallback)
    }

    pub(crate) fn event_stream(&self) -> axum::Router {
        self.event_stream.clone()
    }

    pub(crate) fn tail(&self) -> Subscription {
        self.bus.subscribe("tail", 4_096, &[])
    }

    /// Begins a trace; `None` when enough are under way.
    pub(crate) fn trace(&self, wanted: Wanted) -> Option<Trace> {
        self.signalling.tracer().open(wanted)
    }

    pub(crate) fn drain(&self, draining: bool) -> DrainState {
        let mut core = self.signalling.core();
        if core.draining() != draining {
            tracing::info!(draining, "drain");
        }
        core.drain(draining);
        DrainState { draining, calls: core.anchor().calls() }
    }

    pub(crate) fn stats(&self) -> Stats {
        // Before the core is locked: what is told by SIP is counted there.
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let links = links.as_ref().map(PbxLinks::counts).unwrap_or_default();
        let mut core = self.signalling.core();
        let sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut stats = Stats::gather(
            &mut core,
            &self.calls,
            &self.workers,
            sinks.as_ref().map(Sinks::counts).unwrap_or_default(),
            links,
            self.bus.published(),
            self.signalling.connections(),
            &self.alarm,
            self.model.is_some(),
            self.started.elapsed(),
        );
        stats.refused.insert("connection", self.signalling.connections_refused());
        stats.refused.insert("lookup", self.signalling.lookups_refused());
        stats
    }
}

/// Takes what the relay threads say into the call book.
async fn attend(signalling: Arc<Signalling>, calls: Arc<Calls>, alarm: Alarm, mut inbox: Receiver<Notice>) {
    let mut sweep = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            notice = inbox.recv() => {
                // No relay thread is left to say anything: this task ends, and with it the process.
                let Some(notice) = notice else { return };
                let silent = calls.notice(signalling.now(), notice);
                if !silent.is_empty() {
                    signalling.with(|core, now| {
                        for call in silent {
                            core.ask(now, call);
                        }
                    });
                }
            }
            _ = sweep.tick() => {
                calls.close_overdue(signalling.now());
                calls.consent_timeouts(signalling.now());
                // Asked for what it logs.
                let _ = alarm.missed(signalling.now());
            }
        }
    }
}
