"""Collections over HTTP: fields, filters, sorting and keyset paging, with the JSON built by PostgreSQL.

A collection declares once what it offers (:class:`Listing`); a request asks for part of it (:class:`PageRequest`).
Pages follow one another by keyset: the cursor holds the sort value and id of the last row, so that page a
thousand costs what page one does, and rows that come or go in between are neither repeated nor skipped.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

import asyncpg
import orjson
from fastapi import Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem

MAX_PAGE = 500
_SORT, _KEY = "$sort", "$key"
"""What a row is sorted and found by, beside its fields: names that no field has."""


class QueryInvalid(Problem):
    """A list was asked for in a way it does not offer."""

    status = 400
    title = Text("Query invalid", "查询参数无效")
    sentence = Text(
        "`{parameter}` asks for {value}, which this collection does not offer. It offers: {offered}.",
        "参数 {parameter} 的取值 {value} 不受支持。可用取值：{offered}。",
    )

    def __init__(self, parameter: str, value: str, offered: str) -> None:
        told = f"use one of: {offered}", f"可用取值：{offered}"
        super().__init__(
            faults=[Fault(f"query:{parameter}", *(told if offered else _LEAVE_OUT))],
            parameter=parameter,
            value=f"'{value}'",
            offered=offered or _NOTHING,
        )


_LEAVE_OUT = "leave it out: nothing can be chosen here", "请去掉：此处没有可用取值"
_NOTHING = Text("nothing", "无")


class ParameterUnknown(Problem):
    """Something was asked for with a parameter that it does not have, perhaps a misspelt one."""

    status = 400
    title = Text("Parameter unknown", "查询参数不存在")
    sentence = Text(
        "There is no parameter `{parameter}` here; there are: {offered}.",
        "此处没有参数 {parameter}；可用参数：{offered}。",
    )

    def __init__(self, parameter: str, offered: str) -> None:
        fault = Fault(f"query:{parameter}", "there is no such parameter", "没有此参数")
        super().__init__(faults=[fault], parameter=parameter, offered=offered)


class ParameterRepeated(Problem):
    """A parameter that takes one value was given several."""

    status = 400
    title = Text("Parameter repeated", "查询参数重复")
    sentence = Text(
        "`{parameter}` is given more than once, and takes one value: say which is meant.",
        "参数 {parameter} 重复出现，只能给出一个取值，请明确。",
    )

    def __init__(self, parameter: str) -> None:
        fault = Fault(f"query:{parameter}", "given more than once", "重复出现")
        super().__init__(faults=[fault], parameter=parameter)


class CursorInvalid(Problem):
    """A page was asked for with a cursor that this collection did not hand out."""

    status = 400
    title = Text("Cursor invalid", "分页游标无效")
    sentence = Text(
        "`cursor` was not handed out by this collection in this sort order. Start again without it.",
        "cursor 不是本集合在此排序下给出的，请去掉后重新开始。",
    )


Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Most items in the page.")]
Cursor = Annotated[str | None, Query(description="The `next` of the page before.")]
SortName = Annotated[
    str | None,
    Query(description="Field to sort by, `-` before it for descending.", examples=["-updated_at"]),
]
FieldNames = Annotated[
    str | None,
    Query(
        description="Fields to return, separated by commas; all without it.", examples=["id,name"]
    ),
]
Counted = Annotated[
    bool, Query(description="Whether to count the whole collection too, which costs.")
]


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The part of a collection that a request asks for."""

    limit: Limit = 50
    cursor: Cursor = None
    sort: SortName = None
    fields: FieldNames = None
    count: Counted = False


