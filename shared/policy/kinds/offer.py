"""The policy of preferential offers: how often customers of each level may use one, and what takes a second person."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from shared.capability import Bound, PolicyKind
from shared.kernel.language import Text
from shared.policy.declaration import PolicyDocument

OfferCode = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Uses = Annotated[int, Field(ge=0, le=1000)]
Period = Literal["month", "quarter", "year"]
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


class LevelUses(PolicyDocument):
    """How many uses a customer of each level has in a period."""

    diamond: Uses = Field(description="Of a diamond customer.")
    gold: Uses = Field(description="Of a gold customer.")
    silver: Uses = Field(description="Of a silver customer.")
    standard: Uses = Field(description="Of any other customer.")

    def of(self, level: str) -> int:
        """Return the uses of a level."""
        uses: int = getattr(self, level)
        return uses


class Entitlement(PolicyDocument):
    """How many uses of one offer customers have, and in what time."""

    period: Period = Field(description="The calendar period in which the uses are counted.")
    uses: LevelUses = Field(description="Uses in each period, by level.")

    def around(self, day: date) -> tuple[date, date]:
        """Return the first day of the period that a day lies in, and the first day after it."""
        months = _MONTHS[self.period]
        first = (day.month - 1) // months * months
        year, month = divmod(day.year * 12 + first + months, 12)
        return date(day.year, first + 1, 1), date(year, month + 1, 1)


class OfferPolicy(PolicyDocument):
    """What customers are entitled to of preferential offers."""

    entitlement: Entitlement = Field(description="Of every offer that has none of its own.")
    offers: dict[OfferCode, Entitlement] = Field(
        description="Of single offers, by the code that they have in the cities' catalogues."
    )
    approval_above_fen: int = Field(
        ge=0,
        le=2**53,
        description="A grant that may cost the operator more, in fen, takes a second person.",
    )

    def of(self, offer: str) -> Entitlement:
        """Return the entitlement to an offer."""
        return self.offers.get(offer, self.entitlement)


OFFER: PolicyKind[OfferPolicy] = PolicyKind(
    name="offer",
    title=Text("Preferential offers", "优惠权益"),
    document=OfferPolicy,
    default=OfferPolicy(
        entitlement=Entitlement(
            period="quarter", uses=LevelUses(diamond=4, gold=2, silver=1, standard=0)
        ),
        offers={},
        approval_above_fen=50_000,
    ),
    bounds=(
        Bound("/entitlement/uses/*", minimum=0, maximum=24),
        Bound("/offers"),
        Bound("/offers/*/uses/*", minimum=0, maximum=100),
        Bound("/approval_above_fen", minimum=0, maximum=200_000),
    ),
)
"""Provinces and cities may say what each level has, of their own offers in periods of their own, and be stricter or, up
to 2000 yuan, milder about second persons; the period of what is not named is HQ's."""
