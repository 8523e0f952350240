"""``guanxi clearing``: what is owed, what the neighbours say of it, and closing a month."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer

from shared.access import Principal
from shared.capability import NodeContext, Role
from shared.clearing import month as months
from shared.clearing import netting, repository
from shared.clearing.models import StatementState
from shared.commandline import (
    CommandFailed,
    JsonOption,
    NodeOption,
    operator_name,
    run,
    sentences,
    show,
)
from shared.kernel.listing import MAX_PAGE, PageRequest

app = typer.Typer(help="What cities and provinces owe one another.", no_args_is_help=True)

_NOBODY = UUID(int=0)
_COLUMNS = "neighbour,day,state,items,net_fen,their_items,their_net_fen,differences"
DayFrom = Annotated[
    datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Counted then or later.")
]
DayBefore = Annotated[
    datetime | None, typer.Option("--before", formats=["%Y-%m-%d"], help="Counted before that day.")
]


@app.command("show")
def show_positions(
    node: NodeOption,
    day_from: DayFrom = None,
    day_before: DayBefore = None,
    json: JsonOption = False,
) -> None:
    """Show what every account comes to, and the transfers that settle it."""

    async def read(context: NodeContext) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        pool = await context.database.pool()
        found = await repository.positions(pool, _day(day_from), _day(day_before))
        transfers = netting.net({each.account: each.net_fen for each in found})
        return [asdict(each) for each in found], [asdict(each) for each in transfers]

    accounts, transfers = run(node, read)
    if json:
        show({"accounts": accounts, "transfers": transfers}, json=True)
        return
    show(accounts, json=False, title=f"Accounts of node {node}")
    show(transfers, json=False, title="Transfers that settle them")


@app.command("statements")
def list_statements(
    node: NodeOption,
    state: Annotated[
        StatementState | None, typer.Option(help="Only days that are this far.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_PAGE, help="Most statements to show, latest day first.")
    ] = 50,
    json: JsonOption = False,
) -> None:
    """List what the node and its neighbours say of each day."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        page = PageRequest(limit=limit, sort="-day", fields=_COLUMNS)
        body = await repository.STATEMENTS.page(
            await context.database.pool(), page, {"state": state}
        )
        items: list[dict[str, Any]] = orjson.loads(body)["items"]
        return items

    show(run(node, read), json=json, title=f"Statements at node {node}")


@app.command("close-month")
def close_month(
    month: Annotated[str, typer.Argument(help="Month that is over, such as 2026-02.")],
    node: NodeOption,
    propose: Annotated[
        bool, typer.Option("--propose", help="As the first person: propose it for a second one.")
    ] = False,
    reason: Annotated[
        str | None,
        typer.Option(help="With --propose: why, although days of the month are not agreed."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Close a month of the node's books, as the second person; or propose it, as the first."""
    with sentences():
        first = _first_of(month)

    async def act(context: NodeContext) -> dict[str, Any]:
        code, now = context.settings.code, context.clock.now()
        operator = Principal(
            _NOBODY, operator_name(), Role.OPERATOR, code, "", frozenset(), _NOBODY
        )
        async with context.database.transaction() as session:
            if propose:
                await months.propose(session, operator, first, reason, now=now)
            else:
                await months.close(session, operator, first, now=now)
        shown = await months.MONTHS.one(await context.database.pool(), {"month": first})
        found: dict[str, Any] = orjson.loads(shown or b"{}")
        return found

    closed = run(node, act)
    show(closed if json else {**closed, "positions": None}, json=json, title=f"Month {month}")


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _first_of(month: str) -> date:
    try:
        return date.fromisoformat(f"{month}-01")
    except ValueError:
        raise CommandFailed(f"{month} is no month: write it as 2026-02.") from None
