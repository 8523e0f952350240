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
from starlette.requests import ClientDisconnect

from shared.federation import (
    enrolment,
    exchange,
    neighbour,
    outbox,
    receipt,
    report,
    repository,
    standing,
    tree,
)
from shared.federation import signature as signing
from shared.federation.admission import Admission
from shared.federation.exchange import (
    MEDIA_TYPE,
    Acknowledgement,
    Batch,
    BodyMalformed,
    Content,
    Meeting,
    Poll,
)
from shared.federation.keys import NodeKey, PublicKey
from shared.federation.lane import Diverged, Position
from shared.federation.models import Lane, Peer, PeerStatus, Relation
from shared.federation.pace import Pace
from shared.federation.post import PostOffice
from shared.federation.problems import (
    BodyTooLarge,
    EncodingUnsupported,
    EnrolmentPending,
    ExchangeMalformed,
    LaneDiverged,
    NonceReplayed,
    OriginForeign,
    PeerRevoked,
    PeerUnknown,
    ReceiptRefused,
    ReceiverWrong,
    SignatureRefused,
)
from shared.federation.receiver import Receiver
from shared.federation.reconciliation import Reconciler
from shared.federation.report import Report
from shared.federation.signature import HttpRequest, HttpResponse
from shared.federation.wakeup import Wakeup
from shared.kernel.clock import Clock
from shared.kernel.database import Database
from shared.kernel.edge import Now
from shared.kernel.release import VERSION

