"""A city in which everything that is counted has happened, often at the edge of a period, made by its own database."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from shared.statistics.industry import industries
from tests.city.random_customers import random_people, settle_in

# ruff: noqa: S608 - put together from the texts of this module

LEVELS = ("diamond", "gold", "silver", "standard")
MANAGERS = 3


def one(*values: str) -> str:
    """SQL of one of some texts."""
    return f"(ARRAY[{', '.join(map(repr, values))}])[1 + floor(random() * {len(values)})::int]"


DAY = f"CASE WHEN random() < 0.4 THEN {one('2026-09-30', '2026-10-01', '2026-10-31', '2026-11-01', '2026-11-22')}::date ELSE DATE '2026-08-20' + floor(random() * 95)::int END"
MOMENT = f"CASE WHEN random() < 0.4 THEN {one('2026-09-30T16:00Z', '2026-10-31T15:59:59Z', '2026-10-31T16:00Z', '2026-11-21T16:00Z')}::timestamptz ELSE TIMESTAMPTZ '2026-08-20' + random() * interval '95 days' END"
CHANNEL = one("call_centre", "hall", "web", "email", "manager", "sms")
_MADE = "TIMESTAMPTZ '2026-01-01'"

_ONCE = (
    "SELECT setseed(0.25)",
    f"""INSERT INTO staff_member (id, username, kind, display_name, role, unit_code, password_hash, created_at, updated_at)
        SELECT gen_random_uuid(), 'm' || n, 'person', 'm', 'account_manager', '440300', '-', {_MADE}, {_MADE}
        FROM generate_series(1, {MANAGERS}) n""",
    f"""INSERT INTO reward (code, name_zh, name_en, points, valid_from, levels, updated_at, updated_by, version)
        SELECT 'cup' || n, '杯', 'cup', 1, DATE '2026-01-01', '[]', {_MADE}, 'x', 1 FROM generate_series(1, 2) n""",
    f"""INSERT INTO offer (code, name_zh, name_en, benefit_zh, benefit_en, value_fen, cost_fen, valid_from, units, levels, version, updated_at, updated_by)
        SELECT 'lounge' || n, '厅', 'lounge', '厅', 'lounge', 1, 1, DATE '2026-01-01', '[]', '[]', 1, {_MADE}, 'x' FROM generate_series(1, 2) n""",
    """INSERT INTO competitor (code, name_zh, name_en, updated_by) VALUES ('other', '他', 'other', 'x')""",
    """INSERT INTO departure_reason (code, name_zh, name_en, updated_by) VALUES ('dear', '贵', 'dear', 'x')""",
    """UPDATE customer SET birth_date = CASE WHEN random() < 0.8 THEN DATE '1950-01-01' + floor(random() * 25000)::int END,
        manager_id = (ARRAY(SELECT id FROM staff_member ORDER BY username))[1 + floor(random() * 5)::int],
        left_reason = CASE WHEN left_on IS NOT NULL AND random() < 0.6 THEN 'dear' END,
        left_competitor = CASE WHEN left_on IS NOT NULL AND random() < 0.5 THEN 'other' END""",
    f"""UPDATE subscription SET brand = CASE WHEN random() < 0.8 THEN {one("全球通", "神州行")} END,
        contract_term = {one("none", "monthly", "one_year", "two_year")},
        status = CASE WHEN ended_on IS NULL AND random() < 0.2 THEN 'suspended' ELSE status END""",
    "UPDATE bill SET paid_on = CASE WHEN random() < 0.7 THEN period + floor(random() * 90)::int END, charge_fen = CASE WHEN random() < 0.1 THEN 0 ELSE charge_fen END",
)
_OF_CUSTOMERS = (
    """INSERT INTO usage_month (subscription_id, customer_id, quantity, charge_fen, period, kind, band)
        SELECT s.id, s.customer_id, floor(random() * 9999), floor(random() * 999), p::date, k, b FROM subscription s,
        (VALUES (DATE '2026-10-01'), (DATE '2026-11-01')) m (p),
        (VALUES ('voice_local'), ('voice_long_distance'), ('voice_roaming'), ('sms'), ('data')) kinds (k),
        (VALUES ('day'), ('night'), ('all')) bands (b) WHERE random() < 0.5 ON CONFLICT DO NOTHING""",
    f"""INSERT INTO interaction (id, customer_id, at, channel, kind, subject)
        SELECT gen_random_uuid(), id, {MOMENT}, {CHANNEL},
        {one("inquiry", "business", "complaint", "fault", "visit", "outreach", "other")}, 'x' FROM customer, generate_series(1, 3)""",
    f"""INSERT INTO win_back_attempt (id, customer_id, at, staff, channel, result, left_on, lost_monthly_charge_fen)
        SELECT gen_random_uuid(), id, {MOMENT}, 'm1', {CHANNEL}, {one("planned", "contacted", "declined")}, DATE '2026-09-01', floor(random() * 9999)
        FROM customer WHERE left_on IS NOT NULL""",
    f"""INSERT INTO level_migration (customer_id, at, unit_code, from_level, to_level, by, source)
        SELECT id, {MOMENT}, '440300', {one(*LEVELS)}, {one(*LEVELS)}, 'x', 'rest' FROM customer, generate_series(1, 2) WHERE random() < 0.5""",
    f"""INSERT INTO verification_task (id, customer_id, reason, state, due_on, created_at, closed_at)
        SELECT gen_random_uuid(), id, {one("bounced", "never", "stale")}, {one("verified", "corrected", "unreachable", "cancelled")},
        DATE '2026-11-10', made, made + random() * interval '40 days' FROM (SELECT id, {MOMENT} AS made FROM customer) c""",
    f"""INSERT INTO product_holding (id, customer_id, product_code, name, category, quantity, monthly_fee_fen, since, until)
        SELECT gen_random_uuid(), id, gen_random_uuid()::text, 'x', {one("voice", "cloud", "ict")}, 1 + floor(random() * 5), floor(random() * 999),
        since, CASE WHEN random() < 0.5 THEN since + 1 + floor(random() * 60)::int END FROM (SELECT id, {DAY} AS since FROM customer) c""",
    f"""INSERT INTO prospect_event (prospect_id, customer_id, at, by, act, from_state, to_state, unit_code, target, score, signals, days)
        SELECT p, id, {MOMENT}, 'x', {one("find", "qualify", "convert", "drop", "disqualify", "lapse", "assign")}, 'found',
        {one("found", "qualified", "nurtured", "converted", "dropped", "lapsed")}, '440300', {one(*LEVELS[:3])}, 1, '{{}}', floor(random() * 90)
        FROM (SELECT id, gen_random_uuid() AS p FROM customer) c, generate_series(1, 2)""",
    f"""INSERT INTO offer_grant (id, offer_code, customer_id, unit_code, uses, used, cost_fen, state, level, policy, granted_on, valid_until, granted_at, granted_by, version)
        SELECT gen_random_uuid(), {one("lounge1", "lounge2")}, id, '440300', 3, 0, 5, {one("granted", "proposed", "refused", "expired")},
        {one(*LEVELS)}, 'x', {DAY}, DATE '2027-12-31', {_MADE}, 'x', 1 FROM customer""",
    f"""WITH used AS (INSERT INTO offer_use (id, grant_id, offer_code, unit_code, uses, cost_fen, used_on, used_at, used_by, place_code, channel)
        SELECT gen_random_uuid(), id, offer_code, '440300', 1, floor(random() * 99), {DAY}, {_MADE}, 'x', '440300', 'hall'
        FROM offer_grant, generate_series(1, 2) WHERE random() < 0.5 RETURNING *)
        INSERT INTO offer_use (id, grant_id, offer_code, unit_code, reverses_id, uses, cost_fen, used_on, used_at, used_by, place_code, channel, reason)
        SELECT gen_random_uuid(), grant_id, offer_code, '440300', id, -1, -cost_fen, {DAY}, {_MADE}, 'x', '440300', 'hall', 'mistake'
        FROM used WHERE random() < 0.3""",
    f"""INSERT INTO redemption (id, customer_id, reward_code, quantity, points, state, at, by, settled_at, settled_by, version)
        SELECT gen_random_uuid(), id, {one("cup1", "cup2")}, 1 + floor(random() * 3), 1 + floor(random() * 99),
        {one("fulfilled", "cancelled", "reversed")}, {MOMENT}, 'x', {MOMENT}, 'x', 1 FROM customer""",
    f"""INSERT INTO service_request (id, kind, role, home, visited, state, subject, deadline, unit_code, created_by, created_at, updated_at, ended_at, refusal_code, refusal_text)
        SELECT gen_random_uuid(), {one("card", "payment")}, {one("home", "visited")}, '440300', '440100', 'x', 'x', made + interval '10 days', '440300', 'x', made, made,
        CASE WHEN random() < 0.7 THEN made + random() * interval '30 days' END, CASE WHEN refused THEN 'no' END, CASE WHEN refused THEN '{{}}'::jsonb END
        FROM (SELECT {MOMENT} AS made, random() < 0.3 AS refused FROM customer) c""",
)
_OF_THE_PRESENT = (
    """INSERT INTO enterprise (customer_id, industry_code, size_class, employees)
        SELECT id, (ARRAY(SELECT code FROM industry ORDER BY code))[1 + floor(random() * 130)::int], """
    + one("large", "small")
    + """, floor(random() * 99) FROM customer WHERE kind = 'group' AND random() < 0.9 ON CONFLICT DO NOTHING""",
    f"""INSERT INTO group_member (id, customer_id, member_id, since, until)
        SELECT gen_random_uuid(), g.id, m.id, since, CASE WHEN random() < 0.5 THEN since + 30 END
        FROM (SELECT id, {DAY} AS since FROM customer WHERE kind = 'individual' ORDER BY id LIMIT 200) m,
        LATERAL (SELECT id FROM customer WHERE kind = 'group' AND m.id IS NOT NULL ORDER BY random() LIMIT 1) g
        WHERE NOT EXISTS (SELECT FROM group_member o WHERE o.member_id = m.id)""",
    f"""INSERT INTO agreement (id, customer_id, number, kind, title, starts_on, expires_on, auto_renews, renewal_months)
        SELECT gen_random_uuid(), id, gen_random_uuid()::text, 'service', 'x', {DAY} - 30,
        CASE WHEN random() < 0.8 THEN DATE '2026-10-20' + floor(random() * 200)::int END, renews, 12
        FROM (SELECT id, random() < 0.3 AS renews FROM customer WHERE kind = 'group') c""",
    f"""INSERT INTO credit_result (customer_id, since, as_of, policy, used, score, rating, limit_fen)
        SELECT id, TIMESTAMPTZ '2026-10-05', DATE '2026-10-05', 'x', '{{}}', floor(random() * 99), {one("A", "B")}, floor(random() * 999)
        FROM customer WHERE random() < 0.8""",
    """INSERT INTO customer_completeness (customer_id, score, missing, computed_at)
        SELECT id, 90 + floor(random() * 11), '[]', now() FROM customer WHERE random() < 0.8""",
)
_POINTS = (
    f"INSERT INTO points_account (customer_id, opened_at) SELECT id, {_MADE} FROM customer",
    f"""INSERT INTO points_entry (at, kind, debit_id, credit_id, points, expires_on)
        SELECT {MOMENT}, 'accrual', 1, a.id, 500 + floor(random() * 500), {one("2026-12-31", "2027-12-31")}::date
        FROM points_account a, generate_series(1, 2)""",
    *(
        f"""INSERT INTO points_entry (at, kind, debit_id, credit_id, points, expires_on)
        SELECT {MOMENT}, '{kind}', {debit}, {credit}, 1 + floor(random() * 9), e.expires_on
        FROM points_account a JOIN points_entry e ON e.credit_id = a.id AND e.kind = 'accrual' WHERE random() < 0.3"""
        for kind, debit, credit in (
            ("correction", "a.id", "1"),
            ("redemption", "a.id", "2"),
            ("reversal", "2", "a.id"),
            ("expiry", "a.id", "3"),
            ("adjustment", "4", "a.id"),
            ("adjustment", "a.id", "4"),
            ("transfer", "a.id", "(SELECT min(id) FROM points_account WHERE id <> a.id)"),
            ("forfeiture", "a.id", "5"),
        )
    ),
    """INSERT INTO points_lot (account_id, expires_on, remaining)
        SELECT account_id, expires_on, sum(points) FROM (
            SELECT credit_id AS account_id, expires_on, points FROM points_entry WHERE credit_id >= 1000
            UNION ALL SELECT debit_id, expires_on, -points FROM points_entry WHERE debit_id >= 1000) e
        GROUP BY account_id, expires_on""",
)


async def run_all(session: AsyncSession, statements: Sequence[str]) -> None:
    """Run statements as they stand."""
    connection = await session.connection()
    for statement in statements:
        await connection.exec_driver_sql(statement)


async def liven(session: AsyncSession, unit: str, seed: object, customers: int) -> None:
    """Settle customers, and let everything happen to them."""
    await settle_in(session, unit, random_people(seed, customers))
    await session.execute(
        text(
            "INSERT INTO industry VALUES (:code, :section, :name_zh, :name_en) ON CONFLICT DO NOTHING"
        ),
        list(industries()),
    )
    await run_all(session, (*_ONCE, *_OF_CUSTOMERS, *_OF_THE_PRESENT, *_POINTS))


async def live_on(session: AsyncSession) -> None:
    """Let more of everything happen that may come late."""
    await run_all(session, _OF_CUSTOMERS)
