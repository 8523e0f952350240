"""The industries of GB/T 4754-2017: 20 sections and 97 divisions, which change only with a release."""

import csv
from functools import cache
from importlib.resources import files

from sqlalchemy import or_
from sqlalchemy.dialects.postgresql import insert

from services.city_node.group.models import Industry
from shared.capability import NodeContext


@cache
def industries() -> tuple[dict[str, str], ...]:
    """Return every industry: code, section, and the names in Chinese and English."""
    lines = files("services.city_node.group").joinpath("industries.csv").read_text("utf-8")
    return tuple(
        {
            "code": row["code"],
            "section": row["section"],
            "name_zh": row["zh"],
            "name_en": row["en"],
        }
        for row in csv.DictReader(lines.splitlines())
    )


async def ensure_industries(context: NodeContext) -> None:
    """Put the industries of this release into their table, where statistics and queries join them."""
    written = insert(Industry)
    named = ("section", "name_zh", "name_en")
    async with context.database.transaction() as session:
        await session.execute(
            written.on_conflict_do_update(
                index_elements=["code"],
                set_={name: written.excluded[name] for name in named},
                where=or_(*(getattr(Industry, name) != written.excluded[name] for name in named)),
            ),
            list(industries()),
        )
