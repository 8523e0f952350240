"""A topology file: which nodes run on this machine, where each listens, and how each reaches its parent.

::

    home = "var"

    [nodes.440000]
    listen = "127.0.0.1:8440"
    parent_address = "http://127.0.0.1:8400"

    [nodes.440300]
    listen = "127.0.0.1:8443"

A node's tier and its parent follow from its division code. ``docs/topology.schema.json`` is made from the classes
below. Reading a file gives a :class:`Topology`; :func:`plan` turns it into what each node's own settings will be.
"""

import json
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from shared.commandline import CommandFailed
from shared.kernel.settings import NOT_SETTINGS, Settings, load_settings, settings_file
from shared.kernel.tier import Tier
from shared.organisation.division import UnknownDivision, division

LISTEN = r"^(\[[0-9a-fA-F:]+\]|[^\s:\[\]]+):\d{1,5}$"
HIGHEST_PORT = 65535
DATABASE_VARIABLES = ("GUANXI_DATABASE_URL", "DATABASE_URL")

Code = Annotated[str, Field(pattern=r"^\d{6}$")]


class TopologyInvalid(CommandFailed):
    """A topology file is wrong; the message names the file, the place in it, and what is expected."""


class NodeEntry(BaseModel):
    """One node of a topology."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    listen: str = Field(
        pattern=LISTEN,
        description="Address and port that the node listens on, such as `127.0.0.1:8443`.",
    )
    tier: Tier | None = Field(
        default=None, description="The node's tier. It follows from the code; given, it must agree."
    )
    parent_address: str | None = Field(
        default=None,
        pattern=r"^https?://[^/\s]+",
        description="Base URL at which the node reaches its parent. Without it, the address that the parent listens on.",
    )
    database: str | None = Field(
        default=None,
        pattern=r"^postgres(ql)?://",
        description="PostgreSQL of the node. Without it, a database of its own on the server of `DATABASE_URL`, or else on the embedded one.",
    )
    workers: int = Field(default=1, ge=1, le=64, description="Worker processes that serve HTTP.")
    settings: dict[str, str | int | float | bool] = Field(
        default_factory=dict,
        description="Any other settings of the node, by the names of `docs/settings.md`.",
    )

    @field_validator("listen")
    @classmethod
    def _a_port(cls, value: str) -> str:
        if not 0 < int(value.rpartition(":")[2]) <= HIGHEST_PORT:
            raise ValueError("the port must lie between 1 and 65535")
        return value

    @property
    def host(self) -> str:
        """What the node listens on, without the port."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port that the node listens on."""
        return int(self.listen.rpartition(":")[2])


