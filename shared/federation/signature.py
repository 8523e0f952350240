"""Signing what nodes say to one another over HTTP, and believing nothing that is not signed.

Requests and responses carry an HTTP message signature (RFC 9421, Ed25519) tagged ``TAG``. That of a
request covers method, path and query; that of a response covers the status, and the digest and the
signature of the request it answers: it is a receipt for that request and no other. Both cover the
body through its ``Content-Digest`` (RFC 9530), the fields that say how to read it, and every field
that begins with ``guanxi-``. A message that carries one of these unsigned is refused.

Order: the sender compresses, digests, signs; the receiver checks the signature, then the digest,
and only then decompresses. The body is always that on the wire, and so are path and query: still
percent-encoded. The names of headers count without regard to case.

A signature names its *sender* (``keyid``, the division code), is taken for ``LIFETIME`` after it
was made (``created``, ``expires``), and carries a ``nonce``. That a nonce is used once is for the
caller to check, who keeps it until :attr:`Verified.expires`; and so is what the sender may do.

Failure: every refusal is a :class:`SignatureRefused` with a stable ``reason`` and a sentence that
says what differs.
"""

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar

import http_sf
from cryptography.exceptions import InvalidSignature as SignatureMismatch
from http_message_signatures import (
    ContentDigest,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureComponentResolver,
    InvalidSignature,
    MappingKeyResolver,
)
from http_message_signatures.algorithms import ED25519

from shared.federation.keys import NodeKey, PublicKey

TAG = "guanxi-federation"
LIFETIME = timedelta(minutes=5)
CLOCK_SKEW = timedelta(seconds=30)
"""How far ahead a sender's clock may be."""

_LABEL = "guanxi"
_REQUEST = ('"@method"', '"@path"', '"@query"', '"content-digest"')
# The request's signature covers the rest of it. Its digest is named beside it, so that a stored
# response proves by itself what was answered.
_RESPONSE = (
    '"@status"',
    '"content-digest"',
    '"content-digest";req',
    '"signature-input";req',
    '"signature";req',
)
_HEADER = re.compile(r'"([a-z0-9-]+)"')
_PARAMETERS = ("created", "expires", "keyid", "nonce", "alg")

KeyLookup = Callable[[str], Sequence[PublicKey] | None]
"""Gives the keys that a division code may sign with at present, or nothing if it has none."""


class SignatureRefused(Exception):
    """A message is not believed; ``reason`` is the name of its class in kebab case."""

    reason: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.reason = re.sub(r"(?<=[a-z])(?=[A-Z])", "-", cls.__name__).lower()


class SignatureMissing(SignatureRefused):
    """The message carries no signature of this federation."""


class SignatureMalformed(SignatureRefused):
    """The signature cannot be understood."""


class SignatureWrong(SignatureRefused):
    """The signature is not that of the sender's key over this message."""


class KeyUnknown(SignatureRefused):
    """The sender has no key that is valid here and now."""


class DigestWrong(SignatureRefused):
    """The body is not the one whose digest was signed."""


class ComponentUncovered(SignatureRefused):
    """A part of the message that has to be signed is not."""


class ComponentMissing(SignatureRefused):
    """A header that was signed is not in the message any more."""


class TimestampStale(SignatureRefused):
    """The signature was made too long ago, or one of the two clocks is wrong."""


class TimestampFuture(SignatureRefused):
    """The signature is yet to be made: one of the two clocks is wrong."""


@dataclass(frozen=True)
class HttpRequest:
    """A request as it is on the wire; ``query`` is without its question mark."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)
    # The library asks for one. Nothing of it is signed: see _Components.
    url: ClassVar[str] = "https://node.invalid/"


@dataclass(frozen=True)
class HttpResponse:
    """A response as it is on the wire, with the signed request that it answers."""

    request: HttpRequest
    status_code: int
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)


_Message = TypeVar("_Message", HttpRequest, HttpResponse)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a signature that holds says.

    Attributes:
        sender: division code of the node that signed.
        nonce: the sender's number for this message, used only once.
        created: when it was signed, by the sender's clock, to the second.
        expires: until when this signature is taken, and its nonce has to be kept.
    """

    sender: str
    nonce: str
    created: datetime
    expires: datetime


