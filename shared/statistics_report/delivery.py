"""Making the files of reports, and finding them again."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncSession

from shared.capability import NodeContext, Role, WorkHandle
from shared.kernel.clock import business_day
from shared.kernel.language import Language, Text
from shared.kernel.problems import Problem
from shared.kernel.settings import Settings
from shared.staff.repository import member_of
from shared.statistics.asking import scope_of_unit
from shared.statistics.cost import Limits
from shared.statistics.forms import Form
from shared.statistics.privacy import terms_in_force
from shared.statistics.question import Question, read_question
from shared.statistics.service import answer
from shared.statistics.table import flattened, write
from shared.statistics_report import repository
from shared.statistics_report.access import KEEPERS
from shared.statistics_report.models import StatisticsReport, StatisticsReportRun
from shared.statistics_report.problems import ReportFileGone, ReportNotReady, ReportOwnerUnfit
from shared.statistics_report.schemas import ReportQuestion

RUN_STATES = {
    "queued": Text("queued", "排队中"),
    "running": Text("being made", "生成中"),
    "failed": Text("failed", "已失败"),
    "cancelled": Text("cancelled", "已取消"),
}
"""What the states of runs that have no file are called."""
PATIENCE = 10
"""So many times as long as a question's may a report's statement take: nobody waits for it."""
PROVENANCE = ".provenance.json"


@dataclass(frozen=True, slots=True)
class Order:
    """What a run has to write, read before it begins."""

    file: str
    form: Form
    with_bom: bool
    question: Question
    document: bytes


def directory(settings: Settings) -> Path:
    """Return where a node delivers the files of its reports."""
    path = settings.report_directory or settings.directory / "reports"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def provenance_of(path: Path) -> Path:
    """Return the file beside a report's that says what its figures are made of."""
    return path.with_suffix(PROVENANCE)


async def make_report(context: NodeContext, handle: WorkHandle) -> Mapping[str, Any] | None:
    """Make the file of a run; the work that a run is. Of a report that was deleted meanwhile, none."""
    now = context.clock.now()
    try:
        async with context.database.transaction() as session:
            order = await _ordered(context, session, handle, now)
    except Problem as problem:
        error = {language.value: problem.as_details(language) for language in Language}
        async with context.database.transaction() as session:
            found = await repository.report_of_run(session, handle.id)
            if found is not None:
                found[0].error = error
        raise
    if order is None:
        return None
    await handle.checkpoint()
    path = directory(context.settings) / order.file
    made = await asyncio.to_thread(_write, order, path, handle.attempt)
    async with context.database.transaction() as session:
        found = await repository.report_of_run(session, handle.id)
        if found is not None:
            for name, value in {"file": order.file, "error": None, **made}.items():
                setattr(found[0], name, value)
        await handle.finish(session, made)
    return made


async def _ordered(
    context: NodeContext, session: AsyncSession, handle: WorkHandle, now: datetime
) -> Order | None:
    """Ask the question of a report as its owner may now."""
    found = await repository.report_of_run(session, handle.id)
    if found is None:
        return None
    run, report = found
    here = context.settings.code
    unit = await _unit_of_owner(session, report)
    terms = await terms_in_force(session, here, now)
    asked = ReportQuestion.model_validate(report.question)
    question = read_question(
        asked.words(), terms.catalogue, scope=scope_of_unit(unit, here), now=now
    )
    limits = Limits.of(context.settings)
    answered = await answer(
        session,
        question,
        terms,
        here=here,
        language=Language(report.language),
        limits=replace(limits, seconds=limits.seconds * PATIENCE),
    )
    form = Form(run.format)
    return Order(
        f"{report.id}/{business_day(now)}-{run.id}.{form}",
        form,
        report.with_bom,
        question,
        answered.body or b"{}",
    )


async def _unit_of_owner(session: AsyncSession, report: StatisticsReport) -> str:
    """Return the unit in which the owner of a report is now.

    Raises:
        ReportOwnerUnfit: if there is no such member of staff any more, or none who may keep reports.
    """
    placed = await member_of(session, report.owner_id)
    if placed is None or not placed.member.active or Role(placed.member.role) not in KEEPERS:
        raise ReportOwnerUnfit(owner=report.owner)
    return placed.member.unit_code


def _write(order: Order, path: Path, attempt: int) -> dict[str, Any]:
    """Write the file and the one beside it, whole or not at all."""
    document = orjson.loads(order.document)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    for left in path.parent.glob(f"{path.stem}.*.part"):  # by an attempt that was killed
        left.unlink(missing_ok=True)
    part = path.with_suffix(f".{attempt}.part")
    try:
        part.touch(mode=0o600)
        made_of = {name: document[name] for name in ("indicators", "provenance")}
        part.write_bytes(orjson.dumps(made_of))
        part.replace(provenance_of(path))
        part.touch(mode=0o600)
        with part.open("wb") as file:
            write(flattened(order.question, document), order.form, file, with_bom=order.with_bom)
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = part.stat().st_size
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return {"row_count": len(document["rows"]), "byte_count": size, "sha256": digest}


def file_of(settings: Settings, run: StatisticsReportRun, state: str) -> Path:
    """Return where the file of a run is.

    Raises:
        ReportNotReady: if it has none yet, or never will (409).
        ReportFileGone: if it was taken away (410).
    """
    if run.file is None:
        raise ReportNotReady(run=run.id, state=RUN_STATES.get(state, state))
    path = directory(settings) / run.file
    if not path.is_file():
        raise ReportFileGone(run=run.id)
    return path
