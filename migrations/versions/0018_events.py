"""Events."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


_EVENTS = (
    (
        "publish_level_changed_v1",
        "level_migration",
        """
CREATE FUNCTION publish_level_changed_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (type, time, subject, unit_code, data)
    SELECT 'guanxi.level.changed.v1', r.at, '/customers/' || r.customer_id, r.unit_code, jsonb_build_object('from', r.from_level, 'to', r.to_level, 'source', r.source)
    FROM added r WHERE true;
    RETURN NULL;
END $$""",
        "INSERT ON level_migration REFERENCING NEW TABLE AS added",
    ),
    (
        "publish_credit_changed_v1",
        "credit_result",
        """
CREATE FUNCTION publish_credit_changed_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (type, time, subject, unit_code, data)
    SELECT 'guanxi.credit.changed.v1', r.since, '/customers/' || r.customer_id, (SELECT c.unit_code FROM customer c WHERE c.id = r.customer_id), jsonb_build_object('from', (SELECT p.rating FROM credit_result p WHERE p.customer_id = r.customer_id AND p.until = r.since), 'to', r.rating, 'limit_fen', r.limit_fen, 'policy', r.policy)
    FROM added r WHERE r.rating <> (SELECT p.rating FROM credit_result p WHERE p.customer_id = r.customer_id AND p.until = r.since);
    RETURN NULL;
END $$""",
        "INSERT ON credit_result REFERENCING NEW TABLE AS added",
    ),
    (
        "publish_evaluation_finished_v1",
        "evaluation",
        """
CREATE FUNCTION publish_evaluation_finished_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (type, time, subject, unit_code, data)
    SELECT 'guanxi.evaluation.finished.v1', r.at, '/' || r.rule || '-evaluations', NULL, jsonb_build_object('evaluation_id', r.id, 'rule', r.rule, 'scope', r.scope, 'policy', r.policy, 'customers', r.customers, 'changed', r.changed)
    FROM added r WHERE true;
    RETURN NULL;
END $$""",
        "INSERT ON evaluation REFERENCING NEW TABLE AS added",
    ),
    (
        "publish_prospect_moved_v1",
        "prospect_event",
        """
CREATE FUNCTION publish_prospect_moved_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (type, time, subject, unit_code, data)
    SELECT 'guanxi.prospect.moved.v1', r.at, '/prospects/' || r.prospect_id, r.unit_code, jsonb_build_object('act', r.act, 'from', r.from_state, 'to', r.to_state, 'customer_id', r.customer_id, 'target', r.target, 'score', r.score)
    FROM added r WHERE true;
    RETURN NULL;
END $$""",
        "INSERT ON prospect_event REFERENCING NEW TABLE AS added",
    ),
    (
        "publish_points_adjusted_v1",
        "points_adjustment",
        """
CREATE FUNCTION publish_points_adjusted_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (type, time, subject, unit_code, data)
    SELECT 'guanxi.points.adjusted.v1', r.decided_at, '/customers/' || r.customer_id, (SELECT c.unit_code FROM customer c WHERE c.id = r.customer_id), jsonb_build_object('adjustment_id', r.id, 'state', r.state, 'points', r.points)
    FROM added r JOIN went o ON o.id = r.id WHERE r.decided_at IS NOT NULL AND o.decided_at IS NULL;
    RETURN NULL;
END $$""",
        "UPDATE ON points_adjustment REFERENCING OLD TABLE AS went NEW TABLE AS added",
    ),
    (
        "publish_points_transferred_v1",
        "points_transfer",
        """
CREATE FUNCTION publish_points_transferred_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (type, time, subject, unit_code, data)
    SELECT 'guanxi.points.transferred.v1', r.at, '/customers/' || (SELECT a.customer_id FROM points_account a WHERE a.id = r.giver_id), (SELECT c.unit_code FROM customer c WHERE c.id = (SELECT a.customer_id FROM points_account a WHERE a.id = r.giver_id)), jsonb_build_object('transfer_id', r.id, 'receiver_id', (SELECT a.customer_id FROM points_account a WHERE a.id = r.receiver_id), 'points', r.points)
    FROM added r WHERE true;
    RETURN NULL;
END $$""",
        "INSERT ON points_transfer REFERENCING NEW TABLE AS added",
    ),
    (
        "publish_redemption_made_v1",
        "redemption",
        """
CREATE FUNCTION publish_redemption_made_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (type, time, subject, unit_code, data)
    SELECT 'guanxi.redemption.made.v1', r.at, '/points-redemptions/' || r.id, (SELECT c.unit_code FROM customer c WHERE c.id = r.customer_id), jsonb_build_object('customer_id', r.customer_id, 'reward', r.reward_code, 'quantity', r.quantity, 'points', r.points, 'state', r.state)
    FROM added r WHERE true;
    RETURN NULL;
END $$""",
        "INSERT ON redemption REFERENCING NEW TABLE AS added",
    ),
    (
        "publish_redemption_settled_v1",
        "redemption",
        """
