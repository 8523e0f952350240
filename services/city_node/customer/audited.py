"""What changing customers leaves in the audit log, beside the history that belongs to the customer."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.models import ChangeAction
from shared import audit
from shared.access import Principal
from shared.capability import Action
from shared.kernel.language import Text

CHANGES: Mapping[ChangeAction, Action] = {
    action: Action(f"customer.{action.value}", text)
    for action, text in (
        (ChangeAction.CREATED, Text("A customer was made", "新建客户")),
        (ChangeAction.CHANGED, Text("A customer was changed", "修改客户资料")),
        (ChangeAction.RETIRED, Text("A customer left the network", "客户离网")),
        (ChangeAction.RESTORED, Text("A customer came back", "恢复在网")),
        (ChangeAction.SUBSCRIBED, Text("A customer was given a line", "新增用户号码")),
        (ChangeAction.CONTACT_ADDED, Text("A contact medium was noted", "登记联系方式")),
        (ChangeAction.IMPORT_UNDONE, Text("An import of a customer was undone", "撤销客户导入")),
        (ChangeAction.MERGED, Text("Profiles were merged", "合并客户档案")),
        (ChangeAction.MOVED_OUT, Text("A customer moved to another city", "客户转网转出")),
        (ChangeAction.MOVED_IN, Text("A customer came from another city", "客户转网转入")),
        (ChangeAction.UNMERGED, Text("A merge was undone", "撤销档案合并")),
        (ChangeAction.PART_ADDED, Text("Something a customer holds was noted", "新增客户从属信息")),
        (
            ChangeAction.PART_CHANGED,
            Text("Something a customer holds was changed", "修改客户从属信息"),
        ),
        (
            ChangeAction.PART_REMOVED,
            Text("Something a customer holds was removed", "删除客户从属信息"),
        ),
    )
}
_NAMED_BY_NUMBER = frozenset({"subscriptions", "sims", "contacts", "bills", "billing_accounts"})
"""Parts whose path in a change holds a number or an id: ``subscriptions/13800138000/status``."""


def record_change(
    session: AsyncSession,
    actor: audit.Actor,
    action: ChangeAction,
    customer_id: UUID,
    changes: Iterable[Mapping[str, Any]],
    *,
    at: datetime,
    cause_id: UUID | None = None,
) -> None:
    """Add the audit record of a change to its transaction: which fields, and no values; those are in the history."""
    audit.record(
        session,
        actor,
        CHANGES[action],
        at=at,
        subject=("customer", customer_id),
        fields=_fields(changes),
        cause_id=cause_id,
    )


def record_of(
    principal: Principal,
    action: ChangeAction,
    customer_id: UUID,
    changes: Iterable[Mapping[str, Any]],
    *,
    at: datetime,
) -> Sequence[Any]:
    """Return the same record for a statement that writes the change, too (:func:`shared.audit.insertion`)."""
    return audit.values_of(
        audit.Actor.of(principal),
        CHANGES[action],
        at=at,
        subject=("customer", customer_id),
        fields=_fields(changes),
    )


def _fields(changes: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    return dict.fromkeys(_field(change["field"]) for change in changes)


def _field(path: str) -> str:
    part, *rest = path.split("/")
    return "/".join([part, *rest[1:]]) if part in _NAMED_BY_NUMBER else path
