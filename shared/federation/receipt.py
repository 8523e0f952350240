"""Receipts and dispatches: what either end of a lane signs about a position of it.

A *receipt* is a JWS (RFC 7515, compact, Ed25519) by the receiver over a position of the lane: who sent, who received,
which lane, up to which number, and the chain's link there. Since the link runs over every envelope and signature up to
it, one receipt proves the receipt of all of them, in this order, and of nothing else. It stands by itself: whoever has
the receiver's public key and the messages can check it, years later and without either node
(:mod:`shared.federation.verification`).

A *dispatch* is the same by the sender, who sends it beside a batch of many messages: all of them, up to there, are what
it has sent. By that one signature a receiver knows each of the sender's own messages to be its origin's, as by the
signature that each carries, and for a fraction of the cost; decision 0019 says which messages it is taken for. The
receipt for that position repeats the dispatch, so that both sides keep both signatures in one document.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from shared.federation.keys import NodeKey, PublicKey, from_base64url
from shared.federation.lane import Position

TYPE = "guanxi-receipt"
"""The JWS header's ``typ``: what was signed as a receipt is nothing else."""
DISPATCH_TYPE = "guanxi-dispatch"
DISPATCHED_FROM = 9
"""A batch of so many messages has a dispatch; in a smaller one each signature is checked in as little time."""

_ALGORITHM = "Ed25519"
_SIGNING = jws.JWSRegistry(algorithms=[_ALGORITHM])
LONGEST = 2000
LONGEST_DISPATCH = 700
"""A receipt repeats it."""


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
        dispatch: the sender's own word for having sent that, where it gave one.
    """

    sender: str
    receiver: str
    lane: str
    position: Position
    at: datetime
    dispatch: str | None = None


@dataclass(frozen=True, slots=True)
class Dispatch:
    """What a dispatch says: its ``sender`` has sent the lane up to there, and signed that."""

    sender: str
    receiver: str
    lane: str
    position: Position
    at: datetime


def issue(key: NodeKey, receipt: Receipt) -> str:
    """Return ``receipt`` signed by its receiver, whose key this is."""
    content = _content(receipt, "received")
    if receipt.dispatch is not None:
        content["dispatch"] = receipt.dispatch
    return _sign(key, receipt.receiver, TYPE, content)


def issue_dispatch(key: NodeKey, dispatch: Dispatch) -> str:
    """Return ``dispatch`` signed by its sender, whose key this is."""
    return _sign(key, dispatch.sender, DISPATCH_TYPE, _content(dispatch, "sent"))


def _content(said: Receipt | Dispatch, reached: str) -> dict[str, Any]:
    return {
        "from": said.sender,
        "to": said.receiver,
        "lane": said.lane,
        reached: said.position.number,
        "link": (said.position.link or b"").hex(),
        "at": said.at.astimezone(UTC).isoformat(),
    }


def _sign(key: NodeKey, by: str, type_: str, content: dict[str, Any]) -> str:
    header = {"alg": _ALGORITHM, "kid": by, "typ": type_}
    return jws.serialize_compact(
        header, orjson.dumps(content), OKPKey.import_key(key.signing), registry=_SIGNING
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
    content = _opened(statement, keys, receiver, TYPE, LONGEST)
    said = _read(content, "received", sender, receiver)
    dispatch = content.get("dispatch")
    if not isinstance(dispatch, str | None):
        raise ReceiptInvalid("The dispatch in it is no text.")
    return Receipt(said.sender, said.receiver, said.lane, said.position, said.at, dispatch)


def dispatch_in(statement: str) -> str | None:
    """Return the dispatch that a receipt repeats, if it does; believes neither of them."""
    try:
        content = orjson.loads(from_base64url(statement.split(".")[1]) or b"")
        return str(content["dispatch"])
    except (IndexError, KeyError, TypeError, orjson.JSONDecodeError):
        return None


def check_dispatch(
    statement: str, keys: Iterable[PublicKey], *, sender: str, receiver: str
) -> Dispatch:
    """Return what a dispatch says, once its signature holds; see :func:`check`.

    Raises:
        ReceiptInvalid: if it is not that sender's, or not for that receiver.
    """
    content = _opened(statement, keys, sender, DISPATCH_TYPE, LONGEST_DISPATCH)
    return _read(content, "sent", sender, receiver)


def _opened(
    statement: str, keys: Iterable[PublicKey], signer: str, type_: str, longest: int
) -> dict[str, Any]:
    if len(statement) > longest:
        raise ReceiptInvalid(f"It has more than {longest} characters.")
    for key in keys:
        try:
            token = jws.deserialize_compact(
                statement, OKPKey.import_key(key.ed25519()), registry=_SIGNING
            )
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue  # a hostile header makes the library fail in each of these ways
        header = token.protected
        if header.get("typ") != type_ or header.get("kid") != signer:
            raise ReceiptInvalid(f"It was signed as {header.get('kid')!r}, {header.get('typ')!r}.")
        try:
            content = orjson.loads(token.payload)
        except orjson.JSONDecodeError as error:
            raise ReceiptInvalid(f"Its content is not that of a receipt: {error}.") from None
        if not isinstance(content, dict):
            raise ReceiptInvalid("Its content is not that of a receipt: it is no object.")
        return content
    raise ReceiptInvalid(f"It is not signed by a key of {signer}.")


def _read(content: dict[str, Any], reached: str, sender: str, receiver: str) -> Dispatch:
    try:
        said = Dispatch(
            sender=content["from"],
            receiver=content["to"],
            lane=content["lane"],
            position=Position(int(content[reached]), bytes.fromhex(content["link"])),
            at=datetime.fromisoformat(content["at"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ReceiptInvalid(f"Its content is not that of a receipt: {error}.") from None
    if (said.sender, said.receiver) != (sender, receiver):
        raise ReceiptInvalid(
            f"It is about what {said.receiver} received from {said.sender}, not {receiver} from {sender}."
        )
    return said
