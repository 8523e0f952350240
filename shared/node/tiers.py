"""Finds the compositions of the three tiers, which the distribution names as entry points.

The node package knows no city, province or HQ code: it asks the installed distribution for ``guanxi.tier``.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from shared.capability import Capability
from shared.kernel.tier import Tier

GROUP = "guanxi.tier"


@cache
def composition(tier: Tier) -> Callable[..., Any]:
    """Return the function that makes a node of ``tier`` from settings.

    Raises:
        LookupError: if the program is not installed with that tier.
    """
    found = entry_points(group=GROUP, name=tier.value)
    if not found:
        raise LookupError(
            f"No composition is installed for tier {tier.value}: install the distribution `guanxi`."
        )
    compose: Callable[..., Any] = next(iter(found)).load()
    return compose


def capabilities(tier: Tier) -> tuple[Capability, ...]:
    """Return what the composition of ``tier`` puts together."""
    declared: tuple[Capability, ...] = import_module(composition(tier).__module__).CAPABILITIES
    return declared


def load_tables() -> None:
    """Import every tier, and with it every table."""
    for tier in Tier:
        composition(tier)
