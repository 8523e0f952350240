"""Asking: a page of the customers that meet a condition, with how it was understood."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import asyncpg
import orjson

from services.city_node.customer.privacy import sight_among, visible_columns
from services.city_node.customer.profile import customers
from services.city_node.query import catalogue
from services.city_node.query.bulk_read import Act, record_bulk_read_now
from services.city_node.query.catalogue import Field
from services.city_node.query.condition import (
    DEEPEST,
    MOST_PARTS,
    Changed,
    Comparison,
    Condition,
    Count,
    FieldOf,
    Function,
    Has,
    Series,
    parts,
)
from services.city_node.query.problems import QueryTookTooLong
from services.city_node.query.schemas import (
    CatalogueOut,
    Explanation,
    FieldOut,
    QueryIn,
    RelationOut,
)
from services.city_node.query.selection import Selection, read_condition
from services.city_node.query.statement import Numbered
from services.city_node.query.writing import to_json, to_text
from shared import audit
from shared.capability import NodeContext, Requester
from shared.kernel.clock import business_day
from shared.kernel.language import Language
from shared.kernel.listing import PageRequest, Sort, Where

LONGEST_SECONDS = 30.0

queried = replace(
    customers,
    sorts={
        **customers.sorts,
        "customer_number": Sort("c.customer_number", "text"),
        "total_charge_fen": Sort("c.total_charge_fen", "bigint"),
    },
    filters={},
)
"""Customers as a query lists them."""


async def query(
    context: NodeContext, asked: QueryIn, requester: Requester, scope: str, *, now: datetime
) -> bytes:
    """Return a page of the customers below ``scope`` that meet a condition, as JSON.

    Raises:
        ConditionInvalid, ConditionForbidden: as :func:`~services.city_node.query.selection.read_condition`.
        QueryInvalid, CursorInvalid: as :meth:`~shared.kernel.listing.Listing.page`.
        QueryTookTooLong: after :data:`LONGEST_SECONDS`.
    """
    condition = None
    if asked.condition is not None:
        condition = read_condition(asked.condition, permissions=requester.permissions)
    selection = Selection(condition, (scope,), business_day(now))
    binder = Numbered()
    where = Where(selection.where(binder, context.cipher), binder.values)
    page = PageRequest(
        limit=asked.limit,
        cursor=asked.cursor,
        sort=asked.sort,
        fields=",".join(asked.fields) if asked.fields else None,
        count=asked.count,
    )
    columns = visible_columns(queried.columns, sight_among(requester.permissions))
    pool = await context.database.pool()
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            body = await queried.page(pool, page, {}, where=where, columns=columns)
            if asked.explain:
                explained = await _explain(pool, selection, where, page, columns)
                body = body[:-1] + b',"explain":' + explained.model_dump_json().encode() + b"}"
    except TimeoutError:
        raise QueryTookTooLong(seconds=f"{LONGEST_SECONDS:g}") from None
    about = ", ".join(sorted(set(_asked_about(condition)))) if condition else "everything"
    actor = audit.Actor(
        requester.name, user_id=requester.id, unit_code=requester.unit_code, unit_path=scope
    )
    shown = [item["id"] for item in orjson.loads(body)["items"] if "id" in item]
    await record_bulk_read_now(context.database, actor, Act.QUERY, about, None, at=now, shown=shown)
    return body


async def _explain(
    pool: asyncpg.Pool,
    selection: Selection,
    where: Where,
    page: PageRequest,
    columns: Mapping[str, str],
) -> Explanation:
    sql = queried.statement(f" WHERE {where.sql}", page, columns)
    plan = orjson.loads(await pool.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *where.values))
    root: Mapping[str, Any] = plan[0]["Plan"]
    condition = selection.condition
    return Explanation(
        text=None if condition is None else to_text(condition),
        form=None if condition is None else to_json(condition),
        today=selection.today.isoformat(),
        estimated_rows=root["Plan Rows"],
        estimated_cost=root["Total Cost"],
        indexes=sorted(set(_indexes(root))),
    )


def _indexes(plan: Mapping[str, Any]) -> Iterator[str]:
    if "Index Name" in plan:
        yield plan["Index Name"]
    for inner in plan.get("Plans", ()):
        yield from _indexes(inner)


def _asked_about(condition: Condition) -> Iterator[str]:
    """Give the names of what a condition asks about, and no value of it."""
    for part in parts(condition):
        match part:
            case Comparison(FieldOf(name) | Series(name) | Count(name)) | Has(name) | Changed(name):
                yield name


def describe(language: Language, permissions: frozenset[str]) -> CatalogueOut:
    """Return what conditions may ask about, for whoever holds ``permissions``."""

    def fields(of: Mapping[str, Field]) -> list[FieldOut]:
        return [_described(name, field, language, permissions) for name, field in of.items()]

    measures = {
        name: replace(measure.value, label=measure.label)
        for name, measure in catalogue.MEASURES.items()
    }
    attribute = {catalogue.ATTRIBUTE + "NAME": catalogue.ATTRIBUTE_FIELD}
    return CatalogueOut(
        fields=fields(catalogue.FIELDS),
        attribute=fields(attribute)[0],
        relations=[
            RelationOut(
                name=name, label=relation.label.speak(language), fields=fields(relation.fields)
            )
            for name, relation in catalogue.RELATIONS.items()
        ],
        measures=fields(measures),
        functions=[function.value for function in Function],
        changed=list(catalogue.CHANGEABLE),
        sorts=list(queried.sorts),
        columns=list(queried.columns),
        most_parts=MOST_PARTS,
        deepest=DEEPEST,
    )


def _described(
    name: str, field: Field, language: Language, permissions: frozenset[str]
) -> FieldOut:
    return FieldOut(
        name=name,
        label=field.label.speak(language),
        type=field.type.value,
        unit=field.unit,
        units=list(catalogue.UNITS[field.unit]) if field.unit else None,
        operators=[operator.value for operator in field.operators],
        nullable=field.nullable,
        choices=list(field.choices) or None,
        allowed=field.permission is None or field.permission in permissions,
    )
