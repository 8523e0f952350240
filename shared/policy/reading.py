"""Reading a document of a kind: what is wrong with it is told by JSON pointer, in both languages."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pydantic import ValidationError

from shared.capability import D, PolicyKind
from shared.kernel.problems import Fault, pointer_of
from shared.kernel.wording import WORDS, filled
from shared.policy.declaration import RuleBroken


def read(kind: PolicyKind[D], document: Any) -> D:
    """Return a document, given as JSON values, in the form of its kind.

    Raises:
        ValidationError: if it does not have that form; :func:`faults_of` tells where.
    """
    return kind.document.model_validate_json(orjson.dumps(document))


def written(document: D) -> Any:
    """Return a document as JSON values, with every field that has a default."""
    return document.model_dump(mode="json")


def faults_of(error: ValidationError) -> Sequence[Fault]:
    """Return what is wrong in a document, with pointers into it."""
    return [_fault(each) for each in error.errors(include_url=False, include_input=False)]


def _fault(error: Mapping[str, Any]) -> Fault:
    pointer = pointer_of(("body", *error["loc"]))
    context = error.get("ctx", {})
    broken = context.get("error")
    if isinstance(broken, RuleBroken):
        return Fault.of(
            pointer + pointer_of(("body", *broken.at)), broken.sentence, **broken.values
        )
    words = WORDS.get(error["type"])
    if words is None:
        return Fault(pointer, str(error["msg"]).removeprefix("Value error, "))
    return Fault.of(pointer, filled(words, context))
