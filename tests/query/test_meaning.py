"""The SQL of any condition finds the customers whom its plain meaning finds."""

from collections.abc import AsyncIterator
from datetime import date

import pytest
from hypothesis import HealthCheck, event, example, given, settings

from services.city_node.customer.profile import SOURCE
from services.city_node.query import condition as c
from services.city_node.query.reading import Reader
from services.city_node.query.selection import Selection
from services.city_node.query.statement import Numbered
from services.city_node.query.text import Text
from shared.kernel.database import Database
from shared.kernel.embedded_postgres import EmbeddedPostgres
from shared.kernel.encryption import Cipher
from shared.organisation.models import OrganisationUnit
from tests.conftest import NOON, _administer, _copy_database
from tests.examples import examples
from tests.query.conditions import conditions
from tests.query.people import CITY, PATHS, Person, people, settle_in
from tests.query.plain import holds

CIPHER = Cipher(b"e" * 32, b"i" * 32)
TODAY = date(2026, 11, 23)
TEAM = PATHS["440300-01"]
FOLK = people(seed=7, number=120, cipher=CIPHER)


@pytest.fixture(scope="module")
async def town(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[Database]:
    """A database with everybody in it, asked a few hundred times."""
    await _copy_database(postgres, template, "town")
    database = Database(postgres.database_url("town"), 2)
    async with database.transaction() as session:
        await _add_units(session)
        await settle_in(session, FOLK)
    yield database
    await database.close()
    await _administer(postgres, 'DROP DATABASE "town" WITH (FORCE)')


async def _add_units(session: object) -> None:
    above = {"000000": ("000000/", "hq"), "440000": ("000000/440000/", "province")}
    every = {**above, **{code: (path, "team") for code, path in PATHS.items()}}
    every[CITY] = (PATHS[CITY], "city")
    for code, (path, kind) in every.items():
        session.add(  # type: ignore[attr-defined]
            OrganisationUnit(
                code=code,
                parent_code=path.split("/")[-3] if kind != "hq" else None,
                path=path,
                kind=kind,
                name_zh=code,
                name_en=code,
                created_at=NOON,
                updated_at=NOON,
            )
        )
        await session.flush()  # type: ignore[attr-defined]


async def found(town: Database, condition: c.Condition | None, scope: str) -> set[str]:
    binder = Numbered()
    where = Selection(condition, (scope,), TODAY).where(binder, CIPHER)
    pool = await town.pool()
    rows = await pool.fetch(f"SELECT c.customer_number FROM {SOURCE} WHERE {where}", *binder.values)  # noqa: S608 - the statement under test
    return {row[0] for row in rows}


def meant(condition: c.Condition, folk: list[Person], scope: str) -> set[str]:
    return {
        person.fields["customer_number"]
        for person in folk
        if person.path.startswith(scope) and holds(condition, person, TODAY, CIPHER)
    }


def said(text: str) -> c.Condition:
    reader = Reader()
    condition = reader.read(Text(text).form)
    assert condition is not None, reader.faults
    return condition


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(condition=conditions)
@example(condition=said("age = 36 or age = 35"))
@example(condition=said('not has subscription(brand = "全球通" and status = active)'))
@example(condition=said("avg charge(last 3 months) = 100 yuan"))
@example(condition=said("min charge(last 12 months) <= 0 yuan"))
@example(condition=said("unit within 440300-01 and unit != 440300-01"))
@example(condition=said("changed(level, from gold, since today - 3 months)"))
@example(condition=said('document = "p0000003"'))
@example(condition=said("attribute.score != 1 and attribute.score is not null"))
async def test_sql_finds_whom_the_condition_means(town: Database, condition: c.Condition) -> None:
    everybody = meant(condition, FOLK, "")
    event(f"finds {'all' if len(everybody) == len(FOLK) else 'some' if everybody else 'none'}")
    assert await found(town, condition, "") == everybody
    assert await found(town, condition, TEAM) == meant(condition, FOLK, TEAM)


@pytest.mark.parametrize(
    "text",
    [
        "age = 36",
        'has subscription(brand = "全球通" and status = active)',
        "avg charge(last 3 months) >= 100 yuan",
        "unit within 440300-01",
        "changed(level, since today - 3 months)",
        'document = "p0000003"',
        "attribute.score = 1",
        "has bill(paid_on is null and month < 2026-10)",
        "voice(last 6 months) > 30 minutes",
        "count interaction(kind = complaint) >= 1",
        'name begins with "张"',
    ],
)
async def test_the_comparison_is_not_empty(town: Database, text: str) -> None:
    """Each of these finds somebody and leaves somebody out, so that agreeing on it says something."""
    condition = said(text)
    some = await found(town, condition, "")
    assert some == meant(condition, FOLK, "")
    assert 0 < len(some) < len(FOLK)


async def test_no_condition_means_everybody_in_scope(town: Database) -> None:
    assert len(await found(town, None, "")) == len(FOLK)
    assert await found(town, None, TEAM) == {
        person.fields["customer_number"] for person in FOLK if person.path.startswith(TEAM)
    }
