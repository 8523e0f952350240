"""One node's own PostgreSQL, as whoever breaks it sees it: killed, short of disk, backed up, restored.

The node starts and watches its server by itself (:mod:`shared.kernel.embedded_postgres`); here nothing is registered
as a user of it, so that nothing here keeps it alive.
"""

import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

import asyncpg

from shared.kernel.embedded_postgres import PORT, SUPERUSER, EmbeddedPostgres, EmbeddedPostgresError
from shared.kernel.postgres_programs import (
    SHELL,
    Account,
    command_lines,
    make_directory,
    programs_for,
)

LOG_FILE = 16 * 1024 * 1024
"""Bytes in one file of the write-ahead log."""
SHARED_MEMORY = 3 * 512 * 1024
"""Bytes that a process may have to have in one file of shared memory, which is no disk and must not be full."""
LOOK_SECONDS = 0.05
_LIMIT = """
soft=$1; shift
for pid; do if prlimit --pid "$pid" --fsize="$soft:" 2>/dev/null; then echo "$pid"; fi; done
"""


class NodePostgres:
    """The server of the node of ``code`` whose home is ``home``."""

    def __init__(self, code: str, home: Path) -> None:
        self._server = EmbeddedPostgres(home / "postgres")
        self._home = home
        self.url = self._server.database_url(f"guanxi_{code}")

    def processes(self) -> list[int]:
        """Return the server's processes, the postmaster first."""
        return list(self._command_lines())

    def _command_lines(self) -> dict[int, str]:
        name = self._server._name
        lines = command_lines()
        postmaster = {pid: line for pid, line in lines.items() if f"cluster_name={name}" in line}
        return postmaster | {
            pid: line for pid, line in lines.items() if line.startswith(f"postgres: {name}: ")
        }

    def kill(self) -> None:
        """Kill the server, all of it, as a power loss would; waits until it has ended, and does nothing without one."""
        while processes := self.processes():
            for pid in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(LOOK_SECONDS)

    def limit_files(self, limit: int | None) -> int:
        """Let no process of the server write beyond ``limit`` bytes of any file: to it, the disk is full.

        Its log is left out, for whoever has to read it. Those that the server starts inherit the limit; a server that
        is started anew does not. ``None`` takes the limit away.

        Returns:
            How many processes that was done to.
        """
        lines = self._command_lines().items()
        pids = [str(pid) for pid, line in lines if not line.rstrip().endswith(": logger")]
        soft = "unlimited" if limit is None else str(limit)
        # As the server's own account, since even root may lack the right to limit another's processes.
        done = Account.for_data(self._data).run(SHELL, "-c", _LIMIT, "sh", soft, *pids)
        return len(done.splitlines())

    async def log_offset(self) -> int:
        """Return how far the present file of the write-ahead log is filled; if the server is down, as if little."""
        try:
            connection = await asyncpg.connect(self.url)
            try:
                position = await connection.fetchval("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
            finally:
                await connection.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            position = 0
        return max(int(position) % LOG_FILE, SHARED_MEMORY)

    def back_up(self, name: str) -> None:
        """Take a backup of the running server.

        Raises:
            EmbeddedPostgresError: if that is not possible now.
        """
        account = Account.for_data(self._data)
        target = self._home / "backups"
        if make_directory(target, 0o700):
            account.own(target)
        shutil.rmtree(target / name, ignore_errors=True)
        programs, _ = programs_for(account, self._server.installation, self._server.shelter)
        options = ("--checkpoint=fast", "--wal-method=stream", "--no-sync")
        where = ("-h", str(self._server._socket.parent), "-p", str(PORT), "-U", SUPERUSER)
        account.run(programs / "pg_basebackup", *options, *where, "-D", target / name)

    def restore(self, name: str) -> None:
        """Put a backup in the place of the data; it can be restored only once.

        Raises:
            EmbeddedPostgresError: if the server still runs.
        """
        if running := self.processes():
            raise EmbeddedPostgresError(f"The server in {self._data} still runs: {running}.")
        shutil.rmtree(self._data)
        (self._home / "backups" / name).rename(self._data)

    @property
    def _data(self) -> Path:
        return self._server._data
