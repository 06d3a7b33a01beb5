"""What the server counts, in the format of Prometheus; numbers of requests and seconds, nothing about what was seen."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """The counters of one server, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = Counter(
            "mien_requests_total", "Requests answered.", ("route", "method", "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "mien_request_seconds", "Time to the answer.", ("route",), buckets=_SECONDS, registry=self._registry
        )
        self.frames = Counter("mien_frames_total", "Pictures looked at.", ("kind",), registry=self._registry)
        self.skipped = Counter(
            "mien_frames_skipped_total", "Live pictures that a newer one replaced.", registry=self._registry
        )
        self.look_seconds = Histogram(
            "mien_look_seconds", "Time to look at a picture.", ("kind",), buckets=_SECONDS, registry=self._registry
        )
        self.live = Gauge("mien_live_connections", "Live connections.", registry=self._registry)

    def watch(self, name: str, about: str, value: Callable[[], float]) -> None:
        """Add a value that is asked for when the metrics are read."""
        Gauge(name, about, registry=self._registry).set_function(value)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self._registry)
