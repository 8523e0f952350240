"""The page of the documentation that shows every kind of request, made from what is declared: diagrams and tables."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

from services.city_node.customer.models import Level
from services.city_node.service_request.kind import START, Kind, Move, Party, kinds_among
from shared.kernel.language import Text

ENDS = {
    Party.VISITED: Text("At the visited node", "受理地"),
    Party.HOME: Text("At the home node", "归属地"),
}

_INTRODUCTION = """\
# Kinds of request

<!-- Made from the program by `make docs`; change it there. -->

What one city may ask another for a customer who stands at its counter, as each kind is declared: the states of the
record that each end keeps, the moves between them and who makes them, the messages that tell of them, what is undone
when somebody gives up, how long it may take, and why it may be refused. The engine lets nothing else happen.
`GET /service-request-kinds` gives the same to programs, diagrams included.

A move that an end makes by itself is its staff's or its clock's; one that the *other* end makes comes by the message
beside it. A state with a *patience* calls a person when the record has waited there for so long.
"""


def render_markdown(offers: Sequence[object]) -> str:
    """Return ``docs/request-kinds.md``."""
    kinds = sorted(kinds_among(offers), key=lambda kind: kind.code)
    return "\n".join([_INTRODUCTION, *(line for kind in kinds for line in _section(kind))])


def diagram(kind: Kind, end: Party) -> str:
    """Return the states and moves of one end's record as a Mermaid state diagram."""
    moves = [move for move in kind.moves if move.record is end]
    reached = {code for move in moves for code in (*move.origin, move.target)}
    states = [state for state in kind.states if state.code in reached]
    names = (f'state "{s.name.en} {s.name.zh}" as {_identifier(s.code)}' for s in states)
    arrows = (
        f"{_identifier(origin)} --> {_identifier(move.target)}: {move.event}"
        + ("" if move.by is end else f" ({move.by})")
        for move in moves
        for origin in move.origin
    )
    ends = (f"{_identifier(state.code)} --> [*]" for state in states if state.final)
    return "\n    ".join(("stateDiagram-v2", *names, *arrows, *ends))


def _identifier(code: str) -> str:
    return "[*]" if code == START else code.replace("-", "_")


def _section(kind: Kind) -> Iterator[str]:
    yield f"## `{kind.code}` {kind.name.en} {kind.name.zh}\n"
    yield "| customer's level | time limit |"
    yield "|---|---|"
    for level in Level:
        yield f"| `{level}` | {words(kind.limit(level))} |"
    yield (
        f"\nThe home node keeps its promise for {words(kind.home_grace)} longer, so that it never lets go first.\n"
    )
    if kind.follows:
        yield "The question follows a customer who has moved to another home city (请求随转网客户转往新归属地).\n"
    yield "| state | name | 名称 | awaits | patience |"
    yield "|---|---|---|---|---|"
    for state in kind.states:
        awaits = "*end*" if state.final else state.awaits or ""
        patience = words(state.patience) if state.patience else ""
        yield f"| `{state.code}` | {state.name.en} | {state.name.zh} | {awaits} | {patience} |"
    for end, title in ENDS.items():
        yield f"\n### {title.en} {title.zh}: `{kind.code}`\n"
        yield f"```mermaid\n{diagram(kind, end)}\n```\n"
        yield "| event | from | to | made by | message | undoes | 撤销内容 |"
        yield "|---|---|---|---|---|---|---|"
        yield from (_row(kind, move) for move in kind.moves if move.record is end)
    if kind.refusals:
        yield "\n| refusal | meaning | 说明 |"
        yield "|---|---|---|"
        for code, text in kind.refusals.items():
            yield f"| `{code}` | {text.en} | {text.zh} |"
    yield ""


def _row(kind: Kind, move: Move) -> str:
    message = kind.message(move)
    undoes = move.compensation or Text("", "")
    cells: Iterable[str] = (
        f"`{move.event}`",
        ", ".join(f"`{origin}`" for origin in move.origin),
        f"`{move.target}`",
        move.by,
        f"`{message}`" if message else "",
        undoes.en,
        undoes.zh,
    )
    return f"| {' | '.join(cells)} |"


def words(time: timedelta) -> str:
    """Return a length of time as one says it."""
    seconds = int(time.total_seconds())
    for unit, size in (("day", 86400), ("h", 3600), ("min", 60)):
        if seconds and seconds % size == 0:
            count = seconds // size
            return f"{count} {unit}s" if unit == "day" and count > 1 else f"{count} {unit}"
    return f"{seconds} s"
