//! Makes the parts that a configuration asks for: rules, announcements and receipts, the SIP proxy, the links to PBXs.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sidetone_announce::Library;
use sidetone_consent::Moment;
use sidetone_consent::log::{Log, Trouble, Writer};
use sidetone_events::{Bus, CallId, Timestamp};
use sidetone_pbx::config::Links;
use sidetone_pbx::{CallIdentity, PbxLinks, Told};
use sidetone_sip::anchor::{self, Anchor, Policy, Security};
use sidetone_sip::host::{Host, HostPort};
use sidetone_sip::notification::{InfoFilter, Legs, SERVICE_USER};
use sidetone_sip::proxy::{Listener, Proxy, Settings};
use sidetone_sip::transaction::Timers;

use super::dialog_key;
use super::error::StartError;
use super::faults::{journal_fault, receipts_fault, spool_fault, store_fault};
use super::secrecy;
use crate::config::Config;
use sidetone_book::BUILD;
use sidetone_book::{Calls, Numbers, Receipts, Rules};
use sidetone_call::Side;
use sidetone_events::NumberHasher;
use sidetone_hear::Scribe;
use sidetone_insight::cues::CueSet;
use sidetone_journal::{Journal, Life, Seal};
use sidetone_proxy::random;
use sidetone_proxy::signalling::{BySip, Signalling};
use sidetone_relay::config::{Keying, MediaSecurity, SidePolicy};
use sidetone_relay::{Engine, Prompter};
use sidetone_serve::config::Http;
use sidetone_serve::http::Kept;
use sidetone_spool::Spool;
use sidetone_store::{Feed, Feeder, Readers};
use sidetone_watch::Alarm;

/// The most m-lines of a call, and of streams in an offer.
const MOST_STREAMS: usize = 16;
/// How long beyond its ringing limit a call without messages is kept.
const SETUP_BEYOND_RING: Duration = Duration::from_secs(115);
/// Most consent receipts that wait for the disk; beyond it they are lost, which is counted and logged.
const MOST_RECEIPTS: usize = 10_000;

/// The rules that a configuration makes for calls.
pub(super) fn rules(config: &Config, numbers: Numbers, scribe: Option<&Scribe>) -> Rules {
    Rules {
        node: config.node.clone(),
        thresholds: config.analysis.thresholds.clone(),
        cues: cues(config),
        words: scribe.map(|scribe| (scribe.clone(), Arc::new(config.language.clone()))),
        media_timeout: config.media.timeout.into(),
        consent: config.consent.clone(),
        numbers,
        teams: config.teams.clone(),
    }
}

/// Adds the further languages of the pages. They have been checked a moment ago: a file that has become unreadable
/// since costs them, and no start.
pub(super) fn add_languages(http: &Http) {
    match http.load_languages() {
        Ok((languages, _)) if languages.is_empty() => {}
        Ok((languages, _)) => {
            // A process that serves pages for a second time has them already.
            let _ = sidetone_pages::add_languages(languages);
        }
        Err(error) => {
            tracing::warn!(key = "http.languages", %error, "the pages speak no further languages");
        }
    }
}

/// The cues for agents. They have been checked a moment ago: a file that has become unreadable since costs the cues
/// and nothing else.
fn cues(config: &Config) -> Option<Arc<CueSet>> {
    config.cues.load().unwrap_or_else(|error| {
        tracing::warn!(key = format!("cues.{}", error.key()), %error, "agents are shown no cues");
        None
    })
}

/// Starts the prompter.
pub(super) fn prompter(
    config: &Config,
    library: Library,
    engine: &Engine,
    calls: &Arc<Calls>,
    epoch: Instant,
    alarm: &Alarm,
) -> Result<Prompter, StartError> {
    let book = Arc::downgrade(calls);
    let failed = Box::new(move |call, id, failure| {
        if let Some(book) = book.upgrade() {
            book.announcement_failed(call, id, failure);
        }
    });
    let (library, announcements) = (Arc::new(library), config.announcement.clone());
    Ok(Prompter::start(library, announcements, engine.announcer(), failed, epoch, alarm)?)
}

/// The receipts' destination, for calls that this model listens to.
pub(super) fn receipts(config: &Config, model: Option<&str>) -> Result<Receipts, StartError> {
    let writer = match &config.consent.receipts {
        Some(folder) => Some(receipt_log(folder, config.consent.receipts_days)?),
        None => None,
    };
    Ok(Receipts::new(writer, model.map(str::to_owned)))
}

/// Opens the log of receipts and starts its writer.
fn receipt_log(folder: &Path, days: Option<u32>) -> Result<Writer, StartError> {
    let wrong = |error: &dyn std::fmt::Display| StartError::from(receipts_fault(error));
    let now = Moment::from_unix_millis(Timestamp::now().unix_millis());
    let (log, opened) = Log::open(folder, BUILD, now).map_err(|error| wrong(&error))?;
    if let Some(damage) = &opened.damage {
        tracing::error!(damage, "the log of consent receipts has been tampered with or damaged");
    }
    let alarm = |trouble: Trouble| {
        if trouble.is_over() {
            tracing::info!("{trouble}");
        } else {
            tracing::error!("{trouble}");
        }
    };
    Writer::start(log, MOST_RECEIPTS, days, now, alarm).map_err(|error| wrong(&error))
}

/// Starts what feeds the store, if one is kept. The spool must have been started.
pub(super) fn feeder(config: &Config) -> Result<Option<Feeder>, StartError> {
    let (Some(store), Some(spool)) = (&config.store, &config.spool) else { return Ok(None) };
    let feed = Feed { store: store.clone(), spool: spool.path.clone(), node: config.node.clone() };
    let started = Feeder::start(feed);
    started.map(Some).map_err(|error| StartError::from(store_fault(store, &error)))
}

