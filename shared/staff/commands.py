"""``guanxi user``: accounts, from the command line of the node's machine."""

import sys
from datetime import datetime
from typing import Annotated, Any

import orjson
import typer
from sqlalchemy.ext.asyncio import AsyncSession

from shared import audit
from shared.capability import Action, NodeContext, Role
from shared.commandline import JsonOption, NodeOption, operator_name, run, show
from shared.kernel.listing import MAX_PAGE, PageRequest
from shared.organisation.service import ensure_divisions
from shared.staff import repository
from shared.staff.audited import CREATED, DISABLED, PASSWORD_SET
from shared.staff.models import StaffKind, StaffMember
from shared.staff.problems import StaffMemberNotFound
from shared.staff.schemas import StaffMemberOut
from shared.staff.service import add_staff_member, change_staff_member
from shared.staff.service import set_password as set_password_of

app = typer.Typer(help="Accounts of people and programs.", no_args_is_help=True)

Username = Annotated[str, typer.Argument(metavar="NAME", help="Username.")]
PasswordStdin = Annotated[
    bool,
    typer.Option(
        "--password-stdin",
        help="Read the password from the first line of standard input; without it, it is asked for.",
    ),
]


@app.command("create")
def create_user(
    username: Username,
    node: NodeOption,
    role: Annotated[Role, typer.Option("--role", "-r", help="What the account is to the node.")],
    unit: Annotated[
        str | None,
        typer.Option(
            "--unit",
            "-u",
            metavar="CODE",
            help="Unit it belongs to; the node's division without it.",
        ),
    ] = None,
    password_stdin: PasswordStdin = False,
    service: Annotated[
        bool, typer.Option("--service", help="For a program (client credentials).")
    ] = False,
    name: Annotated[
        str | None, typer.Option("--name", metavar="DISPLAY", help="Display name.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Make an account. There is no default password."""
    password = read_password(from_stdin=password_stdin)

    async def create(context: NodeContext) -> dict[str, Any]:
        await ensure_divisions(context)
        async with context.database.transaction() as session:
            member = await add_staff_member(
                session,
                username=username,
                password=password,
                role=role,
                unit_code=unit or context.settings.code,
                by=operator_name(),
                now=context.clock.now(),
                tier=context.settings.tier,
                kind=StaffKind.SERVICE if service else StaffKind.PERSON,
                display_name=name,
            )
            _record(session, CREATED, member, now=context.clock.now())
        return _shown(member)

    show(run(node, create), json=json, title=f"Account made at node {node}")


@app.command("list")
def list_users(
    node: NodeOption,
    role: Annotated[Role | None, typer.Option("--role", "-r", help="Only this role.")] = None,
    active: Annotated[
        bool | None,
        typer.Option("--active/--disabled", help="Only those that may sign in, or may not."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the accounts, by username."""

    async def read(context: NodeContext) -> list[dict[str, Any]]:
        pool = await context.database.pool()
        fields = "id,username,kind,display_name,role,unit_code,active"
        items: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            request = PageRequest(limit=MAX_PAGE, cursor=cursor, fields=fields)
            page = orjson.loads(
                await repository.STAFF.page(pool, request, {"role": role, "active": active})
            )
            items += page["items"]
            cursor = page["next"]
            if cursor is None:
                return items

    show(run(node, read), json=json, title=f"Accounts at node {node}")


@app.command("disable")
def disable_user(username: Username, node: NodeOption, json: JsonOption = False) -> None:
    """Disable an account, and end its sessions at once."""

    async def disable(context: NodeContext) -> dict[str, Any]:
        async with context.database.transaction() as session:
            placed = await repository.lock_by_name(session, username.lower())
            if placed is None:
                raise StaffMemberNotFound(id=username)
            now = context.clock.now()
            await change_staff_member(
                session, placed.member, {"active": False}, by=operator_name(), now=now
            )
            _record(session, DISABLED, placed.member, now=now)
        return _shown(placed.member)

    show(run(node, disable), json=json, title=f"Account disabled at node {node}")


@app.command("password")
def set_password(
    username: Username,
    node: NodeOption,
    password_stdin: PasswordStdin = False,
    json: JsonOption = False,
) -> None:
    """Give an account a new password; its sessions end at once."""
    password = read_password(from_stdin=password_stdin)

    async def change(context: NodeContext) -> dict[str, Any]:
        async with context.database.transaction() as session:
            placed = await repository.lock_by_name(session, username.lower())
            if placed is None:
                raise StaffMemberNotFound(id=username)
            now = context.clock.now()
            await set_password_of(session, placed.member, password, by=operator_name(), now=now)
            _record(session, PASSWORD_SET, placed.member, now=now)
        return _shown(placed.member)

    show(run(node, change), json=json, title=f"Password changed at node {node}")


def read_password(*, from_stdin: bool) -> str:
    """Return the first line of standard input, or what is typed twice, unseen."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    typed: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    return typed


def _record(session: AsyncSession, action: Action, member: StaffMember, *, now: datetime) -> None:
    audit.record(
        session,
        audit.Actor.command(operator_name()),
        action,
        at=now,
        subject=("user", member.id),
        detail={"role": member.role},
    )


def _shown(member: StaffMember) -> dict[str, Any]:
    return StaffMemberOut.model_validate(member).model_dump(mode="json")