def _declared(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """Give the query parameters that an endpoint and its dependencies take, and whether each takes several values."""
    for field in dependant.query_params:
        form = field.field_info.annotation
        yield field.alias, any(get_origin(each) is list for each in (form, *get_args(form)))
    for dependency in dependant.dependencies:
        yield from _declared(dependency)


def require_once(request: Request, names: Iterable[str]) -> None:
    """Refuse a request that gives one of these parameters several times: all but one would be passed over.

    Raises:
        ParameterRepeated: naming it (400).
    """
    for name in names:
        if len(request.query_params.getlist(name)) > 1:
            raise ParameterRepeated(name)


async def known_parameters(request: Request) -> None:
    """Refuse a request with a parameter that its endpoint does not know: a misspelt filter would answer with all.

    Raises:
        ParameterUnknown, ParameterRepeated: naming the parameter (400).
    """
    route: APIRoute = request.scope["route"]
    declared = dict(_declared(route.dependant))
    for name in request.query_params:
        if name not in declared:
            raise ParameterUnknown(name, ", ".join(sorted(declared)))
    require_once(request, (name for name, takes_several in declared.items() if not takes_several))


async def page_request(  # noqa: PLR0917 - its parameters are a request's; nobody calls it by position
    request: Request,
    limit: Limit = 50,
    cursor: Cursor = None,
    sort: SortName = None,
    fields: FieldNames = None,
    count: Counted = False,  # noqa: FBT002 - a flag in the query is a boolean parameter
) -> PageRequest:
    """Read the paging parameters of a request.

    Raises:
        ParameterUnknown, ParameterRepeated: as :func:`known_parameters`.
    """
    await known_parameters(request)
    return PageRequest(limit, cursor, sort, fields, count)


@dataclass(frozen=True, slots=True)
class Sort:
    """A way to order a collection: a SQL expression that is never null, and its type."""

    expression: str
    type: str


@dataclass(frozen=True, slots=True)
class Where:
    """A condition that was put together elsewhere: SQL whose parameters are numbered from ``$1``, and their values."""

    sql: str
    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Beside:
    """What is written in the statement that finds a page, and is committed before the page is returned.

    Attributes:
        sql: gives, for the number of its first parameter, a statement that reads ``shown``: the keys of the page's
            items, as its column ``key``.
        values: of its parameters.
    """

    sql: Callable[[int], str]
    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """What a collection offers.

    Attributes:
        source: what follows ``FROM``.
        key: SQL of the unique key, and its type.
        columns: field name to SQL expression.
        sorts: sort name to SQL expression and type; the first is the default.
        filters: parameter name to a SQL condition in which ``{}`` stands for the value.
    """

    source: str
    key: Sort
    columns: Mapping[str, str]
    sorts: Mapping[str, Sort]
    filters: Mapping[str, str]

    def item(self, fields: str | None, columns: Mapping[str, str] | None = None) -> str:
        """Return the SQL of one item's JSON with only ``fields``, or all of them.

        Raises:
            QueryInvalid: for a field that the collection does not have.
        """
        values = ", ".join(
            f'{expression} AS "{name}"' for name, expression in self.asked(fields, columns).items()
        )
        return f"(SELECT row_to_json(i) FROM (SELECT {values}) i)"  # noqa: S608 - built from declared expressions alone

    def asked(self, fields: str | None, columns: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the columns of an item with only ``fields``, or all of them.

        Raises:
            QueryInvalid: for a field that the collection does not have.
        """
        columns = self.columns if columns is None else columns
        names = [name.strip() for name in fields.split(",")] if fields else list(columns)
        for name in names:
            if name not in columns:
                raise QueryInvalid("fields", name, ", ".join(columns))
        return {name: columns[name] for name in names}

    async def page(
        self,
        connection: asyncpg.Connection | asyncpg.Pool,
        request: PageRequest,
        filters: Mapping[str, Any],
        *,
        columns: Mapping[str, str] | None = None,
        where: Where | None = None,
        beside: Beside | None = None,
    ) -> bytes:
        """Return one page as JSON: ``{"items": [...], "next": cursor or null}``, with ``count`` if asked for.

        Args:
            connection: where to ask.
            request: the part that is asked for.
            filters: values by filter name; ``None`` means not filtered.
            columns: what the fields are for this caller, where masking differs from the collection's own.
            where: what else holds for the items.
            beside: what is to be written with it, if anything.

        Raises:
            QueryInvalid: for a field or sort that the collection does not offer.
            CursorInvalid: for a cursor that it did not hand out.
        """
        conditions, values = self._conditions(filters, where)
        count = None
        if request.count:
            count = await connection.fetchval(
                f"SELECT count(*) FROM {self.source}{_all(conditions)}",  # noqa: S608 - built from declared expressions alone
                *values,
            )
        name, descending, sort = self._sort(request.sort)
        if request.cursor:
            after = self._read_cursor(request.cursor, name, descending)
            values += after
            compare = "<" if descending else ">"
            conditions.append(
                f"({sort.expression}, {self.key.expression}) {compare} "
                f"(${len(values) - 1}::text::{sort.type}, ${len(values)}::text::{self.key.type})"
            )
        try:
            rows = await connection.fetch(
                self.statement(
                    _all(conditions),
                    request,
                    columns,
                    beside.sql(len(values) + 1) if beside else None,
                ),
                *values,
                *(beside.values if beside else ()),
            )
        except asyncpg.DataError:
            if request.cursor:  # made by hand: its values are not of the columns' types
                raise CursorInvalid from None
            raise
        shown = rows[: request.limit]
        more = len(rows) > request.limit
        following = write_cursor(name, shown[-1][1:3], descending=descending) if more else None
        parts = [
            '{"items":[' + ",".join(row[0] for row in shown) + "]",
            '"next":' + (f'"{following}"' if following else "null"),
        ]
        if count is not None:
            parts.append(f'"count":{count}')
        return (",".join(parts) + "}").encode()

    def statement(
        self,
        where: str,
        request: PageRequest,
        columns: Mapping[str, str] | None = None,
        beside: str | None = None,
    ) -> str:
        """Return the SQL of the rows of a page, and one more: each row's JSON, sort value and key.

        The rows are chosen first, by their plain values, and only theirs become JSON: a sort of many would otherwise
        build the JSON of all of them.
        """
        _, descending, sort = self._sort(request.sort)
        direction = "DESC" if descending else "ASC"
        asked = self.asked(request.fields, columns)
        chosen = {**asked, _SORT: sort.expression, _KEY: self.key.expression}
        values = ", ".join(f'{expression} AS "{name}"' for name, expression in chosen.items())
        page = (
            f"SELECT {values} FROM {self.source}{where} "  # noqa: S608 - built from declared expressions alone
            f"ORDER BY {sort.expression} {direction}, {self.key.expression} {direction} LIMIT {request.limit + 1}"
        )
        order = f'ORDER BY p."{_SORT}" {direction}, p."{_KEY}" {direction}'
        before, source = "", f"({page})"
        if beside is not None:
            shown = f'SELECT p."{_KEY}"::text AS key FROM page p {order} LIMIT {request.limit}'  # noqa: S608 - as above
            before = (
                f"WITH page AS MATERIALIZED ({page}), shown AS ({shown}), beside AS ({beside}) "
            )
            source = "page"
        item = ", ".join(f'p."{name}"' for name in asked)
        return (
            f'{before}SELECT (SELECT row_to_json(i) FROM (SELECT {item}) i)::text, p."{_SORT}"::text, p."{_KEY}"::text '  # noqa: S608 - as above
            f"FROM {source} p {order}"
        )

    async def one(
        self,
        connection: asyncpg.Connection | asyncpg.Pool,
        filters: Mapping[str, Any],
        *,
        columns: Mapping[str, str] | None = None,
    ) -> bytes | None:
        """Return the JSON of the one item that ``filters`` name, with other ``columns`` if given, or nothing."""
        conditions, values = self._conditions(filters, None)
        found: str | None = await connection.fetchval(
            f"SELECT ({self.item(None, columns)})::text FROM {self.source} WHERE {' AND '.join(conditions)}",  # noqa: S608 - as above
            *values,
        )
        return None if found is None else found.encode()

    def _conditions(
        self, filters: Mapping[str, Any], where: Where | None
    ) -> tuple[list[str], list[Any]]:
        conditions: list[str] = [where.sql] if where else []
        values: list[Any] = list(where.values) if where else []
        for name, value in filters.items():
            if value is not None:
                values.append(value)
                conditions.append(self.filters[name].replace("{}", f"${len(values)}"))
        return conditions, values

    def _sort(self, asked: str | None) -> tuple[str, bool, Sort]:
        name = asked or next(iter(self.sorts))
        descending = name.startswith("-")
        name = name.removeprefix("-")
        if name not in self.sorts:
            raise QueryInvalid("sort", name, ", ".join(self.sorts))
        return name, descending, self.sorts[name]

    @staticmethod
    def _read_cursor(cursor: str, name: str, descending: bool) -> list[Any]:  # noqa: FBT001 - internal
        try:
            sort, down, value, key = orjson.loads(base64.urlsafe_b64decode(cursor))
        except (binascii.Error, ValueError, TypeError):
            raise CursorInvalid from None
        if (
            sort != name
            or down != descending
            or not (isinstance(value, str) and isinstance(key, str))
        ):
            raise CursorInvalid
        return [value, key]


def _all(conditions: Sequence[str]) -> str:
    return " WHERE " + " AND ".join(conditions) if conditions else ""


def write_cursor(name: str, last: Sequence[str], *, descending: bool = False) -> str:
    """Return the cursor of the page that follows a row with these sort value and key."""
    return base64.urlsafe_b64encode(orjson.dumps([name, descending, *last])).decode()
