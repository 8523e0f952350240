"""Reporting as metrics, read from the tables when they are asked for."""

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from sqlalchemy.ext.asyncio import AsyncSession

from shared.reporting import repository
from shared.reporting.models import Fault
from shared.statistics.indicators import CATALOGUE


async def read(session: AsyncSession) -> Iterable[Metric]:
    """Return how many slices are overdue, and what comparisons have found."""
    missing = GaugeMetricFamily(
        "guanxi_reporting_missing_slices",
        "Slices that are overdue and have not come.",
        labels=("dataset",),
    )
    overdue = await repository.overdue_by_dataset(session)
    for dataset in sorted({*CATALOGUE.datasets, *overdue}):
        missing.add_metric((dataset,), overdue.get(dataset, 0))
    found = CounterMetricFamily(
        "guanxi_reporting_differences",
        "Differences that comparisons have found, between nodes or between register and facts.",
        labels=("fault",),
    )
    open_ = GaugeMetricFamily(
        "guanxi_reporting_open_differences",
        "Those of them that are not repaired.",
        labels=("fault",),
    )
    counts = {
        fault: (ever, left) for fault, ever, left in await repository.differences_by_fault(session)
    }
    for fault in Fault:
        ever, left = counts.get(fault.value, (0, 0))
        found.add_metric((fault.value,), ever)
        open_.add_metric((fault.value,), left)
    return missing, found, open_
