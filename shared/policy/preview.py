"""What a draft would do if it were published."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from shared.policy import repository
from shared.policy.bounds import Difference, differences
from shared.policy.draft_schemas import NewDraft
from shared.policy.drafting import DOCUMENT, Desk, as_version
from shared.policy.reading import written
from shared.policy.resolution import Layer, Resolution, Version, resolve
from shared.policy.service import line_to, places, require_holds, resolution


@dataclass(frozen=True, slots=True)
class Preview:
    """What a draft would do.

    Attributes:
        on: its first day.
        found: what would be in force at its publisher.
        changed: how the document differs from what is in force there on that day.
        sets_aside: overrides below, by node, that hold without the draft and would not with it.
        set_aside_from: the day from which the draft would be set aside, by what is published already.
    """

    on: date
    found: Resolution[Any]
    changed: list[Difference]
    sets_aside: list[tuple[str, Layer]]
    set_aside_from: date | None


async def preview(desk: Desk, given: NewDraft) -> Preview:
    """Return what a draft would do at its publisher and below, as far as this node knows.

    Raises:
        PolicyInvalid, PolicyOutsideBounds: if it would not hold on its first day (422).
    """
    tried, on = as_version(desk, given), given.effective_from
    found = await resolution(desk.session, desk.kind, on=on, node=desk.here, draft=tried)
    require_holds(found, tried, DOCUMENT)
    present = await resolution(desk.session, desk.kind, on=on, node=desk.here)
    return Preview(
        on,
        found,
        list(differences(written(present.document), written(found.document))),
        await _sets_aside(desk, tried),
        await _set_aside_from(desk, tried),
    )


async def _sets_aside(desk: Desk, tried: Version) -> list[tuple[str, Layer]]:
    on, here = tried.effective_from, desk.here
    before = {
        place.node: place.resolution
        for place in await places(desk.session, desk.kind, on=on, here=here)
    }
    after = await places(desk.session, desk.kind, on=on, here=here, draft=tried)
    return [
        (place.node, layer)
        for place in after
        for layer in place.resolution.layers
        if layer.publisher == place.node  # one that holds for several nodes is told once
        and layer.version is not tried
        and not layer.holds
        and any(each.version == layer.version and each.holds for each in before[place.node].layers)
    ]


async def _set_aside_from(desk: Desk, tried: Version) -> date | None:
    line = await line_to(desk.session, desk.here)
    known = await repository.versions(desk.session, desk.kind.name, line)
    later = sorted({v.effective_from for v in known if v.effective_from > tried.effective_from})
    for day in later:
        layers = resolve(desk.kind, line, known, day, tried).layers
        if any(layer.version is tried and not layer.holds for layer in layers):
            return day
    return None
