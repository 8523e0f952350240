"""What evaluates by the clock and on request: for every rule the same."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.city_node.evaluation import trial
from services.city_node.evaluation.endpoints import evaluating
from services.city_node.evaluation.models import Evaluation, Scope
from services.city_node.evaluation.rule import Rule
from services.city_node.evaluation.service import Evaluator
from shared.capability import Daily, Job, NodeContext, WorkHandle, WorkKind
from shared.kernel.language import Text


def nightly(rule: Rule[Any], at: str) -> Job:
    """Return the job that evaluates those whose facts changed, and everybody in the first night of a month."""

    async def run(context: NodeContext, now: datetime) -> None:
        await Evaluator(context, rule, now, f"job:evaluate-{rule.name}").evaluate_changed()

    title = rule.kind.title
    summary = Text(
        f"Evaluate the customers whose facts changed: {title.en}",
        f"评定情况有变化的客户：{title.zh}",
    )
    return Job(f"evaluate-{rule.name}", summary, Daily(at=at), run)


def works(rule: Rule[Any]) -> tuple[WorkKind, ...]:
    """Return the kinds of long work of a rule: evaluations that are asked for, and dry runs."""

    async def evaluate(context: NodeContext, handle: WorkHandle) -> Mapping[str, Any]:
        evaluator = Evaluator(
            context, rule, context.clock.now(), handle.requester.name, handle.progress
        )
        if handle.parameters["scope"] == Scope.CITY:
            return summary_of(await evaluator.evaluate_city())
        return summary_of(await evaluator.evaluate_changed())

    async def try_draft(context: NodeContext, handle: WorkHandle) -> Mapping[str, Any]:
        return await trial.run(context, rule, handle)

    title = rule.kind.title
    return (
        WorkKind(
            evaluating(rule),
            Text(f"Evaluate customers: {title.en}", f"评定客户：{title.zh}"),
            evaluate,
        ),
        WorkKind(
            trial.trying(rule),
            Text(f"Try a draft: {title.en}", f"政策草案试算：{title.zh}"),
            try_draft,
        ),
    )


def summary_of(evaluation: Evaluation) -> dict[str, Any]:
    """Return what an evaluation did, in a few words."""
    names = ("scope", "policy", "customers", "changed")
    shown = {name: getattr(evaluation, name) for name in names}
    return {**shown, "as_of": evaluation.as_of.isoformat()}


async def _forget_trials(context: NodeContext, now: datetime) -> None:
    await trial.forget(context, now - trial.RETENTION)


FORGET = Job(
    "forget-evaluation-trials",
    Text("Delete dry runs after 30 days", "删除超过 30 天的试算"),
    Daily(at="04:50"),
    _forget_trials,
)
