"""Two languages everywhere a person reads: Chinese and English."""

from dataclasses import dataclass
from enum import StrEnum


class Language(StrEnum):
    """A language the interface speaks."""

    ENGLISH = "en"
    CHINESE = "zh"


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence or term in both languages, perhaps with ``{placeholders}``."""

    en: str
    zh: str

    def speak(self, language: Language, **values: object) -> str:
        """Return the text in ``language`` with its placeholders filled in; what fills them may be a text itself."""
        template = self.zh if language is Language.CHINESE else self.en
        told = {
            name: value.speak(language) if isinstance(value, Text) else value
            for name, value in values.items()
        }
        return template.format(**told) if told else template

    def filled(self, **values: object) -> "Text":
        """Return the text with its placeholders filled in, in both languages."""
        en, zh = (self.speak(language, **values) for language in Language)
        return Text(en, zh)


def preferred_language(accept_language: str | None) -> Language:
    """Return the language an ``Accept-Language`` header asks for (RFC 9110, 12.5.4); English without one."""
    best, best_weight = Language.ENGLISH, 0.0
    for choice in (accept_language or "").split(","):
        tag, _, parameter = choice.strip().partition(";")
        try:
            weight = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        primary = tag.split("-")[0].lower()
        if primary in {"en", "zh"} and weight > best_weight:
            best, best_weight = Language(primary), weight
    return best
