"""What one node says to another: a CloudEvents envelope, signed by its origin, end to end.

A *message* is addressed from its *source* to its *destination*, both nodes named by division code.
Packed, it is an *envelope*, a CloudEvents 1.0 event in JSON, and beside it a *signature*, a JWS with
detached payload (RFC 7515 appendix F) by the source's key over exactly these bytes. The bytes are
stored and passed on as they came: whoever parses and writes them again breaks the signature. So
those on the way can read and route an envelope, and cannot alter it.

On the wire ``source`` is the URI reference ``/nodes/440300`` and ``destination`` the bare code,
since CloudEvents wants the one to be a URI reference and says nothing of the other. ``destination``,
``partitionkey``, ``correlationid``, ``causationid``, ``deadline`` and ``traceparent`` are extension
attributes. An attribute that has no value is left out. Attributes that this version does not know
are passed over: they are in the bytes, for those who know them.

Failure: an envelope that is not well-formed raises :class:`EnvelopeMalformed`, which points at the
fault; one that its source did not sign raises :class:`EnvelopeForged`. A ``type`` that nobody here
handles is neither: that is for the receiver to decide.
"""

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

import orjson
from cryptography.exceptions import InvalidSignature
from joserfc import jws
from joserfc.jwk import OKPKey

from shared.federation.keys import NodeKey, PublicKey, from_base64url
from shared.kernel.ids import derived_id

MEDIA_TYPE = "application/cloudevents+json"

_ALGORITHM = "Ed25519"  # RFC 9864, which deprecates the older name EdDSA
_SIGNING = jws.JWSRegistry(algorithms=[_ALGORITHM])
_SOURCE_PREFIX = "/nodes/"

_CODE = re.compile(r"[0-9]{6}")
_TYPE = re.compile(r"[A-Za-z0-9._-]{1,200}")
# CloudEvents strings hold no control characters, and PostgreSQL cannot store the first of them.
_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,200}")
_TEXT_FORM = "1 to 200 characters, none of them a control character"
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)

_Value = TypeVar("_Value")


class EnvelopeMalformed(Exception):
    """An envelope, or a message to be packed into one, breaks the rules of its form.

    Attributes:
        pointer: JSON pointer (RFC 6901) to the attribute at fault; empty for the whole.
    """

    def __init__(self, pointer: str, expected: str, found: object) -> None:
        self.pointer = pointer
        what = f"its {pointer}" if pointer else "it"
        super().__init__(
            f"The envelope is malformed: {what} has to be {expected}, and is {repr(found)[:100]}."
        )


class EnvelopeForged(Exception):
    """The signature beside an envelope is not that of its source over these bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a node says to another.

    Attributes:
        id: names the message; the same id twice is the same message.
        source: division code of the node that says it.
        type: ``guanxi.<noun>.<what happened>.v<n>``.
        time: when it was said.
        subject: what it is about.
        destination: division code of the node that shall handle it.
        partitionkey: what must stay in order; messages of one source and key do.
        correlationid: the request or process that it belongs to.
        causationid: the message that led to it.
        deadline: when it has lost its use.
        traceparent: W3C trace context.
        data: the payload, a JSON object.

    Raises:
        EnvelopeMalformed: if one of these cannot go into an envelope.
    """

    id: UUID
    source: str
    type: str
    time: datetime
    destination: str
    partitionkey: str
    data: dict[str, Any]
    subject: str | None = None
    correlationid: UUID | None = None
    causationid: UUID | None = None
    deadline: datetime | None = None
    traceparent: str | None = None

    def __post_init__(self) -> None:
        _demand(self.source, _CODE, "/source", "a division code of six digits")
        _demand(self.type, _TYPE, "/type", "1 to 200 letters, digits, dots and hyphens")
        _demand(self.destination, _CODE, "/destination", "a division code of six digits")
        _demand(self.partitionkey, _TEXT, "/partitionkey", _TEXT_FORM)
        if self.subject is not None:
            _demand(self.subject, _TEXT, "/subject", _TEXT_FORM)
        if self.traceparent is not None:
            _demand(self.traceparent, _TRACEPARENT, "/traceparent", "a W3C trace context")
        for pointer, moment in (("/time", self.time), ("/deadline", self.deadline)):
            if moment is not None and moment.tzinfo is None:
                raise EnvelopeMalformed(pointer, "a time with its offset from UTC", moment)


