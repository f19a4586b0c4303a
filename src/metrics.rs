//! What the modules' metrics have in common. A module that measures something defines its metrics beside it, and has a
//! `register`; names and units are those of `docs/metrics.md`.
//!
//! What can be read at any moment is read when it is scraped: a [`gauge`] costs nothing until then. So what it reads must
//! not wait, nor hold what has to end before the server does.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Metric;
pub(crate) use prometheus_client::registry::Registry;

/// Seconds: from a disk with a cache of its own that keeps what it has, to one that is failing.
const SYNC_SECONDS: [f64; 12] = [0.0001, 0.0003, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1.0, 5.0];

/// How long syncs take, in seconds.
pub(crate) fn sync_durations() -> Histogram {
    Histogram::new(SYNC_SECONDS)
}

/// Registers what is counted where it happens.
pub(crate) fn register(registry: &mut Registry, name: &'static str, help: &'static str, metric: impl Metric) {
    registry.register(name, help, metric);
}

/// Registers a value that is read when it is scraped; where there is none then, the metric is left out.
pub(crate) fn gauge<V: EncodeGaugeValue + 'static>(
    registry: &mut Registry,
    name: &'static str,
    help: &'static str,
    read: impl Fn() -> Option<V> + Send + Sync + 'static,
) {
    let read = move || read().map(ConstGauge::new);
    registry.register_collector(Box::new(Read { name, help, read }));
}

/// Registers what is counted elsewhere, and only grows.
pub(crate) fn counter(
    registry: &mut Registry,
    name: &'static str,
    help: &'static str,
    read: impl Fn() -> u64 + Send + Sync + 'static,
) {
    let read = move || Some(ConstCounter::new(read()));
    registry.register_collector(Box::new(Read { name, help, read }));
}

/// The same with a label, whose values are few and don't change.
pub(crate) fn gauges<V: EncodeGaugeValue + 'static>(
    registry: &mut Registry,
    name: &'static str,
    help: &'static str,
    label: &'static str,
    read: impl Fn() -> Vec<(&'static str, V)> + Send + Sync + 'static,
) {
    registry.register_collector(Box::new(ReadEach { name, help, label, read }));
}

struct Read<F> {
    name: &'static str,
    help: &'static str,
    read: F,
}

impl<F> fmt::Debug for Read<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Read").field(&self.name).finish()
    }
}

impl<M: EncodeMetric + 'static, F: Fn() -> Option<M> + Send + Sync + 'static> Collector for Read<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(metric) = (self.read)() else { return Ok(()) };
        metric.encode(encoder.encode_descriptor(self.name, &sentence(self.help), None, metric.metric_type())?)
    }
}

struct ReadEach<F> {
    name: &'static str,
    help: &'static str,
    label: &'static str,
    read: F,
}

impl<F> fmt::Debug for ReadEach<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ReadEach").field(&self.name).finish()
    }
}

impl<V, F> Collector for ReadEach<F>
where
    V: EncodeGaugeValue + 'static,
    F: Fn() -> Vec<(&'static str, V)> + Send + Sync + 'static,
{
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut family = encoder.encode_descriptor(self.name, &sentence(self.help), None, MetricType::Gauge)?;
        for (value, gauge) in (self.read)() {
            family.encode_family(&[(self.label, value)])?.encode_gauge(&gauge)?;
        }
        Ok(())
    }
}

/// A help text as the registry ends that of others.
fn sentence(help: &str) -> String {
    format!("{help}.")
}
