"""``guanxi evaluate``: evaluations and dry runs by hand; each rule adds a command of its name."""

import asyncio
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer

from services.city_node.evaluation import trial
from services.city_node.evaluation.jobs import summary_of
from services.city_node.evaluation.rule import Rule
from services.city_node.evaluation.service import Evaluator
from services.city_node.evaluation.standing import standing
from services.city_node.evaluation.trial import Ask
from shared.capability import NodeContext, Requester
from shared.commandline import CommandFailed, JsonOption, NodeOption, operator_name, run, show
from shared.kernel.language import Language
from shared.kernel.tier import Tier
from shared.organisation.service import ensure_divisions


def command_of(rule: Rule[Any]) -> typer.Typer:
    """Return the command that evaluates by a rule."""
    app = typer.Typer(help="Evaluate customers by the policies in force.", no_args_is_help=True)

    @app.command(
        rule.name, help=f"{rule.kind.title.en}: evaluate a city, or one customer, or try a draft."
    )
    def evaluate(
        node: NodeOption,
        customer: Annotated[
            UUID | None, typer.Option(help="Only this customer; shows how they stand.")
        ] = None,
        changed: Annotated[
            bool, typer.Option("--changed", help="Only customers whose facts changed.")
        ] = False,
        dry_run: Annotated[
            Path | None,
            typer.Option(
                metavar="FILE",
                exists=True,
                dir_okay=False,
                help="Try this draft, a JSON file, and change nothing.",
            ),
        ] = None,
        publisher: Annotated[
            str | None,
            typer.Option(help="Who would publish the draft, such as 000000; this node without it."),
        ] = None,
        json: JsonOption = False,
    ) -> None:
        async def act(context: NodeContext) -> Any:
            if context.settings.tier is not Tier.CITY:
                raise CommandFailed(f"Node {node} is no city: only cities have customers.")
            await ensure_divisions(context)  # the node may never have run
            evaluator = Evaluator(context, rule, context.clock.now(), operator_name())
            if dry_run is not None:
                draft = orjson.loads(await asyncio.to_thread(dry_run.read_bytes))
                return await _try(context, rule, Ask(draft, publisher))
            if customer is not None:
                async with context.database.transaction() as session:
                    await evaluator.evaluate_some(session, [customer])
                    return (await standing(session, evaluator, customer)).model_dump(mode="json")
            act = evaluator.evaluate_changed if changed else evaluator.evaluate_city
            return summary_of(await act())

        found = run(node, act)
        if customer is not None and not json:
            found = _in_words(found)
        title = "Dry run" if dry_run else "Evaluation"
        show(found, json=json, title=f"{title} by {rule.name} at node {node}")

    return app


async def _try(context: NodeContext, rule: Rule[Any], ask: Ask) -> list[dict[str, Any]]:
    requester = Requester(operator_name(), None, context.settings.code, None)
    now = context.clock.now()
    async with context.database.transaction() as session:
        made = await trial.make(session, context, rule, ask, requester, now=now)
        await session.flush()
        await trial.compare(session, context, rule, made)
        made.finished_at = context.clock.now()
        return made.summary or []


def _in_words(found: dict[str, Any]) -> dict[str, Any]:
    """Return why a customer stands as they do, and what they would need, in both languages."""
    result = found["result"]
    words: dict[str, Any] = {}
    for language in Language:
        words[language.value] = result and result["explanation"][language.value]
        advice = " ".join(text[language.value] for text in found["next"])
        words[f"next ({language.value})"] = advice or None
    return words
