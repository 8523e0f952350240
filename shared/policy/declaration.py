"""What a rule says about its policy, and what it is given to go by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import Any, Generic

from pydantic import BaseModel, ConfigDict

from shared.capability import Bound, D, PolicyKind
from shared.kernel.language import Language, Text

__all__ = [
    "Bound",
    "D",
    "PolicyDocument",
    "PolicyInForce",
    "PolicyKind",
    "PolicyKinds",
    "RuleBroken",
    "kinds_of",
]

PolicyKinds = Mapping[str, PolicyKind[Any]]
"""The kinds that a node knows, by name."""


class PolicyDocument(BaseModel):
    """What documents of every kind have in common, and their parts too.

    Every field has a description. Money is in fen, dates are ISO dates, ratios are whole basis points or permille,
    and nothing is a float. Being strict, a document is read with ``model_validate_json``: JSON knows no dates.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class RuleBroken(ValueError):
    """A document breaks a rule between its fields; raised by the model's validators.

    Args:
        sentence: what is wrong, in both languages.
        at: where, from the model whose validator raises it: ``"gold", "from_fen"``.
        values: what the sentence's placeholders stand for.
    """

    def __init__(self, sentence: Text, *at: str | int, **values: object) -> None:
        super().__init__(sentence.speak(Language.ENGLISH, **values))
        self.sentence = sentence
        self.at = at
        self.values = values


@dataclass(frozen=True)
class PolicyInForce(Generic[D]):
    """The policy of a kind that a node goes by on a date.

    Attributes:
        document: the national document, with the overrides that hold merged into it.
        reference: which versions made it, to be kept with each result: ``level default``, ``level 3`` or
            ``level 3 + 440000:1 + 440300:2``; ``draft`` stands for a version that is not published.
        effective_from: the day on which the latest of these versions took effect; ``date.min`` for the shipped default.
    """

    document: D
    reference: str
    effective_from: date


class PolicyDeclaredTwice(Exception):
    """Two capabilities of one node declare kinds of one name."""


def kinds_of(declared: Iterable[PolicyKind[Any]]) -> PolicyKinds:
    """Return kinds by name; several capabilities may name the same one.

    Raises:
        PolicyDeclaredTwice: if two kinds have one name.
    """
    found: dict[str, PolicyKind[Any]] = {}
    for kind in declared:
        if found.setdefault(kind.name, kind) is not kind:
            raise PolicyDeclaredTwice(
                f"Two kinds of policy are called {kind.name}: give one of them another name."
            )
    return MappingProxyType(found)
