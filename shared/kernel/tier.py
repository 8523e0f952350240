"""The three tiers of the federation."""

from enum import StrEnum


class Tier(StrEnum):
    """What a node is: one program, three roles."""

    CITY = "city"
    PROVINCE = "province"
    HQ = "hq"

    @property
    def parent(self) -> "Tier | None":
        """The tier this one reports to; HQ reports to nobody."""
        return {Tier.CITY: Tier.PROVINCE, Tier.PROVINCE: Tier.HQ}.get(self)
