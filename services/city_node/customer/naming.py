"""How a name is put in order and found: by its characters, or by its pinyin.

The sort key is the pinyin without tones or spaces, then the name itself, so that people of the same sound stand
together by character: 张伟 is ``zhangwei 张伟``. It is stored, because PostgreSQL has no pinyin order without ICU.
"""

import re
from functools import lru_cache

_CHINESE = re.compile(r"[\u3400-\u9fff\U00020000-\U0003ffff]")
_SURNAMES = {
    "单": "shan",
    "曾": "zeng",
    "仇": "qiu",
    "解": "xie",
    "查": "zha",
    "区": "ou",
    "朴": "piao",
    "任": "ren",
    "盖": "ge",
    "召": "shao",
}
"""Characters that sound otherwise as a surname."""


def _sounds(text: str) -> str:
    # Imported at the first name: the dictionaries take 55 MB, which a node that writes no names need not hold.
    from pypinyin import lazy_pinyin  # noqa: PLC0415 - as said

    return "".join(lazy_pinyin(text))


@lru_cache(maxsize=30_000)
def _sound_of(character: str) -> str:
    return _sounds(character)


def name_sort(name: str, *, person: bool) -> str:
    """Return the key by which ``name`` is put in order.

    A person's name is read character by character, the first as a surname; an organisation's word by word.
    """
    if person:
        first = _SURNAMES.get(name[:1]) or _sound_of(name[:1])
        sounds = first + "".join(map(_sound_of, name[1:]))
    else:
        sounds = _sounds(name)
    return f"{sound_prefix(sounds)} {name}"


def is_chinese(text: str) -> bool:
    """Tell whether ``text`` has a Chinese character, so that it is looked up as it is and not by its sound."""
    return _CHINESE.search(text) is not None


def sound_prefix(typed: str) -> str:
    """Return the beginning of a sort key that somebody means who types ``typed`` in letters."""
    return "".join(character for character in typed.lower() if character.isalnum())
