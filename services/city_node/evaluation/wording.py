"""How results speak of money and months."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from shared.kernel.language import Language, Text


def yuan(fen: int) -> str:
    """Return an amount in yuan, to the fen."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def period(result: Mapping[str, Any]) -> str:
    """Return the months that a result looked at: ``2026-05..2026-10``."""
    last = date.fromisoformat(f"{result['before']}-01") - timedelta(days=1)
    return f"{result['from']}..{last:%Y-%m}"


def joined(*parts: Text) -> Text:
    """Return parts of a sentence with what stands between them."""
    return Text(", ".join(part.en for part in parts), "，".join(part.zh for part in parts))


def filled(text: Text, **values: object) -> Text:
    """Return ``text`` with its placeholders filled in, by values and by texts in both languages."""

    def say(language: Language) -> str:
        chosen = {
            name: value.speak(language) if isinstance(value, Text) else value
            for name, value in values.items()
        }
        return text.speak(language, **chosen)

    return Text(say(Language.ENGLISH), say(Language.CHINESE))
