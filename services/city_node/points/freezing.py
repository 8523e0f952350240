"""Freezing a customer's points: nothing can be used; bills go on earning, and lots go on expiring."""

from uuid import UUID

from services.city_node.customer.service import Desk
from services.city_node.points import ledger
from services.city_node.points.audited import FROZEN, UNFROZEN
from shared import audit
from shared.kernel.database import driver_connection

_FREEZE = """
    UPDATE points_account SET frozen_at = $2, frozen_by = $3, frozen_reason = $4, version = version + 1
    WHERE id = ANY($1::bigint[]) AND frozen_at IS NULL"""
_UNFREEZE = """
    UPDATE points_account SET frozen_at = NULL, frozen_by = NULL, frozen_reason = NULL, version = version + 1
    WHERE id = ANY($1::bigint[]) AND frozen_at IS NOT NULL"""


async def freeze(desk: Desk, customer_id: UUID, reason: str) -> None:
    """Freeze every account of a customer, who is given one if there is none; frozen ones stay as they are.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
    """
    connection = await driver_connection(desk.session)
    await ledger.open_account(connection, customer_id, at=desk.now)
    holder = (await ledger.lock(connection, [customer_id], desk.principal.unit_path))[customer_id]
    if not holder.is_frozen:
        by = desk.principal.username
        await connection.execute(_FREEZE, holder.accounts, desk.now, by, reason)
        actor = audit.Actor.of(desk.principal)
        audit.record(desk.session, actor, FROZEN, at=desk.now, subject=("customer", customer_id))


async def unfreeze(desk: Desk, customer_id: UUID) -> None:
    """Let a customer's points be used again; those that are not frozen stay as they are.

    Raises:
        CustomerNotFound: if there is none in the caller's scope (404).
    """
    connection = await driver_connection(desk.session)
    holder = (await ledger.lock(connection, [customer_id], desk.principal.unit_path))[customer_id]
    if holder.is_frozen:
        await connection.execute(_UNFREEZE, holder.accounts)
        actor = audit.Actor.of(desk.principal)
        audit.record(desk.session, actor, UNFROZEN, at=desk.now, subject=("customer", customer_id))
