"""Which process runs a node."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from shared.node.pidfile import AlreadyRunning, held, holder, is_open_in


def test_one_process_holds_it_and_everybody_can_tell_which(tmp_path: Path) -> None:
    file = tmp_path / "node.pid"
    assert holder(file) is None

    with held(file, "Node 440300"):
        assert holder(file) == os.getpid()
        assert is_open_in(file, os.getpid())
        with (
            pytest.raises(
                AlreadyRunning, match=f"Node 440300 is running already, as process {os.getpid()}"
            ),
            held(file, "Node 440300"),
        ):
            pass

    assert holder(file) is None
    assert not is_open_in(file, os.getpid())


def test_a_killed_process_holds_nothing_although_its_number_is_left(tmp_path: Path) -> None:
    file = tmp_path / "node.pid"
    program = f"from pathlib import Path; from shared.node.pidfile import held\nwith held(Path({str(file)!r}), 'x'): print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert holder(file) == process.pid
        assert is_open_in(file, process.pid)
        process.kill()

    assert file.read_text() == f"{process.pid}\n"
    assert holder(file) is None
    with held(file, "Node 440300"):
        assert holder(file) == os.getpid()
