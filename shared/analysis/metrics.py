"""The lake as metrics, read from its manifest when they are asked for."""

from collections.abc import Iterable
from datetime import datetime

from prometheus_client import Metric
from prometheus_client.metrics_core import GaugeMetricFamily

from shared.analysis.lake import Lake
from shared.kernel.settings import Settings


def read(settings: Settings) -> Iterable[Metric]:
    """Return when the node's lake was exported, and how much there is of each dataset."""
    found = Lake.of(settings).summary()
    at = found and found["exported_at"]
    exported = GaugeMetricFamily(
        "guanxi_lake_exported_timestamp_seconds",
        "When the last export of the lake that came to its end began, in Unix time; 0 if none did yet.",
        datetime.fromisoformat(at).timestamp() if at else 0,
    )
    partitions = GaugeMetricFamily(
        "guanxi_lake_partitions", "Periods that the lake holds of a dataset.", labels=("dataset",)
    )
    size = GaugeMetricFamily(
        "guanxi_lake_bytes", "Size of a dataset's files in the lake.", labels=("dataset",)
    )
    for each in found["datasets"] if found else ():
        partitions.add_metric((each["dataset"],), each["partitions"])
        size.add_metric((each["dataset"],), each["bytes"])
    return exported, partitions, size
