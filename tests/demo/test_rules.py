"""Levels, credit and prospects of the public table, as the docs show them, recomputed row by row."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from services.city_node.credit.scorecard import RULE as CREDIT
from services.city_node.customer_import.mapping import read_mapping
from services.city_node.customer_import.service import Desk, Importer, begin, load
from services.city_node.evaluation import trial
from services.city_node.evaluation.rule import Rule
from services.city_node.level.rule import RULE as LEVEL
from services.city_node.prospect.rule import Terms
from services.city_node.prospect.statement import judged
from services.demo.nodes import MAPPING
from services.demo.people import Person, read_table, settle, write_file
from shared.capability import Requester
from shared.kernel.clock import business_day
from shared.organisation.service import path_of_division
from shared.policy.kinds.prospect import ProspectPolicy
from tests.city.drafts import CITY, make_city
from tests.conftest import MakeNode, TestNode
from tests.evaluation.conftest import EVALUATING
from tests.evaluation.test_evaluation import evaluator

DEMO = Path(MAPPING).parent
CONTRACTS = {"Month-to-month": 2, "One year": 5, "Two year": 8}


MAPPED = read_mapping(Path(MAPPING).read_text(encoding="utf-8"))


@pytest.fixture
async def city(make_node: MakeNode, tmp_path: Path) -> TestNode:
    """The whole table in one city."""
    node = await make_city(make_node, EVALUATING)
    people = settle(read_table(), [CITY])
    file = tmp_path / "wa_churn.csv"
    write_file(people, file)
    importer = Importer("test", CITY, path_of_division(CITY), CITY, node.context.cipher)
    with file.open("rb") as content:
        async with node.context.database.transaction() as session:
            begun = await begin(
                session, importer, content, name=file.name, mapping=MAPPED, now=node.clock.now()
            )
        desk = Desk(node.context.database, node.context.clock, node.context.cipher, CITY)
        loaded = await load(desk, begun.id, content)
    assert loaded.created == len(people), loaded
    return node


def present() -> list[Person]:
    return [person for person in settle(read_table(), [CITY]) if not person.has_left]


def document(rule: Rule[Any]) -> Any:
    content = (DEMO / f"wa_churn_{rule.name}.json").read_bytes()
    return rule.kind.document.model_validate_json(content)


def level_of(person: Person) -> str:
    fen = person.monthly_charge_fen
    return next(
        level
        for least, level in (
            (10_000, "diamond"),
            (7_000, "gold"),
            (3_000, "silver"),
            (0, "standard"),
        )
        if fen >= least
    )


def credit_of(person: Person) -> tuple[int, str, int]:
    """Score, rating and limit: nobody has a bill that is due yet, is in arrears, or was suspended."""
    fen, tenure = person.monthly_charge_fen, int(person.cells["tenure"])
    score = 20 + 7 + CONTRACTS[person.cells["contract"]]
    score += next(
        p for least, p in ((60, 20), (36, 15), (24, 10), (12, 5), (0, 0)) if tenure >= least
    )
    score += next(
        p for least, p in ((10_000, 20), (7_000, 16), (3_000, 10), (0, 4)) if fen >= least
    )
    if score >= 60:
        return score, "A", min(30_000, 3 * fen) // 1000 * 1000
    if score >= 50:
        return score, "B", min(20_000, 2 * fen) // 1000 * 1000
    if score >= 40:
        return score, "C", min(10_000, fen) // 1000 * 1000
    return score, "D", 0


async def test_levels_and_credit_are_those_of_the_table(city: TestNode) -> None:
    for rule in (LEVEL, CREDIT):
        evaluation = await evaluator(city, rule, document(rule)).evaluate_city()
        assert evaluation.changed == len(present()) == 5174
    async with city.database.transaction() as session:
        found = await session.execute(
            text(
                "SELECT c.source_key, l.level, r.score, r.rating, r.limit_fen FROM customer c"
                " JOIN level_result l ON l.customer_id = c.id JOIN credit_result r ON r.customer_id = c.id"
            )
        )
        results = {row[0]: (row[1], (row[2], row[3], row[4])) for row in found}
    assert results == {person.key: (level_of(person), credit_of(person)) for person in present()}
    # As docs/rules.md has it.
    assert Counter(level for level, _ in results.values()) == {
        "diamond": 651,
        "gold": 1666,
        "silver": 1366,
        "standard": 1491,
    }
    assert Counter(rating for _, (_, rating, _) in results.values()) == {
        "A": 1833,
        "B": 1491,
        "C": 973,
        "D": 877,
    }
    assert sum(limit for _, (_, _, limit) in results.values()) == 65_751_000


def prospect_of(person: Person) -> tuple[str, int] | None:
    """Target and score: within a tenth of the next threshold; there are no competitors, and one bill is no trend."""
    fen = person.monthly_charge_fen
    for threshold, target, worth in (
        (3_000, "silver", 0),
        (7_000, "gold", 100),
        (10_000, "diamond", 200),
    ):
        if fen < threshold:
            permille = fen * 1000 // threshold
            return (target, 400 * permille // 1000 + worth) if permille >= 900 else None
    return None


async def test_prospects_are_those_of_the_table(city: TestNode) -> None:
    policy = ProspectPolicy.model_validate_json((DEMO / "wa_churn_prospect.json").read_bytes())
    terms = Terms(policy, document(LEVEL), "wa_churn")
    pool = await city.database.pool()
    query = judged(terms, terms.window(business_day(city.clock.now())))
    rows = await pool.fetch(
        "SELECT c.source_key, j.target, j.score, j.signals, j.is_prospect "  # noqa: S608 - the program's own
        f"FROM ({query}) j JOIN customer c ON c.id = j.customer_id"
    )
    assert len(rows) == len(present())
    found = {row["source_key"]: (row["target"], row["score"]) for row in rows if row["is_prospect"]}
    meant = {person.key: prospect_of(person) for person in present()}
    assert found == {key: each for key, each in meant.items() if each is not None}
    assert {tuple(row["signals"]) for row in rows if row["is_prospect"]} == {("near",)}
    # As docs/prospects.md has it.
    assert Counter(target for target, _ in found.values()) == {
        "diamond": 520,
        "gold": 322,
        "silver": 33,
    }


async def test_a_dry_run_tells_what_another_threshold_would_change(city: TestNode) -> None:
    await evaluator(city, LEVEL, document(LEVEL)).evaluate_city()
    draft = document(LEVEL).model_dump(mode="json")
    draft["thresholds"]["gold_fen"] = 8_000
    async with city.context.database.transaction() as session:
        requester = Requester("test", None, CITY, None)
        made = await trial.make(
            session,
            city.context,
            LEVEL,
            trial.Ask(draft, "000000"),
            requester,
            now=city.clock.now(),
        )
        await session.flush()
        result = await trial.compare(session, city.context, LEVEL, made)
    falling = [person for person in present() if 7_000 <= person.monthly_charge_fen < 8_000]
    # Those who hold gold keep it for the grace: the draft makes them entitled to silver, and moves nobody at once.
    assert (result["results"], result["moved"]) == (len(falling), 0) == (550, 0)
