//! Assembles the parts of a running Sidetone, and shuts them down.

mod assembly;
mod carrying_on;
mod census;
mod dialog_key;
mod error;
mod faults;
mod from_file;
mod handing_over;
mod in_force;
mod listening;
mod lists;
mod page;
mod prepared;
mod recognising;
mod reload;
mod secrecy;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sidetone_call::Cause;
use sidetone_consent::page::Language;
use sidetone_consent::{Source, Telling};
use sidetone_events::{Bus, Sinks, Subscription};
use sidetone_pbx::PbxLinks;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::task::AbortHandle;

use assembly::{add_languages, feeder, kept, prompter, proxy, receipts, rules, spool};
use census::Census;
pub(crate) use error::StartError;
pub(crate) use from_file::{prepare, prepare_again, prepare_elsewhere, prepare_to_take_over};
pub(crate) use handing_over::{HandedOver, take_over};
use in_force::{InForce, lock};
use listening::listening;
use lists::{Missing, numbers};
pub(crate) use prepared::Prepared;
pub(crate) use recognising::Words;
use reload::Reloader;
pub(crate) use reload::{ReadAgain, Reread};

use crate::compliance;
use crate::config::{Config, events_fault};
use crate::rehearsal;
use sidetone_book::Calls;
use sidetone_handover::Inherited;
use sidetone_hear::{Orders, Recognition};
use sidetone_journal::Journal;
use sidetone_proxy::random;
use sidetone_proxy::signalling::{Core, Signalling};
use sidetone_proxy::trace::Tracer;
use sidetone_relay::{Engine, Notice};
use sidetone_serve::Snapshot;
use sidetone_serve::control::{self, ControlSocket, NotReloaded, Reloaded, Upgrade};
use sidetone_serve::http::{self, PageServer};
use sidetone_spool::Spool;
use sidetone_store::Feeder;
use sidetone_tap::TapSender;
use sidetone_watch::Alarm;

/// Most notices of relay threads that wait; beyond it reports are dropped and counted.
const MOST_NOTICES: usize = 1_024;
/// How long parties may take to answer the last BYE, CANCEL or 503 when the process ends: two retransmissions over UDP.
const LAST_BYES: Duration = Duration::from_secs(2);
/// How long sinks may take to deliver queued events when the process ends.
const LAST_EVENTS: Duration = Duration::from_secs(5);

/// A running Sidetone. Dropping it ends everything.
pub(crate) struct Server {
    signalling: Arc<Signalling>,
    alarm: Alarm,
    calls: Arc<Calls>,
    bus: Bus,
    sinks: Arc<Mutex<Option<Sinks>>>,
    links: Arc<Mutex<Option<PbxLinks>>>,
    store: Arc<Mutex<Option<Feeder>>>,
    reloader: Arc<Reloader>,
    recognition: Option<Arc<Recognition>>,
    journal: Option<Arc<Journal>>,
    http: Option<PageServer>,
    control: ControlSocket,
    /// Wishes for an upgrade.
    upgrades: tokio::sync::Mutex<Receiver<Upgrade>>,
    /// Where relay threads give notice, to see whether any waits.
    notices: Sender<Notice>,
    /// What takes them.
    attending: AbortHandle,
}

impl Server {
    /// Prepares a configuration and starts everything that it names, on the current tokio runtime.
    ///
    /// # Errors
    /// As [`Self::launch`], and when [`Prepared::new`] finds a fault that keeps it from running.
    pub(crate) async fn start(config: Config, read_again: ReadAgain) -> Result<Self, StartError> {
        let (prepared, faults) = Prepared::new(config);
        match prepared {
            Some(prepared) => Self::launch(prepared, read_again, Inherited::default()).await,
            None => Err(StartError::Config(faults.into_iter().filter(|fault| fault.fatal).collect())),
        }
    }