/// The store for those who ask by HTTP, if one is kept.
pub(super) fn kept(config: &Config, feeder: Option<&Feeder>, hasher: NumberHasher) -> Option<Kept> {
    let (store, feeder) = (config.store.as_ref()?, feeder?);
    Some(Kept::new(Readers::new(store.clone()), hasher, feeder.changes()))
}

/// Opens the call journal, if one is kept, and gives what the process before has left there.
pub(super) fn journal(config: &Config) -> Result<Option<(Journal, Life)>, StartError> {
    let open = |journal| {
        let secret = dialog_key::load(config.dialog_key().as_deref());
        Journal::open(journal, secret.and_then(|secret| Seal::by(&secret)))
    };
    let opened = config.journal.as_ref().map(open).transpose();
    opened.map_err(|error| StartError::from(journal_fault(&error)))
}

/// Opens the spool and starts its writer, if one is kept.
pub(super) fn spool(config: &Config) -> Result<Option<Spool>, StartError> {
    let started = config.spool.as_ref().map(Spool::start).transpose();
    started.map_err(|error| StartError::from(spool_fault(&error)))
}

/// The links of each PBX that has any.
pub(super) fn links_of(config: &Config) -> Vec<(String, Links)> {
    let links = config.pbxs.iter().map(|pbx| (pbx.name.clone(), pbx.links()));
    links.filter(|(_, links)| !links.is_empty()).collect()
}

/// Starts the links to PBXs, if there are any.
pub(super) fn links(
    config: &Config,
    calls: &Arc<Calls>,
    signalling: &Arc<Signalling>,
    bus: &Bus,
) -> Result<Option<PbxLinks>, StartError> {
    let links = links_of(config);
    if links.is_empty() {
        return Ok(None);
    }
    let (book, told) = (Arc::downgrade(calls), Arc::downgrade(calls));
    let raw = Arc::new(move |id: &CallId| {
        let (sip_call_id, pbx) = book.upgrade()?.identity(id)?;
        Some(CallIdentity { sip_call_id, pbx })
    });
    let hear = Arc::new(move |what: Told| {
        if let Some(calls) = told.upgrade() {
            calls.told_by_pbx(&what.pbx, &what.sip_call_id, &what.telling, what.source);
        }
    });
    let by_sip = Arc::new(BySip(Arc::downgrade(signalling)));
    let started = PbxLinks::start(links, bus, raw, hear, by_sip);
    started.map(Some).map_err(|error| StartError::Links(error.to_string()))
}

pub(super) fn proxy(
    config: &Config,
    engine: Engine,
    fingerprint: Option<String>,
) -> Proxy<InfoFilter<Anchor<Engine>>> {
    let name = config.sip.tls.as_ref().and_then(|tls| tls.name.as_ref()?.parse::<Host>().ok());
    let listeners = config.sip.listen.iter().map(|listen| {
        let bound = Listener::bound(listen.transport, listen.addr);
        match name.clone().filter(|_| listen.transport.is_secure()) {
            // Peers hold the certificate against the name that they are told.
            Some(host) => Listener { advertised: HostPort { host, port: bound.advertised.port }, ..bound },
            None => bound,
        }
    });
    let listeners = listeners.collect();
    let ring: Duration = config.limits.ring.into();
    let settings = Settings {
        hostnames: config.sip.hostnames.clone(),
        // A server that asks for our certificate gets it.
        alias: config.sip.tls.is_some(),
        service_user: by_sip(config, |sip| sip.notify).then(|| SERVICE_USER.to_owned()),
        failover_after: config.sip.failover_after.into(),
        max_transactions: config.sip.max_transactions,
        udp_limit: config.sip.udp_limit,
        retry_after: config.limits.retry_after.into(),
        dialog_key: dialog_key::load(config.dialog_key().as_deref()),
        timers: Timers { c: ring, ..Timers::default() },
        ..Settings::new(listeners)
    };
    // The anchor's own bound is above the limit that admission enforces and that a reload may raise.
    let anchor = sidetone_sip::anchor::Settings {
        max_calls: config.limits.calls.saturating_mul(4).max(10_000),
        max_streams: MOST_STREAMS,
        // Timer C ends a call first.
        setup: ring + SETUP_BEYOND_RING,
        ..sidetone_sip::anchor::Settings::default()
    };
    let legs = Legs::new(&settings, by_sip(config, |sip| sip.info));
    let anchor = Anchor::new(engine, anchor)
        .standing_at(&settings)
        .secured(security(&config.media.security, fingerprint));
    Proxy::new(settings, InfoFilter::new(anchor, legs, by_sip(config, |_| true)), random::number())
}

/// The terms on which media are spoken, as configured.
fn security(config: &MediaSecurity, fingerprint: Option<String>) -> Security {
    let keying = [config.keying_trunk, config.keying_pbx].map(|keying| match keying {
        Keying::Sdes => anchor::Keying::Sdes,
        Keying::Dtls => anchor::Keying::Dtls,
    });
    let policy = |side| match config.toward(side) {
        SidePolicy::Pass => Policy::Pass,
        SidePolicy::Terminate => Policy::Terminate,
        SidePolicy::Require => Policy::Require,
        SidePolicy::Plain => Policy::Plain,
    };
    let (trunk, pbx) = (policy(Side::Trunk), policy(Side::Pbx));
    Security { trunk, pbx, suites: config.suites.clone(), keying, fingerprint, random: secrecy::fill }
}

/// Whether any PBX uses the SIP link in this way.
pub(super) fn by_sip(config: &Config, way: impl Fn(&sidetone_pbx::config::Sip) -> bool) -> bool {
    config.pbxs.iter().filter_map(|pbx| pbx.sip.as_ref()).any(way)
}
