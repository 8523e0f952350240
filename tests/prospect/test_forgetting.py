"""What an erased customer was as a prospect: nothing of the person stays, and what was counted does."""

from typing import Any
from uuid import UUID

from sqlalchemy import text

from tests.city.drafts import Headers
from tests.city.erasing import erase
from tests.conftest import TestNode
from tests.prospect.acting import done, found, search


async def test_notes_figures_and_plan_go_and_statistics_stay(
    city: TestNode, manager: Headers, customer: dict[str, Any]
) -> None:
    prospect = await found(city, manager, customer)
    prospect = await done(city, manager, prospect, "qualify", note="秘密一")
    prospect = await done(city, manager, prospect, "nurture", note="秘密二")
    await done(city, manager, prospect, "steps/1/complete", outcome="succeeded", note="秘密三")
    async with city.database.transaction() as session:
        await session.execute(
            text("UPDATE customer SET library = 'retained', left_on = '2015-01-01', left_reason = 'moved' WHERE id = :id"),
            {"id": UUID(customer["id"])},
        )  # fmt: skip
    assert (await search(city)).ended == 1

    async def counted() -> Any:
        asked = {"by": ["month", "unit", "signal", "target", "ending"]}
        answer = await city.client.get("/prospects/statistics", params=asked, headers=manager)
        return answer.json()["items"]

    async def kept() -> str:
        async with city.database.transaction() as session:
            rows = [
                row
                for table in ("prospect", "prospect_step", "prospect_event")
                for row in await session.execute(text(f"SELECT to_jsonb(t)::text FROM {table} t"))  # noqa: S608 - named here
            ]
        return "\n".join(row[0] for row in rows)

    before, seen = await counted(), await kept()
    assert before
    assert all(secret in seen for secret in ("秘密一", "秘密二", "秘密三", "mean_fen"))
    assert await erase(city) == 1
    assert await counted() == before
    after = await kept()
    assert after.count("\n") == 4, "five events, and nothing else"
    assert [secret for secret in ("秘密", "mean_fen", "28000") if secret in after] == []
