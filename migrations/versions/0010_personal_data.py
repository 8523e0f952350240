"""Personal data: rotations of its keys, and contact values encrypted."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the database forward."""
    op.create_table(
        "personal_data_rotation",
        sa.Column("key_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("began_by", sa.String(), nullable=False),
        sa.Column("ready_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("key_id > 1", name=op.f("personal_data_rotation_key_id_check")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("personal_data_rotation_pkey")),
    )
    op.create_index(
        "personal_data_rotation_open_key",
        "personal_data_rotation",
        [sa.literal_column("(true)")],
        unique=True,
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.create_index("segment_member_customer_id_idx", "segment_member", ["customer_id"])
    op.add_column(
        "customer_export",
        sa.Column(
            "shows",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
    )
    # The files that there are were made when a contact medium was the one value that was masked in them.
    op.execute("UPDATE customer_export SET shows = '[\"customer:contact\"]' WHERE shows_contacts")
    op.add_column("contact_medium", sa.Column("value_cipher", sa.LargeBinary(), nullable=True))
    op.add_column("contact_medium", sa.Column("value_index", sa.LargeBinary(), nullable=True))
    op.alter_column("contact_medium", "value", existing_type=sa.VARCHAR(), nullable=True)
    op.drop_index(op.f("contact_medium_value_key"), table_name="contact_medium")
    op.create_index(
        "contact_medium_value_key",
        "contact_medium",
        ["value_index", "customer_id", "kind"],
        unique=True,
    )
    op.create_index(
        "contact_medium_clear_idx",
        "contact_medium",
        ["value"],
        unique=False,
        postgresql_where=sa.text("value IS NOT NULL"),
    )
    op.create_index(
        "contact_medium_customer_id_idx", "contact_medium", ["customer_id"], unique=False
    )
    op.add_column("key_person", sa.Column("phone_cipher", sa.LargeBinary(), nullable=True))
    op.add_column("key_person", sa.Column("phone_index", sa.LargeBinary(), nullable=True))
    op.add_column("key_person", sa.Column("email_cipher", sa.LargeBinary(), nullable=True))
    op.add_column("key_person", sa.Column("email_index", sa.LargeBinary(), nullable=True))
    op.create_index(
        "key_person_phone_index_idx",
        "key_person",
        ["phone_index"],
        unique=False,
        postgresql_where=sa.text("phone_index IS NOT NULL"),
    )
    op.add_column("tie", sa.Column("phone_cipher", sa.LargeBinary(), nullable=True))
    op.add_column("tie", sa.Column("phone_index", sa.LargeBinary(), nullable=True))
    op.create_index(
        "tie_phone_index_idx",
        "tie",
        ["phone_index"],
        unique=False,
        postgresql_where=sa.text("phone_index IS NOT NULL"),
    )
    op.drop_constraint(op.f("contact_medium_value_check"), "contact_medium")
    op.create_check_constraint(
        op.f("contact_medium_value_check"),
        "contact_medium",
        "num_nonnulls(value, value_cipher) = 1",
    )
    op.create_check_constraint(
        op.f("contact_medium_sealed_check"),
        "contact_medium",
        "num_nulls(value_cipher, value_index) IN (0, 2)",
    )
    for table, column in (("key_person", "phone"), ("key_person", "email"), ("tie", "phone")):
        op.create_check_constraint(
            op.f(f"{table}_{column}_check"), table, f"num_nonnulls({column}, {column}_cipher) < 2"
        )


def downgrade() -> None:
    """Take the database back."""
    # What was sealed cannot be put back in clear, for a migration has no key: with sealed values, SET NOT NULL below
    # refuses, and the database stays as it is.
    for table, column in (("key_person", "phone"), ("key_person", "email"), ("tie", "phone")):
        op.drop_constraint(op.f(f"{table}_{column}_check"), table)
    op.drop_constraint(op.f("contact_medium_sealed_check"), "contact_medium")
    op.drop_constraint(op.f("contact_medium_value_check"), "contact_medium")
    op.create_check_constraint(op.f("contact_medium_value_check"), "contact_medium", "value <> ''")
    op.drop_index(
        "tie_phone_index_idx", table_name="tie", postgresql_where=sa.text("phone_index IS NOT NULL")
    )
    op.drop_column("tie", "phone_index")
    op.drop_column("tie", "phone_cipher")
    op.drop_index(
        "key_person_phone_index_idx",
        table_name="key_person",
        postgresql_where=sa.text("phone_index IS NOT NULL"),
    )
    op.drop_column("key_person", "email_index")
    op.drop_column("key_person", "email_cipher")
    op.drop_column("key_person", "phone_index")
    op.drop_column("key_person", "phone_cipher")
    op.drop_index("contact_medium_customer_id_idx", table_name="contact_medium")
    op.drop_index(
        "contact_medium_clear_idx",
        table_name="contact_medium",
        postgresql_where=sa.text("value IS NOT NULL"),
    )
    op.drop_index("contact_medium_value_key", table_name="contact_medium")
    op.create_index(
        op.f("contact_medium_value_key"),
        "contact_medium",
        ["customer_id", "kind", "value"],
        unique=True,
    )
    op.alter_column("contact_medium", "value", existing_type=sa.VARCHAR(), nullable=False)
    op.drop_column("contact_medium", "value_index")
    op.drop_column("contact_medium", "value_cipher")
    op.drop_column("customer_export", "shows")
    op.drop_index("segment_member_customer_id_idx", table_name="segment_member")
    op.drop_index(
        "personal_data_rotation_open_key",
        table_name="personal_data_rotation",
        postgresql_where=sa.text("ended_at IS NULL"),
    )
    op.drop_table("personal_data_rotation")
