"""What a file changes about customers who are known already, set-wise.

The differences are worked out first, over the whole batch and in the form that history keeps; rows without any are
dropped. Then the values are set, and what a customer did not hold yet is added.
"""

from collections.abc import Iterator, Sequence

from services.city_node.customer.models import ChangeAction
from services.city_node.customer_import.before import added, images
from services.city_node.customer_import.layout import Row
from services.city_node.customer_import.mapping import ImportMapping
from services.city_node.customer_import.staging import Staging

# ruff: noqa: S608 - put together from the texts of this module and the names of targets; values are bound
_COMPARED = [
    "name",
    "kind",
    "library",
    "sex",
    "birth_date",
    "document_type",
    "level",
    "unit_code",
    "contract_term",
    "payment_method",
    "monthly_charge_fen",
    "total_charge_fen",
    "entry_date",
    "left_on",
    "left_reason",
    "left_destination",
    "left_competitor",
    "left_note",
]
_CODED = {"left_competitor": "left_destination", "left_note": "left_reason"}
"""Fields that come of what a file says about another one."""
_LINE_FIELDS = {
    "brand": "r.brand",
    "plan": "r.plan",
    "contract_term": "r.line_contract_term",
    "entry_date": "coalesce(r.line_entry_date, s.entry_date)",
    "status": "r.line_status",
    "ended_on": "r.left_on",
}
"""Fields of a line, and what a staged row has for them."""
_MEDIA = ("phone", "email", "postal")
_ENDS = "r.library = 'retained'"
_KNOW_CUSTOMERS = """
    UPDATE import_row r SET customer_id = k.customer_id, governs = k.governs FROM import_claim k WHERE k.line = r.line"""
_KNOW_LINES = """
    UPDATE import_row r SET subscription_id = k.id, line_known = true
    FROM (SELECT DISTINCT ON (r.line) r.line, s.id
          FROM import_row r JOIN subscription s ON s.customer_id = r.customer_id AND s.msisdn = r.msisdn
          WHERE s.status <> 'ended' OR r.line_status = 'ended'
          ORDER BY r.line, s.status = 'ended', s.ended_on DESC) k
    WHERE k.line = r.line"""
_FORGET_UNCHANGED = (
    "DELETE FROM import_row r WHERE NOT EXISTS (SELECT FROM import_change h WHERE h.line = r.line)"
)


