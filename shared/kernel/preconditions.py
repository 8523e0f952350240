"""Optimistic concurrency over HTTP (RFC 9110, 13): an update says which version it changes.

Every changeable thing carries a version number; its entity tag is that number in quotes. An update without
``If-Match`` is refused (428), one against an older version too (412), so that nobody overwrites what they have
not seen.
"""

import re
from typing import Annotated

from fastapi import Header

from shared.kernel.language import Text
from shared.kernel.problems import Fault, Problem

_FAULT = "header:If-Match"
_TAG = re.compile(r'"(0|[1-9][0-9]{0,18})"')
"""An entity tag as :func:`entity_tag` writes it."""


class PreconditionMissing(Problem):
    """An update did not say which version it changes."""

    status = 428
    title = Text("Precondition required", "缺少前提条件")
    sentence = Text(
        "Updates need `If-Match` with the ETag of the version that you read, so that no change is overwritten unseen.",
        "更新请求必须带 If-Match（所读版本的 ETag），以免覆盖他人的更改。",
    )


class VersionStale(Problem):
    """An update was made against a version that is no longer the present one."""

    status = 412
    title = Text("Version is stale", "版本已过期")
    sentence = Text(
        "It has been changed since you read it: the present version is {present}, yours is {given}. Read it again and repeat the change.",
        "该记录已被更改：当前版本 {present}，您的版本 {given}。请重新读取后再改。",
    )


class EntityTagInvalid(Problem):
    """``If-Match`` does not hold an entity tag of this interface."""

    status = 400
    title = Text("Entity tag invalid", "ETag 无效")
    sentence = Text(
        '`If-Match` must be one ETag as this interface returned it, such as "3" with its quotes; it is {given}.',
        'If-Match 必须是本接口返回的 ETag（如 "3"，含引号）；收到的是 {given}。',
    )


def entity_tag(version: int) -> str:
    """Return the ETag of ``version``."""
    return f'"{version}"'


async def expected_version(
    if_match: Annotated[
        str | None, Header(description="ETag of the version that is changed.", examples=['"3"'])
    ] = None,
) -> int:
    """Return the version that an update expects to change.

    Raises:
        PreconditionMissing: without the header (428).
        EntityTagInvalid: if it is not a tag of ours (400).
    """
    if if_match is None:
        raise PreconditionMissing(faults=[Fault(_FAULT, "missing", "缺失")])
    tag = _TAG.fullmatch(if_match.strip())
    if tag is None:
        raise EntityTagInvalid(
            faults=[Fault(_FAULT, "not an ETag of this interface", "不是本接口的 ETag")],
            given=if_match,
        )
    return int(tag[1])


def holds(header: str, tag: str) -> bool:
    """Tell whether an ``If-None-Match`` header names a tag.

    Compared weakly, as RFC 9110, 13.1.2 has it: proxies that compress weaken tags.
    """
    return any(each.strip().removeprefix("W/") in {tag, "*"} for each in header.split(","))


def require_version(present: int, expected: int) -> None:
    """Refuse with 412 unless ``expected`` is the ``present`` version."""
    if present != expected:
        raise VersionStale(
            faults=[Fault(_FAULT, "stale", "已过期")],
            present=entity_tag(present),
            given=entity_tag(expected),
        )
