//! The event sinks.

mod error;
mod file;
mod lines;
pub(crate) mod sse;
pub(crate) mod webhook;

pub use crate::sink::error::SinkError;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{AbortHandle, JoinHandle};

use crate::bus::{Bus, SinkCounts, Tally};
use crate::config::{EventsConfig, WebhookConfig};
use crate::time::Timestamp;
pub(crate) use file::RotatingFile;
use sse::Hub;

/// The configured sinks, running.
#[derive(Debug)]
pub struct Sinks {
    bus: Bus,
    hub: Arc<Hub>,
    reopen: Option<file::Reopen>,
    tallies: Vec<Tally>,
    tasks: Vec<JoinHandle<()>>,
}

impl Sinks {
    /// Starts the sinks of `config` on `bus`. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The first fault of `config`: an unusable value, or a resource that can't be obtained.
    pub fn start(config: &EventsConfig, bus: &Bus) -> Result<Self, SinkError> {
        check(config)?;
        let (mut tallies, mut tasks, mut reopen) = (Vec::new(), Vec::new(), None);
        // Fallible steps come first, so that a faulty configuration starts nothing.
        let file = config.file.as_ref().map(RotatingFile::open).transpose()?;
        let hub = Arc::new(Hub::new(&config.stream)?);
        let webhooks = config.webhooks.iter().map(|it| webhook::Webhook::new(it, Arc::new(Timestamp::now)));
        let webhooks = webhooks.collect::<Result<Vec<_>, _>>()?;

        if config.stdout {
            let subscription = bus.subscribe_to_keep("stdout", config.queue, &[]);
            tallies.push(subscription.tally());
            tasks
                .push(lines::spawn("events-stdout", subscription, lines::Stdout).map_err(SinkError::Thread)?);
        }
        if let Some(file) = file {
            bus.owe(file.owed());
            let subscription = bus.subscribe_to_keep("file", config.queue, &file.needs());
            tallies.push(subscription.tally());
            reopen = Some(file.reopener());
            tasks.push(lines::spawn("events-file", subscription, file).map_err(SinkError::Thread)?);
        }
        for (index, (webhook, settings)) in webhooks.into_iter().zip(&config.webhooks).enumerate() {
            let name = if index == 0 { "webhook".to_owned() } else { format!("webhook-{}", index + 1) };
            let subscription = bus.subscribe_to_keep(&name, config.queue, &settings.kinds);
            tallies.push(subscription.tally());
            tasks.push(tokio::spawn(webhook.run(subscription)));
        }
        let subscription = bus.subscribe("stream", config.queue, &[]);
        tallies.push(subscription.tally());
        tasks.push(tokio::spawn(Arc::clone(&hub).run(subscription)));
        Ok(Self { bus: bus.clone(), hub, reopen, tallies, tasks })
    }

    /// The live stream; [`Hub::router`] serves it.
    #[must_use]
    pub fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    /// Counters by sink.
    #[must_use]
    pub fn counts(&self) -> Vec<SinkCounts> {
        self.tallies.iter().map(Tally::counts).collect()
    }

    /// Reopens the file before the next event is written: for SIGHUP, after a log rotator has moved it away.
    pub fn reopen(&self) {
        if let Some(reopen) = &self.reopen {
            reopen.request();
        }
    }

    /// Closes the bus and waits at most `patience` for queued events to be delivered. Returns the final counters;
    /// events still `queued` then are lost.
    pub async fn shutdown(self, patience: Duration) -> Vec<SinkCounts> {
        self.bus.close();
        let aborts: Vec<_> = self.tasks.iter().map(JoinHandle::abort_handle).collect();
        if tokio::time::timeout(patience, futures_util::future::join_all(self.tasks)).await.is_err() {
            aborts.iter().for_each(AbortHandle::abort);
        }
        self.tallies.iter().map(Tally::counts).collect()
    }
}

impl EventsConfig {
    /// All faults that would keep [`Sinks::start`] from starting: unusable values, secrets and certificates that can't
    /// be read, a file that can't be written. Starts nothing and makes no file. Each fault has the number of its
    /// webhook, from 0, if it concerns one.
    #[must_use]
    pub fn examine(&self) -> Vec<(Option<usize>, SinkError)> {
        examine(self)
    }

    /// Refuses unusable values, without starting anything or opening a file.
    ///
    /// # Errors
    /// The first unusable value, with its key.
    pub fn validate(&self) -> Result<(), SinkError> {
        check(self)
    }
}

/// All faults in `config` that would keep [`Sinks::start`] from starting, found without starting anything or making a
/// file. Each has the number of its webhook, from 0, if it concerns one.
fn examine(config: &EventsConfig) -> Vec<(Option<usize>, SinkError)> {
    let mut faults = Vec::new();
    faults.extend(check_all_but_webhooks(config).err().map(|fault| (None, fault)));
    if let Some(settings) = &config.file
        && let Err(why) = file::probe(&settings.path)
    {
        faults.push((None, SinkError::File { path: settings.path.display().to_string(), why }));
    }
    faults.extend(Hub::new(&config.stream).err().map(|fault| (None, fault)));
    for (number, settings) in config.webhooks.iter().enumerate() {
        faults.extend(check_webhook(settings).err().map(|fault| (Some(number), fault)));
        let webhook = webhook::Webhook::new(settings, Arc::new(Timestamp::now));
        faults.extend(webhook.err().map(|fault| (Some(number), fault)));
    }
    faults
}

/// Refuses unusable values for every caller: `sidetone check` does so without starting anything.
fn check(config: &EventsConfig) -> Result<(), SinkError> {
    check_all_but_webhooks(config)?;
    config.webhooks.iter().try_for_each(check_webhook)
}

fn wrong(key: &'static str, why: &str) -> Result<(), SinkError> {
    Err(SinkError::Config { key, why: why.to_owned() })
}

fn check_webhook(webhook: &WebhookConfig) -> Result<(), SinkError> {
    if webhook.batch == 0 || webhook.batch > 1_000 {
        return wrong("events.webhook.batch", "must be 1 to 1000; leave it out for 32");
    }
    if webhook.timeout.0.is_zero() {
        return wrong("events.webhook.timeout", "must be above 0; leave it out for 10s");
    }
    Ok(())
}

fn check_all_but_webhooks(config: &EventsConfig) -> Result<(), SinkError> {
    if config.queue == 0 || config.queue > 1_000_000 {
        return wrong("events.queue", "must be 1 to 1000000");
    }
    if let Some(file) = &config.file {
        if file.max_bytes < 4_096 {
            return wrong("events.file.max_bytes", "must be at least 4096");
        }
        if file.keep == 0 || file.keep > 1_000 {
            return wrong("events.file.keep", "must be 1 to 1000");
        }
        if file.keep_days > 36_500 {
            return wrong("events.file.keep_days", "must be 1 to 36500, or 0 for no limit");
        }
    }
    if config.webhooks.len() > 16 {
        return wrong("events.webhook", "there may be at most 16");
    }
    let stream = &config.stream;
    if stream.replay == 0 || stream.replay > 1_000_000 {
        return wrong("events.stream.replay", "must be 1 to 1000000");
    }
    if stream.heartbeat.0.is_zero() {
        return wrong("events.stream.heartbeat", "must be above 0");
    }
    Ok(())
}