class Changes:
    """The statements by which the rows of a mapping change known customers."""

    def __init__(self, mapping: ImportMapping) -> None:
        self._mapping = mapping
        self._fields = [
            name for name in _COMPARED if mapping.fills(f"customer.{_CODED.get(name, name)}")
        ]
        self._line_fields = {
            name: staged
            for name, staged in _LINE_FIELDS.items()
            if mapping.fills(f"subscription.{name}")
        }
        self._media = [kind for kind in _MEDIA if mapping.fills(f"contact.{kind}")]

    async def apply(self, staging: Staging, rows: Sequence[Row]) -> int:
        """Change known customers by ``rows``; returns how many really change."""
        await staging.stage(rows)
        await staging.run(_KNOW_CUSTOMERS)
        await staging.run(self._leave_profiles())
        if self._mapping.fills("subscription.msisdn"):
            await staging.run(_KNOW_LINES)
        changed = await staging.run(self._differences())
        if changed:
            await staging.run(_FORGET_UNCHANGED)
            for statement in (*self._images(), *self._updates(), *self._inserts()):
                await staging.run(statement)
        return changed

    def _leave_profiles(self) -> str:
        """Return the statement by which rows that do not govern say of the profile what it says itself."""
        names = (*self._fields, "name_sort", "document_index", "attributes")
        sets = ", ".join(f"{name} = c.{name}" for name in names)
        return f"UPDATE import_row r SET {sets} FROM customer c WHERE c.id = r.customer_id AND NOT r.governs"

    def _images(self) -> Iterator[str]:
        """Return the statements that keep what will be changed as it is."""
        mapping = self._mapping
        if self._fields or mapping.attributes or mapping.fills("customer.document_number"):
            yield images("customer", "k.id", "import_row r JOIN customer k ON k.id = r.customer_id")
        if mapping.fills("customer.library"):
            yield images("subscription", "k.id", _ENDING_LINES)
            yield images("sim", "k.iccid", _ENDING_SIMS)
        if self._line_fields:
            yield images("subscription", "k.id", _KNOWN_LINES)
        if mapping.fills("sim.iccid") or mapping.fills("subscription.status"):
            yield images("sim", "k.iccid", _SIMS_IN_USE)
        if mapping.fills("bill.charge_fen"):
            yield images("bill", "k.id", _KNOWN_BILLS)

    def _inserts(self) -> Iterator[str]:
        """Return the statements that add what known customers did not hold."""
        mapping = self._mapping
        if mapping.fills("subscription.msisdn"):
            yield added("subscription", "id", _INSERT_LINES)
        if mapping.fills("sim.iccid"):
            yield added("sim", "iccid", _INSERT_SIMS, through="iccid")
        if mapping.fills("bill.charge_fen"):
            yield _INSERT_BILLS + self._on_known_bill()
        yield from (added("contact_medium", "id", _insert_medium(kind)) for kind in self._media)

    def _on_known_bill(self) -> str:
        if self._mapping.fills("bill.paid_on"):
            sets, old, new = (
                "charge_fen = excluded.charge_fen, paid_on = excluded.paid_on",
                "(bill.charge_fen, bill.paid_on)",
                "(excluded.charge_fen, excluded.paid_on)",
            )
        else:
            sets, old, new = (
                "charge_fen = excluded.charge_fen",
                "bill.charge_fen",
                "excluded.charge_fen",
            )
        sets += ", import_number = excluded.import_number"
        return f" ON CONFLICT (subscription_id, period) DO UPDATE SET {sets} WHERE {old} IS DISTINCT FROM {new}"

    def _not_retired(self) -> str:
        # A line of a customer who left is added without a word; one that a file of lines has is always told of.
        return " AND r.library = 'in_network'" if self._mapping.fills("customer.library") else ""

    def _differences(self) -> str:
        """Return the statement that works out what changes about known customers."""
        mapping, joins = self._mapping, ["JOIN customer c ON c.id = r.customer_id"]
        items = [_difference(f"'{name}'", f"c.{name}", f"r.{name}") for name in self._fields]
        if mapping.fills("customer.document_number"):
            items.append(
                _difference(
                    "'document_number'",
                    "c.document_masked",
                    "r.document_masked",
                    "c.document_index IS DISTINCT FROM r.document_index",
                )
            )
        if mapping.attributes:
            items.append(_ATTRIBUTES)
        if mapping.fills("subscription.msisdn"):
            joins.append("LEFT JOIN subscription s ON r.line_known AND s.id = r.subscription_id")
            field = "'subscriptions/' || r.msisdn || '/{}'"
            items.append(
                _difference(
                    field.format("status"),
                    "NULL",
                    "r.line_status",
                    f"s.id IS NULL AND r.msisdn IS NOT NULL{self._not_retired()}",
                )
            )
            items += [
                _difference(
                    field.format(name),
                    f"s.{name}",
                    staged,
                    f"s.id IS NOT NULL AND s.{name} IS DISTINCT FROM {staged}",
                )
                for name, staged in self._line_fields.items()
            ]
        if mapping.fills("sim.iccid"):
            joins += [
                "LEFT JOIN sim m ON m.iccid = r.iccid",
                "LEFT JOIN sim a ON a.subscription_id = s.id AND a.state = 'active'",
            ]
            new = "r.iccid IS NOT NULL AND m.iccid IS NULL"
            items.append(_difference("'sims/' || r.iccid || '/state'", "NULL", "r.sim_state", new))
            items.append(
                _difference(
                    "'sims/' || a.iccid || '/state'",
                    "'active'",
                    "'replaced'",
                    f"{new} AND a.iccid IS NOT NULL AND r.line_status <> 'ended'",
                )
            )
        if mapping.fills("bill.charge_fen"):
            joins.append(
                "LEFT JOIN bill b ON b.subscription_id = r.subscription_id AND b.period = r.bill_period"
            )
            field = "'bills/' || r.msisdn || '/' || to_char(r.bill_period, 'YYYY-MM') || '/{}'"
            items.append(
                _difference(
                    field.format("charge_fen"),
                    "b.charge_fen",
                    "r.bill_charge_fen",
                    "r.bill_charge_fen IS NOT NULL AND b.charge_fen IS DISTINCT FROM r.bill_charge_fen",
                )
            )
            if mapping.fills("bill.paid_on"):
                items.append(
                    _difference(
                        field.format("paid_on"),
                        "b.paid_on",
                        "r.bill_paid_on",
                        "r.bill_charge_fen IS NOT NULL AND b.paid_on IS DISTINCT FROM r.bill_paid_on",
                    )
                )
        for kind in self._media:
            known = f"EXISTS (SELECT FROM contact_medium k WHERE k.customer_id = c.id AND k.kind = '{kind}' AND k.value_index = r.{kind}_index)"
            items.append(
                _difference(
                    f"'contacts/{kind}'",
                    "NULL",
                    f"r.{kind}_masked",
                    f"r.{kind}_index IS NOT NULL AND NOT {known}",
                )
            )
        found = " || ".join(items)
        leaves = "c.library <> r.library" if mapping.fills("customer.library") else "false"
        return f"""
            INSERT INTO import_change (line, customer_id, action, changes)
            SELECT r.line, c.id, CASE WHEN {leaves} THEN '{ChangeAction.RETIRED.value}' ELSE '{ChangeAction.CHANGED.value}' END,
                   d.changes || CASE WHEN {leaves} THEN {_ENDED_LINES} ELSE '[]' END
            FROM import_row r {" ".join(joins)}
            CROSS JOIN LATERAL (SELECT CAST({found} AS jsonb) AS changes) d
            WHERE d.changes <> '[]'"""

    def _updates(self) -> list[str]:
        """Return the statements that bring about the differences, and keep them."""
        staged = "FROM import_row r WHERE"
        sets = [f"{name} = r.{name}" for name in self._fields]
        if self._mapping.fills("customer.name"):
            sets.append("name_sort = r.name_sort")
        if self._mapping.fills("customer.document_number"):
            sets += [
                f"{name} = CASE WHEN c.document_index IS DISTINCT FROM r.document_index THEN r.{name} ELSE c.{name} END"
                for name in ("document_cipher", "document_masked")
            ]
            sets.append("document_index = r.document_index")
        if self._mapping.attributes:
            sets.append("attributes = (c.attributes - :attributes) || r.attributes")
        sets += ["version = c.version + 1", "updated_at = :now", "updated_by = :by"]
        statements = [f"UPDATE customer c SET {', '.join(sets)} {staged} c.id = r.customer_id"]
        if self._mapping.fills("customer.library"):
            statements += [_END_SIMS, _END_LINES]
        if self._line_fields:
            line_sets = ", ".join(f"{name} = {value}" for name, value in self._line_fields.items())
            statements.append(
                f"UPDATE subscription s SET {line_sets} {staged} r.line_known AND s.id = r.subscription_id"
            )
        if self._mapping.fills("subscription.status"):
            statements.append(_END_SIMS_OF_LINES)
        if self._mapping.fills("sim.iccid"):
            statements.append(_REPLACE_SIMS)
        statements.append(
            "INSERT INTO customer_change (customer_id, at, by, source, action, changes, cause_id)"
            " SELECT h.customer_id, :now, :by, 'import', h.action, h.changes, :import_id FROM import_change h"
        )
        return statements


