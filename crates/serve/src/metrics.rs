//! The Prometheus page, written anew for each scrape from counters that live elsewhere.
//!
//! Names follow those that rtpengine's operators know (`sessions`, `closed_sessions_total`, `one_way_sessions_total`,
//! `packets_lost_total`). No label ever holds a call, a number or any other value whose variety grows with traffic.

use std::collections::HashMap;

use prometheus::core::{Collector, Desc};
use prometheus::proto::{self, MetricFamily};
use prometheus::{CounterVec, Encoder, GaugeVec, IntCounterVec, Opts, Registry, TextEncoder};

/// A metrics page under construction.
#[derive(Debug)]
pub(crate) struct Page {
    registry: Registry,
}

/// A family with values that were read elsewhere.
struct Read(Vec<MetricFamily>, Vec<Desc>);

impl Collector for Read {
    fn desc(&self) -> Vec<&Desc> {
        self.1.iter().collect()
    }
    fn collect(&self) -> Vec<MetricFamily> {
        self.0.clone()
    }
}

/// One value of a family, with its label values.
pub(crate) type Value<'a, T> = (&'a [&'a str], T);

impl Page {
    /// An empty page.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self { registry: Registry::new() }
    }

    /// A counter without labels. `name` ends in `_total`; the prefix `sidetone_` is added.
    pub(crate) fn counter(&self, name: &str, help: &str, value: u64) {
        self.counters(name, help, &[], &[(&[], value)]);
    }

    /// A counter with labels.
    pub(crate) fn counters(&self, name: &str, help: &str, labels: &[&str], values: &[Value<'_, u64>]) {
        let Ok(family) = IntCounterVec::new(opts(name, help), labels) else { return };
        for (label_values, value) in values {
            if let Ok(counter) = family.get_metric_with_label_values(label_values) {
                counter.inc_by(*value);
            }
        }
        self.add(&family);
    }

    /// A counter of seconds, without labels.
    pub(crate) fn seconds(&self, name: &str, help: &str, value: std::time::Duration) {
        let Ok(family) = CounterVec::new(opts(name, help), &[]) else { return };
        if let Ok(counter) = family.get_metric_with_label_values::<&str>(&[]) {
            counter.inc_by(value.as_secs_f64());
        }
        self.add(&family);
    }

    /// A gauge without labels.
    pub(crate) fn gauge(&self, name: &str, help: &str, value: f64) {
        self.gauges(name, help, &[], &[(&[], value)]);
    }

    /// A gauge with labels.
    pub(crate) fn gauges(&self, name: &str, help: &str, labels: &[&str], values: &[Value<'_, f64>]) {
        let Ok(family) = GaugeVec::new(opts(name, help), labels) else { return };
        for (label_values, value) in values {
            if let Ok(gauge) = family.get_metric_with_label_values(label_values) {
                gauge.set(*value);
            }
        }
        self.add(&family);
    }

    /// A histogram that was counted elsewhere: each bucket's upper bound in seconds and how many lie at or below it.
    pub(crate) fn histogram(&self, name: &str, help: &str, buckets: &[(f64, u64)], count: u64, sum: f64) {
        let name = format!("sidetone_{name}");
        let Ok(desc) = Desc::new(name.clone(), help.to_owned(), Vec::new(), HashMap::new()) else { return };
        let mut histogram = proto::Histogram::default();
        histogram.set_sample_count(count);
        histogram.set_sample_sum(sum);
        let buckets = buckets.iter().map(|(bound, at_most)| {
            let mut bucket = proto::Bucket::default();
            bucket.set_upper_bound(*bound);
            bucket.set_cumulative_count(*at_most);
            bucket
        });
        histogram.set_bucket(buckets.collect());
        let mut metric = proto::Metric::default();
        metric.set_histogram(histogram);
        let mut family = MetricFamily::default();
        family.set_name(name);
        family.set_help(help.to_owned());
        family.set_field_type(proto::MetricType::HISTOGRAM);
        family.set_metric(vec![metric]);
        self.register(Read(vec![family], vec![desc]));
    }

    fn add(&self, family: &impl Collector) {
        self.register(Read(family.collect(), family.desc().into_iter().cloned().collect()));
    }

    fn register(&self, read: Read) {
        // Two families of one name are a bug in this program; the first one stands.
        let registered = self.registry.register(Box::new(read));
        debug_assert!(registered.is_ok(), "a metric was named twice or wrongly");
    }

    /// The page as Prometheus reads it.
    #[must_use]
    pub(crate) fn render(&self) -> String {
        let mut text = Vec::new();
        // Writing to memory can't fail, and every name was checked when it was added.
        let _ = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::new()
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(format!("sidetone_{name}"), help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_holds_what_was_put_on_it() {
        let page = Page::new();
        page.counter("packets_total", "Packets relayed.", 7);
        page.gauges(
            "peer_up",
            "Up or not.",
            &["side", "peer"],
            &[(&["trunk", "a"], 1.0), (&["pbx", "b"], 0.0)],
        );
        page.histogram("held_seconds", "Held.", &[(0.001, 3), (0.01, 5)], 6, 0.5);
        let text = page.render();
        for line in [
            "# TYPE sidetone_held_seconds histogram",
            "sidetone_held_seconds_bucket{le=\"0.001\"} 3",
            "sidetone_held_seconds_bucket{le=\"0.01\"} 5",
            "sidetone_held_seconds_bucket{le=\"+Inf\"} 6",
            "sidetone_held_seconds_sum 0.5",
            "sidetone_held_seconds_count 6",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in {text}");
        }
        assert!(text.contains("# TYPE sidetone_packets_total counter\nsidetone_packets_total 7\n"), "{text}");
        assert!(text.contains("sidetone_peer_up{peer=\"b\",side=\"pbx\"} 0\n"), "{text}");
    }
}
