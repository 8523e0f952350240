"""A real PostgreSQL of the program's own, for nodes that are given no ``DATABASE_URL``.

All nodes of a home, with all their worker processes, share one server and have a database each. Its
tables belong to the superuser; the nodes work as :data:`NODE_ROLE`, which changes no table.

*directory*: what the caller names; it holds ``start.lock``, ``users.lock`` and usually the place.
*place*: holds ``data/``, ``log/``, ``socket/`` and ``guanxi.conf``. It is the directory itself, or
else what the file ``directory/location`` names.
*account*: whom the server runs as. PostgreSQL refuses root, so a program started as root takes the
owner of existing data, else ``postgres``, else ``nobody``; any other user runs it as itself.
*user*: an :class:`EmbeddedPostgres` between ``start`` and ``release``, by a shared lock on
``users.lock``.

Life cycle. The first user makes the data directory (under another name, renamed when complete, so
that no interruption leaves half of one) and starts the server in a session of its own: neither
Ctrl-C nor the end of its starter stops it. The last user to release stops it. The kernel takes a
lock back when its process dies, so nobody has to be counted out after ``kill -9``: the next user
finds the server running, or recovers it. Starting, stopping and registering happen under an
exclusive lock on ``start.lock``, so a server is never stopped under a user who has just come.

Failure. When the postmaster is killed, others of its processes may outlive it, at work on a long
query: they get a few seconds and are killed then, because two sets of processes would destroy the
data; what was committed is in the write-ahead log. Recovery is waited for as long as it takes, up
to an hour, with progress in the log. What cannot be done is an :class:`EmbeddedPostgresError` that
quotes the server's log. Data of another major version is refused and left as it is.

As root. The account may be unable to reach what root can (a home under ``/root``, mode 0700).
Permissions of directories that the program did not make are never changed. Instead the place is a
new directory in the *shelter* (``/var/lib/guanxi``), and stays there; ``location`` and, at the
other end, ``home`` record it, and a copied home is refused rather than let two homes write to one
server. Root itself writes only where the account cannot, so that the account gains nothing by
planting links.

Access. There is no TCP port. The socket is 0700, in a directory of mode 0700 that belongs to the
account: whoever can connect could read the files as well, so a password would add nothing. A
socket's path must be short (107 bytes) and free of signs that mean something in a connection
string; where it is not, the socket lies in ``/tmp/guanxi-<hash of the place>``, as protected.
"""

import contextlib
import fcntl
import logging
import os
import re
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from shared.kernel.postgres_programs import (
    CREATE_DATABASE,
    NODE_ROLE,
    Account,
    EmbeddedPostgresError,
    Installation,
    command_lines,
    digest,
    find_installation,
    make_data_directory,
    make_directory,
    programs_for,
    refuse_other_version,
    write_durably,
)

__all__ = ["NODE_ROLE", "EmbeddedPostgres", "EmbeddedPostgresError"]

SUPERUSER = "guanxi"
PORT = 5432
"""Only part of the socket's name; in every connection string, so that ``PGPORT`` is not used."""
SHELTER = Path("/var/lib/guanxi")
LONGEST_SOCKET_PATH = 103
"""Bytes, on macOS; 107 on Linux."""
LONGEST_DATABASE_NAME = 63
"""Bytes; PostgreSQL would cut a longer name silently."""
PATIENCE = "3600"
"""Seconds for ``pg_ctl``: recovery may have gigabytes of write-ahead log to replay."""
ORPHAN_GRACE = 5.0
"""Seconds for processes that have lost their postmaster to end by themselves."""
POLL_INTERVAL = 0.1
"""Seconds between two looks at a server that is coming up or going down."""
KEPT_LOGS = 20
QUOTED_LINES = 10

SETTINGS = """\
# Written at every start of the server: changes here are lost. ALTER SYSTEM overrides this file.

listen_addresses = ''           # the socket only: no port to clash or to be reached from outside
port = {port}                     # part of the socket's name
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700  # connecting is as good as owning the data: there are no passwords

max_connections = 300           # tens of nodes, each with its workers' pools; an idle one is cheap
shared_buffers = 128MB          # for all nodes; the rest is better left to the system's cache

wal_level = replica             # enough for pg_basebackup and point-in-time recovery
fsync = on                      # what was answered must survive a power loss
synchronous_commit = on         # as fsync
full_page_writes = on           # a page half written by a power loss must be repairable
jit = off                       # our queries are short: compiling costs more than it saves

timezone = 'UTC'                # one order of times, whatever the machine's zone
log_timezone = 'UTC'            # as timezone
lc_messages = 'C'               # one language in the log, so that it can be searched

logging_collector = on          # the log outlives whoever started the server, and can be rotated
log_directory = '../log'
log_filename = 'postgresql-%Y%m%d-%H%M%S.log'
log_file_mode = 0600            # statements in it may hold personal data
log_rotation_age = 0            # by size alone; each start of the server removes the oldest
log_rotation_size = 10MB
"""

