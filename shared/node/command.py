"""The command line ``guanxi``: its root, which finds the commands and loads no more than it needs.

The program's own commands are named below. Others come from the installed distribution's entry points of the group
``guanxi.command``, and from the capabilities of the three tiers, each group under the name that its capability gives
it. Importing the tiers takes most of a second, so it is done only when a command of theirs is meant or listed.
"""

import os
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

OWN = {
    "node": "shared.node.command_node",
    "up": "shared.node.command_up",
    "status": "shared.node.command_status",
    "federation": "shared.node.command_federation",
    "db": "shared.node.command_database",
}
"""The program's own commands, and the modules whose ``app`` has them."""
GROUP = "guanxi.command"


class _Commands(TyperGroup):
    """Finds commands when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the signature is Typer's
        """Return the name of every command."""
        return [*OWN, *_installed(), *_of_capabilities()]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of that name, or ``None``; one of a capability finds all of them in its context."""
        if cmd_name in OWN:
            return _loaded(OWN[cmd_name])[cmd_name]
        if cmd_name in _installed():
            return _click({None: _installed()[cmd_name].load()})[cmd_name]
        if ctx is not None:  # it is run, and not only looked at
            ctx.obj = _capabilities()
        return _of_capabilities().get(cmd_name)


@cache
def _loaded(module: str) -> dict[str, Any]:
    return _click({None: import_module(module).app})


@cache
def _installed() -> dict[str, Any]:
    return {entry.name: entry for entry in entry_points(group=GROUP)}


@cache
def _of_capabilities() -> dict[str, Any]:
    """Return the groups of commands that the capabilities of all tiers declare."""
    groups: dict[str, list[typer.Typer]] = {}
    for capability in _capabilities():
        for name, app in capability.commands:
            apps = groups.setdefault(name, [])
            if app not in apps:
                apps.append(app)
    # Two packages may add to one group: `guanxi rollup` of the city and of what all tiers share.
    return _click({name: _merged(apps) for name, apps in sorted(groups.items())})


@cache
def _capabilities() -> tuple[Any, ...]:
    from shared.kernel.tier import Tier  # noqa: PLC0415 - only now: see the module's docstring
    from shared.node.tiers import capabilities  # noqa: PLC0415

    return tuple(capability for tier in Tier for capability in capabilities(tier))


def _merged(apps: list[typer.Typer]) -> typer.Typer:
    if len(apps) == 1:
        return apps[0]
    whole = typer.Typer(help=apps[0].info.help, no_args_is_help=True)
    for app in apps:
        whole.registered_commands += app.registered_commands
        whole.registered_groups += app.registered_groups
    return whole


def _click(apps: dict[Any, typer.Typer]) -> dict[str, Any]:
    root = typer.Typer()
    for name, app in apps.items():
        root.add_typer(app, name=name) if name else root.add_typer(app)
    return dict(get_group(root).commands)


app = typer.Typer(
    cls=_Commands,
    name="guanxi",
    help="Customer relations for a telecom operator's key customers, in a federation of cities, provinces and HQ.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_show_locals=False,  # they may hold what is nobody's business
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"guanxi {version('guanxi')}")
        raise typer.Exit


@app.callback()
def root(
    home: Annotated[
        Path | None,
        typer.Option(
            "--home",
            envvar="GUANXI_HOME",
            help="Directory that this machine's nodes keep their data under.",
            show_default="var",
        ),
    ] = None,
    version_: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version, and end.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take the options that stand before every command."""
    del version_
    if home is not None:
        os.environ["GUANXI_HOME"] = str(
            home
        )  # every command, and every process it starts, finds it there


def main() -> None:
    """Run the command line."""
    app(prog_name="guanxi")


if __name__ == "__main__":
    main()
