"""A topology file: which nodes run on this machine, where each listens, and how each reaches its parent.

::

    home = "var"

    [nodes.440000]
    listen = "127.0.0.1:8440"
    parent_address = "http://127.0.0.1:8400"

    [nodes.440300]
    listen = "127.0.0.1:8443"

A node's tier and its parent follow from its division code. ``docs/topology.schema.json`` is made from the classes
below. Reading a file gives a :class:`Topology`; :mod:`shared.node.plan` turns it into each node's own settings.
"""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from shared.commandline import CommandFailed
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


def schema() -> str:
    """Return the JSON schema of topology files, as it is published."""
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Topology.model_json_schema(),
    }
    return json.dumps(described, indent=2, ensure_ascii=False) + "\n"
