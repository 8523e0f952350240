"""Tills and lines in a nation of real nodes, and what each node's books say over REST."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from shared.capability import Role
from shared.clearing.schemas import CREDITED
from shared.kernel.ids import new_id
from tests.city.two_cities import City, add_line
from tests.conftest import Nation

HQ, GUANGDONG, BEIJING_PROVINCE = "000000", "440000", "110000"
GUANGZHOU, SHENZHEN, BEIJING = "440100", "440300", "110100"
PARENTS = {
    GUANGZHOU: GUANGDONG,
    SHENZHEN: GUANGDONG,
    BEIJING: BEIJING_PROVINCE,
    GUANGDONG: HQ,
    BEIJING_PROVINCE: HQ,
}
LINES = {BEIJING: "13800005678", GUANGZHOU: "13800001234", SHENZHEN: "13800009999"}
DESK = {HQ: Role.HQ_ANALYST, GUANGDONG: Role.PROVINCE_COORDINATOR, BEIJING_PROVINCE: Role.PROVINCE_COORDINATOR}  # fmt: skip

Headers = dict[str, str]
SignIn = Callable[..., Awaitable[Headers]]


@dataclass
class Trade:
    """A nation in which tills take money for one another's lines.

    Attributes:
        nation: its nodes.
        sign_in: how somebody signs in.
        staff: who has signed in, by node and role.
    """

    nation: Nation
    sign_in: SignIn
    staff: dict[tuple[str, str], Headers] = field(default_factory=dict)

    @classmethod
    async def begin(cls, nation: Nation, sign_in: SignIn) -> "Trade":
        """Open a shift in each city, and give each a line."""
        trade = cls(nation, sign_in)
        for place, (code, msisdn) in enumerate(LINES.items(), 1):
            await add_line(City(nation[code].context, nation[code].clock), msisdn, place=place)
            await trade.open_shift(code)
        return trade

    async def open_shift(self, code: str) -> None:
        """Let the city's cashier begin."""
        opened = await self.post(code, "/tills/shifts", {"float_fen": 0}, role=Role.CLERK)
        assert opened.status_code == 201, opened.text

    async def headers(self, code: str, role: Role | None = None) -> Headers:
        """Return the headers of somebody at a node: its desk, unless another role is named."""
        role = role or DESK.get(code, Role.SUPERVISOR)
        if (code, role) not in self.staff:
            self.staff[code, role] = await self.sign_in(self.nation[code], role)
        return self.staff[code, role]

    async def get(self, code: str, path: str) -> Any:
        """Read from a node."""
        answer = await self.nation[code].client.get(path, headers=await self.headers(code))
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(
        self,
        code: str,
        path: str,
        body: Any = None,
        *,
        role: Role | None = None,
        key: str | None = None,
        headers: Headers | None = None,
    ) -> httpx.Response:
        """Post to a node."""
        who = headers or await self.headers(code, role)
        once = {"Idempotency-Key": key or str(new_id())}
        return await self.nation[code].client.post(path, json=body, headers={**who, **once})

    async def take(self, visited: str, home: str, fen: int, *, key: str | None = None) -> str:
        """Take money in one city for the line of another."""
        body = {"msisdn": LINES.get(home, "13700000000"), "home": home, "amount_fen": fen}
        taken = await self.post(visited, "/payments", body, role=Role.CLERK, key=key)
        assert taken.status_code == 201, taken.text
        payment: str = taken.json()["id"]
        return payment

    async def take_and_park(self, visited: str, home: str, fen: int) -> str:
        """Take money, and let the answer be parked at the visited city, as if its release were older."""
        handlers = self.nation[visited].app.state.receiver.handlers
        understood = handlers.pop(CREDITED)
        payment = await self.take(visited, home, fen)
        await self.nation.settle()
        handlers[CREDITED] = understood
        return payment

    async def retry_parked(self, code: str) -> None:
        """Have a node handle again what it has parked."""
        node = self.nation[code]
        async with node.database.transaction() as session:
            receiver, now = node.app.state.receiver, node.clock.now()
            assert await receiver.retry_parked(session, BEIJING, now=now) > 0
        await self.nation.settle()

    async def reverse(self, visited: str, payment: str) -> str:
        """Reverse a payment."""
        asked = await self.post(visited, f"/payments/{payment}/reverse", {"reason": "wrong number"})
        assert asked.status_code == 201, asked.text
        reversal: str = asked.json()["id"]
        return reversal

    async def accounts(self, code: str) -> dict[str, int]:
        """Return what each account of a node comes to, after a look that all of them add up to zero."""
        said = await self.get(code, "/clearing/positions")
        assert said["sum_fen"] == 0
        found = {each["account"]: each["net_fen"] for each in said["accounts"]}
        assert sum(found.values()) == 0
        return found

    async def mirrored(self) -> None:
        """Check that the two accounts of every link mirror each other."""
        books = {code: await self.accounts(code) for code in self.nation.nodes}
        for child, parent in PARENTS.items():
            assert books[child].get(parent, 0) == -books[parent].get(child, 0), (child, books)

    async def next_day(self) -> None:
        """Let the day pass, everybody sign in anew, and the books be stated and compared."""
        self.nation.clock.advance(timedelta(days=1))
        self.staff.clear()
        await self.state()

    async def state(self) -> None:
        """Run the clock's part until the messages are quiet."""
        for job in ("clearing-statement", "clearing-comparison"):
            for node in self.nation.nodes.values():
                await node.run_job(job)
            await self.nation.settle()

    async def statements(self, code: str, day: str) -> dict[str, dict[str, Any]]:
        """Return a node's statements of a day, by neighbour."""
        page = await self.get(code, f"/clearing/statements?day={day}")
        return {each["neighbour"]: each for each in page["items"]}

    async def differences(self, code: str, *, settled: bool = False) -> list[dict[str, Any]]:
        """Return what a node does not have as its neighbours have it."""
        page = await self.get(code, f"/clearing/differences?settled={str(settled).lower()}")
        items: list[dict[str, Any]] = page["items"]
        return items
