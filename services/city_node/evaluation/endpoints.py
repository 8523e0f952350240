"""Evaluations over HTTP: the same for every rule."""

from dataclasses import replace
from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import APIRouter, Query, Response

from services.city_node.customer import profile
from services.city_node.customer.access import AtDesk, Reader
from services.city_node.customer.answers import JSON, documented
from services.city_node.customer.looks import look
from services.city_node.customer.schemas import Code
from services.city_node.evaluation import repository, trial
from services.city_node.evaluation.access import ASKED, ONE, TRIED, MayRun
from services.city_node.evaluation.models import Scope
from services.city_node.evaluation.rule import Rule
from services.city_node.evaluation.schemas import (
    EvaluationAsk,
    EvaluationPage,
    ResultPage,
    StandingOut,
    TrialAsk,
    TrialChangePage,
    TrialOut,
    TrialPage,
)
from services.city_node.evaluation.service import Evaluator
from services.city_node.evaluation.standing import explained, history_of, results_of, standing
from shared import audit
from shared.capability import Context
from shared.kernel.database import driver_connection
from shared.kernel.edge import Now, Page, Speech, Transaction
from shared.kernel.ids import new_id
from shared.work.schemas import WorkOut
from shared.work.service import request_work, requester_of


def router_of(rule: Rule[Any]) -> APIRouter:
    """Return the routes of a rule: how customers stand, evaluations, dry runs."""
    router = APIRouter()
    _add_standing(router, rule)
    _add_evaluations(router, rule)
    _add_trials(router, rule)
    return router


def _add_standing(router: APIRouter, rule: Rule[Any]) -> None:
    name, history, results = rule.name, history_of(rule), results_of(rule)

    @router.get(
        f"/customers/{{customer_id}}/{name}",
        summary=f"How a customer stands: {name}",
        responses=documented(StandingOut, 404, 422),
    )
    async def read_standing(
        customer_id: UUID, principal: Reader, context: Context, session: Transaction, now: Now
    ) -> StandingOut:
        """Return the result that holds and what the facts of this moment give, each with its explanation."""
        connection = await driver_connection(session)
        await profile.require_in_scope(connection, customer_id, principal.unit_path)
        evaluator = Evaluator(context, rule, now, principal.username)
        found = await standing(session, evaluator, customer_id)
        await look(context, principal, customer_id, [name], now=now)
        return found

    @router.get(
        f"/customers/{{customer_id}}/{name}/history",
        summary=f"List a customer's results: {name}",
        responses=documented(ResultPage, 400, 404, 422),
        response_class=Response,
    )
    async def list_history(
        customer_id: UUID, principal: Reader, context: Context, page: Page, now: Now
    ) -> Response:
        """Return a page of the results that a customer had, the latest first, each with its explanation."""
        pool = await context.database.pool()
        await profile.require_in_scope(pool, customer_id, principal.unit_path)
        filters = {"scope": principal.unit_path, "customer": customer_id}
        latest_first = replace(page, sort=page.sort or "-since", fields=None)
        body = orjson.loads(await history.page(pool, latest_first, filters))
        body["items"] = [explained(rule, item) for item in body["items"]]
        await look(context, principal, customer_id, [name], now=now)
        return Response(orjson.dumps(body), media_type=JSON)

    @router.post(
        f"/customers/{{customer_id}}/{name}/evaluate",
        summary=f"Evaluate a customer at once: {name}",
        responses=documented(StandingOut, 404, 409, 422),
    )
    async def evaluate_one(customer_id: UUID, desk: AtDesk, context: Context) -> StandingOut:
        """Evaluate one customer, and return how they stand. Repeating it changes nothing."""
        customer = await desk.locked(customer_id)
        evaluator = Evaluator(context, rule, desk.now, desk.principal.username)
        await evaluator.evaluate_some(desk.session, [customer.id])
        actor = audit.Actor.of(desk.principal)
        subject = ("customer", customer.id)
        detail = {"rule": name}
        audit.record(desk.session, actor, ONE, at=desk.now, subject=subject, detail=detail)
        return await standing(desk.session, evaluator, customer.id)

    @router.get(
        f"/{name}-results",
        summary=f"List results: {name}",
        responses=documented(ResultPage, 400, 422),
        response_class=Response,
    )
    async def list_results(
        principal: Reader,
        context: Context,
        page: Page,
        unit: Code | None = None,
        label: Annotated[str | None, Query(alias=rule.label, max_length=20)] = None,
    ) -> Response:
        """Return a page of the results that hold, of the customers of the caller's unit and those below."""
        filters = {"scope": principal.unit_path, "unit": unit, "label": label}
        pool = await context.database.pool()
        return Response(await results.page(pool, page, filters), media_type=JSON)


