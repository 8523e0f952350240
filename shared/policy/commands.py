"""``guanxi policy``: what is in force, and publishing from files."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer
from pydantic import ValidationError

from shared.audit import Actor
from shared.capability import NodeContext, PolicyKind
from shared.commandline import (
    CommandFailed,
    JsonOption,
    NodeOption,
    console,
    operator_name,
    run,
    show,
    spoken,
)
from shared.kernel.clock import business_day
from shared.kernel.ids import new_id
from shared.kernel.language import Language
from shared.kernel.listing import PageRequest
from shared.kernel.problems import invalid_input
from shared.policy import drafting, repository
from shared.policy.declaration import PolicyKinds, kinds_of
from shared.policy.draft_schemas import DifferenceOut, NewDraft
from shared.policy.drafting import Desk, Person
from shared.policy.preview import Preview, preview
from shared.policy.resolution import Layer
from shared.policy.schemas import InForceOut, LayerOut
from shared.policy.service import Place, kind_named, places, require_known, resolution

app = typer.Typer(help="Policies: what is in force, and publishing it.", no_args_is_help=True)

KindArgument = Annotated[str, typer.Argument(help="Kind of policy, such as level.")]
FileArgument = Annotated[
    Path,
    typer.Argument(
        help="A draft in JSON: kind, document, effective_from, and if need be bounds, note, retroactive.",
        dir_okay=False,
    ),
]
OnOption = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="The day to answer for; today without it."),
]
ReasonOption = Annotated[str, typer.Option(help="Why.")]


_KINDS: ContextVar[PolicyKinds] = ContextVar("kinds of policy")
"""Those of the program, whose command runs: of all its capabilities, and not of this package alone."""


@app.callback()
def know_kinds(context: typer.Context) -> None:
    """Learn from the program which kinds of policy its capabilities declare."""
    _KINDS.set(kinds_of(kind for capability in context.obj for kind in capability.policies))


def _kind(name: str) -> PolicyKind[Any]:
    return kind_named(_KINDS.get(), name)


def _day(on: datetime | None, context: NodeContext) -> date:
    return on.date() if on else business_day(context.clock.now())


@asynccontextmanager
async def _desk(context: NodeContext, kind: str | UUID) -> AsyncIterator[Desk]:
    """Open a desk for whoever runs the command, for a kind or for that of a draft, in one transaction."""
    name, now = operator_name(), context.clock.now()
    async with context.database.transaction() as session:
        if isinstance(kind, UUID):
            kind = (await repository.draft(session, kind)).kind
        person, actor = Person(name, None), Actor.command(name)
        yield Desk(session, context.post, _kind(kind), person, actor, now)


@app.command("list")
def list_kinds(node: NodeOption, json: JsonOption = False) -> None:
    """Show every kind of policy and what of it is in force at the node today."""
    language = spoken()

    async def ask(context: NodeContext) -> list[Mapping[str, Any]]:
        today = _day(None, context)
        async with context.database.transaction() as session:
            return [
                _kind_row(
                    await resolution(session, each, on=today, node=context.settings.code), language
                )
                for each in _KINDS.get().values()
            ]

    show(run(node, ask), json=json, title=f"Policies of {node}")


def _kind_row(found: Any, language: Language) -> Mapping[str, Any]:
    return {
        "kind": found.kind.name,
        "title": found.kind.title.speak(language),
        "in force": found.reference,
        "since": _since(found.effective_from),
        "set aside": sum(not layer.holds for layer in found.layers),
    }


def _since(day: date) -> str | None:
    return None if day == date.min else day.isoformat()


@app.command("show")
def show_policy(
    kind: KindArgument,
    node: NodeOption,
    on: OnOption = None,
    at: Annotated[
        str | None, typer.Option(help="Division code of the node that goes by it; this one.")
    ] = None,
    everywhere: Annotated[
        bool, typer.Option("--places", help="Show what this node and each below it goes by.")
    ] = False,
    versions: Annotated[
        bool, typer.Option("--versions", help="Show the versions that the node knows.")
    ] = False,
    drafts: Annotated[bool, typer.Option("--drafts", help="Show the node's drafts.")] = False,
    json: JsonOption = False,
) -> None:
    """Show what is in force, with the versions that made it; or where, or all versions, or drafts."""
    language = spoken()
    if versions or drafts:
        listing, title = (
            (repository.VERSIONS, "Versions") if versions else (repository.DRAFTS, "Drafts")
        )

        async def page(context: NodeContext) -> list[Mapping[str, Any]]:
            latest = PageRequest(limit=500, sort=next(f"-{name}" for name in listing.sorts))
            found = await listing.page(
                await context.database.pool(), latest, {"kind": _kind(kind).name}
            )
            rows: list[Mapping[str, Any]] = orjson.loads(found)["items"]
            return rows

        show(run(node, page), json=json, title=f"{title} of the {kind} policy")
    elif everywhere:

        async def ask(context: NodeContext) -> list[Mapping[str, Any]]:
            async with context.database.transaction() as session:
                found = await places(
                    session, _kind(kind), on=_day(on, context), here=context.settings.code
                )
            return [_place_row(place, language) for place in found]

        show(run(node, ask), json=json, title=f"The {kind} policy by place")
    else:
        found = run(node, lambda context: _in_force(context, kind, on, at, language))
        _show_in_force(found, json=json)


def _place_row(place: Place, language: Language) -> Mapping[str, Any]:
    found = place.resolution
    return {
        "node": place.node,
        "in force": found.reference,
        "since": _since(found.effective_from),
        "published by": ", ".join(
            layer.version.published_by or "-"
            for layer in found.layers
            if layer.holds and layer.version
        )
        or None,
        "set aside": "; ".join(_why(layer, language) for layer in found.layers if not layer.holds)
        or None,
    }


def _why(layer: Layer, language: Language) -> str:
    number = layer.version.name if layer.version else "default"
    first = layer.faults[0]
    return f"{layer.publisher}:{number} ({first.pointer}: {first.speak(language)})"


async def _in_force(
    context: NodeContext, kind: str, on: datetime | None, at: str | None, language: Language
) -> InForceOut:
    day, place = _day(on, context), at or context.settings.code
    async with context.database.transaction() as session:
        await require_known(session, place, here=context.settings.code)
        found = await resolution(session, _kind(kind), on=day, node=place)
    return InForceOut.of(found, place, day, language)


def _show_in_force(found: InForceOut, *, json: bool) -> None:
    if json:
        show(found.model_dump(mode="json"), json=True)
        return
    since = found.effective_from or "the beginning"
    console.print(f"{found.reference} at {found.node}, since {since}", highlight=False)
    console.print_json(data=found.document)
    show([_layer_row(layer) for layer in found.layers], json=False, title="Made of")


def _layer_row(layer: LayerOut) -> Mapping[str, Any]:
    return {
        "publisher": layer.publisher,
        "version": "default" if layer.digest is None and layer.number is None else layer.number,
        "status": layer.status,
        "from": layer.effective_from,
        "published by": layer.published_by,
        "why": "; ".join(f"{each.pointer}: {each.detail}" for each in layer.errors) or None,
    }


@app.command("check")
def check_file(file: FileArgument, node: NodeOption, json: JsonOption = False) -> None:
    """Check a draft without keeping it: exit code 1 and what is wrong where, or 0 and what it would change."""

    async def work(context: NodeContext) -> Preview:
        kind, given = _read(file)
        async with _desk(context, kind) as desk:
            await drafting.check(desk, given)
            return await preview(desk, given)

    found = run(node, work)
    differences = [DifferenceOut.of(each).model_dump(mode="json") for each in found.changed]
    sets_aside = [_why(layer, spoken()) for _, layer in found.sets_aside]
    if json:
        result = {
            "reference": found.found.reference,
            "differences": differences,
            "sets_aside": sets_aside,
            "set_aside_from": found.set_aside_from,
        }
        show(result, json=True)
        return
    show(differences, json=False, title=f"Would change from {found.on}")
    for each in sets_aside:
        console.print(f"would set aside {each}", highlight=False, soft_wrap=True)
    if found.set_aside_from:
        console.print(f"would itself be set aside from {found.set_aside_from}", highlight=False)


def _read(file: Path) -> tuple[str, NewDraft]:
    try:
        content = orjson.loads(file.read_bytes())
    except orjson.JSONDecodeError as error:
        raise CommandFailed(f"{file} is not JSON: {error}.") from None
    if not isinstance(content, dict) or not isinstance(content.get("kind"), str):
        raise CommandFailed(f'{file} does not say of what kind it is: give it a "kind".')
    kind: str = content.pop("kind")
    try:
        return kind, NewDraft.model_validate(content)
    except ValidationError as error:
        errors = [{**each, "loc": ("body", *each["loc"])} for each in error.errors()]
        raise invalid_input(errors) from None


@app.command("draft")
def draft_file(file: FileArgument, node: NodeOption, json: JsonOption = False) -> None:
    """Keep a draft, for a second person to publish."""

    async def work(context: NodeContext) -> Mapping[str, Any]:
        kind, given = _read(file)
        async with _desk(context, kind) as desk:
            made = await drafting.draft(desk, new_id(), given)
            return {"draft": str(made.id), "kind": kind, "drafted_by": made.drafted_by}

    show(run(node, work), json=json, title="Drafted")


@app.command("publish")
def publish_draft(
    draft: Annotated[UUID, typer.Argument(help="Id of the draft.")],
    node: NodeOption,
    json: JsonOption = False,
) -> None:
    """Publish a draft that somebody else made."""

    async def work(context: NodeContext) -> Mapping[str, Any]:
        async with _desk(context, draft) as desk:
            seen = await repository.draft(desk.session, draft)
            made = await drafting.publish(desk, draft, seen.version)
            names = ("kind", "publisher", "number", "effective_from", "digest")
            return {name: getattr(made, name) for name in names}

    show(run(node, work), json=json, title="Published")


@app.command("reject")
def reject_draft(
    draft: Annotated[UUID, typer.Argument(help="Id of the draft.")],
    node: NodeOption,
    reason: ReasonOption,
    json: JsonOption = False,
) -> None:
    """Decide that a draft that somebody else made is not published."""

    async def work(context: NodeContext) -> None:
        async with _desk(context, draft) as desk:
            seen = await repository.draft(desk.session, draft)
            await drafting.reject(desk, draft, seen.version, reason)

    run(node, work)
    show({"draft": str(draft), "state": "rejected"}, json=json, title="Rejected")


@app.command("withdraw")
def withdraw_version(
    kind: KindArgument,
    number: Annotated[int, typer.Argument(help="Number of a version of this node's.")],
    node: NodeOption,
    reason: ReasonOption,
    json: JsonOption = False,
) -> None:
    """Take a version of this node's out of force, as if it had never been published."""

    async def work(context: NodeContext) -> None:
        async with _desk(context, kind) as desk:
            await drafting.withdraw(desk, desk.here, number, reason)

    run(node, work)
    show({"kind": kind, "number": number, "state": "withdrawn"}, json=json, title="Withdrawn")
