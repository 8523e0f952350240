"""What a parent serves to its children: batches up, polls down, enrolment."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import uuid4

import orjson
from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import enrolment, exchange, mailbox, repository
from shared.federation import signature as signing
from shared.federation.exchange import MEDIA_TYPE, Acknowledgement, Batch, BodyMalformed, Poll
from shared.federation.keys import PublicKey
from shared.federation.models import Lane, Peer, PeerStatus, Relation
from shared.federation.post import PostOffice
from shared.federation.problems import (
    AcknowledgementImpossible,
    BodyTooLarge,
    EncodingUnsupported,
    ExchangeMalformed,
    NonceReplayed,
    PeerUnknown,
    ReceiverWrong,
    SignatureRefused,
)
from shared.federation.receiver import Receiver
from shared.federation.signature import HttpRequest, HttpResponse
from shared.federation.wakeup import Wakeup
from shared.kernel.clock import Clock
from shared.kernel.database import Database
from shared.kernel.edge import Now

router = APIRouter(prefix=exchange.BASE_PATH, tags=["federation"], include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request between nodes whose signature holds; the sender's right to it is checked in the transaction."""

    request: Request
    signed: HttpRequest
    verified: signing.Verified
    now: datetime

    @property
    def sender(self) -> str:
        """Division code of the node that signed."""
        return self.verified.sender

    @property
    def body(self) -> bytes:
        """The body as it was signed: compressed."""
        return self.signed.body

    @property
    def database(self) -> Database:
        """The node's database."""
        database: Database = self.request.app.state.database
        return database

    @property
    def post(self) -> PostOffice:
        """The node's post office."""
        post: PostOffice = self.request.app.state.context.post
        return post

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[tuple[AsyncSession, Peer]]:
        """Open the transaction of this exchange, in which the sender's nonce is used and its call is noted.

        Raises:
            PeerUnknown: if the sender is no active child (403).
            NonceReplayed: if the request came before (401).
        """
        async with self.database.transaction() as session:
            peer = await repository.peer(session, self.sender)
            if peer is None or peer.status != PeerStatus.ACTIVE or peer.relation != Relation.CHILD:
                raise PeerUnknown(peer=self.sender, relation="child", here=self.post.code)
            if not await repository.use_nonce(
                session, self.sender, self.verified.nonce, expires_at=self.verified.expires
            ):
                raise NonceReplayed(peer=self.sender, nonce=self.verified.nonce)
            await repository.note_contact(session, self.sender, now=self.now)
            yield session, peer

    def answer(self, content: object) -> Response:
        """Return ``content`` as this node's signed answer: the child's receipt."""
        body = exchange.body_of(content)
        clock: Clock = self.request.app.state.clock  # read again: a poll may have waited long
        unsigned = HttpResponse(self.signed, 200, body.headers, body.content)
        response = signing.sign_response(
            self.post.key, self.post.code, unsigned, now=clock.now(), nonce=uuid4().hex
        )
        return Response(response.body, response.status_code, dict(response.headers))


async def body_within_limit(request: Request) -> bytes:
    """Read the request's body, no further than the protocol's limit.

    Raises:
        BodyTooLarge: beyond it (413).
    """
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > exchange.MAX_COMPRESSED:
            raise BodyTooLarge(limit=exchange.MAX_COMPRESSED)
    return bytes(chunks)


def _verify(request: Request, body: bytes, key_of: signing.KeyLookup, now: datetime) -> Incoming:
    signed = HttpRequest(
        request.method,
        request.scope["raw_path"].decode("ascii"),
        request.url.query,
        dict(request.headers),
        body,
    )
    try:
        verified = signing.verify_request(key_of, signed, now=now)
    except signing.SignatureRefused as error:
        raise SignatureRefused(reason=error.reason, detail=str(error)) from None
    if len(verified.nonce) > exchange.LONGEST_NONCE:  # it is kept, so that it is not used again
        raise ExchangeMalformed(detail=f"A nonce has at most {exchange.LONGEST_NONCE} characters.")
    return Incoming(request, signed, verified, now)