log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """One use of the server that belongs to ``directory``; every process makes its own.

    The methods wait: async code calls them through ``asyncio.to_thread``, from several threads at
    once if need be. Every method except ``database_url`` may raise :class:`EmbeddedPostgresError`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        installation: Installation | None = None,
        shelter: Path = SHELTER,
    ) -> None:
        self.directory = directory.resolve()
        self.installation = installation or find_installation()
        self.shelter = shelter.resolve()
        self._registration: tuple[int, int] | None = None
        """The process that registered, and its descriptor of the locked ``users.lock``."""

    @property
    def binaries(self) -> Path:
        """Where this process finds ``psql``, ``pg_dump``, ``pg_basebackup`` and the like."""
        return self.installation.root / self.installation.binaries

    def start(self) -> None:
        """Register as a user of the server, and start it if it does not run.

        Waits for crash recovery. Doing it again changes nothing.
        """
        with self._exclusively():
            self._start_server()
            # A forked child inherits its parent's registration, and is another user all the same.
            if self._registration is None or self._registration[0] != os.getpid():
                self._unregister()
                lock = self._open_users_lock()
                fcntl.flock(lock, fcntl.LOCK_SH)
                self._registration = (os.getpid(), lock)

    def ensure_running(self) -> bool:
        """Start the server again if it has died; cheap enough for every few seconds if not.

        Returns:
            True when the server had to be started.
        """
        self._require_registration()
        if self._ready():
            return False
        with self._exclusively():
            return self._start_server()

    def release(self) -> None:
        """End this use; the last one stops the server, breaking off whoever is still connected."""
        if self._registration is None:
            return
        with self._exclusively():
            self._unregister()
            lock = self._open_users_lock()
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.debug("Others still use the PostgreSQL of %s.", self.directory)
            else:
                if self._postmaster(command_lines()):
                    self._pg_ctl("stop", "-m", "fast")
                if not self._socket.is_relative_to(self._place):
                    with contextlib.suppress(OSError):  # it never started, or its socket is left
                        self._socket.parent.rmdir()
            finally:
                os.close(lock)

    def database_url(self, database: str, role: str = SUPERUSER) -> str:
        """Return the connection string of ``database`` for asyncpg and libpq, after ``start``."""
        host = quote(str(self._socket.parent))
        return f"postgresql://{role}@/{quote(database, safe='')}?host={host}&port={PORT}"

    def create_database(self, database: str) -> None:
        """Create ``database`` unless it is there; several processes may do so at once."""
        if not 0 < len(database.encode()) <= LONGEST_DATABASE_NAME or "\0" in database:
            raise EmbeddedPostgresError(
                f"{database!r} cannot be the name of a database: it must have "
                f"1 to {LONGEST_DATABASE_NAME} bytes, none of them zero."
            )
        self._require_registration()
        psql = self.binaries / "psql"
        options = ["-XqAt", "-v", "ON_ERROR_STOP=1", "-v", f"name={database}"]
        options += ["-v", f"role={NODE_ROLE}"]
        with self._exclusively():
            self._start_server()
            Account().run(psql, *options, self.database_url("postgres"), text=CREATE_DATABASE)

    def _require_registration(self) -> None:
        if self._registration is None:
            raise EmbeddedPostgresError(
                f"The PostgreSQL of {self.directory} is not in use here: call start() first."
            )

    def _open_users_lock(self) -> int:
        return os.open(self.directory / "users.lock", os.O_RDWR | os.O_CREAT, 0o600)

    def _unregister(self) -> None:
        if self._registration is not None:
            # Unlocking would unlock it for the process that this one was forked from, too.
            os.close(self._registration[1])
            self._registration = None

    @contextlib.contextmanager
    def _exclusively(self) -> Iterator[None]:
        """Keep every other thread and process from starting, stopping or registering."""
        try:
            make_directory(self.directory, 0o711)
            lock = os.open(self.directory / "start.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)
        except OSError as error:
            raise EmbeddedPostgresError(
                f"The PostgreSQL of {self.directory} cannot be used: {error}. Put right what this "
                "names, or set DATABASE_URL to a PostgreSQL that runs already."
            ) from error

    # Where things are

    @property
    def _place(self) -> Path:
        try:
            return Path((self.directory / "location").read_text().strip())
        except FileNotFoundError:
            return self.directory

    @property
    def _data(self) -> Path:
        return self._place / "data"

    @property
    def _log(self) -> Path:
        return self._place / "log"

    @property
    def _name(self) -> str:
        """What every process of the server carries in its command line."""
        return f"guanxi-{digest(self._place)}"

    @property
    def _socket(self) -> Path:
        path = self._place / "socket" / f".s.PGSQL.{PORT}"
        if len(str(path)) <= LONGEST_SOCKET_PATH and re.fullmatch(r"[A-Za-z0-9_/.@+-]+", str(path)):
            return path
        # Not tempfile.gettempdir(): TMPDIR may differ between the processes that share the server.
        return Path("/tmp", self._name, path.name)  # noqa: S108 - make_private checks whose it is

    def _settle(self, account: Account) -> None:
        """Choose the place of a new server, and check that of one which lies in the shelter."""
        location, place = self.directory / "location", self._place
        if place != self.directory:
            home = Path((place / "home").read_text())
            if home != self.directory:
                theirs = home / "location"
                if theirs.exists() and theirs.read_text() == location.read_text():
                    raise EmbeddedPostgresError(
                        f"{self.directory} is a copy of {home}, whose PostgreSQL lies in {place}: "
                        f"two homes cannot share it. Remove {location} to begin with an empty "
                        "server, and bring the data over with pg_dump and pg_restore."
                    )
                write_durably(place / "home", str(self.directory))
        elif not self._data.exists() and not account.reaches(self.directory):
            make_directory(self.shelter, 0o711)
            place = Path(tempfile.mkdtemp(prefix="postgres-", dir=self.shelter))
            place.chmod(0o711)
            write_durably(place / "home", str(self.directory))
            write_durably(location, str(place))
            log.info("PostgreSQL cannot reach %s: its files lie in %s.", self.directory, place)

    # Starting and stopping, under the exclusive lock

    def _start_server(self) -> bool:
        """Start the server and return True, unless it runs or comes up by itself."""
        account = Account.for_data(self._data)
        self._settle(account)
        if self._ready():
            return False
        programs, version = programs_for(account, self.installation, self.shelter)
        refuse_other_version(self._data, version)
        if self._await_predecessor():
            return False
        account.make_private(self._log)
        account.make_private(self._socket.parent)
        make_data_directory(self._data, account, programs, SUPERUSER, "../guanxi.conf")
        settings = SETTINGS.format(port=PORT, socket=self._socket.parent)
        write_durably(self._place / "guanxi.conf", settings)
        for old in sorted(self._log.glob("postgresql-*.log"))[:-KEPT_LOGS]:
            old.unlink()
        (self._log / "start.log").unlink(missing_ok=True)
        # None of its processes is left, so these are stale. PostgreSQL would refuse to start if the
        # number in them belonged to another process by now, as is usual when a container restarts,
        # or to a zombie, which stays where nobody reaps orphans.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        self._socket.with_name(f"{self._socket.name}.lock").unlink(missing_ok=True)
        log.info("Starting PostgreSQL %s in %s.", version, self._place)
        self._pg_ctl("start", "-l", "log/start.log", "-o", f"-c cluster_name={self._name}")
        return True

    def _await_predecessor(self) -> bool:
        """Wait while the server comes up, goes down or has lost its postmaster.

        Returns:
            True when it is ready, False when no process of it is left.
        """
        patience_ends = time.monotonic() + ORPHAN_GRACE
        while not self._ready():
            lines = command_lines()
            if self._postmaster(lines) or self._listening():
                if self._status() == "ready" and not self._socket.exists():
                    log.warning("Somebody has removed %s: stopping PostgreSQL.", self._socket)
                    self._pg_ctl("stop", "-m", "fast")
            else:
                title = f"postgres: {self._name}: "
                orphans = [pid for pid, line in lines.items() if line.startswith(title)]
                if not orphans:
                    return False
                if time.monotonic() > patience_ends:
                    log.warning("Killing orphans of PostgreSQL in %s: %s.", self._place, orphans)
                    for pid in orphans:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
            time.sleep(POLL_INTERVAL)
        return True

    def _pg_ctl(self, *arguments: str) -> None:
        account = Account.for_data(self._data)
        programs, _ = programs_for(account, self.installation, self.shelter)
        # pg_ctl does not quote -D and -l for its shell: the path of the place must not be in them.
        pg_ctl, data = programs / "pg_ctl", {"PGDATA": str(self._data)}
        arguments = (*arguments, "-w", "-t", PATIENCE)
        try:
            account.run(pg_ctl, *arguments, directory=self._place, variables=data)
        except EmbeddedPostgresError as error:
            files = sorted(self._log.glob("*.log"), key=lambda file: file.stat().st_mtime)[-2:]
            lines = "".join(file.read_text(errors="replace") for file in files).splitlines()
            raise EmbeddedPostgresError(
                "\n".join([f"{error} The log in {self._log} ends:", *lines[-QUOTED_LINES:]])
            ) from error

    # Looking at the server

    def _ready(self) -> bool:
        """Tell whether the server takes connections, as far as can be seen without making one."""
        return self._status() == "ready" and self._listening()

    def _status(self) -> str:
        return dict(enumerate(self._postmaster_file())).get(7, "").strip()

    def _postmaster_file(self) -> list[str]:
        """Return the lines of the file that a postmaster keeps; a killed one leaves it behind."""
        try:
            return (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _postmaster(self, lines: dict[int, str]) -> bool:
        """Tell whether the postmaster is among the processes with these command lines."""
        file = self._postmaster_file()
        return bool(file) and f"cluster_name={self._name}" in lines.get(int(file[0]), "")

    def _listening(self) -> bool:
        """Tell whether a process listens, which the postmaster of another container may be."""
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(0)
            try:
                probe.connect(str(self._socket))
            except BlockingIOError:  # it has a queue, and that is full
                return True
            except (FileNotFoundError, ConnectionRefusedError):
                return False
        return True