router = APIRouter(prefix=exchange.BASE_PATH, tags=["federation"], include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request between nodes whose signature holds; the sender's right to it is checked in the transaction."""

    request: Request
    signed: HttpRequest
    verified: signing.Verified
    now: datetime
    peer: Peer | None
    """The sender, if this node knows it, as it was a moment ago."""

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
            peer = self.peer
            if peer is None or peer.status != PeerStatus.ACTIVE or peer.relation != Relation.CHILD:
                raise PeerUnknown(peer=self.sender, relation="child", here=self.post.code)
            if not await repository.use_nonce(
                session, self.sender, self.verified.nonce, expires_at=self.verified.expires
            ):
                raise NonceReplayed(peer=self.sender, nonce=self.verified.nonce)
            yield session, peer
            # At the end: the row is every lane's, and whoever has written it keeps the others waiting.
            await repository.note_contact(session, peer, now=self.now)

    def answer(self, content: object) -> Response:
        """Return ``content`` as this node's signed answer: the child's receipt."""
        return _signed_answer(self.request, self.signed, content)


def _signed_answer(request: Request, signed: HttpRequest, content: object) -> Response:
    post: PostOffice = request.app.state.context.post
    clock: Clock = request.app.state.clock  # read again: a poll may have waited long
    body = exchange.body_of(content)
    unsigned = HttpResponse(signed, 200, body.headers, body.content)
    key = _answering_key(request, post)
    response = signing.sign_response(key, post.code, unsigned, now=clock.now(), nonce=uuid4().hex)
    return Response(response.body, response.status_code, dict(response.headers))


def _answering_key(request: Request, post: PostOffice) -> NodeKey:
    """Return the key to sign an answer with.

    A child that was away has not heard of this node's new key, and believes nothing that is signed by it.
    """
    return post.keys.of(request.headers.get(exchange.RECEIVER_KEY_HEADER)) or post.key


async def body_within_limit(request: Request) -> bytes:
    """Read the request's body, no further than the protocol's limit.

    Raises:
        BodyTooLarge: beyond it (413).
    """
    chunks = bytearray()
    try:
        async for chunk in request.stream():
            chunks += chunk
            if len(chunks) > exchange.MAX_COMPRESSED:
                raise BodyTooLarge(limit=exchange.MAX_COMPRESSED)
    except ClientDisconnect:  # a link that breaks is no fault of this node's
        raise ExchangeMalformed(detail="The sender broke off before the end of the body.") from None
    return bytes(chunks)


def _as_signed(request: Request, body: bytes) -> HttpRequest:
    return HttpRequest(
        request.method,
        request.scope["raw_path"].decode("ascii"),
        request.url.query,
        dict(request.headers),
        body,
    )


def _verify(
    request: Request,
    body: bytes,
    key_of: signing.KeyLookup,
    now: datetime,
    peer: Peer | None = None,
) -> Incoming:
    signed = _as_signed(request, body)
    try:
        verified = signing.verify_request(key_of, signed, now=now)
    except signing.SignatureRefused as error:
        raise SignatureRefused(reason=error.reason, detail=str(error)) from None
    if len(verified.nonce) > exchange.LONGEST_NONCE:  # it is kept, so that it is not used again
        raise ExchangeMalformed(detail=f"A nonce has at most {exchange.LONGEST_NONCE} characters.")
    return Incoming(request, signed, verified, now, peer)


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
    try:
        sender = signing.claimed_sender(request.headers)
    except signing.SignatureRefused as error:
        raise SignatureRefused(reason=error.reason, detail=str(error)) from None
    peer = await neighbour.by_code(await database.pool(), sender)
    if peer is not None and peer.status == PeerStatus.REVOKED:
        raise PeerRevoked(peer=sender, here=request.app.state.settings.code)
    keys = peer.keys_at(now) if peer is not None and peer.relation == Relation.CHILD else ()
    return _verify(request, body, lambda code: keys if code == sender else None, now, peer)


FromChild = Annotated[Incoming, Depends(incoming)]


def _read(kind: type[Content], call: Incoming) -> Content:
    try:
        return exchange.read(kind, call.body)
    except BodyMalformed as error:
        raise ExchangeMalformed(detail=str(error)) from None


@router.post("/lanes/{lane}/batches")
async def receive_batch(lane: Lane, call: FromChild) -> Response:
    """Take in a batch of a child, commit it, and acknowledge it."""
    batch = _read(Batch, call)
    if batch.lane is not lane:
        raise ExchangeMalformed(detail=f"The batch is of lane {batch.lane}, the path says {lane}.")
    receiver: Receiver = call.request.app.state.receiver
    admission: Admission = call.request.app.state.admission
    with admission.admit(lane):
        async with call.transaction() as (session, peer):
            received = await receiver.receive(session, peer, batch, now=call.now)
    acknowledgement = Acknowledgement(
        lane=lane, received=received.position.number, receipt=received.statement
    )
    answer = call.answer(acknowledgement.model_dump(mode="json"))
    answer.headers.update(admission.headers)
    return answer


@router.post("/poll")
async def poll(call: FromChild) -> Response:
    """Note what the child has received, and answer with what there is for it, waiting for something to come."""
    asked = _read(Poll, call)
    wakeup: Wakeup = call.request.app.state.wakeup
    async with call.transaction() as (session, peer):
        await _keep_reports(session, call, peer, asked.reports)
        lanes = await standing.of(session, peer.code)
        for lane, number in asked.received.items():
            statement = asked.receipts.get(lane)
            position = _received(call, peer, lane, number, statement)
            if number <= lanes.out[lane].acknowledged:
                continue
            try:
                await outbox.acknowledge(
                    session, peer.code, lane, position, statement=statement, now=call.now
                )
            except Diverged as error:
                raise LaneDiverged(lane=lane.value, peer=peer.code, detail=str(error)) from None
    received = {lane.value: state.numbered for lane, state in lanes.into.items()}
    with wakeup.watch(peer=call.sender) as watch:
        batches = await _next_batches(call, asked)
        if not batches and asked.wait and not wakeup.stopping and await watch.wait(asked.wait):
            batches = await _next_batches(call, asked)
    return call.answer({"batches": batches, "received": received})


async def _keep_reports(
    session: AsyncSession, call: Incoming, peer: Peer, reports: list[Report]
) -> None:
    """Keep how the nodes below are, of which a child may tell of its own part of the tree only."""
    if not reports:
        return
    codes = {each.code for each in reports}
    for code in await tree.foreign_origins(session, peer, codes, here=call.post.code):
        raise OriginForeign(peer=call.sender, origin=code)
    await report.keep(session, reports, now=call.now)


def _received(
    call: Incoming, peer: Peer, lane: Lane, number: int, statement: str | None
) -> Position:
    """Return how far the child has received a lane, as its receipt proves if it sends one."""
    if statement is None:
        return Position(number, None)
    try:
        proven = receipt.check(
            statement,
            peer.keys_at(call.now),
            sender=call.post.code,
            receiver=peer.code,
        )
    except receipt.ReceiptInvalid as error:
        raise ReceiptRefused(lane=lane.value, peer=peer.code, why=str(error)) from None
    if (proven.lane, proven.position.number) != (lane.value, number):
        raise ReceiptRefused(
            lane=lane.value,
            peer=peer.code,
            why=f"It is for message {proven.position.number} of {proven.lane}, not {number} of {lane}.",
        )
    return proven.position


async def _next_batches(call: Incoming, asked: Poll) -> list[dict[str, object]]:
    """Return a batch of each lane, after what the child says that it has: also one that went back is served."""
    pace: Pace = call.request.app.state.pace
    # Most looks find nothing, and those take one statement.
    waiting = await standing.waiting(await call.database.pool(), call.sender, asked.received)
    if not waiting:
        return []
    batches = []
    async with call.database.transaction() as session:
        for lane in waiting:
            if lane is Lane.BULK and pace.seconds_to_wait(call.now) > 0:
                continue
            try:
                numbered = await outbox.number_next(
                    session,
                    call.sender,
                    lane,
                    most=exchange.most_messages(lane),
                    most_bytes=exchange.BATCH_BYTES,
                    after=asked.received.get(lane),
                )
            except Diverged as error:
                raise LaneDiverged(lane=lane.value, peer=call.sender, detail=str(error)) from None
            if numbered is not None:
                if lane is Lane.BULK:
                    pace.spend(numbered.size, call.now)
                key = _answering_key(call.request, call.post)
                dispatch = numbered.dispatch(key, call.post.code, call.sender, now=call.now)
                batches.append(exchange.batch_content(numbered, dispatch))
    return batches


@router.post("/reconciliations")
async def reconcile(call: FromChild) -> Response:
    """Agree with a child on where each lane is, mending what a restored backup has broken."""
    theirs = _read(Meeting, call)
    receiver: Receiver = call.request.app.state.receiver
    async with call.transaction() as (session, known):
        peer = await repository.peer(session, known.code) or known  # to be written
        reconciler = Reconciler(
            session=session,
            here=call.post.code,
            version=VERSION,
            peer=peer,
            handlers=receiver.handlers,
            now=call.now,
        )
        ours = await reconciler.meet(theirs, begins_epoch=not theirs.continues)
    return call.answer(ours.model_dump(mode="json"))


@router.post("/clock")
async def tell_time(request: Request, now: Now) -> Response:
    """Tell a child what time it is here, whatever it thinks that it is.

    Its signature is not checked, for the time in it is what may be wrong; the answer is bound to it all the same.
    """
    _require_encoding(request)
    _require_receiver(request)
    body = await body_within_limit(request)
    return _signed_answer(request, _as_signed(request, body), {"now": now.isoformat()})


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
    call = _verify(request, body, lambda sender: [key] if sender == asked.code else None, now)
    async with call.database.transaction() as session:
        answer = await enrolment.ask(session, call.post, asked, now=now)
    if answer is None:  # the request is kept, and the child asks again
        raise EnrolmentPending(child=asked.code, here=call.post.code, fingerprint=key.fingerprint)
    return call.answer(orjson.loads(answer.model_dump_json()))
