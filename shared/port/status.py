"""How the node's ports are."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from shared.kernel.settings import Settings
from shared.port import repository
from shared.port.contracts import PORTS
from shared.port.declaration import Port
from shared.port.models import CallState
from shared.port.schemas import PortOut
from shared.port.service import address


async def states(session: AsyncSession, settings: Settings) -> dict[str, str]:
    """Return of each port whether it is ``off``, ``down`` or ``up``."""
    troubles = await repository.troubles(session)
    return {port.name: _state(settings, port, port.name in troubles) for port in PORTS}


def _state(settings: Settings, port: Port, is_in_trouble: bool) -> str:  # noqa: FBT001 - internal
    if address(settings, port) is None:
        return "off"
    return "down" if is_in_trouble else "up"


async def status(session: AsyncSession, settings: Settings, *, now: datetime) -> list[PortOut]:
    """Return every port, off or on, with what is open of its calls."""
    found = {(queue.port, queue.state): queue for queue in await repository.queues(session)}
    troubles = await repository.troubles(session)
    ports = []
    for port in PORTS:
        waiting = found.get((port.name, CallState.WAITING))
        handed_over = found.get((port.name, CallState.HANDED_OVER))
        trouble = troubles.get(port.name) if address(settings, port) else None
        ports.append(
            PortOut(
                name=port.name,
                title={"en": port.title.en, "zh": port.title.zh},
                state=_state(settings, port, trouble is not None),
                waiting=waiting.calls if waiting else 0,
                oldest_seconds=(now - waiting.oldest_at).total_seconds() if waiting else 0.0,
                handed_over=handed_over.calls if handed_over else 0,
                failures=trouble.failures if trouble else 0,
                retry_at=trouble.retry_at if trouble else None,
                last_error=trouble.last_error if trouble else None,
            )
        )
    return ports
