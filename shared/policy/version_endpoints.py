"""Versions of policies over HTTP: what was published, publishing and withdrawing."""

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from shared.access import OnceDependency
from shared.federation.statement import Code
from shared.kernel.edge import ExpectedVersion, NodeDatabase, Page, Transaction
from shared.policy import drafting, repository
from shared.policy.access import AtPublishingDesk, Kind, Reader
from shared.policy.draft_schemas import Publication, Rejection
from shared.policy.schemas import VersionOut, VersionPage, VersionState

router = APIRouter(prefix="/policies/{kind}/versions")

Number = Annotated[int, Path(ge=1, le=2**31, description="Its number among the publisher's.")]


@router.get(
    "",
    summary="List versions",
    response_model=VersionPage,
    response_class=Response,
)
async def list_versions(
    _: Reader,
    kind: Kind,
    database: NodeDatabase,
    page: Page,
    publisher: Annotated[Code | None, Query(description="Division code of who published.")] = None,
    state: VersionState | None = None,
) -> Response:
    """Return a page of the versions that this node knows, its own and others', the latest first."""
    filters = {"kind": kind.name, "publisher": publisher, "state": state}
    latest_first = replace(page, sort=page.sort or "-published_at")
    body = await repository.VERSIONS.page(await database.pool(), latest_first, filters)
    return Response(body, media_type="application/json")


@router.get("/{publisher}/{number}", summary="Read a version")
async def read_version(
    _: Reader, kind: Kind, publisher: Code, number: Number, session: Transaction
) -> VersionOut:
    """Return a version, whole, with what its publisher signed."""
    return VersionOut.of(*await repository.version(session, kind.name, publisher, number))


@router.post("", status_code=201, summary="Publish a draft", response_model=VersionOut)
async def publish_version(
    desk: AtPublishingDesk,
    once: OnceDependency,
    expected: ExpectedVersion,
    body: Publication,
) -> Response:
    """Publish what somebody else drafted, against the draft's ETag. It is signed and sent to all whom it concerns."""
    version = await drafting.publish(desk, body.draft, expected)
    place = f"/policies/{desk.kind.name}/versions/{version.publisher}/{version.number}"
    shown = VersionOut.of(version, None).model_dump_json().encode()
    return await once.answer(201, shown, location=place)


@router.post(
    "/{publisher}/{number}/withdraw",
    summary="Withdraw a version",
    response_model=VersionOut,
)
async def withdraw_version(
    publisher: Code,
    number: Number,
    desk: AtPublishingDesk,
    once: OnceDependency,
    body: Rejection,
) -> Response:
    """Take a version of this node's out of force, as if it had never been published; what came before holds again."""
    await drafting.withdraw(desk, publisher, number, body.reason)
    found = await repository.version(desk.session, desk.kind.name, publisher, number)
    return await once.answer(200, VersionOut.of(*found).model_dump_json().encode())
