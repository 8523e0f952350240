"""The questions by which customers are looked for, as bare SQL: every parameter is a text, as a query string has it."""

from services.city_node.customer.profile import FIELDS

PAGE = 50
RICH = 30_000

# ruff: noqa: S608 - put together from what is declared here
_FROM = f"SELECT {', '.join(f'c.{name}' for name in FIELDS)} FROM customer c WHERE c.library = 'in_network'"
_GOLD = f"c.level = 'gold' AND c.monthly_charge_fen >= {RICH}"
_BY_NAME = f"ORDER BY c.name_sort, c.id LIMIT {PAGE}"
# Without its index: it would be walked from the start of the alphabet.
_BY_NAME_AMONG_FOUND = f"ORDER BY c.name_sort || '', c.id LIMIT {PAGE}"
_BY_CHARGE = f"ORDER BY c.monthly_charge_fen, c.id LIMIT {PAGE}"

STATEMENTS = {
    "phone": f"{_FROM} AND c.id IN "
    "(SELECT customer_id FROM subscription WHERE msisdn = $1 AND status <> 'ended') ORDER BY c.id",
    "document": f"{_FROM} AND c.document_index = decode($1, 'hex') ORDER BY c.id",
    "name": f"{_FROM} AND c.name >= $1 AND c.name < $1 || E'\\U0010FFFF' {_BY_NAME_AMONG_FOUND}",
    "list_first": f"{_FROM} {_BY_NAME}",
    "list_far": f"{_FROM} AND (c.name_sort, c.id) > ($1, $2::text::uuid) {_BY_NAME}",
    "filter_first": f"{_FROM} AND {_GOLD} {_BY_CHARGE}",
    "filter_far": f"{_FROM} AND {_GOLD} "
    f"AND (c.monthly_charge_fen, c.id) > ($1::text::bigint, $2::text::uuid) {_BY_CHARGE}",
}
