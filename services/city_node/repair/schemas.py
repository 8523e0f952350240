"""What staff say about repairs."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from services.city_node.customer.identity import check_document
from services.city_node.customer.models import DocumentType
from services.city_node.customer.schemas import Body, Day, Imei, Line, Prose
from services.city_node.loan_handset.models import LoanEnding
from services.city_node.repair import cost
from services.city_node.repair.models import RepairResult
from services.city_node.service_request.schemas import DivisionCode, DocumentNumber, Msisdn
from shared.kernel.language import Text
from shared.kernel.wording import Unfit
from shared.organisation.schemas import UnitCode

MOST_PARTS = 20
MOST_FEN = 10_000_000
"""A hundred thousand yuan: more than any handset costs."""

Amount = Annotated[int, Field(ge=0, le=MOST_FEN, strict=True, description="In fen.")]
Make = Annotated[Line, Field(max_length=40, examples=["Huawei"])]
Model = Annotated[Line, Field(max_length=60, examples=["Mate 60"])]


class RepairPart(BaseModel):
    """A part that is used."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[Line, Field(max_length=40)]
    name: Annotated[Line, Field(max_length=60)]
    quantity: Annotated[int, Field(ge=1, le=100, strict=True)] = 1
    unit_fen: Amount


class Cost(Body):
    """What parts and labour cost."""

    parts: list[RepairPart] = Field(default=[], max_length=MOST_PARTS)
    labour_fen: Amount = 0

    @property
    def total_fen(self) -> int:
        """Both together."""
        return cost.total(self.parts, self.labour_fen)

    @model_validator(mode="after")
    def _payable(self) -> Self:
        if self.total_fen > MOST_FEN:
            raise Unfit(
                Text("costs more than {most_fen} fen", "费用超过 {most_fen} 分"), most_fen=MOST_FEN
            )
        return self


class Device(Body):
    """A handset."""

    make: Make
    model: Model
    imei: Imei


class RepairIn(Device):
    """What the clerk asks for a customer at the counter."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "msisdn": "13800005678",
                    "home": "110100",
                    "document_type": "id_card",
                    "document_number": "11010519491231002X",
                    "make": "Huawei",
                    "model": "Mate 60",
                    "imei": "490154203237518",
                    "fault": "屏幕碎裂，触摸失灵",
                    "purchased_on": "2025-06-18",
                }
            ]
        },
    )

    msisdn: Msisdn
    home: DivisionCode | None = Field(
        default=None,
        description="Division code of the customer's home city; found by the number's segment without it.",
    )
    document_type: DocumentType
    document_number: DocumentNumber
    fault: Annotated[Line, Field(description="What is wrong with it; no personal data.")]
    purchased_on: Day | None = Field(
        default=None, description="As the invoice has it; without an invoice there is no warranty."
    )
    unit: UnitCode | None = Field(
        default=None, description="Hall that repairs; the caller's own unit without it."
    )

    @field_validator("document_number")
    @classmethod
    def _form_of_its_type(cls, number: str, info: ValidationInfo) -> str:
        """Catch a slip of the pen here, rather than have the home city say that it is somebody else's."""
        document_type = info.data.get("document_type")
        return check_document(document_type, number) if document_type else number


class RepairCancelIn(Body):
    """Why the clerk gives up."""

    note: Annotated[Line, Field(max_length=200, examples=["The customer took the handset back."])]


class AnswerIn(Body):
    """The customer's word on an estimate."""

    estimate: int = Field(ge=1, description="Number of the estimate that the customer was shown.")


class LoanIn(Body):
    """Which handset is lent."""

    handset_id: UUID | None = Field(
        default=None, description="The handset; without it the next of the hall's stock."
    )


class LoanEndIn(Body):
    """How a loan ended."""

    ending: LoanEnding
    kept_fen: Amount | None = Field(
        default=None,
        description="What of the deposit is kept for a damaged or lost handset; without it all of it.",
    )
    note: Annotated[Line, Field(max_length=200)] | None = None


class RepairedIn(Cost):
    """What was done. Without `parts` and `labour_fen`: as agreed; for what cannot be repaired: nothing."""

    result: RepairResult
    replacement: Device | None = Field(
        default=None, description="The handset that the customer is given instead."
    )

    @model_validator(mode="after")
    def _replaced(self) -> Self:
        if (self.result == RepairResult.REPLACED) != (self.replacement is not None):
            raise Unfit(
                Text(
                    "name the replacement where the handset is replaced, and only there",
                    "更换终端时须填写新终端，否则不得填写",
                )
            )
        return self

    @property
    def states_cost(self) -> bool:
        """Whether a cost is given at all."""
        return bool({"parts", "labour_fen"} & self.model_fields_set)


class GoodwillIn(Body):
    """What the visited city lets the customer off."""

    goodwill_fen: Amount
    note: Annotated[Line, Field(max_length=200, examples=["The part came two weeks late."])]


class ReturnIn(Body):
    """The handset goes back to the customer."""

    receipt: Annotated[Line, Field(max_length=64)] | None = Field(
        default=None, description="Number of the receipt for what the customer pays."
    )


class SatisfactionIn(Body):
    """How satisfied the customer is."""

    score: Annotated[int, Field(ge=1, le=5, strict=True, description="5 is the best.")]
    comment: Annotated[Prose, Field(max_length=1000)] | None = Field(
        default=None, description="In the customer's words; kept at the home city alone."
    )
