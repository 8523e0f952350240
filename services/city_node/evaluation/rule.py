"""What a package says about a rule: its policy, the facts it goes by, and how they make a result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from services.city_node.evaluation.facts import Fact, Window
from services.city_node.evaluation.models import Result
from shared.kernel.language import Text
from shared.policy.declaration import D, PolicyKind

Step = Mapping[str, str]
"""Names and their SQL; an expression may use every name of the facts and of the steps before."""
Judged = Mapping[str, Any]
"""What is known of one customer after the last step: facts and results by name."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Rule(Generic[D]):
    """A rule: how a policy document and facts make a result.

    Attributes:
        kind: of its policy.
        results: the table of its results.
        outcome: the columns of a result; what differs in one of them is another result.
        label: the one of them by which results are counted and compared.
        used: names that a result keeps beside its outcome, so that it can be explained for ever.
        window: how many months a policy looks back.
        facts: what a policy goes by.
        steps: the policy compiled to SQL, over the facts, the window, and what the result was before (``was_level``).
        judge: the plain reading of the same, which tests compare with ``steps``: takes facts, and what the result
            was before, gives what every step gives.
        cost: SQL of what a result costs, in fen, by a policy; ``{}`` stands before the names of outcome columns.
        explain: why a result is what it is, from what was kept with it.
        advise: what the customer would need for a better one.
        turning: SQL of the customers whose facts turn on a day after ``$1`` up to ``$2``; others turn with the
            month.
    """

    kind: PolicyKind[D]
    results: type[Result]
    outcome: tuple[str, ...]
    label: str
    used: Callable[[D], Sequence[str]]
    window: Callable[[D], int]
    facts: Callable[[D], Sequence[Fact]]
    steps: Callable[[D, Window], Sequence[Step]]
    judge: Callable[[D, Window, Mapping[str, Any]], Judged]
    cost: Callable[[D], str]
    explain: Callable[[Judged], Text]
    advise: Callable[[D, Judged], Sequence[Text]]
    turning: str | None = None

    @property
    def name(self) -> str:
        """The rule's name: its policy's."""
        return self.kind.name

    @property
    def table(self) -> str:
        """The name of the table of its results."""
        return str(self.results.__tablename__)
