"""What HQ and provinces sign about a city's month, and what follows from all that was said.

A statement is about one month of one city. HQ says that the month is *closed*, with the revisions of which it is made
then, or *reopened*; HQ or the city's province that a *restatement* is approved or rejected. Acts are numbered; a
decision belongs to the closing whose number it names.

What may be in force (:func:`standing_of`) is a pure function of the statements that a node holds: it does not matter
when and in which order they came.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from shared.federation import statement
from shared.federation.statement import Code, Name, Saying, StatementInvalid
from shared.kernel.settings import HQ_CODE

Month = Annotated[str, Field(pattern=r"^\d{4}-\d{2}$")]
Reason = Annotated[str, Field(min_length=1, max_length=500)]
Kind = Literal["closed", "reopened", "approved", "rejected"]


class Said(Saying):
    """What is said about a month of a city.

    Attributes:
        kind: ``closed`` and ``reopened`` are acts of HQ; ``approved`` and ``rejected`` decide a restatement.
        publisher: who says it.
        node: the city.
        month: which.
        number: of the act; of a decision, of the closing that it belongs to.
        revisions: of a closing: by period and dataset, the revision that the period is made of.
        period: of a decision: the month, or one of its days.
        dataset: of a decision.
        revision: of a decision.
        hash: of a decision: the hash of that revision.
        reason: why.
        said_at: when.
        said_by: the person; of an act, the second one.
        proposed_by: of an act: the first person.
    """

    statement: Literal["guanxi.reporting.month"] = "guanxi.reporting.month"
    kind: Kind
    publisher: Code
    node: Code
    month: Month
    number: Annotated[int, Field(ge=1)]
    revisions: dict[str, dict[str, int]] | None = None
    period: str | None = None
    dataset: str | None = None
    revision: int | None = None
    hash: str | None = None
    reason: Reason | None = None
    said_at: AwareDatetime
    said_by: Name
    proposed_by: Name | None = None

    @property
    def is_act(self) -> bool:
        """Whether it closes or reopens the month."""
        return self.kind in {"closed", "reopened"}


class Statement(statement.Statement):
    """What is said about a month of a city, signed."""

    __slots__ = ()

    def said(self) -> Said:
        """Return what it says.

        Raises:
            StatementInvalid: if it does not have the form.
        """
        said = self.read(Said)
        if said.is_act and said.publisher != HQ_CODE:
            raise StatementInvalid("only HQ closes and reopens months")
        if said.kind == "closed" and said.revisions is None:
            raise StatementInvalid("it does not say what the month is made of")
        if not said.is_act and None in {said.period, said.dataset, said.revision}:
            raise StatementInvalid("it does not say which restatement is decided")
        return said


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds for a city's month.

    Attributes:
        number: of the last act; 0 if there was none.
        revisions: by period and dataset, what may be in force; ``None`` while the month is open.
    """

    number: int
    revisions: Mapping[str, Mapping[str, int]] | None


def standing_of(statements: Iterable[tuple[str, Said]]) -> Standing:
    """Return what follows from the statements about one month of one city, each with its digest, in any order.

    The act with the greatest number holds; of equal ones, which only an HQ that was restored from a backup can make,
    the last. Of decisions about one revision HQ's counts over the province's, and of one node's the first.
    """
    acts: list[tuple[str, Said]] = []
    decisions: list[tuple[str, Said]] = []
    for digest, said in statements:
        (acts if said.is_act else decisions).append((digest, said))
    if not acts:
        return Standing(0, None)
    last = max(acts, key=lambda each: (each[1].number, each[1].said_at, each[0]))[1]
    if last.kind == "reopened":
        return Standing(last.number, None)
    revisions = {period: dict(datasets) for period, datasets in (last.revisions or {}).items()}
    for said in effective(decisions):
        if said.number == last.number and said.kind == "approved":
            of_period = revisions.setdefault(said.period or "", {})
            dataset, revision = said.dataset or "", said.revision or 0
            of_period[dataset] = max(of_period.get(dataset, 0), revision)
    return Standing(last.number, revisions)


def effective(decisions: Iterable[tuple[str, Said]]) -> list[Said]:
    """Return, of several decisions about one revision, the one that counts."""
    chosen: dict[tuple[object, ...], Said] = {}
    order = sorted(
        decisions, key=lambda each: (each[1].publisher != HQ_CODE, each[1].said_at, each[0])
    )
    for _, said in order:
        chosen.setdefault((said.number, said.period, said.dataset, said.revision), said)
    return list(chosen.values())