@dataclass(frozen=True, slots=True)
class Packed:
    """A message as it is stored and passed on, byte for byte."""

    envelope: bytes
    signature: str


def pack(message: Message, key: NodeKey) -> Packed:
    """Write ``message`` as an envelope and sign it with its source's key.

    Raises:
        EnvelopeMalformed: if its data cannot be written as JSON.
    """
    event = {
        "specversion": "1.0",
        # As text: a driver's own kind of UUID is not one that the JSON writer knows.
        "id": str(message.id),
        "source": _SOURCE_PREFIX + message.source,
        "type": message.type,
        "time": message.time.astimezone(UTC),
        "subject": message.subject,
        "destination": message.destination,
        "partitionkey": message.partitionkey,
        "correlationid": message.correlationid and str(message.correlationid),
        "causationid": message.causationid and str(message.causationid),
        "deadline": message.deadline and message.deadline.astimezone(UTC),
        "traceparent": message.traceparent,
        "datacontenttype": "application/json",
        "data": message.data,
    }
    present = {name: value for name, value in event.items() if value is not None}
    try:
        envelope = orjson.dumps(present, option=orjson.OPT_UTC_Z)
    except orjson.JSONEncodeError as error:
        raise EnvelopeMalformed("/data", f"JSON ({error})", type(message.data)) from error
    return Packed(envelope, sign(envelope, key, message.source))


def unpack(envelope: bytes) -> Message:
    """Read an envelope, which says nothing yet about whether it is genuine: see :func:`verify`.

    Raises:
        EnvelopeMalformed: if it is no CloudEvents 1.0 event of this federation.
    """
    try:
        event = orjson.loads(envelope)
    except orjson.JSONDecodeError as error:
        raise EnvelopeMalformed("", f"JSON ({error})", envelope[:60]) from error
    if not isinstance(event, dict):
        raise EnvelopeMalformed("", "a JSON object", event)
    if event.get("specversion") != "1.0":
        raise EnvelopeMalformed("/specversion", "'1.0'", event.get("specversion"))
    if event.get("datacontenttype", "application/json") != "application/json":
        raise EnvelopeMalformed("/datacontenttype", "'application/json'", event["datacontenttype"])
    if not isinstance(event.get("data"), dict):
        raise EnvelopeMalformed("/data", "a JSON object", type(event.get("data")))
    return Message(
        id=_required(event, "id", _uuid),
        source=_required(event, "source", _code),
        type=_required(event, "type", str),
        time=_required(event, "time", _moment),
        subject=_optional(event, "subject", str),
        destination=_required(event, "destination", str),
        partitionkey=_required(event, "partitionkey", str),
        correlationid=_optional(event, "correlationid", _uuid),
        causationid=_optional(event, "causationid", _uuid),
        deadline=_optional(event, "deadline", _moment),
        traceparent=_optional(event, "traceparent", str),
        data=event["data"],
    )


def sign(envelope: bytes, key: NodeKey, source: str) -> str:
    """Return the detached JWS of node ``source`` over ``envelope``, in compact form."""
    header = {"alg": _ALGORITHM, "kid": source}
    token = jws.serialize_compact(
        header, envelope, OKPKey.import_key(key.signing), registry=_SIGNING
    )
    return jws.detach_content(token)


