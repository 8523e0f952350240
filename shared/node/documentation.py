"""The pages of the documentation that the program knows best, written from the program.

``make docs`` runs this module, and a test compares: a setting, problem, message, permission or job that is not in
the documentation cannot be.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from shared.access import Guard, guards
from shared.capability import Capability, Daily, Every, Job, Role
from shared.federation import freshness, membership, notices, redirection, registry, rotation
from shared.federation.records import NoticeKind
from shared.glossary import terms as glossary
from shared.kernel.language import Language
from shared.kernel.problems import Problem
from shared.kernel.settings import Settings
from shared.kernel.tier import Tier
from shared.node.app import Node
from shared.node.background import TIDY
from shared.node.tiers import composition
from shared.policy import reference as policy_reference
from shared.policy.kinds import KINDS
from shared.reporting.policy import REPORTING
from shared.staff.service import ROLES
from shared.statistics import reference
from shared.statistics.definition import INDICATOR
from shared.statistics.indicators import CATALOGUE
from shared.statistics.privacy import DISCLOSURE

MADE = "<!-- Made from the program by `make docs`; change it there. -->\n"


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    columns = list(head)
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [
        f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in rows
    ]
    return "\n".join(lines) + "\n"


def _node(tier: Tier) -> Node:
    code = {Tier.HQ: "000000", Tier.PROVINCE: "440000", Tier.CITY: "440300"}[tier]
    node: Node = composition(tier)(Settings(code=code))
    return node


def capabilities() -> dict[str, tuple[Capability, list[str]]]:
    """Return every capability by name, with the tiers that have it."""
    found: dict[str, tuple[Capability, list[str]]] = {}
    for tier in Tier:
        for capability in _node(tier).capabilities:
            found.setdefault(capability.name, (capability, []))[1].append(tier.value)
    return found


def settings() -> str:
    """Return the page of settings."""

    def rows() -> Iterator[tuple[object, ...]]:
        fields = Settings.model_fields
        for name in sorted(fields, key=lambda name: name not in Settings.__annotations__):
            field = fields[name]
            yield f"`{name}`", f"`GUANXI_{name.upper()}`", _default(field), field.description

    return (
        f"# Settings\n\n{MADE}\n"
        "A node reads its settings from the environment and from one TOML file, `<home>/nodes/<code>/node.toml`; the "
        "environment wins. A setting that is missing, unknown or wrong stops the start with a sentence that names it.\n\n"
        + _table(("setting", "in the environment", "default", "meaning"), rows())
        + "\n`GUANXI_HOME` and `GUANXI_NODE` also tell the command line which node is meant.\n"
    )


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return "none"
    default = str(field.default).lower() if isinstance(field.default, bool) else field.default
    return f"`{default}`"


def _all_problems(base: type[Problem] = Problem) -> Iterator[type[Problem]]:
    for problem in base.__subclasses__():
        if problem.__module__.startswith(("shared.", "services.")):
            if not problem.__name__.startswith("_"):
                yield problem
            yield from _all_problems(problem)


def problems_by_type() -> Mapping[str, type[Problem]]:
    """Return every problem of the loaded packages, by the last part of its type.

    Raises:
        ValueError: if two are of one type: whoever reads an answer could not tell them apart.
    """
    found: dict[str, type[Problem]] = {}
    for problem in _all_problems():
        if found.setdefault(problem.slug(), problem) is not problem:
            raise ValueError(f"{problem} and {found[problem.slug()]} are of one type")
    return found


def problems() -> str:
    """Return the page of problems."""
    capabilities()
    rows = (
        (
            f"`{slug}`",
            problem.status,
            problem.title.zh,
            (problem.__doc__ or "").split("\n\n")[0].replace("\n", " "),
        )
        for slug, problem in sorted(problems_by_type().items())
    )
    return (
        f"# Problems\n\n{MADE}\n"
        "Every refusal is a problem detail (RFC 9457), `application/problem+json`, in the language that `Accept-Language` "
        "asks for. Its `type` is `urn:guanxi:problem:` and the name below, and never changes; `errors` names the places "
        "that are wrong by JSON pointer (`/name`), or as `query:`, `header:` or `path:` and a name. A refused request has "
        "changed nothing.\n\n" + _table(("type", "status", "标题", "meaning"), rows)
    )


def messages() -> str:
    """Return the page of messages."""
    rows: list[tuple[object, ...]] = [
        (
            f"`{redirection.REDIRECTED}`",
            "hq, province, city",
            "",
            "A former parent passes on what it had for a city that has moved, whole, inside this message.",
        ),
        (
            f"`{freshness.ASKED}`",
            "hq, province",
            "",
            "A node whose registry differs from HQ's asks its parent for the whole of it.",
        ),
        (
            f"`{membership.ENROLLED}`",
            "hq",
            "",
            "A province has enrolled a city, its own or one that moves to it (to HQ).",
        ),
        (
            f"`{rotation.ANNOUNCED}`",
            "hq",
            "",
            "A node has made its next key, and proves that it has it (to HQ).",
        ),
        (
            f"`{registry.PUBLISHED}`",
            "province, city",
            "",
            "HQ publishes a registry entry (from parent to child).",
        ),
        (
            f"`{freshness.SAID}`",
            "province, city",
            "",
            "HQ says once a day what the registry comes to (from parent to child).",
        ),
        (
            f"`{membership.WITHDRAWN}`",
            "hq",
            "",
            "A province has revoked or retired one of its cities (to HQ).",
        ),
        *(
            (
                f"`{notices.TYPES[kind]}`",
                "hq, province, city",
                "",
                f"A node tells the origin of a message that it has {kind} it, and why.",
            )
            for kind in NoticeKind
        ),
    ]
    for capability, tiers in capabilities().values():
        for message in capability.messages:
            where = "also in transit" if message.transit else ""
            rows.append(
                (
                    f"`{message.type}`",
                    ", ".join(tiers),
                    where,
                    f"{message.summary.en} ({message.summary.zh})",
                )
            )
    return (
        f"# Messages\n\n{MADE}\n"
        "What nodes say to one another, by CloudEvents `type`. A node parks a type that it does not understand and tells "
        "its operator; it never drops one.\n\n"
        + _table(("type", "understood by", "", "meaning"), sorted(rows, key=str))
    )


def capabilities_page() -> str:
    """Return the page of capabilities, with their permissions, audit records and jobs."""
    found = capabilities()
    parts = [f"# Capabilities\n\n{MADE}\nWhat each package adds to a node, and who may do it.\n"]
    for name, (capability, tiers) in sorted(found.items()):
        parts.append(
            f"\n## {name}\n\n{capability.summary.en} ({capability.summary.zh}). Runs at: {', '.join(tiers)}.\n"
        )
        if capability.permissions:
            rows = (
                (
                    f"`{p.code}`",
                    p.summary.en,
                    p.summary.zh,
                    ", ".join(sorted(role.value for role in p.roles)),
                )
                for p in capability.permissions
            )
            parts.append("\n" + _table(("permission", "allows", "权限", "held by"), rows))
        if capability.actions:
            actions = ((f"`{a.code}`", a.summary.en, a.summary.zh) for a in capability.actions)
            parts.append("\n" + _table(("audit record", "says", "审计记录"), actions))
        if capability.events:
            events = (
                (f"`{e.type}`", e.summary.en, e.summary.zh, ", ".join(f"`{n}`" for n in e.data))
                for e in capability.events
            )
            parts.append("\n" + _table(("event", "says", "事件", "data"), events))
        if capability.jobs:
            parts.append("\n" + _jobs(capability.jobs))
        if capability.works:
            works = ((f"`{w.name}`", w.summary.en, w.summary.zh) for w in capability.works)
            parts.append("\n" + _table(("long work", "does", "后台任务"), works))
    parts.append("\n## Every node\n\n" + _jobs([TIDY]))
    return "".join(parts)


def permissions() -> str:
    """Return the page of roles: which there are, what each may do, which duties are kept apart."""
    roles = [
        (
            f"`{role}`",
            glossary.term(role.value).zh,
            glossary.term(role.value).definition_en,
            ", ".join(tier.value for tier in Tier if role in ROLES[tier]),
        )
        for role in Role
    ]
    found = sorted(
        (permission for each, _ in capabilities().values() for permission in each.permissions),
        key=lambda permission: permission.code,
    )
    matrix = (
        (f"`{one.code}`", *("yes" if role in one.roles else "" for role in Role)) for one in found
    )
    return (
        f"# Permissions\n\n{MADE}\n"
        "A member of staff has one role, and one organisation unit as data scope: that unit and all below. A test asks every "
        "route as every role of the unit, of a sibling and of another city, and compares with this page's source.\n\n"
        "## Roles\n\n"
        + _table(("role", "角色", "what it does", "at"), roles)
        + "\n## What each role may do\n\n[Capabilities](capabilities.md) says what each permission allows.\n\n"
        + _table(("permission", *(f"`{role}`" for role in Role)), matrix)
        + "\n## Duties that are kept apart\n\n"
        "A node in which one role would hold both sides does not start, and a person is not given accounts of both: "
        "accounts of one display name are taken for one person's. Where one change takes two steps, both may be held, and "
        "the second step needs somebody else.\n\n"
        + _table(("one side", "other side", "why", "原因", "kept apart"), _conflicts())
        + "\n## What each route asks for\n\nNothing else needs a token only; *open* needs none.\n\n"
        + _table(("method", "path", "permission", "at"), _routes())
    )


def _conflicts() -> Iterator[tuple[object, ...]]:
    for each, _ in capabilities().values():
        for conflict in each.conflicts:
            yield (
                ", ".join(f"`{code}`" for code in sorted(conflict.one)),
                ", ".join(f"`{code}`" for code in sorted(conflict.other)),
                conflict.reason.en,
                conflict.reason.zh,
                "on one change" if conflict.of_one_change else "always",
            )


def _routes() -> Iterator[tuple[object, ...]]:
    found: dict[Guard, list[str]] = {}
    for tier in Tier:
        for guard in guards(_node(tier).app):
            if guard.method:
                found.setdefault(guard, []).append(tier.value)
    for guard, tiers in sorted(found.items(), key=lambda one: (one[0].path, one[0].method)):
        signed = guard.path.startswith("/federation/")
        needs = " and ".join(f"`{code}`" for code in sorted(guard.permissions))
        unguarded = "a token" if guard.signed_in else "a node's signature" if signed else "open"
        yield guard.method, f"`{guard.path}`", needs or unguarded, ", ".join(tiers)


def _jobs(jobs: Iterable[Job]) -> str:
    def when(schedule: Daily | Every) -> str:
        if isinstance(schedule, Every):
            return f"every {schedule.interval.total_seconds():g} s"
        return (
            f"daily at setting `{schedule.setting}`"
            if schedule.setting
            else f"daily at {schedule.at}"
        )

    return _table(
        ("job", "does", "when"),
        ((f"`{j.name}`", j.summary.speak(Language.ENGLISH), when(j.schedule)) for j in jobs),
    )


_PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings,
    "problems.md": problems,
    "messages.md": messages,
    "capabilities.md": capabilities_page,
    "permissions.md": permissions,
    "indicators.md": reference.render_markdown,
    **{
        f"indicators/{code}.md": partial(reference.render_indicator, code)
        for code in CATALOGUE.indicators
    },
    "policy-kinds.md": partial(
        policy_reference.render_markdown, (*KINDS, INDICATOR, REPORTING, DISCLOSURE)
    ),
    "glossary.md": glossary.render_markdown,
}


def pages() -> dict[str, Callable[[], str]]:
    """Return what writes each page, by its file: those that every node has, and those of the capabilities."""
    found = [capability for capability, _ in capabilities().values()]
    offers = tuple(offer for capability in found for offer in capability.offers)
    written = (page for capability in found for page in capability.pages)
    return {**_PAGES, **{page.name: partial(page.render, offers) for page in written}}


def write(directory: Path) -> None:
    """Write every page into ``directory``."""
    (directory / "indicators").mkdir(exist_ok=True)
    for name, render in pages().items():
        (directory / name).write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
