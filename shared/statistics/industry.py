"""The industries of GB/T 4754-2017: 20 sections and 97 divisions, which change only with a release."""

import csv
from functools import cache
from importlib.resources import files

EDITION = "GB/T 4754-2017"


@cache
def industries() -> tuple[dict[str, str], ...]:
    """Return every industry: code, section, and the names in Chinese and English."""
    lines = files("shared.statistics").joinpath("industries.csv").read_text("utf-8")
    return tuple(
        {
            "code": row["code"],
            "section": row["section"],
            "name_zh": row["zh"],
            "name_en": row["en"],
        }
        for row in csv.DictReader(lines.splitlines())
    )
