"""Making calls: rows of the transaction of what they follow from."""

from datetime import datetime
from typing import TypeVar
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from shared.capability import NodeContext
from shared.kernel.database import notify
from shared.kernel.ids import derived_id
from shared.kernel.settings import Settings
from shared.port import repository
from shared.port.declaration import Effect, Form, Port
from shared.port.models import CallState

log = structlog.get_logger("port")

CHANNEL = "guanxi_port"
"""Wakes the leading process; the payload is the port that was called."""

Q = TypeVar("Q", bound=Form)
A = TypeVar("A", bound=Form)


def address(settings: Settings, port: Port) -> str | None:
    """Return where a port is; ``None`` if it is off at this node."""
    url: str | None = getattr(settings, port.setting)
    return url


def is_on(context: NodeContext, port: Port) -> bool:
    """Tell whether the node has that port."""
    return address(context.settings, port) is not None


async def call(
    context: NodeContext,
    session: AsyncSession,
    effect: Effect[Q, A],
    content: Q,
    *,
    cause: UUID,
    now: datetime,
    order: str | None = None,
    part: str | None = None,
) -> UUID | None:
    """Have a port do something once the transaction of ``session`` is committed.

    Args:
        context: the node's.
        session: the transaction of what the call follows from.
        effect: what is to be done, and what follows.
        content: what the port is told; made from ``cause`` and what is known of it, and so the same when repeated.
        cause: what it follows from: a request's id, say. One cause has each effect once, however often it is asked.
        now: the present moment.
        order: what has to stay in order, such as a line's id; calls of a port with the same order follow one another
            as their transactions do, if each has locked what the order names. Nothing personal.
        part: what tells apart the calls that one cause has of one effect, such as a line's id. Nothing personal.

    Returns:
        The call's id; ``None`` if the port is off, and nothing is done.
    """
    if not is_on(context, effect.port):
        return None
    parts = () if part is None else (part,)
    call_id = derived_id(cause, context.settings.code, effect.name, *parts)
    row = {
        "id": call_id,
        "port": effect.port.name,
        "operation": effect.operation.name,
        "effect": effect.name,
        "cause_id": cause,
        "ordering_key": order,
        "state": CallState.WAITING,
        "content_cipher": context.cipher.encrypt(content.model_dump_json()),
        "due_at": now,
        "created_at": now,
    }
    if await repository.add(session, row):
        await notify(session, CHANNEL, effect.port.name)
    return call_id
