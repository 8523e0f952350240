"""Offers as they are taken and answered."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field

from services.city_node.customer.models import Level
from services.city_node.customer.schemas import Body, Code, Day, Fen, Line, Prose
from services.city_node.interaction.models import Channel
from services.city_node.offer.judging import Rule
from services.city_node.offer.life import GrantState
from services.city_node.offer.models import ReversalReason
from services.city_node.query.schemas import ConditionForm, condition_field
from shared.kernel.language import Text
from shared.kernel.wording import Unfit
from shared.policy.kinds.offer import OfferCode, Period


def _once(values: list[str]) -> list[str]:
    if len(set(values)) < len(values):
        raise Unfit(Text("one is named twice", "有重复项"))
    return values


Permille = Annotated[int, Field(ge=1, le=1000, description="Of what is paid.")]
Units = Annotated[list[Code], Field(min_length=1, max_length=50), AfterValidator(_once)]
Levels = Annotated[list[Level], Field(max_length=4), AfterValidator(_once)]
Codes = Annotated[list[OfferCode], Field(max_length=100), AfterValidator(_once)]
Uses = Annotated[int, Field(ge=0, le=2**31)]


class OfferCreate(Body):
    """A new offer."""

    code: OfferCode = Field(examples=["lounge"])
    name_zh: Line = Field(examples=["机场贵宾厅"])
    name_en: Line = Field(examples=["Airport lounge"])
    benefit_zh: Prose = Field(examples=["免费使用机场贵宾厅一次，可携一人"])
    benefit_en: Prose = Field(examples=["One visit to an airport lounge, with a companion"])
    value_fen: Fen | None = Field(default=None, description="What a use is worth, in fen; or:")
    value_permille: Permille | None = None
    cost_fen: Fen = Field(description="What a use costs the operator, in fen.")
    valid_from: Day
    valid_until: Day | None = Field(
        default=None, description="The first day on which it is not granted any more."
    )
    units: Units | None = Field(
        default=None,
        description="For the customers of these units and those below; of the caller's without.",
    )
    levels: Levels = Field(default=[], description="For these levels; for any without.")
    condition: ConditionForm | None = condition_field(default=None)
    approval_above_fen: Fen | None = Field(
        default=None, description="A grant that may cost more takes a second person."
    )
    exclusive_group: OfferCode | None = Field(
        default=None, description="A customer has one offer of a group at a time."
    )
    conflicts_with: Codes = Field(default=[], description="Offers that do not go with this one.")


class OfferPatch(Body):
    """What of an offer is changed (RFC 7396). Grants that were made stay as they are."""

    name_zh: Line = ""
    name_en: Line = ""
    benefit_zh: Prose = ""
    benefit_en: Prose = ""
    value_fen: Fen | None = None
    value_permille: Permille | None = None
    cost_fen: Fen = 0
    valid_from: Day = date.min
    valid_until: Day | None = None
    units: Units = Field(default=[])
    levels: Levels = Field(default=[])
    condition: ConditionForm | None = condition_field(default=None)
    approval_above_fen: Fen | None = None
    exclusive_group: OfferCode | None = None
    conflicts_with: Codes = Field(default=[])


class OfferOut(BaseModel):
    """An offer."""

    code: str
    name_zh: str
    name_en: str
    benefit_zh: str
    benefit_en: str
    value_fen: int | None
    value_permille: int | None
    cost_fen: int
    valid_from: date
    valid_until: date | None
    units: list[str]
    levels: list[Level]
    condition: dict[str, Any] | None
    condition_text: str | None = Field(description="The condition in its text form.")
    approval_above_fen: int | None
    exclusive_group: str | None
    conflicts_with: list[str] = Field(description="Whichever of the two says so.")
    version: int
    updated_at: datetime
    updated_by: str


class OfferPage(BaseModel):
    """A page of the catalogue."""

    items: list[OfferOut]
    next: str | None
    count: int | None = None


class QuotaSet(Body):
    """What a unit may grant in a year: uses, their cost, or both."""

    uses: Uses | None = None
    budget_fen: Fen | None = None


class QuotaOut(BaseModel):
    """A quota, and what of it is granted."""

    offer_code: str
    year: int
    unit_code: str
    uses: int | None
    budget_fen: int | None
    reserved: int = Field(description="Uses that grants hold, and that were used of ended ones.")
    reserved_fen: int
    version: int
    updated_at: datetime
    updated_by: str


class QuotaPage(BaseModel):
    """A page of quotas."""

    items: list[QuotaOut]
    next: str | None
    count: int | None = None


class ReasonOut(BaseModel):
    """A rule that says no."""

    rule: Rule
    sentence: str


class VerdictOut(BaseModel):
    """Whether a customer may have an offer, and why not."""

    offer: str
    name_zh: str
    name_en: str
    benefit_zh: str
    benefit_en: str
    may: bool
    left: int = Field(description="How many uses may be granted now, if it may be had.")
    entitled: int = Field(description="Uses in the period, by the policy.")
    taken: int = Field(description="Uses of the period that are granted or were used.")
    period: Period
    period_from: date
    period_until: date
    reasons: list[ReasonOut] = Field(description="Every rule that says no; none if it may be had.")


class VerdictsOut(BaseModel):
    """Which offers a customer may have, and why not the others."""

    customer_id: UUID
    on: date
    level: Level
    policy: str = Field(description="Which versions of the policy say so.")
    items: list[VerdictOut]


class GrantCreate(Body):
    """An offer for a customer."""

    offer: OfferCode = Field(examples=["lounge"])
    uses: int = Field(default=1, ge=1, le=1000)


class Explained(Body):
    """Why."""

    reason: Prose = Field(examples=["客户放弃"])


class GrantOut(BaseModel):
    """An offer as a customer has it."""

    id: UUID
    offer_code: str
    customer_id: UUID
    unit_code: str
    quota_year: int | None
    quota_unit: str | None = Field(description="The unit whose quota it counts against.")
    uses: int
    used: int
    cost_fen: int = Field(description="Of one use.")
    state: GrantState
    level: Level = Field(description="The customer's on the day of the grant.")
    policy: str
    granted_on: date
    valid_until: date = Field(description="The first day on which it cannot be used any more.")
    granted_at: datetime
    granted_by: str
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None
    version: int


class GrantPage(BaseModel):
    """A page of grants, the latest first."""

    items: list[GrantOut]
    next: str | None
    count: int | None = None


class UseCreate(Body):
    """A use, here and now."""

    channel: Channel = Channel.HALL


class Reversal(Body):
    """Why a use is given back."""

    reason: ReversalReason


class UseOut(BaseModel):
    """A use, or the reversal of one."""

    id: UUID
    grant_id: UUID
    offer_code: str
    unit_code: str = Field(description="That bears the cost.")
    reverses_id: UUID | None
    uses: int = Field(description="1; -1 for a reversal.")
    cost_fen: int
    used_on: date
    used_at: datetime
    used_by: str
    place_code: str = Field(description="The unit where it was used.")
    channel: Channel
    reason: ReversalReason | None


class UsePage(BaseModel):
    """A page of uses and reversals, the latest first."""

    items: list[UseOut]
    next: str | None
    count: int | None = None


class CostOut(BaseModel):
    """What an offer cost a unit in a month."""

    month: date
    unit_code: str
    offer_code: str
    uses: int
    reversals: int
    cost_fen: int


class CostPage(BaseModel):
    """A page of costs, the earliest month first."""

    items: list[CostOut]
    next: str | None
    count: int | None = None
