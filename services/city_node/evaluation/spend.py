"""Mean monthly spend, as the policies of levels and of credit both have it: in SQL, and read plainly."""

from collections.abc import Mapping
from typing import Any, Literal

from services.city_node.evaluation.facts import BILLED_FEN, BILLED_MONTHS, HELD_MONTHS

EmptyMonths = Literal["zero", "skip"]
FACTS = (BILLED_FEN, BILLED_MONTHS, HELD_MONTHS)


def spend_step(empty_months: EmptyMonths) -> dict[str, str]:
    """Return the step that gives ``months``, those that count, and ``mean_fen``."""
    months = "greatest(held_months, billed_months)" if empty_months == "zero" else "billed_months"
    return {
        "months": months,
        "mean_fen": f"coalesce(greatest(billed_fen, 0) / nullif({months}, 0), 0)",
    }


def mean_spend(empty_months: EmptyMonths, facts: Mapping[str, Any]) -> dict[str, int]:
    """Read plainly what :func:`spend_step` says."""
    months = facts["billed_months"]
    if empty_months == "zero":
        months = max(months, facts["held_months"])
    return {"months": months, "mean_fen": max(facts["billed_fen"], 0) // months if months else 0}
