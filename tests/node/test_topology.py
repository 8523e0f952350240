"""Topology files: what they say, what is wrong with them, and what becomes of them."""

import stat
import tomllib
from pathlib import Path
from typing import Any

import pytest

from shared.kernel.settings import load_settings
from shared.kernel.tier import Tier
from shared.node.plan import PlannedNode, derived_database, plan
from shared.node.topology import TopologyInvalid, check_topology, read_topology, schema

ROOT = Path(__file__).parents[2]
HQ, GUANGDONG, SHENZHEN = "000000", "440000", "440300"


def nodes(**entries: dict[str, Any]) -> dict[str, Any]:
    """Three nodes that are right, changed by ``entries``: ``n440300={"workers": 2}``."""
    right: dict[str, dict[str, Any]] = {
        HQ: {"listen": "127.0.0.1:8400"},
        GUANGDONG: {"listen": "127.0.0.1:8440"},
        SHENZHEN: {"listen": "127.0.0.1:8443"},
    }
    for name, entry in entries.items():
        code = name.removeprefix("n")
        right[code] = right.get(code, {}) | entry
    return {"nodes": right}


def planned(content: dict[str, Any], **environment: str) -> dict[str, PlannedNode]:
    return {node.code: node for node in plan(check_topology(content, "file"), environment)}


def test_tier_parent_and_addresses_follow_from_the_code() -> None:
    found = planned(nodes())

    assert list(found) == [HQ, GUANGDONG, SHENZHEN]
    assert [node.tier for node in found.values()] == [Tier.HQ, Tier.PROVINCE, Tier.CITY]
    assert [node.parent for node in found.values()] == [None, HQ, GUANGDONG]
    assert [node.values.get("parent_url") for node in found.values()] == [
        None,
        "http://127.0.0.1:8400",
        "http://127.0.0.1:8440",
    ]
    assert found[SHENZHEN].url == "http://127.0.0.1:8443"