    /// Binds and starts everything that a configuration names, on the current tokio runtime. Sockets of the process
    /// before are taken in place of new ones.
    ///
    /// # Errors
    /// When a socket, a thread or a file can't be obtained, with the key that names it. The process should end then:
    /// parts that have been started are not stopped again.
    pub(crate) async fn launch(
        prepared: Prepared,
        read_again: ReadAgain,
        inherited: Inherited,
    ) -> Result<Self, StartError> {
        // Long: the parts in the order in which they stand on each other.
        let started = Instant::now();
        // Its clock goes on where it has calls to carry on.
        let (journal, life) = assembly::journal(&prepared.config)?.unzip();
        let journal = journal.map(Arc::new);
        let epoch = life.as_ref().map_or(started, |life| life.epoch);
        let Prepared { config, hasher, library, model, words, http_token, oidc } = prepared;
        let bus = Bus::new();
        bus.keep_words(config.language.keep);
        let sinks = Sinks::start(&config.events, &bus).map_err(|error| events_fault(None, &error))?;
        let event_stream = sinks.hub().router();
        let events_by_token = sinks.hub().asks_for_token();

        let mut listening = listening(&config, model.as_ref());
        let model = listening
            .first()
            .map(|worker| (worker.model.meta().name.clone(), worker.model.sha256().to_owned()));
        let model_facts = listening.first().map(|worker| compliance::model(&worker.model));
        let orders: Vec<Orders> = listening.iter_mut().filter_map(|worker| worker.orders.take()).collect();
        let alarm = Alarm::new();
        // Without workers nobody is listened to, and nothing could be recognised.
        let words = words.filter(|_| !orders.is_empty());
        let recognition =
            words.map(|words| recognising::start(&words, &config.language, epoch, &alarm)).transpose()?;
        let scribe = recognition.as_ref().map(recognising::scribe);
        let (tracing_hasher, numbers_of) = (hasher.clone(), hasher.clone());
        let numbers = numbers(&config, None, Missing::Begun).map_err(|error| error.fault())?;
        let calls = Arc::new(Calls::new(
            bus.clone(),
            hasher,
            orders,
            rules(&config, numbers, scribe.as_ref()),
            epoch,
        ));
        let mut taps: Vec<Vec<TapSender>> = (0..config.media.threads).map(|_| Vec::new()).collect();
        let mut workers = Vec::new();
        for (number, worker) in listening.into_iter().enumerate() {
            workers.push(worker.start(number, &mut taps, &calls, epoch, &alarm)?);
        }

        let (notices, inbox) = tokio::sync::mpsc::channel(MOST_NOTICES);
        let listening_at =
            config.sip.listen.iter().map(|listen| listen.addr).chain(config.http.listen.address());
        let mut engine = Engine::start(
            config.media.clone(),
            taps,
            &notices,
            epoch,
            random::number(),
            &alarm,
            inherited.clone(),
        )?
        .guarding(listening_at.collect())
        .by_kernel(journal.is_some())?;
        if journal.is_some() {
            engine = engine.keeping();
        }
        let mut fingerprint = None;
        if config.media.security.ends_here() {
            secrecy::keep_memory_private();
            let handshakes = secrecy::handshakes()?;
            fingerprint = Some(handshakes.identity().fingerprint().to_string());
            engine = engine.shaking_hands(handshakes, &alarm)?;
        }
        let sha256 = model.as_ref().map(|(_, sha256)| sha256.as_str());
        let receipts = receipts(&config, sha256)?;
        if let Some(spool) = spool(&config)? {
            calls.spool_to(spool);
        }
        let store = Arc::new(Mutex::new(feeder(&config)?));
        calls.disclose_by(prompter(&config, library, &engine, &calls, epoch, &alarm)?, receipts);
        let core = Core::new(
            Arc::new(config.proxy()),
            proxy(&config, engine, fingerprint),
            Arc::clone(&calls),
            random::number(),
        );
        let tracer = Tracer::start(tracing_hasher, &calls, calls.epoch_wall(), epoch, &alarm)?;
        let signalling = Signalling::bind(core, alarm.clone(), tracer, epoch, &inherited)?;

        let (sinks, links) = (Arc::new(Mutex::new(Some(sinks))), Arc::new(Mutex::new(None)));
        *lock(&links) = assembly::links(&config, &calls, &signalling, &bus)?;
        // Before anybody can be told that it is ready; PBXs are told of what changes by it.
        if let (Some(journal), Some(life)) = (&journal, life) {
            carrying_on::carry_on(life, &signalling, &calls, journal);
        }
        let in_force = Arc::new(InForce::new(Arc::clone(&config)));
        let reloader = Arc::new(Reloader::new(&signalling, &calls, &sinks, &in_force, scribe, read_again));
        let drilled = Arc::clone(&in_force);
        let census = Census {
            signalling: Arc::clone(&signalling),
            calls: Arc::clone(&calls),
            workers,
            recognition: recognition.as_ref().map(|recognition| Arc::clone(recognition.counters())),
            sinks: Arc::clone(&sinks),
            links: Arc::clone(&links),
            store: Arc::clone(&store),
            bus: bus.clone(),
            alarm: alarm.clone(),
            in_force: Arc::clone(&in_force),
            listens: model.is_some(),
            recognises: recognition.is_some(),
            started,
            journal: journal.clone(),
        };
        let stats = Snapshot::of(&alarm, "the counters", move || census.count());
        let listed = Arc::clone(&calls);
        let list = Snapshot::of(&alarm, "the list of calls", move || listed.list());
        let http = match config.http.listen.address() {
            Some(listen) => {
                add_languages(&config.http);
                let (told, model_told) = (Arc::clone(&in_force), model_facts.clone());
                let served = http::Served {
                    stats: stats.clone(),
                    policy: Arc::new(move || {
                        let config = in_force.get();
                        let fallback = Language::of_tag(&config.consent.language).unwrap_or_default();
                        (page::facts(&config, model.clone()), fallback)
                    }),
                    events: event_stream,
                    desks: http::Desks::new(list.clone(), Arc::clone(&calls), &alarm),
                    practice: Some(rehearsal::practice()),
                    connections: config.http.connections.most(),
                    events_by_token,
                    heartbeat: config.events.stream.heartbeat.0,
                    embedded_by: config.http.frame_ancestors.clone(),
                    kept: kept(&config, lock(&store).as_ref(), numbers_of),
                    model: model_facts,
                    facts: Arc::new(move || compliance::of_pages(&told.get(), model_told.clone())),
                    oidc,
                    api: http_token.map(|token| (token, Arc::clone(&calls))),
                };
                Some(http::start(listen, &inherited, served, &alarm).await?)
            }
            None => None,
        };
        let again = Arc::clone(&reloader);
        let may_drill = move || {
            let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            drilled.get().chaos.may_drill(since_1970)
        };
        let (wishes, upgrades) = tokio::sync::mpsc::channel(1);
        let served = control::Served {
            calls: Arc::clone(&calls),
            list,
            stats,
            bus: bus.clone(),
            signalling: Arc::clone(&signalling),
            reload: Arc::new(move || again.reload()),
            upgrades: wishes,
            upgrading: Arc::new(tokio::sync::Semaphore::new(1)),
            may_drill: Arc::new(may_drill),
        };
        let control = control::start(&config.control.socket, &inherited, served, &alarm).await?;
        let left = inherited.close_rest();
        if left > 0 {
            tracing::debug!(left, "sockets of the process before that nothing here asks for are closed");
        }
        // Last, so that no call is taken by a process that can't start completely.
        let book = attend(Arc::clone(&signalling), Arc::clone(&calls), alarm.clone(), inbox, journal.clone());
        let attending = alarm.vital("the call book", book);
        signalling.serve();
        Ok(Self {
            signalling,
            alarm,
            calls,
            bus,
            sinks,
            links,
            store,
            reloader,
            recognition,
            journal,
            http,
            control,
            upgrades: tokio::sync::Mutex::new(upgrades),
            notices,
            attending,
        })
    }

