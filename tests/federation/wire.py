"""The wire of a release, byte for byte: what ``docs/fixtures/`` shows an outside implementer, and how it is made.

Keys, times, ids and nonces are fixed, and Ed25519 always signs the same in the same way, so that the same release
writes the same bytes again: ``python -m tests.federation.wire docs/fixtures/wire-v1.1.json`` writes them, and a test
compares. The fixtures of releases before are kept as they are, and today's nodes take them (``test_wire.py``).
"""

import base64
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from shared.federation import exchange, receipt
from shared.federation.envelope import Message, Packed, pack
from shared.federation.keys import NodeKey
from shared.federation.lane import Position, beginning, links_after
from shared.federation.signature import HttpRequest, sign_request

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
PATH = "/federation/v1/lanes/request/batches"
CHILD, PARENT = "440300", "440000"


def key_of(code: str) -> NodeKey:
    """Return the key that the node of this code has in the fixtures: its code, four times and a bit."""
    seed = (code * 6)[:32].encode()
    return NodeKey(
        Ed25519PrivateKey.from_private_bytes(seed), X25519PrivateKey.from_private_bytes(seed)
    )


def messages() -> list[Packed]:
    """Return two messages of the child's to its parent."""
    return [
        pack(
            Message(
                id=UUID(f"019ac0de-7000-7000-8000-00000000000{number}"),
                source=CHILD,
                type="test.counted.v1",
                time=NOW,
                destination=PARENT,
                partitionkey="k",
                data={"number": number},
            ),
            key_of(CHILD),
        )
        for number in (1, 2)
    ]


def fixtures() -> dict[str, Any]:
    """Return everything of one exchange: its parts as text, and the request as it goes over the line."""
    packed = messages()
    start = beginning("request").link or b""
    links = links_after(start, packed)
    batch = {
        "lane": "request",
        "first": 1,
        "previous": start.hex(),
        "messages": [
            {
                "envelope": each.envelope.decode(),
                "signature": each.signature,
                "hops": [{"node": CHILD, "at": NOW.isoformat()}],
            }
            for each in packed
        ],
    }
    statement = receipt.issue(
        key_of(PARENT), receipt.Receipt(CHILD, PARENT, "request", Position(2, links[-1]), NOW)
    )
    body = exchange.body_of(batch)
    headers = {**body.headers, exchange.RECEIVER_HEADER: PARENT}
    request = sign_request(
        key_of(CHILD),
        CHILD,
        HttpRequest("POST", PATH, "", headers, body.content),
        now=NOW,
        nonce="0123456789abcdef0123456789abcdef",
    )
    return {
        "protocol": "1.1",
        "at": NOW.isoformat(),
        "public_keys": {code: key_of(code).public.to_text() for code in (CHILD, PARENT)},
        "links": [link.hex() for link in (start, *links)],
        "batch": batch,
        "request": {
            "method": request.method,
            "path": request.path,
            "headers": dict(request.headers),
            "body_base64": base64.b64encode(request.body).decode(),
        },
        "acknowledgement": {"lane": "request", "received": 2, "receipt": statement},
    }


def main() -> None:
    """Write today's fixtures to the file that the command line names."""
    content = orjson.loads(orjson.dumps(fixtures()))
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    Path(sys.argv[1]).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
