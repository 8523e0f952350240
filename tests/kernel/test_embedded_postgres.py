"""The embedded PostgreSQL, with real servers. As root they run as another user, as in operation."""

import asyncio
import multiprocessing
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shared.kernel import embedded_postgres
from shared.kernel.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from shared.kernel.postgres_programs import Account

# Later Pythons warn of forking beside threads; the children here take no lock that one could hold.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")

AS_ROOT = os.geteuid() == 0
ENDLESS = "DO $$ BEGIN RAISE NOTICE 'begun'; LOOP END LOOP; END $$"
USER = """
import sys
from pathlib import Path
from shared.kernel.embedded_postgres import EmbeddedPostgres

server = EmbeddedPostgres(Path(sys.argv[1]), shelter=Path(sys.argv[2]))
server.start()
print("started", flush=True)
sys.stdin.readline()
server.release()
print("released", flush=True)
"""

Make = Callable[[Path], EmbeddedPostgres]
Process = subprocess.Popen[str]


@pytest.fixture(scope="module")
def ground() -> Iterator[Path]:
    """A directory that every user may pass through, which ``tmp_path`` is not."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory).resolve()
        path.chmod(0o755)
        yield path


@pytest.fixture(scope="module")
def home(ground: Path) -> Iterator[Path]:
    """A home that the tests share, one after the other: making a data directory takes a second."""
    yield ground / "home"
    last = EmbeddedPostgres(ground / "home", shelter=ground / "shelter")
    last.start()
    last.release()


@pytest.fixture
def make(ground: Path) -> Iterator[Make]:
    """Make users of the server of a home, which release it after the test."""
    with ExitStack() as releases:

        def make(home: Path) -> EmbeddedPostgres:
            server = EmbeddedPostgres(home, shelter=ground / "shelter")
            releases.callback(server.release)
            return server

        yield make


@pytest.fixture
def spawn(ground: Path, home: Path) -> Iterator[Callable[[], Process]]:
    """Start processes that use the server of ``home`` until they are sent a line."""
    with ExitStack() as processes:

        def spawn() -> Process:
            process = subprocess.Popen(
                [sys.executable, "-c", USER, home, ground / "shelter"],
                cwd=Path(__file__).parents[2],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            processes.enter_context(process)
            processes.callback(process.kill)
            return process

        yield spawn


def hears(process: Process, word: str) -> bool:
    return process.stdout is not None and process.stdout.readline() == f"{word}\n"


def let_go(process: Process) -> bool:
    assert process.stdin is not None
    print(file=process.stdin, flush=True)
    return hears(process, "released")


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    # With a factory the loop of this thread, which other tests use, is left alone.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        return runner.run(coroutine)


def query(server: EmbeddedPostgres, sql: str, database: str = "postgres") -> Any:
    """Run ``sql`` and return the first value of its answer."""

    async def connect_and_fetch() -> object:
        connection = await asyncpg.connect(server.database_url(database))
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return run(connect_and_fetch())


def answers(server: EmbeddedPostgres) -> bool:
    try:
        return bool(query(server, "SELECT true"))
    except (ConnectionRefusedError, FileNotFoundError):
        return False


def postmaster(server: EmbeddedPostgres) -> int:
    data = Path(query(server, "SHOW data_directory"))
    return int((data / "postmaster.pid").read_text().partition("\n")[0])


def kill_and_wait(pid: int) -> None:
    """Kill a process that is not our child, and wait until it has let go of what it held."""
    handle = os.pidfd_open(pid)
    os.kill(pid, signal.SIGKILL)
    ended, _, _ = select.select([handle], [], [], 10)
    os.close(handle)
    assert ended


def test_keeps_its_rows_when_stopped_and_started(make: Make, home: Path) -> None:
    server = make(home)
    server.start()
    server.start()
    server.create_database("city")
    query(server, "CREATE TABLE customer (name text)", "city")
    query(server, "INSERT INTO customer VALUES ('王')", "city")
    assert not server.ensure_running()
    server.release()
    server.release()
    assert not answers(server)
    with pytest.raises(EmbeddedPostgresError, match="call start"):
        server.ensure_running()
    server.start()
    assert query(server, "SELECT name FROM customer", "city") == "王"


def test_is_set_up_as_the_program_needs_it(
    make: Make, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "6543")
    monkeypatch.setenv("PGOPTIONS", "-c no_such_setting=1")
    server = make(home)
    server.start()
    server.create_database("city")
    expected = {"fsync": "on", "listen_addresses": "", "TimeZone": "UTC", "server_encoding": "UTF8"}
    assert {name: query(server, f"SHOW {name}", "city") for name in expected} == expected
    query(server, "CREATE EXTENSION pg_trgm", "city")
    assert query(server, "SELECT show_trgm('关系')", "city")
    assert (server.binaries / "pg_dump").exists()


def test_last_process_to_release_stops_it(
    make: Make, home: Path, spawn: Callable[[], Process]
) -> None:
    first, second = spawn(), spawn()
    assert hears(first, "started")
    assert hears(second, "started")
    observer = make(home)
    pid = postmaster(observer)
    assert let_go(first)
    assert postmaster(observer) == pid
    assert let_go(second)
    assert not answers(observer)


def test_outlives_a_killed_user_and_is_stopped_by_the_next(
    make: Make, home: Path, spawn: Callable[[], Process]
) -> None:
    user = spawn()
    assert hears(user, "started")
    server = make(home)
    pid = postmaster(server)
    user.kill()
    user.wait()
    server.start()
    assert postmaster(server) == pid
    server.release()
    assert not answers(server)


def test_forked_process_is_a_user_of_its_own(make: Make, home: Path) -> None:
    server = make(home)
    server.start()
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=server.release)
    child.start()
    child.join()
    assert child.exitcode == 0
    assert answers(server)

    ours, theirs = fork.Pipe()

    def use() -> None:
        server.start()
        theirs.send("started")
        theirs.recv()
        server.release()

    child = fork.Process(target=use)
    child.start()
    assert ours.recv() == "started"
    server.release()
    assert answers(server)
    ours.send("release")
    child.join()
    assert child.exitcode == 0
    assert not answers(server)


def test_recovers_from_the_death_of_its_postmaster(
    make: Make, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded_postgres, "ORPHAN_GRACE", 0.1)
    server = make(home)
    server.start()
    query(server, "CREATE TABLE payment (fen bigint)")
    query(server, "INSERT INTO payment SELECT generate_series(1, 1000)")

    async def kill_during_a_query() -> bool:
        connection = await asyncpg.connect(server.database_url("postgres"))
        begun = asyncio.Event()
        connection.add_log_listener(lambda _connection, _notice: begun.set())
        orphan = asyncio.create_task(connection.execute(ENDLESS))
        await begun.wait()
        kill_and_wait(await asyncio.to_thread(postmaster, server))
        assert not orphan.done()
        started = await asyncio.to_thread(server.ensure_running)
        with pytest.raises(asyncpg.ConnectionDoesNotExistError):
            await orphan
        return started

    assert run(kill_during_a_query())
    assert not server.ensure_running()
    assert query(server, "SELECT sum(fen) FROM payment") == 500_500


def test_starts_though_another_process_has_the_number_of_its_dead_postmaster(
    make: Make, home: Path
) -> None:
    server = make(home)
    server.start()
    data = Path(query(server, "SHOW data_directory"))
    kill_and_wait(postmaster(server))
    owner = Account.for_data(data).uid
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, user=owner) as other:
        left = (data / "postmaster.pid").read_text().splitlines()
        (data / "postmaster.pid").write_text("\n".join([str(other.pid), *left[1:]]))
        assert server.ensure_running()
    assert answers(server)


def test_starts_again_when_its_socket_was_removed(make: Make, home: Path) -> None:
    server = make(home)
    server.start()
    pid = postmaster(server)
    shutil.rmtree(query(server, "SHOW unix_socket_directories"))
    assert server.ensure_running()
    assert postmaster(server) != pid


def test_creates_a_database_once_for_all_who_ask_at_once(make: Make, home: Path) -> None:
    server, other = make(home), make(home)
    server.start()
    other.start()
    name = 'city "440300"; DROP DATABASE postgres; -- 深圳'
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda use: use.create_database(name), [server, other, server, other]))
    assert query(server, "SELECT current_database()", name) == name


@pytest.mark.parametrize("name", ["", "深" * 22, "a\0b"])
def test_refuses_what_cannot_name_a_database(make: Make, ground: Path, name: str) -> None:
    with pytest.raises(EmbeddedPostgresError, match="1 to 63 bytes"):
        make(ground).create_database(name)


def test_quotes_the_log_when_it_cannot_start(make: Make, home: Path) -> None:
    server = make(home)
    server.start()
    broken = Path(query(server, "SHOW data_directory")) / "postgresql.auto.conf"
    server.release()
    broken.write_text("max_connections = 'many'\n")
    try:
        with pytest.raises(EmbeddedPostgresError, match=r"(?s)pg_ctl failed.*log.*\"many\""):
            server.start()
    finally:
        broken.write_text("")


def test_names_what_stands_in_its_way(make: Make, ground: Path) -> None:
    (ground / "file").write_text("")
    with pytest.raises(EmbeddedPostgresError, match=r"file.*DATABASE_URL"):
        make(ground / "file" / "home").start()


def test_keeps_the_socket_of_a_long_path_elsewhere(make: Make, ground: Path) -> None:
    server = make(ground / "'$HOME' \"深圳\"," / ("x" * 100))
    server.start()
    sockets = Path(query(server, "SHOW unix_socket_directories"))
    assert sockets.parent == Path("/tmp")  # noqa: S108 - the expectation
    assert sockets.stat().st_mode & 0o777 == 0o700
    server.release()
    assert not sockets.exists()
    sockets.mkdir(mode=0o755)
    try:
        with pytest.raises(EmbeddedPostgresError, match=f"{sockets} is not a directory that its"):
            server.start()
    finally:
        sockets.rmdir()


def test_lies_in_the_shelter_when_its_account_cannot_reach_home(make: Make, ground: Path) -> None:
    home = ground / "locked" / "home"
    home.parent.mkdir(mode=0o700)
    server = make(home)
    server.start()
    assert home.parent.stat().st_mode & 0o777 == 0o700
    data = Path(query(server, "SHOW data_directory"))
    assert data.is_relative_to(ground / "shelter" if AS_ROOT else home)
    assert data.stat().st_mode & 0o777 == 0o700
    server.release()
    home.parent.rename(ground / "moved")
    moved = make(ground / "moved" / "home")
    moved.start()
    if AS_ROOT:
        assert query(moved, "SHOW data_directory") == str(data)
        assert (data.parent / "home").read_text() == str(ground / "moved" / "home")


def test_refuses_a_copied_home_whose_server_is_the_original_s(
    make: Make, ground: Path, home: Path
) -> None:
    original, copy, place = ground / "original", ground / "copy", home
    original.mkdir()
    copy.mkdir()
    (place / "home").write_text(str(original))
    (original / "location").write_text(str(place))
    shutil.copy(original / "location", copy)
    with pytest.raises(EmbeddedPostgresError, match=f"{copy} is a copy of {original}"):
        make(copy).start()
    make(original).start()
    with pytest.raises(EmbeddedPostgresError, match=f"{copy} is a copy of {original}"):
        make(copy).start()


def test_runs_as_whoever_starts_it_unless_that_is_root(make: Make, ground: Path) -> None:
    home = ground / "nobody"
    home.mkdir()
    server = make(home / "postgres")
    if AS_ROOT:
        shutil.chown(home, "nobody")

    def use() -> None:
        if AS_ROOT:
            nobody = pwd.getpwnam("nobody")
            os.setgroups([])
            os.setgid(nobody.pw_gid)
            os.setuid(nobody.pw_uid)
        server.start()
        assert query(server, "SHOW data_directory") == str(home / "postgres" / "data")
        server.release()

    child = multiprocessing.get_context("fork").Process(target=use)
    child.start()
    child.join()
    assert child.exitcode == 0
    assert (home / "postgres" / "data").owner() == home.owner()
    # Root continues with what an ordinary user has begun, as that user.
    server.start()
    assert Path(f"/proc/{postmaster(server)}").owner() == home.owner()
