"""What the demo makes of a day's board and table, and which day it takes."""

from datetime import date, datetime

import httpx
import pytest

from services.demo.missing import untold_day
from shared.commandline import CommandFailed

NOW = datetime.fromisoformat("2026-11-24T00:30:00+08:00")


def hq(*told: str) -> httpx.AsyncClient:
    """HQ, to which cities have told these days."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/statistics/slices"
        return httpx.Response(200, json={"items": [1] * (request.url.params["period"] in told)})

    return httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://000000")


@pytest.mark.parametrize(
    ("told", "taken"),
    [
        ((), "2026-11-22"),
        (("2026-11-22",), "2026-11-21"),
        (("2026-11-22", "2026-11-20"), "2026-11-21"),
        (("2026-11-23",), "2026-11-22"),
    ],
)
async def test_a_run_takes_the_last_due_day_that_nobody_has_told(
    told: tuple[str, ...], taken: str
) -> None:
    async with hq(*told) as client:
        assert await untold_day(client, date(2026, 9, 24), NOW) == taken


async def test_without_such_a_day_the_demo_is_to_begin_anew() -> None:
    async with hq("2026-11-22", "2026-11-21") as client:
        with pytest.raises(CommandFailed, match="--fresh"):
            await untold_day(client, date(2026, 11, 21), NOW)