def _require_encoding(request: Request) -> None:
    given = request.headers.get("content-encoding", "none")
    content_type = request.headers.get("content-type", "none")
    if given != exchange.ENCODING or content_type != MEDIA_TYPE:
        raise EncodingUnsupported(given=given, type=content_type, wanted=MEDIA_TYPE)


def _require_receiver(request: Request) -> None:
    given = request.headers.get(exchange.RECEIVER_HEADER, "nobody")
    here = request.app.state.settings.code
    if given != here:
        raise ReceiverWrong(given=given, here=here)


async def incoming(request: Request, now: Now) -> Incoming:
    """Check the form and signature of a request between nodes, before anything in it is believed."""
    _require_encoding(request)
    _require_receiver(request)
    body = await body_within_limit(request)
    database: Database = request.app.state.database
    async with database.transaction() as session:
        keys = {
            peer.code: PublicKey.from_text(peer.public_key)
            for peer in await repository.peers(session, Relation.CHILD)
        }
    return _verify(request, body, keys.get, now)


FromChild = Annotated[Incoming, Depends(incoming)]


@router.post("/lanes/{lane}/batches")
async def receive_batch(lane: Lane, call: FromChild) -> Response:
    """Take in a batch of a child, commit it, and acknowledge it."""
    try:
        batch = exchange.read(Batch, call.body)
    except BodyMalformed as error:
        raise ExchangeMalformed(detail=str(error)) from None
    if batch.lane is not lane:
        raise ExchangeMalformed(detail=f"The batch is of lane {batch.lane}, the path says {lane}.")
    receiver: Receiver = call.request.app.state.receiver
    async with call.transaction() as (session, peer):
        received = await receiver.receive(session, peer, batch, now=call.now)
    return call.answer(Acknowledgement(lane=lane, received=received).model_dump())


@router.post("/poll")
async def poll(call: FromChild) -> Response:
    """Note what the child has received, and answer with what there is for it, waiting for something to come."""
    try:
        asked = exchange.read(Poll, call.body)
    except BodyMalformed as error:
        raise ExchangeMalformed(detail=str(error)) from None
    wakeup: Wakeup = call.request.app.state.wakeup
    try:
        async with call.transaction() as (session, peer):
            for lane, received in asked.received.items():
                await mailbox.acknowledge(session, peer.code, lane, received, now=call.now)
    except mailbox.AcknowledgedBeyond as error:
        raise AcknowledgementImpossible(detail=str(error)) from None
    with wakeup.watch(f"{call.sender}/") as watch:
        batches = await _next_batches(call.database, call.sender)
        if not batches and asked.wait and not wakeup.stopping and await watch.wait(asked.wait):
            batches = await _next_batches(call.database, call.sender)
    return call.answer({"batches": batches})


async def _next_batches(database: Database, child: str) -> list[dict[str, object]]:
    batches = []
    async with database.transaction() as session:
        for lane in Lane:
            numbered = await mailbox.number_next(
                session, child, lane, most=exchange.BATCH_MESSAGES, most_bytes=exchange.BATCH_BYTES
            )
            if numbered is not None:
                batches.append(exchange.batch_content(numbered))
    return batches


@router.post("/enrolments")
async def enrol(request: Request, now: Now) -> Response:
    """Let a child in that has a one-time code."""
    _require_encoding(request)
    body = await body_within_limit(request)
    try:
        asked = exchange.read(enrolment.EnrolmentRequest, body)
        key = PublicKey.from_text(asked.public_key)
    except (BodyMalformed, ValueError) as error:
        raise ExchangeMalformed(detail=str(error)) from None
    call = _verify(request, body, lambda sender: key if sender == asked.code else None, now)
    async with call.database.transaction() as session:
        answer = await enrolment.admit(session, call.post, asked, now=now)
    return call.answer(orjson.loads(answer.model_dump_json()))
