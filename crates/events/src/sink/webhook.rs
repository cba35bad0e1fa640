//! Events posted to an HTTP endpoint: signed, retried, and given up in the end.

mod client;
mod retry;
pub mod signature;

use std::sync::Arc;

use bytes::Bytes;
use sidetone_drill::Fault as Drilled;

use crate::bus::{Published, Subscription};
use crate::config::WebhookConfig;
use crate::secret::Revealed;
use crate::sink::error::SinkError;
use crate::time::Timestamp;
use client::{Client, Endpoint};
use retry::{Retry, Verdict};

/// The shortest key: half of HMAC-SHA-256's output.
const LEAST_SECRET: usize = 16;

/// The clock, read when signing.
pub(crate) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// One endpoint. Requests go out one at a time, so events arrive in order. During retries the queue fills and then
/// drops its oldest event.
pub(crate) struct Webhook {
    endpoint: Endpoint,
    client: Client,
    secrets: Vec<Revealed>,
    config: WebhookConfig,
    clock: Clock,
}

impl Webhook {
    pub(crate) fn new(config: &WebhookConfig, clock: Clock) -> Result<Self, SinkError> {
        let reveal = |key, secret: &crate::secret::Secret| {
            secret.reveal(LEAST_SECRET).map_err(|why| SinkError::Secret { key, why })
        };
        let mut secrets = vec![reveal("events.webhook.secret", &config.secret)?];
        if let Some(old) = &config.old_secret {
            secrets.push(reveal("events.webhook.old_secret", old)?);
        }
        let endpoint = Endpoint::parse(config)?;
        let client = Client::new(config, &endpoint)?;
        Ok(Self { endpoint, client, secrets, config: config.clone(), clock })
    }

    /// Delivers until the bus is closed and its queue empty.
    pub(crate) async fn run(self, mut subscription: Subscription) {
        let tally = subscription.tally();
        let mut faulty = false;
        while let Some(first) = subscription.recv().await {
            let mut events = vec![first];
            while events.len() < self.config.batch
                && let Some(next) = subscription.try_recv()
            {
                events.push(next);
            }
            let began = tokio::time::Instant::now();
            let mut retry = Retry::new(&self.config, seed(&events));
            let delivery = events.first().map(|it| it.event.id.to_string()).unwrap_or_default();
            loop {
                // The customer may have objected while the receiver could not be reached.
                events = events.into_iter().filter_map(|event| subscription.current(event)).collect();
                if events.is_empty() {
                    break;
                }
                let outcome = self.post(&delivery, body(&events)).await;
                match retry.after(&outcome, began.elapsed()) {
                    Verdict::Delivered => {
                        tally.delivered(events.len());
                        if faulty {
                            tracing::info!(host = self.endpoint.host(), "webhook delivers again");
                            faulty = false;
                        }
                        break;
                    }
                    Verdict::GiveUp => {
                        tally.failed(events.len());
                        tracing::warn!(host = self.endpoint.host(), events = events.len(), %outcome, "webhook gave up");
                        faulty = true;
                        break;
                    }
                    Verdict::Again(wait) => {
                        tally.retried();
                        if !faulty {
                            tracing::warn!(host = self.endpoint.host(), %outcome, "webhook fails, and will be retried");
                            faulty = true;
                        }
                        tokio::time::sleep(wait).await;
                    }
                }
            }
        }
    }

    /// One try. Each is signed anew, so that a receiver may refuse old signatures.
    async fn post(&self, delivery: &str, body: Bytes) -> retry::Outcome {
        if sidetone_drill::is_on(Drilled::Webhook) {
            return retry::Outcome::Broken("a drill lets nobody be reached".to_owned());
        }
        let signature = signature::sign(self.secrets.iter(), (self.clock)(), &body);
        self.client
            .post(&self.endpoint, delivery, &signature, body, self.config.timeout.0, (self.clock)())
            .await
    }
}

/// A JSON array of the events, oldest first.
fn body(events: &[Arc<Published>]) -> Bytes {
    let mut body = String::from("[");
    for (place, event) in events.iter().enumerate() {
        if place > 0 {
            body.push(',');
        }
        body.push_str(event.json());
    }
    body.push(']');
    Bytes::from(body)
}

/// Differs between deliveries and processes, so that clients that failed together don't retry together.
fn seed(events: &[Arc<Published>]) -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(events.first().map(|it| it.event.id))
}