    /// The call book.
    pub(crate) fn book(&self) -> Arc<Calls> {
        Arc::clone(&self.calls)
    }

    /// Labels a call, as its PBX would.
    pub(crate) fn label(&self, id: &str, labels: &[(&str, &str)]) {
        for (name, value) in labels {
            if let Ok(telling) = Telling::parse(name, value) {
                // A call that is over needs no label.
                let _ = self.calls.told(id, &telling, Source::Cli);
            }
        }
    }

    /// The HTTP address.
    #[must_use]
    pub(crate) fn http(&self) -> Option<SocketAddr> {
        self.http.as_ref().map(|pages| pages.address)
    }

    /// Waits until a vital part has broken down, and names it. The process should end then with a failure, and be
    /// started again.
    pub(crate) async fn broken(&self) -> Arc<str> {
        self.alarm.fallen().await
    }

    /// A subscription to all events.
    #[must_use]
    pub(crate) fn events(&self) -> Subscription {
        self.bus.subscribe("tail", 4_096, &[])
    }

    /// Calls that are up.
    #[must_use]
    pub(crate) fn calls(&self) -> usize {
        self.signalling.core().anchor().calls()
    }

    /// Reads the configuration again, as SIGHUP asks for, and lets log rotation take the events file.
    ///
    /// # Errors
    /// The faults of the file; the old configuration stays in force.
    pub(crate) async fn reload(&self) -> Result<Reloaded, NotReloaded> {
        let reloader = Arc::clone(&self.reloader);
        // SIP shares the async thread.
        let done = tokio::task::spawn_blocking(move || reloader.reload()).await;
        done.unwrap_or_else(|_| Err(NotReloaded::broke_down()))
    }

