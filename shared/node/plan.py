"""From a topology to its nodes as they are to run: settings, addresses, databases, environment."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from shared.kernel.settings import NOT_SETTINGS, Settings, load_settings, settings_file
from shared.kernel.tier import Tier
from shared.node.topology import Topology
from shared.organisation.division import division

DATABASE_VARIABLES = ("GUANXI_DATABASE_URL", "DATABASE_URL")
OWNER_VARIABLE = "GUANXI_DATABASE_OWNER_URL"


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
            **{"database_url": None, "database_owner_url": None, "parent_url": None, **self.values},
        )

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return ``given`` as the node's processes see it: what belongs to this node alone comes from its file."""
        its_own = {
            "GUANXI_CODE",
            "GUANXI_PARENT_URL",
            *NOT_SETTINGS,
            *DATABASE_VARIABLES,
            OWNER_VARIABLE,
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


def plan(topology: Topology, environment: Mapping[str, str]) -> list[PlannedNode]:
    """Return the nodes as they are to run: parents first, then in the order of their codes.

    A ``DATABASE_URL`` in ``environment`` names a server, not a database that the nodes could share: each gets one of
    its own on it, named ``guanxi_<code>``, unless the topology names one. A ``GUANXI_DATABASE_OWNER_URL`` is the same
    server as the role that makes the databases and owns their tables.

    Args:
        topology: what the file says.
        environment: the variables of the command, such as ``os.environ``.
    """
    home = Path(environment.get("GUANXI_HOME") or topology.home)
    server = next((environment[name] for name in DATABASE_VARIABLES if environment.get(name)), None)
    owner = environment.get(OWNER_VARIABLE) if server else None
    order = list(Tier)[::-1]
    codes = sorted(topology.nodes, key=lambda code: (order.index(division(code).tier), code))
    return [_planned(code, topology, home, server, owner) for code in codes]


def _planned(
    code: str, topology: Topology, home: Path, server: str | None, owner: str | None
) -> PlannedNode:
    entry = topology.nodes[code]
    parent = division(code).parent
    parent_url = entry.parent_address or (
        _url(topology.nodes[parent].host, topology.nodes[parent].port) if parent else None
    )
    server, owner = (None, None) if entry.database else (server, owner)
    database_url = derived_database(server, code) if server else entry.database
    values: dict[str, str | int | float | bool] = {
        "host": entry.host,
        "port": entry.port,
        "workers": entry.workers,
    }
    values |= {"parent_url": parent_url} if parent_url else {}
    values |= {"database_url": database_url} if database_url else {}
    values |= {"database_owner_url": derived_database(owner, code)} if owner else {}
    return PlannedNode(code, home, values | entry.settings, owner or server)


def derived_database(server: str, code: str) -> str:
    """Return the address of node ``code``'s own database on the server that the address ``server`` is of."""
    parts = urlsplit(server)
    return f"{parts.scheme}://{parts.netloc}/guanxi_{code}" + (
        f"?{parts.query}" if parts.query else ""
    )


def _url(host: str, port: int) -> str:
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared with, not bound to
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def listed(nodes: Sequence[PlannedNode]) -> dict[str, dict[str, str]]:
    """Return the nodes by code, each with its tier and where it is reached."""
    return {node.code: {"tier": node.tier.value, "url": node.url} for node in nodes}
