"""JSON merge patch (RFC 7396), by which an override says what it changes."""

from collections.abc import Mapping
from typing import Any


def merged(target: Any, patch: Any) -> Any:
    """Return ``target`` with ``patch`` applied: what it names is put in its place, what it sets to null is removed.

    Lists are replaced as a whole. Neither argument is changed.
    """
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result