    /// Refuses new calls and waits until the present ones have ended, at most `limits.drain`; returns how many are
    /// still up then.
    pub(crate) async fn drain(&self) -> usize {
        let patience = Duration::from(self.signalling.core().config().limits.drain);
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let calls = self.signalling.drain(true);
            if calls == 0 || tokio::time::Instant::now() >= deadline {
                return calls;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends the calls that are still up. Their media ends with this process, so both parties are sent BYE rather than
    /// left in a silent call. For an unanswered call the caller gets 503, and the called party a CANCEL. Each call gets
    /// its `call.ended`; the sinks deliver queued events.
    pub(crate) async fn shutdown(self) {
        let keys = self.calls.keys();
        self.signalling.with(|core, now| {
            for key in keys {
                core.hang_up(now, key, Cause::Terminated);
            }
            core.proxy().abandon(now);
        });
        let deadline = tokio::time::Instant::now() + LAST_BYES;
        while self.signalling.core().unconfirmed() > 0 && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let deadline = tokio::time::Instant::now() + LAST_EVENTS;
        while !self.calls.is_empty() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if let Some(recognition) = &self.recognition {
            recognition.close();
        }
        // The receipts of calls just ended are filed by now, except where a worker does not answer.
        self.calls.file_all();
        let calls = Arc::clone(&self.calls);
        let closed = tokio::task::spawn_blocking(move || {
            if let Some(receipts) = calls.receipts() {
                receipts.close();
            }
        });
        if tokio::time::timeout(LAST_EVENTS, closed).await.is_err() {
            tracing::error!("consent receipts could not be brought to the disk in time");
        }
        self.deliver_the_rest().await;
        let calls = Arc::clone(&self.calls);
        let store = lock(&self.store).take();
        let closed = tokio::task::spawn_blocking(move || {
            calls.spool().map(Spool::close);
            // It reads what the spool has just written, and ends.
            drop(store);
        });
        // The writer has a time limit of its own.
        let _ = closed.await;
        if let Some(journal) = &self.journal {
            journal.close();
        }
    }
}

impl Server {
    /// Links and sinks deliver what they have, and end.
    async fn deliver_the_rest(&self) {
        let links = lock(&self.links).take();
        if let Some(links) = links {
            links.shutdown(LAST_EVENTS).await;
        }
        let sinks = lock(&self.sinks).take();
        if let Some(sinks) = sinks {
            sinks.shutdown(LAST_EVENTS).await;
        }
    }
}

/// Passes the relay threads' notices on to the call book.
async fn attend(
    signalling: Arc<Signalling>,
    calls: Arc<Calls>,
    alarm: Alarm,
    mut inbox: Receiver<Notice>,
    journal: Option<Arc<Journal>>,
) {
    let pen = journal.as_ref().map(|journal| journal.pen());
    let mut sweep = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            notice = inbox.recv() => {
                // No relay thread is left: this task ends, and with it the process.
                let Some(notice) = notice else { return };
                if let (Notice::Kept(kept), Some(pen)) = (&notice, &pen) {
                    carrying_on::write_down(kept, pen);
                }
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
                if journal.as_ref().is_some_and(|journal| journal.wants_all()) {
                    calls.keep_anew();
                    signalling.with(|core, _| core.keep_anew());
                }
                // Called for the log lines that it writes.
                let _ = alarm.missed(signalling.now());
            }
        }
    }
}