def sign_request(
    key: NodeKey, sender: str, request: HttpRequest, *, now: datetime, nonce: str
) -> HttpRequest:
    """Return ``request`` with digest and signature among its headers, ready to be sent.

    Args:
        key: the sender's key.
        sender: its division code.
        request: what to send; its body is already compressed.
        now: the present moment; the signature is taken for ``LIFETIME`` from here.
        nonce: printable ASCII that this sender never uses again.

    Raises:
        HTTPMessageSignaturesException: if something to be signed is not plain ASCII.
    """
    return _sign(key, sender, request, now=now, nonce=nonce)


def sign_response(
    key: NodeKey, sender: str, response: HttpResponse, *, now: datetime, nonce: str
) -> HttpResponse:
    """Return ``response`` with digest and signature among its headers; see :func:`sign_request`."""
    return _sign(key, sender, response, now=now, nonce=nonce)


def verify_request(public_keys_of: KeyLookup, request: HttpRequest, *, now: datetime) -> Verified:
    """Return who signed ``request``, and when.

    Raises:
        SignatureRefused: in one of its kinds, if the request is not wholly and freshly signed.
    """
    return _verify(public_keys_of, request, now)


def verify_response(
    public_keys_of: KeyLookup, response: HttpResponse, *, now: datetime
) -> Verified:
    """Return who signed ``response``, and when.

    Its ``request`` has to be the one that :func:`sign_request` returned. A caller that wants the
    answer of one certain node gives that node's keys and no others.

    Raises:
        SignatureRefused: in one of its kinds, if the response is not wholly and freshly signed, or
            answers another request.
    """
    return _verify(public_keys_of, response, now)


def claimed_sender(headers: Mapping[str, str]) -> str:
    """Return who a message says that it is from, to fetch that key before verifying.

    Raises:
        SignatureMissing: if it carries no signature of this federation.
        SignatureMalformed: if that cannot be read.
    """
    sender = _claimed(headers).get("keyid")
    if not isinstance(sender, str):
        raise SignatureMalformed("The signature does not name its sender in 'keyid'.")
    return sender


def claimed_time(headers: Mapping[str, str]) -> datetime:
    """Return when a message says that it was signed; see :func:`claimed_sender`."""
    created = _claimed(headers).get("created")
    if not isinstance(created, int):
        raise SignatureMalformed("The signature does not say when it was 'created'.")
    return _moment(created)


def _claimed(headers: Mapping[str, str]) -> Mapping[str, Any]:
    written = _fields(headers).get("signature-input", "")
    try:
        members: Any = http_sf.parse(written.encode("ascii"), tltype="dictionary")
    except ValueError as error:
        raise SignatureMalformed(f"The header Signature-Input cannot be read: {error}.") from error
    for _, parameters in members.values():
        if parameters.get("tag") == TAG:
            said: Mapping[str, Any] = parameters
            return said
    raise SignatureMissing(f"The message carries no signature tagged {TAG!r}: sign it (RFC 9421).")


def _sign(key: NodeKey, sender: str, message: _Message, *, now: datetime, nonce: str) -> _Message:
    headers = _fields(message.headers) | {"content-digest": ContentDigest.create(message.body)}
    message = replace(message, headers=headers)
    signer = HTTPMessageSigner(signature_algorithm=ED25519, component_resolver_class=_Components)
    prepared = signer.prepare(
        message,
        key_id=sender,
        created=now,
        expires=now + LIFETIME,
        nonce=nonce,
        tag=TAG,
        label=_LABEL,
        covered_component_ids=_to_be_covered(message),
        use_existing_digest=True,
    )
    signature = base64.b64encode(key.signing.sign(prepared.signature_base)).decode()
    signed = {
        "signature-input": f"{_LABEL}={prepared.signature_params}",
        "signature": f"{_LABEL}=:{signature}:",
    }
    return replace(message, headers=headers | signed)


def _verify(public_keys_of: KeyLookup, message: _Message, now: datetime) -> Verified:
    message = replace(message, headers=_fields(message.headers))
    sender = claimed_sender(message.headers)
    keys = public_keys_of(sender)
    if not keys:
        raise KeyUnknown(
            f"No key of node {sender!r} is valid here: enrol it, or see who speaks in its name."
        )
    results = _results(sender, keys, message, now)
    if len(results) > 1:
        raise SignatureMalformed(f"The message carries {len(results)} signatures tagged {TAG!r}.")
    digest = message.headers["content-digest"]
    try:
        ContentDigest.verify(digest, message.body)
    except InvalidSignature as error:
        raise DigestWrong(
            f"{sender!r} signed a body of the digest {digest}, and this one's is "
            f"{ContentDigest.create(message.body)}: it was changed or cut."
        ) from error
    said: dict[str, Any] = results[0].parameters
    created, expires = _moment(said["created"]), _moment(said["expires"])
    return Verified(sender, said["nonce"], created, _last_moment(created, expires))


