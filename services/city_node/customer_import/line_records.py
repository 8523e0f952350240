"""Records that hang on a line or a customer and come in great numbers: bills, usage and interactions.

For each kind, :class:`LineRecord` says which table it is, what its natural key is, and what the file may correct.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.city_node.customer_import.layout import Columns
from services.city_node.customer_import.models import Records


@dataclass(frozen=True, slots=True)
class LineRecord:
    """One kind of record.

    Attributes:
        table: where it goes.
        targets: the targets of a mapping, and the column of ``import_record`` that each fills.
        columns: those columns and their types.
        defaults: values of columns that the mapping does not fill.
        key: columns of the natural key, without the line's.
        values: columns that a file may correct.
        until: SQL of the first day on which a line that begins is too late for the record.
        owner: whether the record hangs on a ``subscription`` or a ``customer``.
        twice: what is said of a record that the file has had already, with other values.
        excludes: SQL of records ``k`` that cannot stand beside the record ``r``, and why.
        alone: value of the last key column that cannot stand beside others.
    """

    table: str
    targets: Mapping[str, str]
    columns: Columns
    defaults: Mapping[str, object]
    key: Sequence[str]
    values: Sequence[str]
    until: str
    owner: str
    twice: str
    excludes: tuple[str, str] | None = None
    alone: str | None = None


_NEXT_MONTH = "CAST(r.period + interval '1 month' AS date)"

LINE_RECORDS: Mapping[Records, LineRecord] = {
    Records.BILLS: LineRecord(
        table="bill",
        targets={
            "bill.period": "period",
            "bill.charge_fen": "charge_fen",
            "bill.paid_on": "paid_on",
        },
        columns={"period": "date", "charge_fen": "bigint", "paid_on": "date"},
        defaults={},
        key=("period",),
        values=("charge_fen", "paid_on"),
        until=_NEXT_MONTH,
        owner="subscription",
        twice="is on an earlier line too, with another charge or day of payment",
    ),
    Records.USAGE: LineRecord(
        table="usage_month",
        targets={
            "usage.period": "period",
            "usage.kind": "kind",
            "usage.band": "band",
            "usage.quantity": "quantity",
            "usage.charge_fen": "charge_fen",
        },
        columns={
            "period": "date",
            "kind": "text",
            "band": "text",
            "quantity": "bigint",
            "charge_fen": "bigint",
        },
        defaults={"band": "all", "charge_fen": 0},
        key=("period", "kind", "band"),
        values=("quantity", "charge_fen"),
        until=_NEXT_MONTH,
        owner="subscription",
        twice="is on an earlier line too, with another quantity or charge",
        excludes=(
            """k.subscription_id = r.subscription_id AND k.period = r.period AND k.kind = r.kind
            AND (k.band = 'all') <> (r.band = 'all')""",
            "stands beside usage of the same month and kind that is told apart by hours, or the other way round",
        ),
        alone="all",
    ),
    Records.INTERACTIONS: LineRecord(
        table="interaction",
        targets={
            "interaction.key": "source_key",
            "interaction.at": "at",
            "interaction.channel": "channel",
            "interaction.kind": "kind",
            "interaction.subject": "subject",
            "interaction.summary": "summary",
            "interaction.outcome": "outcome",
            "interaction.staff": "staff",
        },
        columns={
            "source_key": "text",
            "at": "timestamptz",
            "channel": "text",
            "kind": "text",
            "subject": "text",
            "summary": "text",
            "outcome": "text",
            "staff": "text",
        },
        defaults={},
        key=("source_key",),
        values=("at", "channel", "kind", "subject", "summary", "outcome", "staff"),
        until="CAST(r.at AT TIME ZONE 'Asia/Shanghai' AS date) + 1",
        owner="customer",
        twice="is on an earlier line too, with other values",
    ),
}
"""The kinds by name."""