class Topology(BaseModel):
    """The nodes of one machine."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="Guanxi topology")

    home: Path = Field(
        default=Path("var"),
        description="Directory that the nodes keep their data under, relative to where the command is run.",
    )
    nodes: dict[Code, NodeEntry] = Field(min_length=1, description="The nodes, by division code.")

    @model_validator(mode="after")
    def _is_a_federation(self) -> Self:
        listening: dict[str, str] = {}
        for code, entry in self.nodes.items():
            try:
                place = division(code)
            except UnknownDivision as error:
                raise ValueError(str(error)) from None
            if entry.tier not in {None, place.tier}:
                raise ValueError(
                    f"nodes.{code}.tier is '{entry.tier}', but {code} ({place.name_en}) is a {place.tier} node: remove the line"
                )
            if place.parent is None and entry.parent_address:
                raise ValueError(f"nodes.{code}.parent_address must go: HQ has no parent")
            if place.parent and not entry.parent_address and place.parent not in self.nodes:
                raise ValueError(
                    f"node {code} has no way to its parent {place.parent}: add [nodes.{place.parent}], or give nodes.{code}.parent_address"
                )
            if entry.listen in listening:
                raise ValueError(
                    f"nodes {listening[entry.listen]} and {code} cannot both listen on {entry.listen}"
                )
            if set(entry.settings) & {
                "code",
                "home",
                "host",
                "port",
                "workers",
                "parent_url",
                "database_url",
            }:
                raise ValueError(
                    f"nodes.{code}.settings holds what has a place of its own: listen, workers, parent_address, database or home"
                )
            listening[entry.listen] = code
        return self


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """A node as it is to run.

    Attributes:
        code: its division code.
        home: the home directory of the machine's nodes.
        values: its settings beyond these two, as they go into its file.
        server: an address on the server where its database is to be made; empty if that is not our business.
    """

    code: str
    home: Path
    values: Mapping[str, str | int | float | bool]
    server: str | None = None

    @property
    def tier(self) -> Tier:
        """The node's tier."""
        return division(self.code).tier

    @property
    def parent(self) -> str | None:
        """The code of the node above it."""
        return division(self.code).parent

    @property
    def directory(self) -> Path:
        """Where the node keeps its own keys and files."""
        return settings_file(self.home, self.code).parent

    @property
    def name(self) -> str:
        """What people call it."""
        place = division(self.code)
        return f"{self.code} {place.name_en} {place.name_zh}"

    @property
    def host(self) -> str:
        """The address it listens on."""
        return str(self.values["host"])

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.values["port"])

    @property
    def url(self) -> str:
        """Where it is reached from this machine."""
        return _url(self.host, self.port)

    def settings(self) -> Settings:
        """Return the node's settings, whatever the environment says of other nodes.

        Raises:
            SettingsInvalid: if one of them is wrong.
        """
        return load_settings(
            None,
            code=self.code,
            home=self.home,
            **{"database_url": None, "parent_url": None, **self.values},
        )

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return ``given`` as the node's processes see it: what belongs to this node alone comes from its file."""
        its_own = {
            "GUANXI_CODE",
            "GUANXI_PARENT_URL",
            *NOT_SETTINGS,
            *DATABASE_VARIABLES,
            *(f"GUANXI_{name.upper()}" for name in self.values),
        }
        kept = {name: value for name, value in given.items() if name not in its_own}
        return kept | {"GUANXI_HOME": str(self.home.resolve()), "GUANXI_NODE": self.code}

    def write_settings(self, source: str) -> None:
        """Write the node's settings file, unless it says the same already.

        Args:
            source: where the settings come from, for whoever reads the file.
        """
        file = settings_file(self.home, self.code)
        lines = [
            f"# Written from {source}: changes here are lost.",
            *(f"{name} = {json.dumps(value)}" for name, value in self.values.items()),
        ]
        text = "\n".join(lines) + "\n"
        if file.is_file() and file.read_text(encoding="utf-8") == text:
            return
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        written = file.with_suffix(".new")
        written.unlink(missing_ok=True)
        # Nobody else may read it: the address of a database holds its password.
        with os.fdopen(
            os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as handle:
            handle.write(text)
        written.replace(file)


def read_topology(file: Path) -> Topology:
    """Read a topology file.

    Raises:
        TopologyInvalid: if it is not there or wrong.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise TopologyInvalid(
            f"The topology file {file} cannot be read: {error.strerror}. Write one, or name another with --topology."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TopologyInvalid(f"{file} is not TOML: {error}.") from None
    return check_topology(content, str(file))


def check_topology(content: Mapping[str, Any], source: str) -> Topology:
    """Return the topology that ``content`` describes.

    Raises:
        TopologyInvalid: if it is wrong.
    """
    try:
        return Topology.model_validate(content)
    except ValidationError as error:
        raise TopologyInvalid(
            "\n".join(_sentence(each, source) for each in error.errors())
        ) from None


def _sentence(error: Any, source: str) -> str:
    place = ".".join(str(part) for part in error["loc"] if part != "[key]")
    message = error["msg"].removeprefix("Value error, ").rstrip(".")
    if error["type"] == "missing":
        return f"{source}: `{place}` is missing."
    if error["type"] == "extra_forbidden":
        return f"{source}: `{place}` is unknown: remove it."
    if not place:
        return f"{source}: {message}."
    if place.endswith(".listen") and error["type"] == "string_pattern_mismatch":
        message = "it must be an address and a port, such as 127.0.0.1:8443"
    if error["loc"][-1] == "[key]":
        message = "it must be a division code of six digits, such as 440300"
    value = "" if "database" in place else f" {error['input']!r}"
    return f"{source}: `{place}`{value} is wrong: {message[0].lower()}{message[1:]}."


def plan(topology: Topology, environment: Mapping[str, str]) -> list[PlannedNode]:
    """Return the nodes as they are to run: parents first, then in the order of their codes.

    A ``DATABASE_URL`` in ``environment`` names a server, not a database that the nodes could share: each gets one of
    its own on it, named ``guanxi_<code>``, unless the topology names one.

    Args:
        topology: what the file says.
        environment: the variables of the command, such as ``os.environ``.
    """
    home = Path(environment.get("GUANXI_HOME") or topology.home)
    server = next((environment[name] for name in DATABASE_VARIABLES if environment.get(name)), None)
    order = list(Tier)[::-1]
    codes = sorted(topology.nodes, key=lambda code: (order.index(division(code).tier), code))
    return [_planned(code, topology, home, server) for code in codes]


def _planned(code: str, topology: Topology, home: Path, server: str | None) -> PlannedNode:
    entry = topology.nodes[code]
    parent = division(code).parent
    parent_url = entry.parent_address or (
        _url(topology.nodes[parent].host, topology.nodes[parent].port) if parent else None
    )
    server = None if entry.database else server
    database_url = derived_database(server, code) if server else entry.database
    values: dict[str, str | int | float | bool] = {
        "host": entry.host,
        "port": entry.port,
        "workers": entry.workers,
    }
    values |= {"parent_url": parent_url} if parent_url else {}
    values |= {"database_url": database_url} if database_url else {}
    return PlannedNode(code, home, values | entry.settings, server)


def derived_database(server: str, code: str) -> str:
    """Return the address of node ``code``'s own database on the server that the address ``server`` is of."""
    parts = urlsplit(server)
    return f"{parts.scheme}://{parts.netloc}/guanxi_{code}" + (
        f"?{parts.query}" if parts.query else ""
    )


def _url(host: str, port: int) -> str:
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared with, not bound to
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def schema() -> str:
    """Return the JSON schema of topology files, as it is published."""
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Topology.model_json_schema(),
    }
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"


def listed(nodes: Sequence[PlannedNode]) -> dict[str, dict[str, str]]:
    """Return the nodes by code, each with its tier and where it is reached."""
    return {node.code: {"tier": node.tier.value, "url": node.url} for node in nodes}
