"""How one customer stands by a rule: the result that holds, what the facts of this moment give, and why."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from services.city_node.customer.profile import SOURCE
from services.city_node.evaluation import repository
from services.city_node.evaluation.facts import Window
from services.city_node.evaluation.rule import Rule
from services.city_node.evaluation.schemas import StandingOut, TextOut
from services.city_node.evaluation.service import Evaluator
from services.city_node.evaluation.statement import judged
from shared.kernel.database import driver_connection
from shared.kernel.listing import Listing, Sort
from shared.policy.declaration import PolicyInForce

# ruff: noqa: S608 - put together from declarations, never from input
_OF = SOURCE.replace("customer c", "customer c ON c.id = p.customer_id", 1)


def history_of(rule: Rule[Any]) -> Listing:
    """Return the results of a customer, the one that holds and those before."""
    names = ("customer_id", "since", "until", "as_of", "policy", *rule.outcome, "used")
    return Listing(
        source=f"{rule.table} p JOIN {_OF}",
        key=Sort("p.since", "timestamptz"),
        columns={name: f"p.{name}" for name in names},
        sorts={"since": Sort("p.since", "timestamptz")},
        filters={"scope": "starts_with(u.path, {})", "customer": "p.customer_id = {}"},
    )


def results_of(rule: Rule[Any]) -> Listing:
    """Return the results that hold, of all customers."""
    names = ("customer_id", "since", "as_of", "policy", *rule.outcome, "used")
    return Listing(
        source=f"{rule.table} p JOIN {_OF} AND p.until IS NULL",
        key=Sort("p.customer_id", "uuid"),
        columns={
            **{name: f"p.{name}" for name in names},
            **{f"customer_{name}": f"c.{name}" for name in ("level", "kind")},
            "customer_number": "c.customer_number",
            "unit_code": "c.unit_code",
        },
        sorts={"customer_id": Sort("p.customer_id", "uuid")},
        filters={
            "scope": "starts_with(u.path, {})",
            "unit": "starts_with(u.path, (SELECT path FROM organisation_unit WHERE code = {}))",
            "label": f"p.{rule.label} = {{}}",
        },
    )


async def standing(session: AsyncSession, evaluator: Evaluator, customer_id: UUID) -> StandingOut:
    """Return how a customer, whom the caller may see, stands."""
    rule = evaluator.rule
    connection = await driver_connection(session)
    await repository.prepare(connection)
    holds = await connection.fetchval(
        f"SELECT to_jsonb(p)::text FROM {rule.table} p WHERE p.customer_id = $1 AND p.until IS NULL",
        customer_id,
    )
    result = holds and orjson.loads(holds)
    policy = await evaluator.policy(session)
    window = Window(evaluator.on, rule.window(policy.document))
    query = judged(rule, policy.document, window, restricted=True, differing=False)
    found = await connection.fetchval(f"SELECT to_jsonb(j)::text FROM ({query}) j", [customer_id])
    now = found and _judged(rule, orjson.loads(found), evaluator, policy)
    advice = () if not now else rule.advise(policy.document, {**now["used"], **now})
    outcome = [each and {name: each[name] for name in rule.outcome} for each in (result, now)]
    return StandingOut(
        customer_id=customer_id,
        result=result and explained(rule, result),
        now=now and explained(rule, now),
        differs=outcome[0] != outcome[1],
        next=[TextOut.of(text) for text in advice],
    )


def _judged(
    rule: Rule[Any], row: Mapping[str, Any], evaluator: Evaluator, policy: PolicyInForce[Any]
) -> dict[str, Any]:
    outcome = {name: row[name] for name in rule.outcome}
    return {**outcome, "as_of": evaluator.on, "policy": policy.reference, "used": row["used"]}


def explained(rule: Rule[Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result with what explains it."""
    text = rule.explain({**result["used"], **result})
    return {**result, "explanation": {"en": text.en, "zh": text.zh}}
