"""From the cells of one line to one row, or to the reasons why not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, NamedTuple

import orjson

from services.city_node.custom_attribute.declarations import Declarations
from services.city_node.customer.history import TRACKED
from services.city_node.customer.identity import seal_contact, seal_document
from services.city_node.customer.models import (
    CustomerKind,
    Library,
    MediumKind,
    SimState,
    SubscriptionStatus,
)
from services.city_node.customer.naming import name_sort
from services.city_node.customer.schemas import clean
from services.city_node.customer_import.layout import DEFAULTS, DOCUMENT_NUMBER, SLOTS, Row
from services.city_node.customer_import.mapping import Filling, ImportMapping
from services.city_node.customer_import.targets import LONGEST_TEXT
from shared.kernel.clock import BUSINESS_ZONE
from shared.kernel.encryption import Cipher, mask
from shared.kernel.ids import new_id

(
    LINE, KEY, CUSTOMER_ID, SUBSCRIPTION_ID, NAME, NAME_SORT, KIND, LIBRARY, BIRTH_DATE, DOCUMENT_TYPE, CIPHER, INDEX, MASKED,
    ENTRY_DATE, LEFT_ON, LEFT_AT, LEFT_REASON, LEFT_DESTINATION, ATTRIBUTES, MSISDN, LINE_STATUS, LINE_ENTRY_DATE, ICCID, IMSI,
    SIM_STATE, PERIOD, CHARGE, PAID_ON, HISTORY, NUMBER,
) = (
    SLOTS[name]
    for name in (
        "line", "key", "customer_id", "subscription_id", "name", "name_sort", "kind", "library", "birth_date", "document_type",
        "document_cipher", "document_index", "document_masked", "entry_date", "left_on", "left_at", "left_reason",
        "left_destination", "attributes", "msisdn", "line_status", "line_entry_date", "iccid", "imsi", "sim_state",
        "bill_period", "bill_charge_fen", "bill_paid_on", "history", DOCUMENT_NUMBER,
    )
)  # fmt: skip
_MEDIA = {
    kind: (SLOTS[kind], *(SLOTS[f"{kind}_{name}"] for name in ("cipher", "index", "masked", "id")))
    for kind in MediumKind
}
_REMEMBERED = {**{name: name for name in TRACKED}, "document_number": "document_masked"}
_HISTORY = tuple((field, SLOTS[staged]) for field, staged in _REMEMBERED.items() if staged in SLOTS)


class RowFault(NamedTuple):
    """Why a row is not loaded."""

    line: int
    column: str
    value: str | None
    reason: str


class _Refused(ValueError):
    """What a row says about one target does not fit the rest of it."""

    def __init__(self, target: str, reason: str) -> None:
        super().__init__(reason)
        self.target = target


@dataclass(frozen=True, slots=True)
class _Cell:
    """Where a value comes from and goes to."""

    slot: int
    index: int
    convert: Callable[[str], Any]


class RowBuilder:
    """Makes the rows of one file.

    Args:
        mapping: how.
        header: the file's column names, among them all that the mapping names.
        cipher: the node's keys for personal numbers.
        now: the present moment; nothing in the past of a customer may lie after its business day.
        constants: what is the same in every row of the run, by slot.
        declared: what the node says of attributes.
    """

    def __init__(
        self,
        mapping: ImportMapping,
        header: Sequence[str],
        cipher: Cipher,
        *,
        now: datetime,
        constants: Mapping[str, object],
        declared: Declarations = Declarations(),  # noqa: B008 - frozen
    ) -> None:
        self._declared, self._knows_kind = declared, mapping.fills("customer.kind")
        self._mapping = mapping
        self._header = header
        self._cipher = cipher
        self._today = now.astimezone(BUSINESS_ZONE).date()
        self._key = header.index(mapping.key)
        self._blank: Row = [None] * len(SLOTS)
        for name, value in {**DEFAULTS, **constants}.items():
            self._blank[SLOTS[name]] = value
        self._cells: list[_Cell] = []
        self._attributes: list[tuple[str, int, Callable[[str], Any]]] = []
        self._constant_attributes: dict[str, Any] = {}
        for filling in mapping.fillings.values():
            self._place(filling)

    def _place(self, filling: Filling) -> None:
        column = filling.target.column
        if filling.column is not None:
            index = self._header.index(filling.column)
            if column:
                self._cells.append(_Cell(SLOTS[column], index, filling.convert))
            else:
                self._attributes.append(
                    (filling.target.name.split(".", 2)[2], index, filling.convert)
                )
        elif column:
            self._blank[SLOTS[column]] = filling.constant
        else:
            self._constant_attributes[filling.target.name.split(".", 2)[2]] = filling.constant

    def build(self, line: int, cells: Sequence[str]) -> Row | list[RowFault]:
        """Return the row of the ``cells`` on ``line``, or every reason why there is none."""
        if len(cells) != len(self._header):
            reason = f"the row has {len(cells)} cells, the header {len(self._header)}"
            return [RowFault(line, "", None, reason)]
        row = self._blank.copy()
        row[LINE] = line
        try:
            row[KEY] = self._row_key(cells[self._key])
            for cell in self._cells:
                row[cell.slot] = cell.convert(cells[cell.index].strip())
            if self._attributes or self._constant_attributes:
                row[ATTRIBUTES] = self._attributes_of(
                    cells, row[KIND] if self._knows_kind else None
                )
            self._complete(row)
        except ValueError as error:
            return self._explain(line, cells, error)
        return row

    @staticmethod
    def _row_key(text: str) -> str:
        key = text.strip()
        if not key:
            raise ValueError("is empty")
        if len(key) > LONGEST_TEXT:
            raise ValueError(f"is longer than {LONGEST_TEXT} characters")
        return clean(key)

    def _attributes_of(self, cells: Sequence[str], kind: str | None) -> str:
        values = dict(self._constant_attributes)
        for name, index, convert in self._attributes:
            value = convert(cells[index].strip())
            if value is not None:
                values[name] = value
        for name, reason in self._declared.faults(kind, values):
            raise _Refused(f"customer.attributes.{name}", reason)
        return orjson.dumps(values).decode()

    def _complete(self, row: Row) -> None:
        """Apply what concerns several values of a row, and seal what is personal."""
        if row[NAME] is not None:
            row[NAME_SORT] = name_sort(row[NAME], person=row[KIND] == CustomerKind.INDIVIDUAL)
        self._check_days(row)
        row[CUSTOMER_ID] = new_id()
        self._seal(row)
        self._complete_line(row)
        for kind, (slot, cipher, index, masked, identity) in _MEDIA.items():
            if row[slot] is not None:
                sealed = seal_contact(self._cipher, kind, row[slot])
                row[cipher], row[index], row[masked] = sealed.cipher, sealed.index, sealed.masked
                row[identity] = new_id()
        changes = [
            {"field": field, "old": None, "new": row[slot]}
            for field, slot in _HISTORY
            if row[slot] is not None
        ]
        row[HISTORY] = orjson.dumps(changes).decode()

    def _check_days(self, row: Row) -> None:
        entry, birth, left = row[ENTRY_DATE], row[BIRTH_DATE], row[LEFT_ON]
        if entry is not None and entry > self._today:
            raise _Refused("customer.entry_date", f"lies after today, {self._today}")
        if birth is not None and birth > (entry or self._today):
            raise _Refused("customer.birth_date", "lies after the day of entry")
        if row[LIBRARY] == Library.IN_NETWORK:
            row[LEFT_ON] = row[LEFT_REASON] = row[LEFT_DESTINATION] = None
        elif left is None:
            raise _Refused(
                "customer.left_on", "is missing, and the customer is in the retained library"
            )
        elif left > self._today:
            raise _Refused("customer.left_on", f"lies after today, {self._today}")
        elif entry is not None and left < entry:
            raise _Refused("customer.left_on", f"lies before the day of entry, {entry}")
        else:
            row[LEFT_AT] = datetime.combine(left, time(), BUSINESS_ZONE)
            row[LINE_STATUS], row[SIM_STATE] = SubscriptionStatus.ENDED.value, SimState.ENDED.value

    def _seal(self, row: Row) -> None:
        number = row[NUMBER]
        if number is None:
            row[DOCUMENT_TYPE] = None
            return
        if row[DOCUMENT_TYPE] is None:
            raise _Refused("customer.document_type", "is missing, and there is a document number")
        try:
            document = seal_document(self._cipher, row[DOCUMENT_TYPE], number)
        except ValueError as error:
            raise _Refused("customer.document_number", str(error)) from None
        row[CIPHER], row[INDEX], row[MASKED] = document.cipher, document.index, document.masked

    def _complete_line(self, row: Row) -> None:
        if row[MSISDN] is None:
            for slot, target in ((ICCID, "sim.iccid"), (CHARGE, "bill.charge_fen")):
                if row[slot] is not None and self._from_file(target):
                    raise _Refused(
                        "subscription.msisdn", "is empty, and there is a SIM or a bill for the line"
                    )
            row[ICCID] = row[IMSI] = row[CHARGE] = None
            return
        row[SUBSCRIPTION_ID] = new_id()
        row[LINE_ENTRY_DATE] = row[LINE_ENTRY_DATE] or row[ENTRY_DATE]
        if (row[ICCID] is None) != (row[IMSI] is None):
            raise _Refused("sim.iccid", "and the IMSI belong together, and one of them is missing")
        if row[CHARGE] is None:
            row[PERIOD] = row[PAID_ON] = None
        elif row[PERIOD] is None:
            raise _Refused("bill.period", "is missing, and there is a charge")

    def _from_file(self, target: str) -> bool:
        filling = self._mapping.fillings.get(target)
        return filling is not None and filling.column is not None

    def _explain(self, line: int, cells: Sequence[str], error: ValueError) -> list[RowFault]:
        """Return every cell that is wrong, or, if each is right by itself, what does not fit together."""
        faults = []
        try:
            self._row_key(cells[self._key])
        except ValueError as fault:
            faults.append(_fault(line, self._mapping.key, cells[self._key], fault))
        for filling in self._mapping.fillings.values():
            if filling.column is not None:
                text = cells[self._header.index(filling.column)]
                try:
                    filling.convert(text.strip())
                except ValueError as fault:
                    faults.append(_fault(line, filling.column, text, fault, of=filling.target.name))
        if not faults and isinstance(error, _Refused):
            refused = self._mapping.fillings.get(error.target)
            column = refused.column if refused is not None else None
            text = cells[self._header.index(column)] if column else ""
            faults.append(_fault(line, column or error.target, text, error, of=error.target))
        if not faults:
            raise error
        # A column that fills several targets is at fault once.
        return list(dict.fromkeys(faults))


def _fault(line: int, column: str, text: str, reason: ValueError, *, of: str = "") -> RowFault:
    shown = "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}"
        for letter in text[:LONGEST_TEXT]
    )
    personal = of.endswith((DOCUMENT_NUMBER, "birth_date")) or of.startswith("contact.")
    return RowFault(line, column, mask(shown) if personal and shown else shown, str(reason))
