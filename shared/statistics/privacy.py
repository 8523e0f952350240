"""From how many people on a figure may be told above the city: a policy of HQ's, national and without bounds.

The default withholds nothing. A city tells its own figures whole: it has the records.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy.ext.asyncio import AsyncSession

from shared.capability import PolicyKind
from shared.kernel.clock import business_day
from shared.kernel.language import Text
from shared.kernel.tier import Tier
from shared.organisation.division import division
from shared.policy.declaration import PolicyDocument, PolicyInForce
from shared.policy.service import in_force, several_in_force
from shared.statistics.catalogue import Catalogue
from shared.statistics.definition import INDICATOR, extended


class DisclosurePolicy(PolicyDocument):
    """How small a cell may be that is told."""

    least_people: Annotated[int, Field(ge=0, le=1000)] = Field(
        default=0,
        description="Cells of fewer people are withheld above the city, and as many more as would give them away; "
        "0 and 1 withhold nothing. 市级以上不公布人数少于此值的单元格及可反推它的单元格；0、1 表示不隐匿",
    )


DISCLOSURE = PolicyKind(
    name="disclosure",
    title=Text("From how many people on figures are told", "统计公布的最少人数"),
    document=DisclosurePolicy,
    default=DisclosurePolicy(),
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What is withheld at a node, and by which policy.

    Attributes:
        node: division code of the node, whose region is the whole that its tables add up to.
        threshold: about fewer people nothing is told.
        policy: the reference of the version: ``disclosure 1``.
    """

    node: str
    threshold: int
    policy: str


@dataclass(frozen=True, slots=True)
class Terms:
    """What can be asked for at a node today, and what is withheld there; ``None`` if nothing is."""

    catalogue: Catalogue
    rule: Rule | None


async def terms_in_force(session: AsyncSession, node: str, now: datetime) -> Terms:
    """Return on which terms a node answers today; by as many statements as for its catalogue alone."""
    defined, told = await several_in_force(
        session, (INDICATOR, DISCLOSURE), on=business_day(now), node=node
    )
    return Terms(extended(defined.document, defined.reference), _rule(node, told))


async def rule_in_force(session: AsyncSession, node: str, now: datetime) -> Rule | None:
    """Return what is withheld at a node today."""
    return _rule(node, await in_force(session, DISCLOSURE, on=business_day(now), node=node))


def _rule(node: str, found: PolicyInForce[DisclosurePolicy]) -> Rule | None:
    threshold = found.document.least_people
    if threshold <= 1 or division(node).tier is Tier.CITY:
        return None
    return Rule(node, threshold, found.reference)
