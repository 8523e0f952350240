"""What an import leaves in the audit log: one record.

Which customers it made and changed, and what in them, is in their history, whose rows name the import as their cause;
the record has the digest of the file and the counts. A record for each customer would say the same a second time, at
the price of a third of the speed.
"""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer_import.models import CustomerImport
from shared import audit
from shared.capability import Action
from shared.kernel.language import Text

IMPORTED = Action("customer.imported", Text("A file of customers was imported", "批量导入客户"))
UNDONE = Action("customer.import-undone", Text("An import was undone", "撤销批量导入"))
_COUNTS = ("rows", "created", "changed", "unchanged", "rejected", "undone", "kept")


def record_import(
    session: AsyncSession,
    action: Action,
    row: CustomerImport,
    by: str,
    unit_path: str,
    *,
    at: datetime,
) -> None:
    """Record that an import was completed or undone, in the transaction that does so."""
    actor = audit.Actor(by, audit.Source.IMPORT, unit_code=row.unit_code, unit_path=unit_path)
    audit.record(
        session,
        actor,
        action,
        at=at,
        subject=("customer_import", row.id),
        cause_id=row.id,
        detail={
            "sha256": row.sha256,
            "allow_erased": row.allow_erased,
            **{name: getattr(row, name) for name in _COUNTS},
        },
    )
