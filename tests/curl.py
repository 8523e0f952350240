"""Runs the ``curl`` examples of a page of the documentation against nodes of this process.

Of the shell it knows what examples need: variables, ``NAME=$(curl ... | jq -r .path)``, and one command a line.
"""

import re
import shlex
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

_BLOCK = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ASSIGNED = re.compile(r"([A-Z]+)=\$\((curl .*) \| jq -r ([.\w\[\]]+)\)")
_FLAGS = {"-s", "-N"}


def commands(page: Path) -> list[str]:
    """Return the commands of a page's ``bash`` blocks, in order."""
    blocks = _BLOCK.findall(page.read_text(encoding="utf-8"))
    lines = (line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@dataclass
class Shell:
    """What the examples run in.

    Attributes:
        clients: who answers, by the name of the variable that stands for the address.
        files: what ``@name`` stands for.
        variables: what was assigned so far.
    """

    clients: Mapping[str, httpx.AsyncClient]
    files: Mapping[str, bytes]
    variables: MutableMapping[str, str] = field(default_factory=dict)

    async def run(self, command: str) -> httpx.Response:
        """Run one command; an assignment takes what ``jq`` would print."""
        assigned = _ASSIGNED.fullmatch(command)
        answer = await self._curl(assigned[2] if assigned else command)
        if assigned:
            value: Any = answer.json()
            for name in re.findall(r"\w+", assigned[3]):
                value = value[int(name) if name.isdigit() else name]
            self.variables[assigned[1]] = str(value)
        return answer

    async def _curl(self, command: str) -> httpx.Response:
        words = iter(shlex.split(command)[1:])
        headers: dict[str, str] = {}
        form: dict[str, str] = {}
        content: bytes | None = None
        url, method = "", ""
        for word in words:
            if word in _FLAGS:
                continue
            match word:
                case "-o":
                    next(words)
                case "-H":
                    name, _, value = self._filled(next(words)).partition(": ")
                    headers[name] = value
                case "-X":
                    method = next(words)
                case "-d":
                    name, _, value = next(words).partition("=")
                    form[name] = value
                case "--json":
                    content = self._filled(next(words)).encode()
                    headers["Content-Type"] = "application/json"
                case "--data-binary":
                    content = self.files[next(words).removeprefix("@")]
                case _:
                    assert not word.startswith("-"), f"{word} is not known here: {command}"
                    url = word
        address, _, path = url.removeprefix("$").partition("/")
        client = self.clients[address]
        has_body = bool(form) or content is not None
        return await client.request(
            method or ("POST" if has_body else "GET"),
            "/" + self._filled(path),
            headers=headers,
            **({"data": form} if form else {"content": content}),
        )

    def _filled(self, text: str) -> str:
        return re.sub(r"\$([A-Z]+)", lambda name: self.variables[name[1]], text)
