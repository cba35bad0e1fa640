//! The policy page's facts about a configuration.

use axum::http::Uri;
use sidetone_consent::Moment;
use sidetone_consent::page::{PageFacts, Sink, Words};
use sidetone_events::Timestamp;

use crate::config::Config;
use sidetone_book::BUILD;

/// The policy page's facts about a configuration.
pub(super) fn facts(config: &Config, model: Option<(String, String)>) -> PageFacts {
    let consent = &config.consent;
    let mut policies: Vec<_> = config.trunks.iter().map(|trunk| trunk.disclosure).collect();
    policies.extend(consent.rules.iter().filter_map(|rule| rule.policy));
    let mut sinks = Vec::new();
    if config.pbxs.iter().any(|pbx| !pbx.links().is_empty()) {
        sinks.push(Sink::PhoneSystem);
    }
    sinks.extend(config.events.webhooks.iter().map(|webhook| Sink::Webhook(host(&webhook.url))));
    sinks.extend(config.events.file.as_ref().map(|file| {
        let days = Some(file.keep_days).filter(|days| *days > 0);
        Sink::File(days)
    }));
    if config.http.listen.address().is_some() {
        sinks.extend([Sink::Screens, Sink::Metrics]);
    }
    PageFacts {
        operator: consent.operator.clone(),
        words: match (config.language.enabled, config.language.keep) {
            (false, _) => Words::Unheard,
            (true, false) => Words::Forgotten,
            (true, true) => Words::Kept,
        },
        agents_words: config.language.agents,
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

/// A webhook's host, without the credentials, path or query that its URL may hold: the page is public.
fn host(url: &str) -> String {
    let host = url.parse::<Uri>().ok().and_then(|url| url.host().map(str::to_owned));
    host.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn of_a_webhook_only_the_host_is_public() {
        for (url, expected) in [
            ("https://crm.example.com/hooks/s3cret?key=1", "crm.example.com"),
            ("https://user:s3cret@crm.example.com:8443/x", "crm.example.com"),
            ("http://[::1]:9000/x", "[::1]"),
        ] {
            assert_eq!(host(url), expected);
        }
    }
}
