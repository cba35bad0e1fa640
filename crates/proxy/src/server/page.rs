//! What the policy page says of a configuration.

use sidetone_consent::Moment;
use sidetone_consent::page::{PageFacts, Sink};
use sidetone_events::Timestamp;

use super::BUILD;
use crate::config::Config;

/// What the policy page says of a configuration.
pub(super) fn facts(config: &Config, model: Option<(String, String)>) -> PageFacts {
    let consent = &config.consent;
    let mut policies: Vec<_> = config.trunks.iter().map(|trunk| trunk.disclosure).collect();
    policies.extend(consent.rules.iter().filter_map(|rule| rule.policy));
    let mut sinks = Vec::new();
    if config.pbxs.iter().any(|pbx| !pbx.links().is_empty()) {
        sinks.push(Sink::PhoneSystem);
    }
    let host = |url: &str| {
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        rest.split(['/', ':', '?']).next().unwrap_or_default().to_owned()
    };
    sinks.extend(config.events.webhooks.iter().map(|webhook| Sink::Webhook(host(&webhook.url))));
    if config.events.file.is_some() {
        sinks.push(Sink::File);
    }
    if config.http.listen.address().is_some() {
        sinks.extend([Sink::Screens, Sink::Metrics]);
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