def _difference(field: str, old: str, new: str, differs: str | None = None) -> str:
    condition = differs or f"{old} IS DISTINCT FROM {new}"
    item = f"jsonb_build_array(jsonb_build_object('field', {field}, 'old', {old}, 'new', {new}))"
    return f"CASE WHEN {condition} THEN {item} ELSE '[]' END"


_ATTRIBUTES = """coalesce((
    SELECT jsonb_agg(jsonb_build_object('field', 'attributes/' || name, 'old', c.attributes -> name, 'new', r.attributes -> name))
    FROM unnest(CAST(:attributes AS text[])) name WHERE c.attributes -> name IS DISTINCT FROM r.attributes -> name), '[]')"""
_ENDED_LINES = """coalesce((
    SELECT jsonb_agg(jsonb_build_object('field', 'subscriptions/' || e.msisdn || '/status', 'old', e.status, 'new', 'ended'))
    FROM subscription e WHERE e.customer_id = c.id AND e.status <> 'ended'), '[]')"""
_END_SIMS = f"""
    UPDATE sim m SET state = 'ended', ended_at = r.left_at
    FROM import_row r JOIN subscription s ON s.customer_id = r.customer_id
    WHERE {_ENDS} AND m.subscription_id = s.id AND m.state = 'active'"""
