"""What Prometheus is told. No customer's id is ever a label."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.types import Scope

from stream.api.watch import Watch
from stream.partition.ledger import totals

_MADE: Final = re.compile(rb"(# (HELP|TYPE) )?bandshift_\w+_created[ {]")
_PLAIN: Final[Mapping[str, tuple[str, str]]] = {
    "in": ("touchpoints_in", "Records of touchpoints taken in"),
    "scored": ("touchpoints_scored", "Touchpoints that were scored"),
    "duplicates": ("touchpoints_duplicate", "Touchpoints ignored because their event id was known"),
    "forwarded": (
        "touchpoints_forwarded",
        "Touchpoints sent on to their customer's home partition",
    ),
    "control": ("control_records", "Control records taken in"),
    "silence_scorings": ("silence_scorings", "Scorings that time passing caused"),
    "triggers": ("triggers", "Triggers published"),
}
_BY: Final[Mapping[str, tuple[str, str, str]]] = {
    "rejected_": ("touchpoints_rejected", "Touchpoints that became dead letters", "reason"),
    "band_changes_": ("band_changes", "Band changes published", "cause"),
}
_LATENCY: Final = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


class Metrics:
    """Everything that is counted, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.published = self._histogram(
            "band_change_publish_seconds",
            "From the broker's append of a touchpoint to its band change being published, once live",
        )
        self.readable = self._histogram(
            "band_change_read_seconds",
            "From the broker's append of a touchpoint to its band change being read by this API, once live",
        )
        self.taken = Counter(
            "bandshift_intake_touchpoints",
            "Touchpoints sent over HTTP: accepted, or the reason of the rejection",
            ["result"],
            registry=self._registry,
        )
        self.unreadable = Counter(
            "bandshift_view_unreadable_records",
            "Records of scores and band-changes that are none of bandshift's",
            registry=self._registry,
        )
        self.unreadable_models = Counter(
            "bandshift_model_unreadable_records",
            "Records of model-snapshots and model-events that cannot be read, or whose checksum is wrong",
            ["topic"],
            registry=self._registry,
        )
        self.streams = Gauge("bandshift_sse_clients", "Open live feeds", registry=self._registry)
        self._requests = Counter(
            "bandshift_http_requests",
            "Requests by route",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "bandshift_http_request_seconds",
            "Time to answer, live feeds left out",
            ["route"],
            registry=self._registry,
        )

    def _histogram(self, name: str, text: str) -> Histogram:
        return Histogram(f"bandshift_{name}", text, buckets=_LATENCY, registry=self._registry)

    def asked(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request by the route that answered it, never by its path."""
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        if route != "/v1/events":
            self._seconds.labels(route).observe(seconds)

    def watch(self, watch: Watch) -> None:
        """Tell, from now on, what the watch sees too."""
        self._registry.register(_Seen(watch))

    def collect(self, collector: Collector) -> None:
        """Tell, from now on, what a collector collects too."""
        self._registry.register(collector)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format, without the time at which each counter was made."""
        lines = generate_latest(self._registry).splitlines(keepends=True)
        return b"".join(line for line in lines if not _MADE.match(line))


class _Seen(Collector):
    """The ledgers' counts, and how far everything has come."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        watch = self._watch
        counts = totals(list(watch.ledgers))
        for key, (name, text) in _PLAIN.items():
            yield CounterMetricFamily(f"bandshift_{name}", text, value=counts.get(key, 0))
        for prefix, (name, text, label) in _BY.items():
            family = CounterMetricFamily(f"bandshift_{name}", text, labels=[label])
            for key in sorted(counts):
                if key.startswith(prefix):
                    family.add_metric([key.removeprefix(prefix)], counts[key])
            yield family
        lag = GaugeMetricFamily(
            "bandshift_partition_lag_records", "Records not yet taken in", labels=["partition"]
        )
        clock = GaugeMetricFamily(
            "bandshift_partition_clock_seconds", "The partition's clock", labels=["partition"]
        )
        live = GaugeMetricFamily(
            "bandshift_partition_live", "1 once triggers go out", labels=["partition"]
        )
        for partition, ledger in enumerate(watch.ledgers):
            lag.add_metric([str(partition)], watch.lag(partition))
            clock.add_metric([str(partition)], ledger.clock / 1000)
            live.add_metric([str(partition)], ledger.live)
        yield from (lag, clock, live, *_rebuilding(watch))
        yield GaugeMetricFamily(
            "bandshift_view_lag_records",
            "Records of scores and band-changes that the view lacks",
            value=watch.view.lag,
        )
        for name, wrong in (("kafka", watch.kafka_error), ("redis", watch.redis_error)):
            yield GaugeMetricFamily(f"bandshift_{name}_up", "1 if it answers", value=wrong is None)


def _rebuilding(watch: Watch) -> Iterator[Metric]:
    records = GaugeMetricFamily(
        "bandshift_rebuild_remaining_records",
        "Records to be taken in again until states are where they were, 0 where they are",
        labels=["partition"],
    )
    seconds = GaugeMetricFamily(
        "bandshift_rebuild_remaining_seconds",
        "How long that will take; missing while it is unknown",
        labels=["partition"],
    )
    for partition in range(watch.partitions):
        found = watch.rebuilding.get(partition)
        records.add_metric([str(partition)], found.remaining if found else 0)
        left = found.seconds if found else 0.0
        if left is not None:
            seconds.add_metric([str(partition)], left)
    yield from (records, seconds)