CREATE FUNCTION publish_redemption_settled_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (type, time, subject, unit_code, data)
    SELECT 'guanxi.redemption.settled.v1', r.settled_at, '/points-redemptions/' || r.id, (SELECT c.unit_code FROM customer c WHERE c.id = r.customer_id), jsonb_build_object('customer_id', r.customer_id, 'reward', r.reward_code, 'quantity', r.quantity, 'points', r.points, 'state', r.state)
    FROM added r JOIN went o ON o.id = r.id WHERE r.state <> o.state AND r.settled_at IS NOT NULL;
    RETURN NULL;
END $$""",
        "UPDATE ON redemption REFERENCING OLD TABLE AS went NEW TABLE AS added",
    ),
    (
        "publish_offer_granted_v1",
        "offer_grant",
        """
CREATE FUNCTION publish_offer_granted_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (type, time, subject, unit_code, data)
    SELECT 'guanxi.offer.granted.v1', r.granted_at, '/offer-grants/' || r.id, r.unit_code, jsonb_build_object('offer', r.offer_code, 'customer_id', r.customer_id, 'uses', r.uses, 'state', r.state)
    FROM added r WHERE true;
    RETURN NULL;
END $$""",
        "INSERT ON offer_grant REFERENCING NEW TABLE AS added",
    ),
    (
        "publish_offer_decided_v1",
        "offer_grant",
        """
CREATE FUNCTION publish_offer_decided_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (type, time, subject, unit_code, data)
    SELECT 'guanxi.offer.decided.v1', r.decided_at, '/offer-grants/' || r.id, r.unit_code, jsonb_build_object('offer', r.offer_code, 'customer_id', r.customer_id, 'uses', r.uses, 'state', r.state)
    FROM added r JOIN went o ON o.id = r.id WHERE r.state <> o.state AND r.decided_at IS NOT NULL;
    RETURN NULL;
END $$""",
        "UPDATE ON offer_grant REFERENCING OLD TABLE AS went NEW TABLE AS added",
    ),
    (
        "publish_offer_used_v1",
        "offer_use",
        """
CREATE FUNCTION publish_offer_used_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (type, time, subject, unit_code, data)
    SELECT 'guanxi.offer.used.v1', r.used_at, '/offer-grants/' || r.grant_id, r.unit_code, jsonb_build_object('use_id', r.id, 'reverses_id', r.reverses_id, 'offer', r.offer_code, 'uses', r.uses, 'cost_fen', r.cost_fen)
    FROM added r WHERE true;
    RETURN NULL;
END $$""",
        "INSERT ON offer_use REFERENCING NEW TABLE AS added",
    ),
    (
        "publish_policy_received_v1",
        "policy_version",
        """
CREATE FUNCTION publish_policy_received_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (type, time, subject, unit_code, data)
    SELECT 'guanxi.policy.received.v1', r.received_at, '/policies/' || r.kind, NULL, jsonb_build_object('publisher', r.publisher, 'number', r.number, 'effective_from', r.effective_from, 'digest', r.digest)
    FROM added r WHERE true;
    RETURN NULL;
END $$""",
        "INSERT ON policy_version REFERENCING NEW TABLE AS added",
    ),
    (
        "publish_policy_withdrawn_v1",
        "policy_withdrawal",
        """
CREATE FUNCTION publish_policy_withdrawn_v1() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO event (type, time, subject, unit_code, data)
    SELECT 'guanxi.policy.withdrawn.v1', r.received_at, '/policies/' || r.kind, NULL, jsonb_build_object('publisher', r.publisher, 'version', r.version)
    FROM added r WHERE true;
    RETURN NULL;
END $$""",
        "INSERT ON policy_withdrawal REFERENCING NEW TABLE AS added",
    ),
)
"""Function, table, what it does, and when: as the packages declare their events."""


def upgrade() -> None:
    """Bring the database forward."""
    # ### commands auto generated by Alembic - please adjust! ###
    op.execute("CREATE SEQUENCE event_position_seq")
    op.create_table(
        "event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("unit_code", sa.Text(), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("event_pkey")),
    )
    op.create_index(
        "event_new_idx", "event", ["id"], unique=False, postgresql_where=sa.text("position IS NULL")
    )
    op.create_index("event_position_key", "event", ["position"], unique=True)
    op.create_index("event_time_idx", "event", ["time"], unique=False, postgresql_using="brin")
    # ### end Alembic commands ###
    for name, _, function, when in _EVENTS:
        op.execute(function)
        op.execute(
            f"CREATE TRIGGER {name} AFTER {when} FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        )


def downgrade() -> None:
    """Take the database back."""
    for name, table, _, _ in reversed(_EVENTS):
        op.execute(f"DROP TRIGGER {name} ON {table}")
        op.execute(f"DROP FUNCTION {name}()")
    # ### commands auto generated by Alembic - please adjust! ###
    op.drop_index("event_time_idx", table_name="event", postgresql_using="brin")
    op.drop_index("event_position_key", table_name="event")
    op.drop_index("event_new_idx", table_name="event", postgresql_where=sa.text("position IS NULL"))
    op.drop_table("event")
    # ### end Alembic commands ###
    op.execute("DROP SEQUENCE event_position_seq")
