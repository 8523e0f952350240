"""What an operator decides about a node's figures: when they are counted and kept, and what questions may cost."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings

TIME_OF_DAY = r"^([01]\d|2[0-3]):[0-5]\d$"


class StatisticsSettings(BaseSettings):
    """The settings of a node's statistics; :class:`~shared.kernel.settings.Settings` has them with all others."""

    rollup_time: str = Field(
        default="01:30",
        pattern=TIME_OF_DAY,
        description="Local time (Asia/Shanghai) of the nightly roll-up.",
    )
    lake_time: str = Field(
        default="05:00",
        pattern=TIME_OF_DAY,
        description="Local time (Asia/Shanghai) of the nightly export to the Parquet lake; after the roll-up, and at a province or HQ after the cities' figures came.",
    )
    lake_path: Path | None = Field(
        default=None,
        description="Directory of the node's Parquet lake, which it alone writes; without it `nodes/<code>/lake` under `home`. What is in it may be read by whoever can read the directory.",
    )
    statistics_day_months: int = Field(
        default=120,
        ge=2,
        le=600,
        description="Months before the present one of which figures by day are kept; older days are dropped by whole months. Figures by month are kept for ever.",
    )
    statistics_history_months: int = Field(
        default=24,
        ge=1,
        le=600,
        description="Months for which what earlier revisions of figures said is kept, for questions `as_known_at`.",
    )
    statistics_connections: int = Field(
        default=2,
        ge=1,
        le=8,
        description="Connections on which the figures of provinces and of the nation are put together at once; as many as the database has cores to spare.",
    )
    statistics_value_limit: int = Field(
        default=500_000_000, ge=1, description="Stored values that one question may read."
    )
    statistics_timeout_seconds: int = Field(
        default=60,
        ge=1,
        le=3600,
        description="Seconds that the database may take for one question; ten times as many for a report.",
    )
    report_time: str = Field(
        default="06:00",
        pattern=TIME_OF_DAY,
        description="Local time (Asia/Shanghai) at which the reports that are due are run.",
    )
    report_directory: Path | None = Field(
        default=None, description="Where reports are delivered; `reports` beside the node's keys."
    )
    report_retention_days: int = Field(
        default=90, ge=1, le=3650, description="Days for which reports' runs and files are kept."
    )
