"""From the columns of a portion to the rows of customers, or to the reasons why not."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, time
from itertools import repeat
from typing import Any

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
from services.city_node.customer_import.columns import Columns
from services.city_node.customer_import.layout import DEFAULTS, DOCUMENT_NUMBER, SLOTS, Row
from services.city_node.customer_import.mapping import Filling, ImportMapping
from services.city_node.customer_import.models import Records
from services.city_node.customer_import.rejecting import RowFault
from services.city_node.departure.catalogue import Catalogue
from shared.kernel.clock import BUSINESS_ZONE
from shared.kernel.encryption import Cipher
from shared.kernel.ids import new_ids

(
    LINE, KEY, CUSTOMER_ID, SUBSCRIPTION_ID, NAME, NAME_SORT, KIND, LIBRARY, BIRTH_DATE, DOCUMENT_TYPE, CIPHER, INDEX, MASKED,
    ENTRY_DATE, LEFT_ON, LEFT_AT, LEFT_REASON, LEFT_DESTINATION, LEFT_COMPETITOR, LEFT_NOTE, ATTRIBUTES, MSISDN, LINE_STATUS, LINE_ENTRY_DATE, ICCID, IMSI,
    SIM_STATE, PERIOD, CHARGE, PAID_ON, HISTORY, NUMBER, NOW,
) = (
    SLOTS[name]
    for name in (
        "line", "key", "customer_id", "subscription_id", "name", "name_sort", "kind", "library", "birth_date", "document_type",
        "document_cipher", "document_index", "document_masked", "entry_date", "left_on", "left_at", "left_reason",
        "left_destination", "left_competitor", "left_note", "attributes", "msisdn", "line_status", "line_entry_date", "iccid", "imsi", "sim_state",
        "bill_period", "bill_charge_fen", "bill_paid_on", "history", DOCUMENT_NUMBER, "now",
    )
)  # fmt: skip
_REMEMBERED = {**{name: name for name in TRACKED}, "document_number": "document_masked"}
_HISTORY = tuple((field, SLOTS[staged]) for field, staged in _REMEMBERED.items() if staged in SLOTS)


class _Refused(ValueError):
    """What a row says about one target does not fit the rest of it."""

    def __init__(self, target: str, reason: str) -> None:
        super().__init__(reason)
        self.target = target


class RowBuilder:
    """Makes the rows of one file of customers or subscriptions.

    Args:
        mapping: how.
        header: the file's column names, among them all that the mapping names.
        cipher: the node's keys for personal numbers.
        began: when the import began; nothing in the past of a customer may lie after its business day.
        run: what is the same in every row of the run, by slot.
        declared: what the node says of attributes.
        departures: by which reasons for leaving and destinations become codes.
    """

    def __init__(
        self,
        mapping: ImportMapping,
        header: Sequence[str],
        cipher: Cipher,
        *,
        began: datetime,
        run: Mapping[str, object],
        declared: Declarations = Declarations(),  # noqa: B008 - frozen
        departures: Catalogue = Catalogue(),  # noqa: B008 - frozen
    ) -> None:
        self._departures = departures
        self._declared, self._knows_kind = declared, mapping.fills("customer.kind")
        self._misfits: dict[tuple[str, str | None], tuple[str, str] | None] = {}
        self._mapping = mapping
        self._cipher = cipher
        self._today = began.astimezone(BUSINESS_ZONE).date()
        self._blank: Row = [None] * len(SLOTS)
        for name, value in {**DEFAULTS, **run}.items():
            self._blank[SLOTS[name]] = value
        self._filled: dict[str, int] = {}
        self._attributes: list[tuple[str, str, int]] = []
        self._constant_attributes: dict[str, Any] = {}
        for name, filling in mapping.fillings.items():
            self._place(name, filling, header)
        media = [kind for kind in MediumKind if mapping.fills(f"contact.{kind}")]
        self._media = [
            (
                kind,
                SLOTS[kind],
                SLOTS[f"{kind}_cipher"],
                SLOTS[f"{kind}_index"],
                SLOTS[f"{kind}_masked"],
            )
            for kind in media
        ]
        self._ids = [CUSTOMER_ID, *(SLOTS[f"{kind}_id"] for kind in media)]
        if mapping.fills("subscription.msisdn"):
            self._ids.append(SUBSCRIPTION_ID)
        self._has_name = mapping.fills("customer.name")

    def _place(self, name: str, filling: Filling, header: Sequence[str]) -> None:
        column = filling.target.column
        if filling.column is not None:
            if column:
                self._filled[name] = SLOTS[column]
            else:
                attribute = name.split(".", 2)[2]
                self._attributes.append((attribute, name, header.index(filling.column)))
        elif column:
            self._blank[SLOTS[column]] = filling.constant
        else:
            self._constant_attributes[name.split(".", 2)[2]] = filling.constant

    def build(self, columns: Columns, now: datetime) -> tuple[list[Row], list[RowFault]]:
        """Return the rows of a portion that is written ``now``, and what does not fit together in others."""
        number = len(columns.lines)
        whole: list[Iterable[Any]] = [repeat(value, number) for value in self._blank]
        whole[LINE], whole[NOW] = columns.lines, repeat(now, number)
        assert columns.keys is not None  # noqa: S101 - the mapping of such a file names a key column
        whole[KEY] = columns.keys
        for name, slot in self._filled.items():
            whole[slot] = columns.values[name]
        for slot in self._ids:
            whole[slot] = new_ids(number)
        if self._attributes or self._constant_attributes:
            whole[ATTRIBUTES] = self._attributes_of(columns)
        rows, faults = list[Row](), list[RowFault]()
        for row in map(list, zip(*whole, strict=True)):
            try:
                self._complete(row)
            except _Refused as refused:
                faults.append(RowFault(row[LINE], refused.target, str(refused)))
            else:
                rows.append(row)
        if self._has_name and rows:
            _order_by_sound(rows)
            _write_history(rows)
        return rows, faults

    def _attributes_of(self, columns: Columns) -> list[str]:
        """Return the attributes of each row as JSON, written once for rows with the same texts."""
        made, known = list[str](), dict[tuple[str, ...], str]()
        places = [index for _, _, index in self._attributes]
        values = [(name, columns.values[target]) for name, target, _ in self._attributes]
        for number, cells in enumerate(columns.cells):
            texts = tuple([cells[place] for place in places])
            if texts not in known:
                given = {name: column[number] for name, column in values}
                present = {name: value for name, value in given.items() if value is not None}
                known[texts] = orjson.dumps(self._constant_attributes | present).decode()
            made.append(known[texts])
        return made

    def _complete(self, row: Row) -> None:
        """Apply what concerns several values of a row, and seal what is personal."""
        if self._mapping.records is Records.SUBSCRIPTIONS:
            self._check_ended(row)
        else:
            self._check_days(row)
            row[LEFT_REASON], row[LEFT_NOTE] = self._departures.reason(row[LEFT_REASON])
            row[LEFT_COMPETITOR] = self._departures.competitor(row[LEFT_DESTINATION])
        if self._attributes or self._constant_attributes:
            self._check_attributes(row)
        self._seal(row)
        self._complete_line(row)
        for kind, slot, cipher, index, masked in self._media:
            if row[slot] is not None:
                sealed = seal_contact(self._cipher, kind, row[slot])
                row[cipher], row[index], row[masked] = sealed.cipher, sealed.index, sealed.masked

    def _check_attributes(self, row: Row) -> None:
        """Compare what a row says with what the node declares, once for rows that say the same."""
        said = row[ATTRIBUTES], row[KIND] if self._knows_kind else None
        if said not in self._misfits:
            faults = self._declared.faults(said[1], orjson.loads(said[0]))
            self._misfits[said] = next(iter(faults), None)
        if (misfit := self._misfits[said]) is not None:
            raise _Refused(f"customer.attributes.{misfit[0]}", misfit[1])

    def _check_ended(self, row: Row) -> None:
        if row[MSISDN] is None:
            raise _Refused("subscription.msisdn", "is empty")
        if row[LINE_STATUS] != SubscriptionStatus.ENDED:
            row[LEFT_ON] = None
        elif row[LEFT_ON] is None:
            raise _Refused("subscription.ended_on", "is missing, and the line has ended")
        elif row[LEFT_ON] > self._today:
            raise _Refused("subscription.ended_on", f"lies after today, {self._today}")
        else:
            row[LEFT_AT] = datetime.combine(row[LEFT_ON], time(), BUSINESS_ZONE)
            row[SIM_STATE] = SimState.ENDED.value

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


def _order_by_sound(rows: Sequence[Row]) -> None:
    known = dict[tuple[str, str], str]()
    for row in rows:
        named = row[NAME], row[KIND]
        if named not in known:
            known[named] = name_sort(row[NAME], person=row[KIND] == CustomerKind.INDIVIDUAL)
        row[NAME_SORT] = known[named]


def _write_history(rows: Sequence[Row]) -> None:
    """Write what a new customer begins with as the history keeps it; each value once."""
    columns = []
    for field, slot in _HISTORY:
        values = [row[slot] for row in rows]
        written = {
            value: "" if value is None else orjson.dumps({"field": field, "old": None, "new": value}).decode()
            for value in set(values)
        }  # fmt: skip
        if any(written.values()):
            columns.append([written[value] for value in values])
    for row, parts in zip(rows, zip(*columns, strict=True), strict=True):
        row[HISTORY] = f"[{','.join(filter(None, parts))}]"
