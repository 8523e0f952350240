"""Simulated systems outside of some cities, and what sends the cities' calls to them."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from services.simulator.app import Simulator
from services.simulator.faults import Faults
from shared.kernel.clock import HandClock
from shared.port.contracts import PORTS, port_named
from shared.port.dispatching import Dispatcher
from tests.city.two_cities import City
from tests.reachable import Reachable

ON = {port.setting: f"http://{port.name}" for port in PORTS}
"""Settings by which every port is on."""


class Outside:
    """The simulators of every port.

    Args:
        clock: theirs.
        offers: what the cities' capabilities offer, with the effects that are called.
    """

    def __init__(self, clock: HandClock, offers: Sequence[object]) -> None:
        self.simulators = {port.name: Simulator(port, clock=clock) for port in PORTS}
        self.clock = clock
        self._offers = offers
        self._network = Reachable()
        self._network.apps = {name: each.app for name, each in self.simulators.items()}

    async def work(self, city: City, *ports: str, most: int | None = None) -> None:
        """Let a city's calls go out until nothing is due, or so many of each port; all ports without a name."""
        dispatcher = Dispatcher(city.context, self._offers, transport=self._network)
        for name in ports or self.simulators:
            if port_named(name) in dispatcher.ports:
                times = count() if most is None else range(most)
                for _ in times:
                    if not await dispatcher.step(port_named(name)):
                        break
        await dispatcher.close()

    def told(self, name: str) -> list[dict[str, Any]]:
        """Return what a system has done, in order."""
        return [entry.content for entry in self.simulators[name].journal]

    def fault(self, name: str, **faults: Any) -> None:
        """Switch faults of a system on, and those off that are not named."""
        self.simulators[name].faults = Faults(**faults)


async def empty_ports(*cities: City) -> None:
    """Forget every call."""
    for city in cities:
        pool = await city.context.database.pool()
        await pool.execute("DELETE FROM port_call")
        await pool.execute("DELETE FROM port_trouble")