def _add_evaluations(router: APIRouter, rule: Rule[Any]) -> None:
    name = rule.name

    @router.post(f"/{name}-evaluations", status_code=202, summary=f"Evaluate customers: {name}")
    async def ask(
        body: EvaluationAsk,
        principal: MayRun,
        session: Transaction,
        now: Now,
        language: Speech,
        response: Response,
    ) -> WorkOut:
        """Ask for an evaluation. It is done in the background: `GET /works/{id}` follows and cancels it."""
        work = await request_work(
            session,
            evaluating(rule),
            id=new_id(),
            title=f"{name}: {body.scope}",
            parameters={"scope": body.scope},
            requester=requester_of(principal),
            now=now,
        )
        detail = {"rule": name, "scope": body.scope, "work": str(work.id)}
        audit.record(session, audit.Actor.of(principal), ASKED, at=now, detail=detail)
        response.headers["location"] = f"/works/{work.id}"
        return WorkOut.of(work, language)

    @router.get(
        f"/{name}-evaluations",
        summary=f"List evaluations: {name}",
        responses=documented(EvaluationPage, 400, 422),
        response_class=Response,
    )
    async def list_evaluations(
        principal: MayRun,  # noqa: ARG001 - a permission, and they are the same for everybody
        context: Context,
        page: Page,
        scope: Scope | None = None,
    ) -> Response:
        """Return a page of what was evaluated, the latest first."""
        pool = await context.database.pool()
        latest_first = replace(page, sort=page.sort or "-id")
        filters = {"rule": name, "scope": scope}
        body = await repository.evaluations.page(pool, latest_first, filters)
        return Response(body, media_type=JSON)


def _add_trials(router: APIRouter, rule: Rule[Any]) -> None:
    path = f"/{rule.name}-trials"

    @router.post(path, status_code=202, summary=f"Try a draft: {rule.name}")
    async def ask(
        body: TrialAsk,
        principal: MayRun,
        session: Transaction,
        context: Context,
        now: Now,
        response: Response,
    ) -> TrialOut:
        """Ask for a dry run on the customers of the caller's unit: `GET /works/{id}` follows and cancels it."""
        asked = trial.Ask(body.draft, body.publisher)
        made = await trial.request(session, context, rule, asked, requester_of(principal), now=now)
        detail = {"rule": rule.name, "trial": str(made.id)}
        audit.record(session, audit.Actor.of(principal), TRIED, at=now, detail=detail)
        response.headers["location"] = f"{path}/{made.id}"
        return TrialOut.model_validate(made, from_attributes=True)

    @router.get(
        path,
        summary=f"List dry runs: {rule.name}",
        responses=documented(TrialPage, 400, 422),
        response_class=Response,
    )
    async def list_trials(principal: MayRun, context: Context, page: Page) -> Response:
        """Return a page of the dry runs of the caller's unit and those below, the latest first."""
        filters = {"scope": principal.unit_path, "rule": rule.name}
        latest_first = replace(page, sort=page.sort or "-id")
        pool = await context.database.pool()
        return Response(await trial.trials.page(pool, latest_first, filters), media_type=JSON)

    @router.get(f"{path}/{{trial_id}}", summary=f"Read a dry run: {rule.name}")
    async def read_trial(trial_id: UUID, principal: MayRun, session: Transaction) -> TrialOut:
        """Return what a draft would give: by unit, how many from what to what, and what it costs."""
        found = await trial.find(session, rule.name, trial_id, principal.unit_path)
        return TrialOut.model_validate(found, from_attributes=True)

    @router.get(
        f"{path}/{{trial_id}}/changes",
        summary=f"List who would have another result: {rule.name}",
        responses=documented(TrialChangePage, 400, 404, 422),
        response_class=Response,
    )
    async def list_changes(
        trial_id: UUID,
        principal: MayRun,
        reader: Reader,
        session: Transaction,
        page: Page,
        unit: Code | None = None,
        was: Annotated[str | None, Query(max_length=20)] = None,
        becomes: Annotated[str | None, Query(max_length=20)] = None,
        moves: Annotated[
            bool | None, Query(description="Whether what results are counted by differs.")
        ] = None,
    ) -> Response:
        """Return a page of the customers who would have another result."""
        await trial.find(session, rule.name, trial_id, principal.unit_path)
        filters = {
            "scope": reader.unit_path,
            "trial": trial_id,
            "unit": unit,
            "was": was,
            "becomes": becomes,
            "moves": moves,
        }
        connection = await driver_connection(session)
        return Response(await trial.changes.page(connection, page, filters), media_type=JSON)


def evaluating(rule: Rule[Any]) -> str:
    """Return the kind of work that evaluates by a rule."""
    return f"evaluate-{rule.name}"
