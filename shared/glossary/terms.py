"""The catalogue of terms: read once, looked up by code, rendered for the documentation.

``python -m shared.glossary.terms > docs/glossary.md`` writes the documentation page anew.
"""

import csv
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from types import MappingProxyType

from shared.kernel.language import Text
from shared.kernel.problems import Problem


class Topic(StrEnum):
    """What a term is about, in the order in which the catalogue is read."""

    STRUCTURE = "structure"
    CUSTOMER = "customer"
    RULE = "rule"
    SERVICE = "service"
    REQUEST = "request"
    ANALYSIS = "analysis"
    MANAGER = "manager"
    ROLE = "role"
    SYSTEM = "system"
    FEDERATION = "federation"
    STATISTICS = "statistics"
    DIMENSION = "dimension"
    FAMILY = "family"

    @property
    def heading(self) -> Text:
        """The topic's name as people read it."""
        return _HEADINGS[self]


_HEADINGS = {
    Topic.STRUCTURE: Text("Structure", "组织与层级"),
    Topic.CUSTOMER: Text("Customers", "客户档案"),
    Topic.RULE: Text("Rules", "服务规则"),
    Topic.SERVICE: Text("Services", "服务"),
    Topic.REQUEST: Text("Cross-region requests", "跨地区业务"),
    Topic.ANALYSIS: Text("Analysis", "综合分析"),
    Topic.MANAGER: Text("Account managers' work", "客户经理工作"),
    Topic.ROLE: Text("Roles", "角色"),
    Topic.SYSTEM: Text("System", "系统管理"),
    Topic.FEDERATION: Text("Federation", "联邦"),
    Topic.STATISTICS: Text("Statistics", "统计"),
    Topic.DIMENSION: Text("Dimensions", "分析角度"),
    Topic.FAMILY: Text("Indicator families", "指标分类"),
}


@dataclass(frozen=True, slots=True)
class Term:
    """One term of the catalogue."""

    code: str
    """The stable name for programs, in snake case."""
    topic: Topic
    zh: str
    en: str
    definition_zh: str
    definition_en: str
    row: str
    """The row of the feature table the term belongs to, such as ``5.3.2``."""


class UnknownTerm(Problem):
    """A code that the catalogue does not hold."""

    status = 404
    title = Text("Unknown term", "术语不存在")
    sentence = Text(
        "The glossary has no term '{code}': look its code up in the list of all terms.",
        "术语表中没有“{code}”：请在全部术语的列表中查找其代码。",
    )


@cache
def terms() -> tuple[Term, ...]:
    """Return every term in the order of the catalogue, topic after topic."""
    lines = files("shared.glossary").joinpath("terms.csv").read_text("utf-8").splitlines()
    return tuple(
        Term(
            code=row["code"],
            topic=Topic(row["topic"]),
            zh=row["zh"],
            en=row["en"],
            definition_zh=row["definition_zh"],
            definition_en=row["definition_en"],
            row=row["row"],
        )
        for row in csv.DictReader(lines)
    )


def term(code: str) -> Term:
    """Return the term with this code.

    Raises:
        UnknownTerm: the catalogue does not hold it.

    """
    found = _terms_by_code().get(code)
    if found is None:
        raise UnknownTerm(code=code)
    return found


def render_markdown() -> str:
    """Return the catalogue as the page ``docs/glossary.md``: one table a topic."""
    return "\n".join(_page()) + "\n"


@cache
def _terms_by_code() -> Mapping[str, Term]:
    return MappingProxyType({entry.code: entry for entry in terms()})


def _page() -> Iterator[str]:
    yield "# Glossary 术语表"
    yield ""
    yield (
        f"The {len(terms())} terms of the system in Chinese and English, the same in the "
        "interface, in the data and in the code. SID is the information model of the TM Forum; "
        "the row is that of the feature table."
    )
    yield ""
    yield "<!-- Rendered from shared/glossary/terms.csv: change that file, then run"
    yield "     python -m shared.glossary.terms > docs/glossary.md -->"
    for topic in Topic:
        yield ""
        yield f"## {topic.heading.en} {topic.heading.zh}"
        yield ""
        yield "| 术语 | Term | 释义 | Definition | Code | Row |"
        yield "|---|---|---|---|---|---|"
        for entry in terms():
            if entry.topic is topic:
                yield (
                    f"| {entry.zh} | {entry.en} | {entry.definition_zh} | {entry.definition_en} "
                    f"| `{entry.code}` | {entry.row} |"
                )


if __name__ == "__main__":
    sys.stdout.write(render_markdown())