_END_LINES = f"""
    UPDATE subscription s SET status = 'ended', ended_on = r.left_on
    FROM import_row r WHERE {_ENDS} AND s.customer_id = r.customer_id AND s.status <> 'ended'"""
_END_SIMS_OF_LINES = """
    UPDATE sim m SET state = 'ended', ended_at = r.left_at
    FROM import_row r
    WHERE r.line_known AND r.line_status = 'ended' AND m.subscription_id = r.subscription_id AND m.state = 'active'"""
_ENDING_LINES = f"import_row r JOIN subscription k ON k.customer_id = r.customer_id AND k.status <> 'ended' WHERE {_ENDS}"
_ENDING_SIMS = f"""
    import_row r JOIN subscription s ON s.customer_id = r.customer_id
    JOIN sim k ON k.subscription_id = s.id AND k.state = 'active' WHERE {_ENDS}"""
_KNOWN_LINES = "import_row r JOIN subscription k ON k.id = r.subscription_id WHERE r.line_known"
_SIMS_IN_USE = """
    import_row r JOIN sim k ON k.subscription_id = r.subscription_id AND k.state = 'active' WHERE r.line_known"""
_KNOWN_BILLS = """
    import_row r JOIN bill k ON k.subscription_id = r.subscription_id AND k.period = r.bill_period
    WHERE r.bill_charge_fen IS NOT NULL"""
_REPLACE_SIMS = """
    UPDATE sim m SET state = 'replaced', ended_at = :now
    FROM import_row r
    WHERE r.line_known AND r.line_status <> 'ended' AND r.iccid IS NOT NULL AND m.subscription_id = r.subscription_id
      AND m.state = 'active' AND NOT EXISTS (SELECT FROM sim k WHERE k.iccid = r.iccid)"""
_INSERT_LINES = """
    INSERT INTO subscription (id, customer_id, msisdn, brand, plan, contract_term, status, entry_date, ended_on)
    SELECT r.subscription_id, c.id, r.msisdn, r.brand, r.plan, r.line_contract_term, r.line_status,
           coalesce(r.line_entry_date, c.entry_date), r.left_on
    FROM import_row r JOIN customer c ON c.id = r.customer_id WHERE r.msisdn IS NOT NULL AND NOT r.line_known"""
_INSERT_SIMS = """
    INSERT INTO sim (iccid, imsi, state, subscription_id, activated_at, ended_at)
    SELECT r.iccid, r.imsi, r.sim_state, r.subscription_id, :now, r.left_at
    FROM import_row r WHERE r.iccid IS NOT NULL ON CONFLICT (iccid) DO NOTHING"""
_INSERT_BILLS = """
    INSERT INTO bill (subscription_id, customer_id, period, charge_fen, paid_on, import_number)
    SELECT r.subscription_id, r.customer_id, r.bill_period, r.bill_charge_fen, r.bill_paid_on, :import_number
    FROM import_row r WHERE r.bill_charge_fen IS NOT NULL"""


def _insert_medium(kind: str) -> str:
    return f"""
        INSERT INTO contact_medium (id, customer_id, kind, value_cipher, value_index, value_masked)
        SELECT gen_random_uuid(), r.customer_id, '{kind}', r.{kind}_cipher, r.{kind}_index, r.{kind}_masked
        FROM import_row r WHERE r.{kind}_index IS NOT NULL ON CONFLICT (value_index, customer_id, kind) DO NOTHING"""
