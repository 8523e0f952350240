"""A node's metrics, for Prometheus: ``GET /metrics``.

Two kinds. What the tables (links, lanes, jobs) and the lake's manifest say is read when it is asked for and is the same
whichever worker answers. What a process does (requests, messages, exchanges, connections) is counted by that process; a
node of several workers labels it ``worker``, since a scraper meets one of them at a time: sum over it. A node of one
worker has no such label.

Every node has a registry of its own. No label comes from outside: routes are templates, methods the known ones.
"""

import os
import platform
from collections.abc import Iterable
from datetime import datetime

from prometheus_client import (
    CollectorRegistry,
    Gauge,
    Histogram,
    Metric,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import Scope

from shared.analysis import metrics as lake_metrics
from shared.federation import metrics as federation_metrics
from shared.kernel.database import Database
from shared.kernel.logging import route_of
from shared.kernel.release import VERSION
from shared.kernel.settings import Settings
from shared.node.job_record import job_records
from shared.port import metrics as port_metrics
from shared.reporting import metrics as reporting_metrics

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "_OTHER"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
"""Seconds. A child's poll is held open for up to two minutes."""


class NodeMetrics:
    """What one process of a node counts, and how it answers a scraper.

    Attributes:
        registry: where whoever counts in this process puts its metrics.
    """

    def __init__(self, settings: Settings) -> None:
        self.registry = CollectorRegistry()
        self._settings = settings
        self._worker = str(os.getpid()) if settings.workers > 1 else None
        self._requests = Histogram(
            "http_server_request_duration_seconds",
            "Requests served, by route.",
            ("http_request_method", "http_route", "http_response_status_code"),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        Gauge(
            "guanxi_build_info",
            "1, with what runs here.",
            ("version", "python", "node", "tier"),
            registry=self.registry,
        ).labels(VERSION, platform.python_version(), settings.code, settings.tier.value).set(1)
        ProcessCollector(registry=self.registry)

    def observe_request(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request that was served."""
        method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
        self._requests.labels(method, route_of(scope), status).observe(seconds)

    def watch_connections(self, database: Database) -> None:
        """Show how many of ``database``'s connections this process uses."""
        self.registry.register(_Connections(database))

    def exposition(self, tables: Iterable[Metric] | None) -> bytes:
        """Return everything in the text format.

        Args:
            tables: what was read from the database; ``None`` if it is away.
        """
        answer = CollectorRegistry()
        answer.register(_Ready(self._of_this_process()))
        reachable = GaugeMetricFamily(
            "guanxi_database_up",
            "Whether the database could be asked. While it is 0 nothing is said of links, lanes and jobs.",
            0 if tables is None else 1,
        )
        lake = lake_metrics.read(self._settings)
        answer.register(_Ready([reachable, *lake, *(tables or ())]))
        return generate_latest(answer)

    def _of_this_process(self) -> Iterable[Metric]:
        for metric in self.registry.collect():
            if self._worker is not None:
                metric.samples = [
                    sample._replace(labels={**sample.labels, "worker": self._worker})
                    for sample in metric.samples
                ]
            yield metric


async def read_tables(session: AsyncSession, *, now: datetime) -> list[Metric]:
    """Return what the tables say of links, lanes, jobs, ports and reporting at this moment."""
    return [
        *await federation_metrics.read(session, now=now),
        *await _jobs(session),
        *await port_metrics.read(session, now=now),
        *await reporting_metrics.read(session),
    ]


async def _jobs(session: AsyncSession) -> Iterable[Metric]:
    succeeded = GaugeMetricFamily(
        "guanxi_job_last_success_timestamp_seconds",
        "When the last run that did its work began, in Unix time; 0 if none did yet.",
        labels=("job",),
    )
    took = GaugeMetricFamily(
        "guanxi_job_last_duration_seconds", "How long the last run took.", labels=("job",)
    )
    runs = CounterMetricFamily("guanxi_job_runs", "Runs that ended.", labels=("job",))
    failures = CounterMetricFamily("guanxi_job_failures", "Runs that failed.", labels=("job",))
    for record in await job_records(session):
        labels = (record.name,)
        at = record.last_succeeded_at
        succeeded.add_metric(labels, at.timestamp() if at else 0)
        took.add_metric(labels, record.last_seconds)
        runs.add_metric(labels, record.runs)
        failures.add_metric(labels, record.failures)
    return succeeded, took, runs, failures


class _Ready(Collector):
    """Gives metrics that are already there."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


class _Connections(Collector):
    """Looks at the pools of a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterable[Metric]:
        used = GaugeMetricFamily(
            "guanxi_database_connections",
            "Connections to the database, by pool.",
            labels=("pool", "state"),
        )
        most = GaugeMetricFamily(
            "guanxi_database_connections_max",
            "Connections that there may be, by pool.",
            labels=("pool",),
        )
        for pool, usage in self._database.usage().items():
            used.add_metric((pool, "used"), usage.in_use)
            used.add_metric((pool, "idle"), usage.idle)
            most.add_metric((pool,), usage.most)
        return used, most
