"""A member of staff at a node, over REST: signed in again whenever that is needed, and patient."""

import asyncio
from typing import Any
from uuid import UUID

import httpx

from tests.chaos.counter.people import PASSWORD
from tests.chaos.nation import Member
from tests.chaos.traffic import Gate

PATIENCE = 5.0
"""Seconds that somebody waits for an answer before asking again."""
PAUSE = 0.25
UNHEARD = frozenset({401, 429, 500, 502, 503, 504})
"""Answers after which the same request is made again: nothing was said about it."""

Answer = tuple[int, Any]


class Staff:
    """Somebody who works at a node.

    Args:
        member: the node.
        username: as they sign in.
        gate: whether people may go to that node at the moment.
    """

    def __init__(self, member: Member, username: str, gate: Gate | None = None) -> None:
        self.code = member.code
        self._member = member
        self._username = username
        self._gate = gate or Gate()
        self._client = httpx.AsyncClient(
            base_url=member.url,
            trust_env=False,
            timeout=PATIENCE,
            headers={"Accept-Language": "en"},
        )
        self._token: str | None = None
        self._signing_in = asyncio.Lock()
        self.repeated = 0

    async def close(self) -> None:
        """Leave."""
        await self._client.aclose()

    async def get(self, path: str, **query: str | int) -> Answer:
        """Ask until there is an answer."""
        return await self._ask("GET", path, params=query)

    async def post(self, path: str, body: Any, key: UUID, **headers: str) -> Answer:
        """Ask for a change until there is an answer: the same one, however often it takes."""
        given = {"Idempotency-Key": str(key), **headers}
        return await self._ask("POST", path, json=body, headers=given)

    async def post_at_once(self, path: str, body: Any, key: UUID) -> Answer:
        """Ask for the same change on two connections at once, and go by the answer that says that it was done."""
        answers = await asyncio.gather(self.post(path, body, key), self.post(path, body, key))
        return min(answers, key=lambda answer: answer[0])

    async def all(self, path: str, **query: str | int) -> list[dict[str, Any]]:
        """Return every item of a list.

        Raises:
            RuntimeError: if the node refuses.
        """
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            status, page = await self.get(path, limit=500, **query, **cursor)
            if status != httpx.codes.OK:
                raise RuntimeError(f"{self.code} refuses {path}: {status} {page}")
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = {"cursor": page["next"]}

    async def _ask(self, method: str, path: str, **how: Any) -> Answer:
        # Inside until there is an answer: what a node did and told nobody of must be known before it is restored.
        async with self._gate.passed():
            while True:
                answer = await self._once(method, path, **how)
                if answer is not None and answer.status_code not in UNHEARD:
                    return answer.status_code, answer.json() if answer.content else None
                self.repeated += 1
                await asyncio.sleep(PAUSE)

    async def _once(self, method: str, path: str, **how: Any) -> httpx.Response | None:
        try:
            async with self._signing_in:
                if self._token is None and not await self._sign_in():
                    return None
                token = self._token
            how["headers"] = {**how.get("headers", {}), "Authorization": f"Bearer {token}"}
            answer = await self._client.request(method, path, **how)
        except httpx.HTTPError:
            return None
        if answer.status_code == httpx.codes.UNAUTHORIZED and self._token == token:
            self._token = None
        return answer

    async def _sign_in(self) -> bool:
        form = {"grant_type": "password", "username": self._username, "password": PASSWORD}
        answer = await self._client.post("/oauth/token", data=form)
        if answer.status_code in {httpx.codes.BAD_REQUEST, httpx.codes.FORBIDDEN}:
            raise RuntimeError(f"{self.code} does not let {self._username} in: {answer.text}")
        if answer.is_success:
            self._token = answer.json()["access_token"]
        return answer.is_success
