"""The kinds of request over HTTP: what each allows, in both languages, for front ends and for people."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request

from services.city_node.service_request.kind import Kind, kinds_among
from services.city_node.service_request.kind_schemas import KindOut, KindsOut
from shared.access import Principal, require
from shared.kernel.edge import awaited
from shared.kernel.language import Text
from shared.kernel.problems import Problem

router = APIRouter(prefix="/service-request-kinds")

Reader = Annotated[Principal, Depends(require("service-request:read"))]


class RequestKindUnknown(Problem):
    """No capability of this node offers a kind of request of that name."""

    status = 404
    title = Text("Kind of request unknown", "请求类型未知")
    sentence = Text(
        "This node knows no kind of request {kind}. It knows: {known}.",
        "本节点没有请求类型 {kind}，已有类型：{known}。",
    )


def kinds_of(request: Request) -> dict[str, Kind]:
    """Return the kinds that the node's capabilities offer, by code."""
    return {kind.code: kind for kind in kinds_among(request.app.state.offers)}


Kinds = Annotated[dict[str, Kind], Depends(awaited(kinds_of))]


@router.get("", summary="Kinds of request between cities")
async def list_kinds(_: Reader, kinds: Kinds) -> KindsOut:
    """Return every kind: its states, moves, messages, limits and refusals, with diagrams."""
    return KindsOut(items=[KindOut.of(kinds[code]) for code in sorted(kinds)])


@router.get("/{code}", summary="A kind of request")
async def read_kind(
    _: Reader,
    kinds: Kinds,
    code: Annotated[str, Path(description="Code of the kind.", examples=["card-replacement"])],
) -> KindOut:
    """Return one kind: its states, moves, messages, limits and refusals, with diagrams."""
    if code not in kinds:
        raise RequestKindUnknown(kind=code, known=", ".join(sorted(kinds)))
    return KindOut.of(kinds[code])