def test_a_node_that_listens_everywhere_is_reached_on_loopback() -> None:
    found = planned(nodes(n440000={"listen": "0.0.0.0:8440"}, n440300={"listen": "[::]:8443"}))

    assert found[SHENZHEN].values["host"] == "::"
    assert found[SHENZHEN].url == "http://[::1]:8443"
    assert found[SHENZHEN].values["parent_url"] == "http://127.0.0.1:8440"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({}, "`nodes` is missing"),
        ({"nodes": {}}, "at least 1 item"),
        (nodes() | {"haus": "var"}, "`haus` is unknown"),
        (
            nodes(n44={"listen": "127.0.0.1:1"}),
            "`nodes.44` '44' is wrong: it must be a division code",
        ),
        (nodes(n990100={"listen": "127.0.0.1:1"}), "'990100' is no division of the network"),
        (nodes(n440300={"listen": "127.0.0.1"}), "`nodes.440300.listen` '127.0.0.1' is wrong"),
        (nodes(n440300={"listen": "127.0.0.1:70000"}), "between 1 and 65535"),
        (nodes(n440300={"listen": "127.0.0.1:8440"}), "nodes 440000 and 440300 cannot both listen"),
        (nodes(n440300={"tier": "province"}), "440300 (Shenzhen) is a city node"),
        (nodes(n440300={"workers": 0}), "`nodes.440300.workers` 0 is wrong"),
        (nodes(n440300={"database": "mysql://u:secret@h/d"}), "`nodes.440300.database` is wrong"),
        (nodes(n440300={"settings": {"port": 1}}), "settings holds what has a place of its own"),
        (nodes(n000000={"parent_address": "http://x"}), "HQ has no parent"),
        (nodes(n110100={"listen": "127.0.0.1:1"}), "110100 has no way to its parent 110000"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(content: dict[str, Any], words: str) -> None:
    with pytest.raises(TopologyInvalid) as refused:
        check_topology(content, "my.toml")

    assert str(refused.value).startswith("my.toml: ")
    assert words in str(refused.value)
    assert "secret" not in str(refused.value)


def test_every_mistake_of_a_file_is_said_at_once() -> None:
    with pytest.raises(TopologyInvalid) as refused:
        check_topology(nodes(n440300={"workers": 0, "lisen": "x"}), "my.toml")

    assert len(str(refused.value).splitlines()) == 2


@pytest.mark.parametrize("text", ["nodes = [", "\xff"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "my.toml"
    file.write_bytes(text.encode("latin-1"))

    with pytest.raises(TopologyInvalid, match=r"my\.toml is not TOML"):
        read_topology(file)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TopologyInvalid, match=r"nowhere\.toml cannot be read"):
        read_topology(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("name", ["topology.toml", "demo/topology.toml"])
def test_the_files_that_ship_are_right(name: str) -> None:
    found = plan(read_topology(ROOT / "deploy" / name), {})

    assert {node.tier for node in found} == set(Tier)
    assert [node.settings().code for node in found] == [node.code for node in found]


def test_database_url_names_a_server_and_each_node_gets_its_own_database_there() -> None:
    server = "postgresql://guanxi:p%40ss@db:5433/main?sslmode=require"
    own = "postgresql://elsewhere/shenzhen"

    found = planned(nodes(n440300={"database": own}), DATABASE_URL=server)

    assert (
        found[HQ].values["database_url"]
        == "postgresql://guanxi:p%40ss@db:5433/guanxi_000000?sslmode=require"
    )
    assert (found[HQ].server, found[SHENZHEN].server) == (server, None)
    assert found[SHENZHEN].values["database_url"] == own


def test_a_server_on_a_socket_keeps_its_address() -> None:
    assert (
        derived_database("postgresql:///main?host=/run", HQ)
        == "postgresql:///guanxi_000000?host=/run"
    )


def test_without_database_url_nodes_use_the_embedded_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = planned(nodes())
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody/elses")

    assert found[HQ].settings().database_url is None


def test_a_node_sees_nothing_of_the_environment_that_is_another_nodes(tmp_path: Path) -> None:
    given = {
        "PATH": "/bin",
        "DATABASE_URL": "postgresql://shared",
        "GUANXI_PORT": "1",
        "GUANXI_CODE": "110000",
        "GUANXI_PARENT_URL": "http://x",
        "GUANXI_LOG_LEVEL": "debug",
    }
    found = planned(nodes(), GUANXI_HOME=str(tmp_path))

    assert found[SHENZHEN].environment(given) == {
        "PATH": "/bin",
        "GUANXI_LOG_LEVEL": "debug",
        "GUANXI_HOME": str(tmp_path),
        "GUANXI_NODE": SHENZHEN,
    }


def test_settings_are_written_for_the_node_alone_and_only_when_they_change(tmp_path: Path) -> None:
    content = nodes(
        n440300={"settings": {"rollup_time": "02:15"}, "database": "postgresql://u:p@h/d"}
    )
    node = planned(content, GUANXI_HOME=str(tmp_path))[SHENZHEN]
    file = tmp_path / "nodes" / SHENZHEN / "node.toml"

    node.write_settings("my.toml")
    first = file.stat()
    node.write_settings("my.toml")
    settings = load_settings(file, code=SHENZHEN, home=tmp_path)

    assert stat.S_IMODE(first.st_mode) == 0o600
    assert file.stat().st_ino == first.st_ino
    assert tomllib.loads(file.read_text(encoding="utf-8")) == node.values
    assert (settings.port, settings.rollup_time) == (8443, "02:15")
    assert settings.model_dump() == node.settings().model_dump()

    planned(nodes(), GUANXI_HOME=str(tmp_path))[SHENZHEN].write_settings("my.toml")
    assert load_settings(file, code=SHENZHEN).rollup_time == "01:30"


def test_the_published_schema_is_that_of_the_program() -> None:
    published = (ROOT / "docs" / "topology.schema.json").read_text(encoding="utf-8")

    assert published == schema(), "run: guanxi up --schema > docs/topology.schema.json"
