"""``guanxi personal-data``: the keys of personal data, and their rotation."""

import asyncio
from typing import Annotated, Any

import typer

from services.city_node.personal_data import service
from shared.capability import NodeContext
from shared.commandline import (
    CommandFailed,
    JsonOption,
    NodeOption,
    operator_name,
    progress,
    run,
    show,
)
from shared.kernel.tier import Tier

app = typer.Typer(help="Keys of personal data.", no_args_is_help=True)

PortionOption = Annotated[
    int, typer.Option("--portion", min=1, max=100_000, help="Rows in one transaction.")
]


@app.command("keys")
def list_keys(node: NodeOption, json: JsonOption = False) -> None:
    """List the keys that the node has, and how many values each of them seals."""
    show(run(node, _keys), json=json, title=f"Keys of personal data of {node}")


async def _keys(context: NodeContext) -> list[dict[str, Any]]:
    _require_city(context)
    used = await service.keys_in_use(context.database)
    present = {key.id for key in context.cipher.ring()}
    return [
        {
            "key": key,
            "state": _state(key, present, context.cipher.current.id),
            "values": sum(used.get(key, {}).values()),
            **used.get(key, {}),
        }
        for key in sorted(present | used.keys())
    ]


def _state(key: int, present: set[int], newest: int) -> str:
    if key not in present:
        return "missing"
    return "seals" if key == newest else "opens"


@app.command("rotate-key")
def rotate_key(
    node: NodeOption, portion: PortionOption = service.PORTION, json: JsonOption = False
) -> None:
    """Make a new key and seal every value anew with it, while the node runs; an unfinished rotation is taken up."""
    show(run(node, lambda context: _rotate(context, portion)), json=json)


async def _rotate(context: NodeContext, portion: int) -> dict[str, Any]:
    _require_city(context)
    database, cipher, clock = context.database, context.cipher, context.clock
    rotation = await service.begin(database, cipher, by=operator_name(), now=clock.now())
    ready = (rotation.ready_at or clock.now()) + service.GRACE
    await asyncio.sleep(max((ready - clock.now()).total_seconds(), 0))
    rows = 0
    ended = False
    while not ended:
        rows += await _seal(context, portion)
        # Rows that somebody had locked are left over, and are free in a moment.
        ended = await service.end(database, now=clock.now())
        if not ended:
            await asyncio.sleep(service.PAUSE_SECONDS)
    return {"key": rotation.key_id, "values": rows, "rows of an older key": 0}


async def _seal(context: NodeContext, portion: int) -> int:
    rows = 0
    with progress() as bar:
        tasks: dict[str, Any] = {}
        async for done in service.seal(context.database, context.cipher, portion_rows=portion):
            if done.column not in tasks:
                tasks[done.column] = bar.add_task(done.column, total=done.of or None)
            bar.advance(tasks[done.column], done.rows)
            rows += done.rows
    return rows


@app.command("encrypt")
def encrypt(
    node: NodeOption, portion: PortionOption = service.PORTION, json: JsonOption = False
) -> None:
    """Encrypt the contact values that an earlier release kept in clear; a running node does it by itself."""

    async def act(context: NodeContext) -> dict[str, Any]:
        _require_city(context)
        return {"encrypted": await _seal(context, portion)}

    show(run(node, act), json=json)


@app.command("drop-key")
def drop_key(
    key: Annotated[int, typer.Argument(help="Id of the key.")],
    node: NodeOption,
    json: JsonOption = False,
) -> None:
    """Remove an old key that seals nothing any more. Keep a copy with every backup from before the rotation ended."""

    async def drop(context: NodeContext) -> dict[str, Any]:
        _require_city(context)
        await service.drop(context.database, context.cipher, key)
        return {"dropped": key, "keys": [each.id for each in context.cipher.ring()]}

    show(run(node, drop), json=json)


def _require_city(context: NodeContext) -> None:
    if context.settings.tier is not Tier.CITY:
        code = context.settings.code
        raise CommandFailed(f"Node {code} is no city: only cities keep personal data.")
