"""What the commands of every capability share: which node is meant, how it is opened, how results are shown.

A command works on the node's own database with the node's own settings, whether the node runs or not; what it
posts is sent by the running node. It asks for no password: whoever can read a node's settings and keys is its
operator already.
"""

import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import asyncpg
import orjson
import structlog
import typer
from alembic.util.exc import CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from shared.capability import NodeContext
from shared.kernel.embedded_postgres import EmbeddedPostgresError
from shared.kernel.language import Language, preferred_language
from shared.kernel.migrations import MigrationRefused
from shared.kernel.problems import Problem
from shared.kernel.settings import Settings, SettingsInvalid, load_settings, settings_file
from shared.startup import open_context

HomeOption = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar="GUANXI_HOME",
        help="Directory that this machine's nodes keep their data under.",
    ),
]
NodeOption = Annotated[
    str,
    typer.Option(
        "--node",
        "-n",
        envvar="GUANXI_NODE",
        help="Division code of the node to work on, such as 440300.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

Result = TypeVar("Result")

# What is printed is data: a name in brackets is no style, and `query:top:` no arrow.
console = Console(markup=False, emoji=False)
errors = Console(stderr=True, markup=False, emoji=False)


class CommandFailed(Exception):
    """The command cannot do what it was asked; the message says why and what to do."""


def operator_name() -> str:
    """Return how the history names whoever runs a command: the machine's user."""
    try:
        return f"command:{getpass.getuser()}"
    except (KeyError, OSError):
        return "command"


def spoken() -> Language:
    """Return the language of the terminal, by the environment's ``LANG``; English without one."""
    return preferred_language(os.environ.get("LANG", "en").replace("_", "-").split(".")[0])


def node_settings(code: str, home: Path | None = None) -> Settings:
    """Read the settings of node ``code``: from its file under the home directory if there is one, and the environment.

    Raises:
        SettingsInvalid: as :func:`~shared.kernel.settings.load_settings`.
    """
    base = home or Path(os.environ.get("GUANXI_HOME", "var"))
    file = settings_file(base, code)
    return load_settings(file if file.is_file() else None, code=code, home=base)


def run(code: str, act: Callable[[NodeContext], Awaitable[Result]]) -> Result:
    """Open node ``code``, let ``act`` work on it, and return what it returns.

    A refusal is printed as a sentence and ends the program with exit code 1.
    """

    async def work() -> Result:
        settings = node_settings(code)
        _require_known(settings)
        async with open_context(settings) as context:
            return await act(context)

    with sentences():
        return asyncio.run(work())


def _require_known(settings: Settings) -> None:
    """Refuse a node of which there is nothing: it would be made by being looked at."""
    if settings.database_url or settings.directory.is_dir():
        return
    raise CommandFailed(
        f"There is no node {settings.code} under {settings.home}. Say by GUANXI_HOME where it is, or start it first: "
        f"`guanxi node run --node {settings.code}`."
    )


@contextmanager
def sentences() -> Iterator[None]:
    """Turn what may go wrong for a reason that the reader can mend into a sentence and exit code 1."""
    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        yield
    except Problem as problem:
        language = spoken()
        fail(
            problem.speak(language),
            *[f"{fault.pointer}: {fault.speak(language)}" for fault in problem.faults],
        )
    except (
        SettingsInvalid,
        EmbeddedPostgresError,
        MigrationRefused,
        CommandFailed,
        CommandError,
    ) as error:
        fail(str(error))
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        fail(f"The node's database refuses: {error}. Check its address and that it runs.")
    except (
        FileNotFoundError,
        FileExistsError,
        PermissionError,
        IsADirectoryError,
        ConnectionError,
    ) as error:
        fail(str(error))
    finally:
        structlog.configure(**before)


def fail(sentence: str, *details: str) -> NoReturn:
    """Print why the command failed, and end with exit code 1."""
    errors.print(sentence, style="bold red", highlight=False, markup=False, soft_wrap=True)
    for detail in details:
        errors.print(f"  {detail}", highlight=False, markup=False, soft_wrap=True)
    raise typer.Exit(1)


def show(
    result: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, json: bool, title: str = ""
) -> None:
    """Print one thing or a list of things as a table, or as JSON on one line."""
    if json:
        sys.stdout.write(
            orjson.dumps(result, default=str, option=orjson.OPT_NON_STR_KEYS).decode() + "\n"
        )
        return
    if isinstance(result, Mapping):
        table = Table(title=title or None, show_header=False)
        for name, value in result.items():
            table.add_row(str(name), _cell(value))
    else:
        table = Table(title=title or None)
        if not result:
            console.print(f"{title or 'Result'}: nothing to show.")
            return
        for name in result[0]:
            table.add_column(
                str(name), justify="right" if isinstance(result[0][name], int | float) else "left"
            )
        for row in result:
            table.add_row(*[_cell(value) for value in row.values()])
    console.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict | list):
        return orjson.dumps(value, default=str).decode()
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def progress() -> Progress:
    """Return a progress bar on standard error, so that standard output stays clean for results."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=errors,
        transient=True,
    )
