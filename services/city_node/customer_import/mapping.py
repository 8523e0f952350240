"""How the columns of a file become customers: a mapping file in TOML.

``[source]`` names the source, what its rows are (``records``, else customers), and the column with the key of the
customer; each other table fills one target, from a
``column`` (with ``convert`` and its options, and ``default`` for empty cells) or from a ``constant``. A constant,
default or reference may hold ``{parameters}``, given when the import is run or in ``[parameters]``.
``deploy/demo/wa_churn.toml`` is a whole one.
"""

import codecs
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from services.city_node.customer_import.conversions import (
    BY_TYPE,
    KINDS,
    Conversion,
    OptionInvalid,
    integer,
    moment,
)
from services.city_node.customer_import.models import Records
from services.city_node.customer_import.problems import MappingInvalid
from services.city_node.customer_import.records import RECORD_KINDS, RecordKind
from services.city_node.customer_import.targets import Target, check_value, target
from shared.kernel.problems import Fault

_SOURCE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_SECTIONS = ("customer", "subscription", "sim", "bill", "contact", "usage", "interaction")


@dataclass(frozen=True, slots=True)
class Filling:
    """How one target is filled.

    Attributes:
        target: what is filled.
        column: the file's column; ``None`` for a constant.
        convert: from the text of a cell to the value, checked; empty cells included.
        constant: the value of every row, if there is no column.
    """

    target: Target
    column: str | None
    convert: Conversion
    constant: object = None


@dataclass(frozen=True, slots=True)
class ImportMapping:
    """A whole mapping, checked.

    Attributes:
        records: what the rows are.
        source: name of the source that the records are of.
        customers: name of the source whose keys name customers; mostly the same.
        key: column of the customer's key; ``None`` where a line is named by its number.
        encoding: of the file.
        delimiter: between its cells.
        fillings: what is filled, by target name.
        text: the TOML.
        parameters: what was given for its ``{parameters}``.
    """

    records: Records
    source: str
    customers: str
    key: str | None
    encoding: str
    delimiter: str
    fillings: Mapping[str, Filling]
    text: str
    parameters: Mapping[str, str]

    @property
    def makes_customers(self) -> bool:
        """Whether the mapping says enough to make a customer, and not only to change one."""
        return {"customer.name", "customer.entry_date"} <= self.fillings.keys()

    @property
    def columns(self) -> list[str]:
        """Names of the columns that it reads."""
        filled = (filling.column for filling in self.fillings.values())
        return list(dict.fromkeys(name for name in (self.key, *filled) if name is not None))

    @property
    def attributes(self) -> list[str]:
        """Names of the open attributes that it fills."""
        return [
            name.split(".", 2)[2]
            for name, filling in self.fillings.items()
            if not filling.target.column
        ]

    def fills(self, name: str) -> bool:
        """Tell whether the mapping fills a target."""
        return name in self.fillings


