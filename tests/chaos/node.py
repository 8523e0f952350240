"""``python -m tests.chaos.node``: one node of the chaos nation, until it is killed.

It is put together and served as any node is, with its own scheduler, listener and dialler and its own embedded
PostgreSQL under its own home; but it also does what :mod:`tests.chaos.capability` says, and reads the time from a clock
that is wrong by as many seconds as a file says.
"""

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn

from services.city_node.app import CAPABILITIES as OF_CITIES
from services.hq_node.app import CAPABILITIES as OF_HQ
from services.province_node.app import CAPABILITIES as OF_PROVINCES
from shared.capability import Capability
from shared.kernel import logging
from shared.kernel.settings import Settings, load_settings
from shared.kernel.tier import Tier
from shared.node.app import Node, create_node
from tests.chaos import capability as chaos
from tests.chaos.sabotage import SABOTAGES
from tests.chaos.schedule import PORTS

CLOCK_FILE = "clock-offset"


class WrongClock:
    """The machine's clock, off by the seconds in a file; right while there is none."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now(self) -> datetime:
        """Return what this clock takes for the present moment."""
        try:
            offset = float(self._file.read_text() or 0)
        except FileNotFoundError:
            offset = 0.0
        return datetime.now(UTC) + timedelta(seconds=offset)


def capabilities(tier: Tier) -> tuple[Capability, ...]:
    """Return what a node of the chaos nation can do: all that such a node can, and what chaos is made of."""
    usual = {Tier.CITY: OF_CITIES, Tier.PROVINCE: OF_PROVINCES, Tier.HQ: OF_HQ}
    return (*usual[tier], chaos.capability)


def settings_of(
    code: str, home: Path, *, port: int = 0, parent_url: str | None = None, **given: Any
) -> Settings:
    """Return the settings of a node of the chaos nation, which lives in a home of its own."""
    return load_settings(
        code=code,
        home=home,
        port=port,
        database_url=None,
        parent_url=parent_url,
        poll_seconds=5.0,
        exchange_timeout_seconds=4.0,
        **given,
    )


def addresses(url: str | None) -> dict[str, str]:
    """Return the settings that say where ports are, if there are any."""
    if url is None:
        return {}
    return {f"port_{name.replace('-', '_')}_url": f"{url}/{name}" for name in PORTS}


def make_node(settings: Settings) -> Node:
    """Put a node of the chaos nation together."""
    clock = WrongClock(settings.home / CLOCK_FILE)
    return create_node(settings.tier, capabilities(settings.tier), settings, clock=clock)


def main() -> None:
    """Serve one node."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--code", required=True)
    parser.add_argument("--home", required=True, type=Path)
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--parent-url")
    parser.add_argument("--ports-url", help="Where the systems outside are, each under its name.")
    parser.add_argument("--sabotage", nargs="*", choices=SABOTAGES, default=[])
    given = parser.parse_args()
    settings = settings_of(
        given.code,
        given.home,
        port=given.port,
        parent_url=given.parent_url,
        **addresses(given.ports_url),
    )
    logging.configure(settings)
    for lack in given.sabotage:
        SABOTAGES[lack]()
    uvicorn.run(
        make_node(settings).app,
        host=settings.host,
        port=settings.port,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