def verify(envelope: bytes, signature: str, public_keys: Sequence[PublicKey], source: str) -> None:
    """Make sure that node ``source`` signed these very bytes.

    Args:
        envelope: the envelope as it came.
        signature: the detached JWS that came with it.
        public_keys: the keys that node ``source`` may have signed with.
        source: what :func:`unpack` found in the envelope.

    Raises:
        EnvelopeForged: if it did not.
    """
    forged = f"The envelope from {source} is not to be believed:"
    if signature.count(".") != 2 or ".." not in signature:  # noqa: PLR2004 - header..signature
        # With a payload of its own the token would be about that, and not about the envelope.
        raise EnvelopeForged(f"{forged} what comes with it is no detached JWS.")
    if not public_keys:
        raise EnvelopeForged(f"{forged} that node has no key that is valid, or no longer.")
    header = next(filter(None, (_opened(envelope, signature, key) for key in public_keys)), None)
    if header is None:
        raise EnvelopeForged(f"{forged} its signature is not made by that node's key.")
    if header.get("kid") != source:
        raise EnvelopeForged(f"{forged} it was signed as {header.get('kid')!r}.")


def _opened(envelope: bytes, signature: str, key: PublicKey) -> dict[str, Any] | None:
    """Return the header of a signature that ``key`` made over ``envelope``; nothing if it did not.

    Read here, and not by the library, since a node checks each of many thousands: RFC 7515 sections 5.2 and 7.1.
    """
    protected, _, encoded = signature.partition("..")
    header, made = _header(protected), from_base64url(encoded)
    if header is None or made is None:
        return None
    payload = base64.urlsafe_b64encode(envelope).rstrip(b"=")
    try:
        key.ed25519().verify(made, protected.encode() + b"." + payload)
    except InvalidSignature:
        return None
    return header


@lru_cache(maxsize=1024)
def _header(protected: str) -> dict[str, Any] | None:
    """Return the protected header of a signature, of which each origin has but one; nothing if it is not ours."""
    try:
        header = orjson.loads(from_base64url(protected) or b"")
    except orjson.JSONDecodeError:
        return None
    # What else may stand there could say that the signature means something else: RFC 7797's "b64", or "crit".
    is_ours = isinstance(header, dict) and header.keys() <= {"alg", "kid", "typ", "cty"}
    return header if is_ours and header.get("alg") == _ALGORITHM else None


def answer_id(cause: UUID, type: str, discriminator: str = "") -> UUID:  # noqa: A002 - the attribute's name
    """Return the id of the answer of this type to the message ``cause``, which is always the same.

    Args:
        cause: id of the message that is answered.
        type: type of the answer.
        discriminator: tells apart several answers of one type to one message.
    """
    return derived_id(cause, type, discriminator)


def _demand(value: str, rule: re.Pattern[str], pointer: str, expected: str) -> None:
    if not rule.fullmatch(value):
        raise EnvelopeMalformed(pointer, expected, value)


def _required(event: dict[str, Any], name: str, read: Callable[[str], _Value]) -> _Value:
    value = _optional(event, name, read)
    if value is None:
        raise EnvelopeMalformed(f"/{name}", "there", None)
    return value


def _optional(event: dict[str, Any], name: str, read: Callable[[str], _Value]) -> _Value | None:
    value = event.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise EnvelopeMalformed(f"/{name}", "a string", value)
    try:
        return read(value)
    except (ValueError, OverflowError) as error:
        raise EnvelopeMalformed(f"/{name}", _FORMS[read], value) from error


def _code(text: str) -> str:
    if not text.startswith(_SOURCE_PREFIX):
        raise ValueError(text)
    return text.removeprefix(_SOURCE_PREFIX)


def _uuid(text: str) -> UUID:
    if not _UUID.fullmatch(text):  # in braces, without hyphens, in capitals
        raise ValueError(text)
    return UUID(int=int(text.replace("-", ""), 16))


def _moment(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text).astimezone(UTC)


_FORMS: dict[Callable[[str], Any], str] = {
    _code: f"{_SOURCE_PREFIX!r} and a division code",
    _uuid: "a UUID of 36 lower-case characters",
    _moment: "an RFC 3339 time with its offset from UTC",
}
