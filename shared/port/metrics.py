"""Ports as metrics, read from the tables when they are asked for."""

from collections.abc import Iterable
from datetime import datetime

from prometheus_client import CollectorRegistry, Histogram, Metric
from prometheus_client.metrics_core import GaugeMetricFamily
from sqlalchemy.ext.asyncio import AsyncSession

from shared.port import repository
from shared.port.contracts import PORTS
from shared.port.models import OPEN

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; an attempt is given up after the port's timeout."""


async def read(session: AsyncSession, *, now: datetime) -> Iterable[Metric]:
    """Return what is open of each port's calls, how old the oldest is, and how often the port has failed in a row."""
    calls = GaugeMetricFamily(
        "guanxi_port_calls",
        "Calls of the port that are open: waiting, or handed over to a person.",
        labels=("port", "state"),
    )
    oldest = GaugeMetricFamily(
        "guanxi_port_oldest_seconds",
        "The age of the oldest of them; 0 if there is none.",
        labels=("port", "state"),
    )
    failures = GaugeMetricFamily(
        "guanxi_port_consecutive_failures",
        "Attempts that failed since the port last answered, while nothing else is sent to it.",
        labels=("port",),
    )
    found = {(queue.port, queue.state): queue for queue in await repository.queues(session)}
    troubles = await repository.troubles(session)
    for port in PORTS:
        for state in OPEN:
            queue = found.get((port.name, state.value))
            labels = (port.name, state.value)
            calls.add_metric(labels, queue.calls if queue else 0)
            age = (now - queue.oldest_at).total_seconds() if queue else 0.0
            oldest.add_metric(labels, max(age, 0.0))
        trouble = troubles.get(port.name)
        failures.add_metric((port.name,), trouble.failures if trouble else 0)
    return calls, oldest, failures


class Attempts:
    """Times what this process sends to ports.

    Args:
        registry: where the metric is; without it nobody reads it.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._took = Histogram(
            "guanxi_port_call_duration_seconds",
            "Attempts at calls of ports, by what came of them.",
            ("port", "operation", "outcome"),
            buckets=_BUCKETS,
            registry=registry,
        )

    def observe(self, port: str, operation: str, outcome: str, seconds: float) -> None:
        """Count an attempt."""
        self._took.labels(port, operation, outcome).observe(seconds)
