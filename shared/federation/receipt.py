"""Receipts: a receiver signs how far it has received a lane, and both sides keep that.

A *receipt* is a JWS (RFC 7515, compact, Ed25519) by the receiver over a position of the lane: who sent, who received,
which lane, up to which number, and the chain's link there. Since the link runs over every envelope and signature up to
it, one receipt proves the receipt of all of them, in this order, and of nothing else. It stands by itself: whoever has
the receiver's public key and the messages can check it, years later and without either node
(:mod:`shared.federation.verification`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from shared.federation.keys import NodeKey, PublicKey
from shared.federation.lane import Position

TYPE = "guanxi-receipt"
"""The JWS header's ``typ``: what was signed as a receipt is nothing else."""

_ALGORITHM = "Ed25519"
_SIGNING = jws.JWSRegistry(algorithms=[_ALGORITHM])
LONGEST = 2000


class ReceiptInvalid(Exception):
    """A receipt does not prove what it should; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt says.

    Attributes:
        sender: whose messages were received.
        receiver: who received and signed.
        lane: on which lane.
        position: up to where.
        at: when, by the receiver's clock.
    """

    sender: str
    receiver: str
    lane: str
    position: Position
    at: datetime


def issue(key: NodeKey, receipt: Receipt) -> str:
    """Return ``receipt`` signed by its receiver, whose key this is."""
    link = receipt.position.link or b""
    payload = {
        "from": receipt.sender,
        "to": receipt.receiver,
        "lane": receipt.lane,
        "received": receipt.position.number,
        "link": link.hex(),
        "at": receipt.at.astimezone(UTC).isoformat(),
    }
    header = {"alg": _ALGORITHM, "kid": receipt.receiver, "typ": TYPE}
    return jws.serialize_compact(
        header, orjson.dumps(payload), OKPKey.import_key(key.signing), registry=_SIGNING
    )


def check(statement: str, keys: Iterable[PublicKey], *, sender: str, receiver: str) -> Receipt:
    """Return what a receipt says, once its signature holds.

    Args:
        statement: the JWS.
        keys: the receiver's public keys, of which one must have signed.
        sender: whose messages it must be about.
        receiver: who must have signed it.

    Raises:
        ReceiptInvalid: if it is not that receiver's, or about somebody else's messages.
    """
    if len(statement) > LONGEST:
        raise ReceiptInvalid(f"A receipt has at most {LONGEST} characters.")
    for key in keys:
        try:
            token = jws.deserialize_compact(
                statement, OKPKey.import_key(key.ed25519()), registry=_SIGNING
            )
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue  # a hostile header makes the library fail in each of these ways
        header = token.protected
        if header.get("typ") != TYPE or header.get("kid") != receiver:
            raise ReceiptInvalid(f"It was signed as {header.get('kid')!r}, {header.get('typ')!r}.")
        return _read(token.payload, sender, receiver)
    raise ReceiptInvalid(f"It is not signed by a key of {receiver}.")


def _read(payload: bytes, sender: str, receiver: str) -> Receipt:
    try:
        content = orjson.loads(payload)
        receipt = Receipt(
            sender=content["from"],
            receiver=content["to"],
            lane=content["lane"],
            position=Position(int(content["received"]), bytes.fromhex(content["link"])),
            at=datetime.fromisoformat(content["at"]),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise ReceiptInvalid(f"Its content is not that of a receipt: {error}.") from None
    if (receipt.sender, receipt.receiver) != (sender, receiver):
        raise ReceiptInvalid(
            f"It says that {receipt.receiver} received from {receipt.sender}, not {receiver} from {sender}."
        )
    return receipt
