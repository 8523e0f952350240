"""What a rule says about its policy, and what it is given to go by."""

from dataclasses import dataclass
from datetime import date
from typing import Generic

from pydantic import BaseModel, ConfigDict

from shared.capability import Bound, D, PolicyKind

__all__ = ["Bound", "D", "PolicyDocument", "PolicyInForce", "PolicyKind"]


class PolicyDocument(BaseModel):
    """What documents of every kind have in common, and their parts too.

    Every field has a description. Money is in fen, dates are ISO dates, ratios are whole basis points or permille,
    and nothing is a float. Being strict, a document is read with ``model_validate_json``: JSON knows no dates.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


@dataclass(frozen=True)
class PolicyInForce(Generic[D]):
    """The policy of a kind that a node goes by on a date.

    Attributes:
        document: the national document, with the overrides that hold merged into it.
        reference: which versions made it, to be kept with each result: ``level default``, ``level 3`` or
            ``level 3 + 440000:1 + 440300:2``.
        effective_from: the first day on which these versions were the ones; ``date.min`` for the shipped default.
    """

    document: D
    reference: str
    effective_from: date
