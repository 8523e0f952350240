"""Files to download: whole, in parts, or not at all if the caller has them (RFC 9110, 13 and 14)."""

import re

from fastapi import Response
from fastapi.responses import FileResponse
from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from shared.kernel.preconditions import holds

_PART = re.compile(r"(?P<first>\d{1,18})-(?P<last>\d{1,18})?|-\d{1,18}")


class Download(FileResponse):
    """The answer with a file; its ETag, if it has none of its own, is made of its time and size.

    What `Range` means is for this class to say alone: one that is of another unit, or makes no sense, is as if it were
    not there, so that the caller gets the whole file.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        headers = Headers(scope=scope)
        tag = self.headers.get("etag", "")
        if tag and holds(headers.get("if-none-match", ""), tag):
            kept = {
                name: self.headers[name]
                for name in ("etag", "cache-control", "link")
                if name in self.headers
            }
            await Response(status_code=304, headers=kept)(scope, receive, send)
            return
        if not _makes_sense(headers.get("range", "")):
            given = [(name, value) for name, value in scope["headers"] if name != b"range"]
            scope = {**scope, "headers": given}
        await super().__call__(scope, receive, send)


def _makes_sense(wanted: str) -> bool:
    unit, _, parts = wanted.partition("=")
    found = [_PART.fullmatch(each.strip()) for each in parts.split(",")]
    return unit.strip().lower() == "bytes" and all(
        each is not None
        and (
            each["first"] is None or each["last"] is None or int(each["first"]) <= int(each["last"])
        )
        for each in found
    )