def read_mapping(text: str, parameters: Mapping[str, str] | None = None) -> ImportMapping:
    """Read a mapping and check it whole.

    Args:
        text: the TOML.
        parameters: values for its ``{parameters}``, before those of ``[parameters]``.

    Raises:
        MappingInvalid: with a fault for each place that is wrong.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise MappingInvalid([Fault("/", f"is no TOML: {error}")]) from None
    reader = _Reader(document, text, dict(parameters or {}))
    mapping = reader.read()
    if reader.faults:
        raise MappingInvalid(reader.faults)
    return mapping


def parameters_of(given: Sequence[str]) -> dict[str, str]:
    """Return parameters that were given as ``name=value``.

    Raises:
        MappingInvalid: if one has another form.
    """
    pairs = [one.partition("=") for one in given]
    wrong = [
        Fault("/parameters", f"'{name}' is not of the form name=value")
        for name, equals, _ in pairs
        if not (name and equals)
    ]
    if wrong:
        raise MappingInvalid(wrong)
    return {name: value for name, _, value in pairs}


class _Reader:
    """Reads one document, and notes what is wrong with it."""

    def __init__(self, document: dict[str, Any], text: str, given: dict[str, str]) -> None:
        self.faults: list[Fault] = []
        self._text = text
        self._document = document
        own = document.get("parameters", {})
        self._parameters = {
            **{name: str(value) for name, value in self._table(own, "/parameters").items()},
            **given,
        }
        self._given = given
        self._used: set[str] = set()

    def read(self) -> ImportMapping:
        source = self._table(self._document.get("source"), "/source")
        self._known(
            source, ("name", "key", "records", "customers", "encoding", "delimiter"), "/source"
        )
        name = self._source_name(source, "name", None)
        customers = self._source_name(source, "customers", name)
        records = self._records(source)
        kind = RECORD_KINDS[records]
        encoding = self._source_text(source, "encoding", "utf-8")
        try:
            encoding = codecs.lookup(encoding).name
        except LookupError:
            self._fault("/source/encoding", f"'{encoding}' is no known encoding")
        delimiter = self._source_text(source, "delimiter", ",")
        if len(delimiter) != 1 or delimiter in '\r\n"':
            self._fault("/source/delimiter", "must be one character, such as a comma")
        self._known(self._document, ("source", "parameters", *_SECTIONS), "")
        fillings = {made.target.name: made for made in self._fillings(records, kind)}
        self._check_together(fillings, kind)
        for unused in self._given.keys() - self._used:
            self._fault("/parameters", f"'{unused}' was given, and the mapping has no {{{unused}}}")
        key = None
        if kind.keyed or "key" in source or "subscription.msisdn" not in fillings:
            key = self._source_text(source, "key", None)
        return ImportMapping(
            records=records,
            source=name,
            customers=customers,
            key=key,
            # A mark of the byte order at the beginning is no part of the first column's name.
            encoding="utf-8-sig" if encoding == "utf-8" else encoding,
            delimiter=delimiter,
            fillings=fillings,
            text=self._text,
            parameters=self._given,
        )

    def _records(self, source: dict[str, Any]) -> Records:
        named = self._source_text(source, "records", Records.CUSTOMERS.value)
        if named not in set(Records):
            self._fault("/source/records", f"'{named}' is not one of: {', '.join(Records)}")
            return Records.CUSTOMERS
        return Records(named)

    def _source_name(self, source: dict[str, Any], option: str, default: str | None) -> str:
        name = self._source_text(source, option, default)
        if not _SOURCE_NAME.fullmatch(name):
            self._fault(
                f"/source/{option}", "needs 1 to 60 letters, digits, dots, hyphens or underscores"
            )
        return name

    def _check_together(self, fillings: Mapping[str, Filling], kind: RecordKind) -> None:
        for filled in fillings:
            missing = [needed for needed in kind.needs.get(filled, ()) if needed not in fillings]
            if missing:
                self._fault(_pointer(filled), f"is of use only together with {', '.join(missing)}")
        if not fillings and not self.faults:
            self._fault("/", "fills nothing: it needs tables such as [customer.name]")
        elif not self.faults:
            for name in kind.required:
                if name not in fillings:
                    self._fault(_pointer(name), "is missing: records of this kind need it")

    def _fillings(self, records: Records, kind: RecordKind) -> Iterator[Filling]:
        for filling in self._all_fillings():
            if kind.takes(filling.target.name):
                yield filling
            else:
                self._fault(
                    _pointer(filling.target.name), f"is nothing that a file of {records} fills"
                )

    def _all_fillings(self) -> Iterator[Filling]:
        for section in _SECTIONS:
            for field, options in self._table(
                self._document.get(section, {}), f"/{section}"
            ).items():
                if section == "customer" and field == "attributes":
                    for attribute, inner in self._table(options, "/customer/attributes").items():
                        yield from self._filling(f"customer.attributes.{attribute}", inner)
                else:
                    yield from self._filling(f"{section}.{field}", options)

    def _filling(self, name: str, options: object) -> Iterator[Filling]:
        pointer = _pointer(name)
        wanted = target(name)
        if wanted is None:
            self._fault(pointer, "is nothing that an import fills")
            return
        if not isinstance(options, dict):
            self._fault(pointer, "must be a table")
            return
        table: dict[str, Any] = options
        if ("column" in table) == ("constant" in table):
            self._fault(pointer, "needs either a column or a constant")
            return
        try:
            yield (
                self._constant(wanted, table)
                if "constant" in table
                else self._column(wanted, table)
            )
        except OptionInvalid as error:
            option, _, reason = str(error).partition(" ")
            self._fault(f"{pointer}/{option}", reason)

    def _constant(self, wanted: Target, table: dict[str, Any]) -> Filling:
        self._known(table, ("constant",), _pointer(wanted.name))
        value = self._own_value(wanted, table["constant"], "constant")
        return Filling(wanted, None, lambda _: value, value)

    def _column(self, wanted: Target, table: dict[str, Any]) -> Filling:
        column = table["column"]
        if not isinstance(column, str) or not column:
            raise OptionInvalid("column", "must be the name of a column")
        named = table.get("convert", "map" if "map" in table else BY_TYPE[wanted.type])
        kind = KINDS.get(named) if isinstance(named, str) else None
        if kind is None:
            raise OptionInvalid(
                "convert", f"'{named}' is no conversion; there are: {', '.join(KINDS)}"
            )
        allowed = [option.rstrip("?") for option in kind.options]
        self._known(table, ("column", "convert", "default", *allowed), _pointer(wanted.name))
        for option in kind.options:
            if not option.endswith("?") and option not in table:
                raise OptionInvalid(option, f"is missing: conversion {named} needs it")
        if kind.gives is not object and wanted.type is not object and kind.gives is not wanted.type:
            raise OptionInvalid(
                "convert",
                f"'{named}' gives {kind.gives.__name__}, and {wanted.name} takes {wanted.type.__name__}",
            )
        options = {name: self._filled_in(value, name) for name, value in table.items()}
        convert = kind.make(options, lambda value: check_value(wanted, value))
        if kind.gives is not object:
            convert = _checked(convert, wanted)
        if "default" in table:
            return Filling(
                wanted,
                column,
                _or_default(convert, self._own_value(wanted, table["default"], "default")),
            )
        return Filling(
            wanted, column, _or_nothing(convert) if wanted.nullable else _or_refused(convert)
        )

    def _own_value(self, wanted: Target, value: object, option: str) -> object:
        """Return a value that the mapping itself gives; a parameter's text is read as the target's type."""
        value = self._filled_in(value, option)
        try:
            if isinstance(value, str) and wanted.type is date:
                value = date.fromisoformat(value)
            elif isinstance(value, str) and wanted.type is datetime:
                value = moment(None)(value)
            elif isinstance(value, str) and wanted.type is int:
                value = integer(value)
            return check_value(wanted, value)
        except ValueError as error:
            raise OptionInvalid(option, f"has the value {value!r}, which {error}") from None

    def _filled_in(self, value: object, option: str) -> object:
        if not isinstance(value, str) or option not in {"constant", "default", "reference"}:
            return value
        for name in _PLACEHOLDER.findall(value):
            self._used.add(name)
            if name not in self._parameters:
                raise OptionInvalid(
                    option, f"needs a value for {{{name}}}: give it as a parameter ({name}=...)"
                )
        return _PLACEHOLDER.sub(lambda found: self._parameters[found[1]], value)

    def _source_text(self, source: dict[str, Any], name: str, default: str | None) -> str:
        value = source.get(name, default)
        if not isinstance(value, str) or not value:
            self._fault(f"/source/{name}", "is missing" if value is None else "must be a text")
            return " "
        return value

    def _table(self, value: object, pointer: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self._fault(pointer, "must be a table" if value is not None else "is missing")
            return {}
        return value

    def _known(self, table: dict[str, Any], known: tuple[str, ...], pointer: str) -> None:
        for name in table:
            if name not in known:
                self._fault(f"{pointer}/{name}", f"is unknown here; known are: {', '.join(known)}")

    def _fault(self, pointer: str, detail: str) -> None:
        self.faults.append(Fault(pointer, detail))


def _pointer(name: str) -> str:
    return "/" + "/".join(name.split(".", 2))


def _checked(convert: Conversion, wanted: Target) -> Conversion:
    check = wanted.check
    return lambda text: check(convert(text))


def _or_default(convert: Conversion, default: object) -> Conversion:
    return lambda text: convert(text) if text else default


def _or_nothing(convert: Conversion) -> Conversion:
    return lambda text: convert(text) if text else None


def _or_refused(convert: Conversion) -> Conversion:
    def refuse_empty(text: str) -> Any:
        if not text:
            raise ValueError("is empty")
        return convert(text)

    return refuse_empty
