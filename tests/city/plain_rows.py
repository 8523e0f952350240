"""A city's raw rows, and what one has to know of them to count by hand."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

import asyncpg

from shared.kernel.clock import BUSINESS_ZONE
from shared.statistics.period import Period

Row = Any
Said = tuple[tuple[str, ...], dict[str, int | None]]
Cells = dict[tuple[str, ...], dict[str, int | bytes]]
TABLES = (
    *("customer", "subscription", "bill", "usage_month", "interaction", "win_back_attempt"),
    *("level_migration", "verification_task", "product_holding", "prospect_event", "offer_grant"),
    *("offer_use", "redemption", "service_request", "enterprise", "group_member", "agreement"),
    *("credit_result", "customer_completeness", "points_account", "points_entry", "staff_member"),
)


async def read_tables(pool: asyncpg.Pool) -> dict[str, list[Row]]:
    """Read every raw row."""
    orders = {"prospect_event": "ORDER BY id", "level_migration": "ORDER BY id"}
    return {
        table: await pool.fetch(f"SELECT * FROM {table} {orders.get(table, '')}")  # noqa: S608 - names of this module
        for table in TABLES
    }


def months_between(first: date, last: date) -> int:
    """Whole months, by the day of the month."""
    months = (last.year - first.year) * 12 + last.month - first.month - (last.day < first.day)
    return max(0, months)


def band(value: float, *limits: tuple[float, str], beyond: str) -> str:
    """The first band whose limit is not below the value."""
    return next((name for limit, name in limits if value <= limit), beyond)


class Rows:
    """The raw rows, as one period sees them."""

    def __init__(self, tables: Mapping[str, list[Row]], period: Period) -> None:
        self.rows, self.first, self.after = tables, period.start, period.end
        self.first_at, self.after_at = (
            datetime.combine(day, time(), BUSINESS_ZONE) for day in (period.start, period.end)
        )
        self.customers = {each["id"]: each for each in tables["customer"]}
        self.levels = {each["id"]: each["level"] for each in tables["customer"]}
        for move in reversed(tables["level_migration"]):
            if move["at"] >= self.after_at:
                self.levels[move["customer_id"]] = move["from_level"]

    def within(self, moment: date | None) -> bool:
        """Whether a day or a moment lies in the period."""
        if isinstance(moment, datetime):
            return self.first_at <= moment < self.after_at
        return moment is not None and self.first <= moment < self.after

    def holds(self, since: date, until: date | None) -> bool:
        """Whether something holds at the period's end."""
        return since < self.after and (until is None or until >= self.after)

    def present(self) -> list[Row]:
        """Customers in the network at the period's end."""
        return [c for c in self.customers.values() if self.holds(c["entry_date"], c["left_on"])]

    def of(self, table: str) -> Iterator[tuple[Row, Row, str]]:
        """Each row of a table with its customer, and the customer's level."""
        for row in self.rows[table]:
            yield row, self.customers[row["customer_id"]], self.levels[row["customer_id"]]

    def tenure(self, customer: Row) -> int:
        last = self.after - timedelta(days=1)
        left = customer["left_on"]
        return months_between(
            customer["entry_date"], left if left is not None and left < self.after else last
        )

    def tenure_band(self, customer: Row) -> str:
        limits = ((12, "0-12"), (24, "13-24"), (48, "25-48"), (60, "49-60"))
        return band(self.tenure(customer), *limits, beyond="61+")
