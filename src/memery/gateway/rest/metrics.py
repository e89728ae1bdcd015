"""Prometheus metrics. The one module that imports prometheus_client."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from prometheus_client.core import Metric

    from memery.types import Timings

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Seconds."""
Gauge = tuple[str, str, dict[str, float]]
"""Name, help, and the values by label; the label "" means a metric without labels."""


class Metrics:
    """The metrics of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "memery_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "memery_request_seconds",
            "Time until an answer was complete.",
            ("route",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._stages = Histogram(
            "memery_search_seconds",
            "Time of searches by stage.",
            ("stage",),
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def add_gauges(self, gauges: Callable[[], Iterator[Gauge]]) -> None:
        """Register gauges that are read on every scrape."""
        self._registry.register(_Gauges(gauges))

    def count_response(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a response."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_search(self, took: Timings) -> None:
        """Record the duration of a search."""
        for stage in ("encode", "search"):
            self._stages.labels(stage).observe(getattr(took, stage) / 1000)

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        return generate_latest(self._registry)


class _Gauges(Collector):
    """Values that are read on every scrape."""

    def __init__(self, gauges: Callable[[], Iterator[Gauge]]) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        for name, help_text, values in self._gauges():
            labels = () if "" in values else ("name",)
            family = GaugeMetricFamily(name, help_text, labels=labels)
            for label, value in values.items():
                family.add_metric([label] if label else [], value)
            yield family

    def describe(self) -> Iterator[Metric]:
        return iter(())
