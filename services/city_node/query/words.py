"""The words of the text form: what a condition is cut into, each with its place."""

import re
from dataclasses import dataclass

from services.city_node.query.condition import LONGEST_CONDITION

_WORDS = re.compile(
    r"""(?P<space>\s+)
    |(?P<text>"(?:[^"\\\x00-\x1f]|\\.)*")
    |(?P<id>[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b)
    |(?P<day>\d{4}-\d{2}-\d{2}\b)
    |(?P<month>\d{4}-\d{2}(?![\w-]))
    |(?P<code>\d+(?:-\w+)+)
    |(?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
    |(?P<word>[^\W\d][\w]*)
    |(?P<sign><=|>=|!=|<>|[=<>(),.+-])""",
    re.VERBOSE,
)


class Misspelt(Exception):
    """The text does not read as a condition: where, and what was expected."""

    def __init__(self, at: int, expected: str) -> None:
        self.at = at
        self.expected = expected
        super().__init__(expected)


@dataclass(frozen=True, slots=True)
class Word:
    """A piece of the text: its kind, itself, and where it begins."""

    kind: str
    text: str
    at: int


def words_of(text: str) -> list[Word]:
    """Cut a condition into words, the last of them the end.

    Raises:
        Misspelt: at a character that no word begins with.
    """
    if len(text) > LONGEST_CONDITION:
        raise Misspelt(0, f"expected no more than {LONGEST_CONDITION} characters")
    words = []
    at = 0
    while at < len(text):
        match = _WORDS.match(text, at)
        if match is None:
            expected = "a closing quote" if text[at] == '"' else "a word, a number or a sign"
            raise Misspelt(at, f"expected {expected}, found {text[at : at + 20]!r}")
        if match.lastgroup != "space":
            words.append(Word(str(match.lastgroup), match[0], at))
        at = match.end()
    return [*words, Word("end", "", at)]


def line_and_column(text: str, at: int) -> str:
    """Return where a character stands, as people count."""
    before = text[:at]
    return f"line {before.count(chr(10)) + 1}, column {at - before.rfind(chr(10))}"
