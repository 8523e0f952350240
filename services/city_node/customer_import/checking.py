"""What rows of customers and subscriptions contradict: one another, the rows before them, or customers of the node.

The outcome is that of loading the rows one after the other, whatever the size of a portion. What the node contradicts
is found by one ``SELECT`` over the whole portion. Among the others, the first row that claims a number has it. Where
the node's objection may be gone once an earlier row of the same portion is loaded (a line ended, a document changed),
or a row leads to the customer of an earlier one by another key, the portion is cut there, and the rest checked again
after that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.city_node.customer.ownership import NOT_LIVE
from services.city_node.customer_import.knowing import ELSEWHERE, first_lines, know
from services.city_node.customer_import.layout import SLOTS, Row
from services.city_node.customer_import.mapping import ImportMapping
from services.city_node.customer_import.models import Records
from services.city_node.customer_import.rejecting import KEY, RowFault
from services.city_node.customer_import.staging import Staging
from services.city_node.customer_import.suppressing import of_erased

# ruff: noqa: S608 - put together from the texts of this module; values are bound
_OTHERS = "c.id IS DISTINCT FROM r.customer_id"
_HOLDER = "CASE WHEN starts_with(u.path, :scope) THEN 'customer ' || c.customer_number ELSE 'a customer of another unit' END"
_HELD = "JOIN customer c ON c.id = s.customer_id JOIN organisation_unit u ON u.code = c.unit_code"
_LEFT = "(c.library = 'retained' AND r.line_status <> 'ended')"
_LEAVES = "(NOT r.governs AND r.library = 'retained' AND c.library = 'in_network')"
_PRESENT = f"""
    SELECT r.line, 'key',
           CASE WHEN NOT starts_with(u.path, :scope) THEN 'belongs to a customer of another unit'
                WHEN {_LEFT} THEN 'belongs to a customer who left on ' || c.left_on || ': restore the profile first'
                ELSE 'leads to customer ' || c.customer_number || ', another of whose keys tells whether the customer left' END,
           CAST(NULL AS uuid)
    FROM import_claim r JOIN customer c ON c.id = r.customer_id JOIN organisation_unit u ON u.code = c.unit_code
    WHERE NOT starts_with(u.path, :scope) OR {_LEFT} OR {_LEAVES}"""
_NOT_LIVE = f"""
    SELECT r.line, 'key', '{ELSEWHERE}', CAST(NULL AS uuid)
    FROM import_claim r WHERE r.customer_id IN ({NOT_LIVE})"""
_UNIT = """
    SELECT r.line, 'customer.unit_code', 'is not an active unit within the importer''s scope', NULL
    FROM import_claim r LEFT JOIN organisation_unit u ON u.code = r.unit_code AND u.active AND starts_with(u.path, :scope)
    WHERE u.code IS NULL"""
_UNKNOWN = """
    SELECT r.line, 'key', '{}', NULL
    FROM import_claim r WHERE r.customer_id IS NULL"""
_TOO_LITTLE = "belongs to no customer, and the mapping fills too little to make one: customer.name and customer.entry_date"
_NOBODY = "belongs to no customer"
_TWICE = """
    SELECT r.line, 'key', 'is on line ' || k.line || ' too', NULL
    FROM import_claim r JOIN import_key k ON k.key = {}"""
_DOCUMENT = f"""
    SELECT r.line, 'customer.document_number', 'belongs to ' || {_HOLDER}, c.id
    FROM import_claim r JOIN customer c ON c.document_index = r.document_index
    JOIN organisation_unit u ON u.code = c.unit_code WHERE {_OTHERS}"""
_MSISDN = f"""
    SELECT r.line, 'subscription.msisdn', 'is on a line of ' || {_HOLDER}, c.id
    FROM import_claim r JOIN subscription s ON s.msisdn = r.msisdn AND s.status <> 'ended' {_HELD}
    WHERE {_OTHERS} AND r.line_status <> 'ended'"""
_SIM = f"""
    SELECT r.line, 'sim.iccid',
           CASE WHEN m.imsi <> r.imsi THEN 'has another IMSI' ELSE 'is or was the SIM of a line of ' || {_HOLDER} END, NULL
    FROM import_claim r JOIN sim m ON m.iccid = r.iccid JOIN subscription s ON s.id = m.subscription_id {_HELD}
    WHERE {_OTHERS} OR s.msisdn <> r.msisdn OR m.imsi <> r.imsi"""
_IMSI = """
    SELECT r.line, 'sim.imsi', 'is of SIM ' || m.iccid, NULL
    FROM import_claim r JOIN sim m ON m.imsi = r.imsi WHERE m.iccid <> r.iccid"""
_LINE, _KEY, _MSISDN_SLOT, _STATUS = (
    SLOTS[name] for name in ("line", "key", "msisdn", "line_status")
)
_BETWEEN = "\x1f"
"""Between the parts of a natural key; no text that was checked has it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of rows: the first are accepted or at fault, the rest wait until the accepted ones are loaded."""

    accepted: list[Row]
    faults: list[RowFault]
    rest: list[Row]


class Checks:
    """The checks of one mapping: only of what its rows claim."""

    def __init__(self, mapping: ImportMapping) -> None:
        self._lines = mapping.records is Records.SUBSCRIPTIONS
        natural = f"r.key || '{_BETWEEN}' || r.msisdn" if self._lines else "r.key"
        selects = [_PRESENT, _NOT_LIVE, _TWICE.format(natural)]
        if self._lines:
            selects.append(_UNKNOWN.format(_NOBODY))
        else:
            selects.append(_UNIT)
            if not mapping.makes_customers:
                selects.append(_UNKNOWN.format(_TOO_LITTLE))
        claimed = {}
        for target, column, more in (
            ("customer.document_number", "document_index", [_DOCUMENT]),
            ("subscription.msisdn", "msisdn", [_MSISDN]),
            ("sim.iccid", "iccid", [_SIM]),
            ("sim.imsi", "imsi", [_IMSI]),
        ):
            if mapping.fills(target):
                selects += more
                claimed[target] = SLOTS[column]
        self._statement = "\nUNION ALL ".join(selects) + "\nORDER BY 1"
        self._claimed = claimed
        self._makes_customers = mapping.makes_customers

    def natural_key(self, row: Row) -> str:
        """Return what must not stand in a file twice."""
        return f"{row[_KEY]}{_BETWEEN}{row[_MSISDN_SLOT]}" if self._lines else row[_KEY]

    async def check(self, staging: Staging, rows: list[Row]) -> Checked:
        """Tell which of the rows contradict nothing, as far as that can be told yet."""
        await staging.claim(rows)
        await staging.join(by_index=True)
        waiting = await know(staging)
        found = await staging.rows(self._statement)
        rest = list[Row]()
        if any(holder for _, _, _, holder in found):
            first = await first_lines(staging)
            waiting += [line for line, _, _, holder in found if first.get(holder, line) < line]
        if waiting:
            cut = min(waiting)
            rest = [row for row in rows if row[_LINE] >= cut]
            rows = [row for row in rows if row[_LINE] < cut]
            found = [one for one in found if one[0] < cut]
        faults = [RowFault(line, target, reason) for line, target, reason, _ in found]
        if self._makes_customers:
            faults += await of_erased(staging, rows)
        wrong = {fault.line for fault in faults}
        accepted = self._first_come([row for row in rows if row[_LINE] not in wrong], faults)
        await staging.remember((self.natural_key(row), row[_LINE]) for row in accepted)
        return Checked(accepted, faults, rest)

    def _first_come(self, rows: Sequence[Row], faults: list[RowFault]) -> list[Row]:
        """Return the rows that claim what no row before them has; the others are at fault."""
        accepted, taken = list[Row](), dict[tuple[str, object], int]()
        claimed = tuple(self._claimed.items())
        for row in rows:
            claims: list[tuple[str, object]] = [(KEY, self.natural_key(row))]
            for target, slot in claimed:
                if row[slot] is not None and (slot != _MSISDN_SLOT or row[_STATUS] != "ended"):
                    claims.append((target, row[slot]))
            twice = [claim for claim in claims if claim in taken]
            if twice:
                twice = twice[:1] if twice[0][0] == KEY else twice
                faults += [
                    RowFault(row[_LINE], claim[0], f"is on line {taken[claim]} too")
                    for claim in twice
                ]
            else:
                accepted.append(row)
                line: int = row[_LINE]
                taken.update(dict.fromkeys(claims, line))
        return accepted