def _results(sender: str, keys: Sequence[PublicKey], message: _Message, now: datetime) -> Any:
    """Check the signature with each key of the sender's in turn: while it rotates it has two."""
    for key in keys:
        try:
            return _Verifier(sender, key, message, now).verify(
                message, max_age=None, expect_tag=TAG
            )
        except InvalidSignature as error:
            if not isinstance(error.__cause__, SignatureMismatch):
                raise SignatureMalformed(
                    f"The signature of {sender!r} cannot be checked: {error}."
                ) from error
            mismatch = error
    raise SignatureWrong(
        f"The signature is not that of {sender!r} over this message: something that it "
        "covers was changed on the way, or it was made with another key."
    ) from mismatch


def _fields(headers: Mapping[str, str]) -> dict[str, str]:
    """Fold repeated lines into one value, as RFC 9421 section 2.1 signs them."""
    fields: dict[str, str] = {}
    for name, value in headers.items():
        known = fields.get(name.lower())
        fields[name.lower()] = value if known is None else f"{known}, {value}"
    return fields


def _to_be_covered(message: HttpRequest | HttpResponse) -> list[str]:
    always = _REQUEST if isinstance(message, HttpRequest) else _RESPONSE
    if_present = (
        f'"{name}"'
        for name in message.headers
        if name in {"content-type", "content-encoding"} or name.startswith("guanxi-")
    )
    return [*always, *if_present]


class _Components(HTTPSignatureComponentResolver):
    """Signs path and query as they are, where the library would take a URL apart again.

    In a URL a path with a question mark is a query, and a fragment is nothing.
    """

    derived_component_resolvers: ClassVar[dict[str, Callable[..., str]]] = {
        **HTTPSignatureComponentResolver.derived_component_resolvers,
        "@path": lambda resolver: resolver.message.path or "/",
        "@query": lambda resolver: "?" + resolver.message.query,
    }


class _Verifier(HTTPMessageVerifier):
    """The library's verifier, which is told the time, and judges before it calculates."""

    def __init__(
        self, sender: str, key: PublicKey, message: HttpRequest | HttpResponse, now: datetime
    ) -> None:
        super().__init__(
            signature_algorithm=ED25519,
            key_resolver=MappingKeyResolver(public_keys={sender: key.ed25519()}, private_keys={}),
            component_resolver_class=_Components,
        )
        self.sender = sender
        self.message = message
        self.now = now

    def validate_created_and_expires(self, sig_input: Any, max_age: object = None) -> None:  # noqa: ARG002 - the library's signature
        """Judge one signature's parameters; the library's own would read the machine's clock."""
        for name in _PARAMETERS:
            if not sig_input.params.get(name):
                raise SignatureMalformed(f"The signature does not say {name!r}, and has to.")
        covered = {str(component) for component in sig_input}
        for component in _to_be_covered(self.message):
            if component not in covered:
                raise ComponentUncovered(
                    f"The signature of {self.sender!r} leaves out {component}, which the message "
                    "has: it was added on the way, or the sender signs too little."
                )
        for component in covered:
            header = _HEADER.fullmatch(component)
            if header and header[1] not in self.message.headers:
                raise ComponentMissing(
                    f"The signature of {self.sender!r} covers the header {component}, which the "
                    "message does not have: it was removed on the way."
                )
        self._judge_time(_moment(sig_input.params["created"]), _moment(sig_input.params["expires"]))

    def _judge_time(self, created: datetime, expires: datetime) -> None:
        clocks = (
            f"{self.sender!r} signed at {_written(created)}; the clock here says "
            f"{_written(self.now)}"
        )
        if created > self.now + CLOCK_SKEW:
            raise TimestampFuture(
                f"{clocks}, more than {CLOCK_SKEW.seconds} s before. Set the clocks of both nodes."
            )
        if self.now > _last_moment(created, expires):
            raise TimestampStale(
                f"{clocks}, when the signature's time is over (at most {LIFETIME.seconds} s). Sign "
                "anew; if that does not help, set the clocks of both nodes."
            )


def _moment(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise SignatureMalformed(f"The signature's time {seconds} is no time.") from error


def _last_moment(created: datetime, expires: datetime) -> datetime:
    return min(expires, created + LIFETIME)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
