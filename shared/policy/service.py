"""Which policy is in force."""
# ruff: noqa: ARG001, RUF029 - until the versions are asked

from datetime import date
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.settings import HQ_CODE
from shared.policy.declaration import D, PolicyInForce, PolicyKind
from shared.policy.merging import merged


async def in_force(
    session: AsyncSession, kind: PolicyKind[D], *, on: date, node: str
) -> PolicyInForce[D]:
    """Return the policy of ``kind`` that ``node`` goes by ``on`` a date, as far as this node knows.

    Args:
        session: where to look.
        kind: what the policy is about.
        on: the day, in the business zone.
        node: division code of the node that goes by it.
    """
    return PolicyInForce(kind.default, f"{kind.name} default", date.min)


async def draft_in_force(
    session: AsyncSession,
    kind: PolicyKind[D],
    *,
    draft: Any,
    on: date,
    node: str,
    publisher: str | None = None,
) -> PolicyInForce[D]:
    """Return what would be in force with ``draft`` in the place of what its publisher has published, for dry runs.

    Args:
        session: where to look.
        kind: what the policy is about.
        draft: JSON: a whole document if its publisher is HQ, a merge patch (RFC 7396) otherwise.
        on: the day.
        node: division code of the node that would go by it.
        publisher: division code of who would publish it; ``node`` itself without it.
    """
    below = (publisher or node) != HQ_CODE
    document = merged(kind.default.model_dump(mode="json"), draft) if below else draft
    read = kind.document.model_validate_json(orjson.dumps(document))
    return PolicyInForce(read, f"{kind.name} draft", on)
