"""A node: a tier, its capabilities and its settings, put together into one application.

:func:`create_node` decides everything here and nothing at import, so that one process can hold a whole nation.
Starting a node opens its database and keys; whether it also does scheduled work and dials its parent is decided
by :mod:`shared.node.background`, in one worker of the node at a time.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Sequence

import httpx
import structlog
from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from shared.access import REVOKED_CHANNEL, Grants, TokenKeeper
from shared.capability import Capability, NodeContext
from shared.federation import endpoints as federation_endpoints
from shared.federation.admission import Admission
from shared.federation.dialler import Dialler
from shared.federation.dialling import Dialling
from shared.federation.pace import Pace
from shared.federation.telemetry import Telemetry
from shared.federation.wakeup import CHANNEL as OUTBOX_CHANNEL
from shared.federation.wakeup import Wakeup
from shared.kernel import idempotency, problems
from shared.kernel.clock import Clock
from shared.kernel.database import Listener
from shared.kernel.logging import RequestLog
from shared.kernel.release import VERSION
from shared.kernel.settings import Settings
from shared.kernel.tier import Tier
from shared.kernel.tracing import Tracer
from shared.kernel.watching import Watchers
from shared.node import health, metrics_endpoints, operations
from shared.node.background import Background
from shared.node.interactive_docs import add_interactive_docs
from shared.node.metrics import NodeMetrics
from shared.node.openapi import describe_partial_answers
from shared.node.recalling import RecallingDoor
from shared.node.receiving import make_receiver
from shared.node.shutdown import on_termination
from shared.policy.declaration import kinds_of
from shared.port.dispatching import Dispatcher
from shared.port.service import CHANNEL as PORT_CHANNEL
from shared.startup import open_context
from shared.work.service import CHANNEL as WORK_CHANNEL

log = structlog.get_logger("node")


class TierMismatch(Exception):
    """The settings' code belongs to another tier than the composition."""


def make_tracer(settings: Settings) -> Tracer:
    """Return what opens a node's spans: exported if the settings say where to, and otherwise at no cost."""
    if settings.trace_export_url is None:
        return Tracer()
    # Large libraries, needed here alone.
    from shared.kernel.span_export import ExportingTracer  # noqa: PLC0415

    return ExportingTracer(settings)


class Node:
    """One running node.

    Attributes:
        app: the ASGI application.
        context: what its capabilities work with; there once it is started.
        dialler: its way to the parent, which tests step by hand.
        dialling: the same, by itself.
        background: its scheduled work.
        metrics: what this process of it counts.
        tracer: what opens its spans.
    """

    context: NodeContext
    dialler: Dialler
    dialling: Dialling
    background: Background

    def __init__(
        self,
        tier: Tier,
        capabilities: Sequence[Capability],
        settings: Settings,
        clock: Clock | None,
        transport: httpx.AsyncBaseTransport | None,
    ) -> None:
        if settings.tier is not tier:
            raise TierMismatch(
                f"Code {settings.code} is that of a {settings.tier.value} node, not of a {tier.value} node: start it as `guanxi node run --node {settings.code}`."
            )
        self.settings = settings
        self.capabilities = (
            *capabilities,
            operations.capability,
            metrics_endpoints.capability,
        )
        self.grants = Grants.of(
            (permission for each in self.capabilities for permission in each.permissions),
            (conflict for each in self.capabilities for conflict in each.conflicts),
        )
        self._clock = clock
        self._transport = transport
        self._stack = contextlib.AsyncExitStack()
        self.wakeup = Wakeup()
        self.watchers = {channel: Watchers() for each in capabilities for channel in each.channels}
        self.metrics = NodeMetrics(settings)
        self.tracer = make_tracer(settings)
        self._telemetry = Telemetry(self.tracer, self.metrics.registry)
        self.app = self._application(tier)

    def _application(self, tier: Tier) -> FastAPI:
        app = FastAPI(
            title=f"Guanxi {tier.value} node {self.settings.code}",
            summary="Customer relations for a telecom operator's key customers, in a federation of cities, provinces and HQ.",
            version=VERSION,
            license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
            lifespan=self._lifespan,
            responses=problems.DOCUMENTED,
            docs_url=None,
            redoc_url=None,
            openapi_tags=[{"name": c.name, "description": c.summary.en} for c in self.capabilities],
            # The framework's own puts paths and queries, which may name a customer, into its spans.
            telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        )
        app.add_middleware(RecallingDoor)
        app.add_middleware(RequestLog, tracer=self.tracer, observe=self.metrics.observe_request)
        problems.install(app)
        idempotency.install(app)
        add_interactive_docs(app)
        for router in (health.router, federation_endpoints.router):
            app.router.routes.extend(routes_of(router, ""))
        for capability in self.capabilities:
            for router in capability.routers:
                app.router.routes.extend(routes_of(router, capability.name))
        describe_partial_answers(app)
        app.state.settings = self.settings
        app.state.grants = self.grants
        app.state.policies = kinds_of(p for c in self.capabilities for p in c.policies)
        app.state.metrics = self.metrics
        app.state.offers = tuple(o for c in self.capabilities for o in c.offers)
        return app

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        await self.start()
        on_termination(self.let_go)
        await self.serve_background()
        try:
            yield
        finally:
            await self.stop()

    async def start(self) -> None:
        """Open the database and keys, make true what the capabilities need, and begin to listen."""
        enter = self._stack.enter_async_context
        self.tracer.start()
        self._stack.push_async_callback(asyncio.to_thread, self.tracer.close)
        self.context = await enter(open_context(self.settings, self._clock))
        state = self.app.state
        state.context, state.database, state.clock = (
            self.context,
            self.context.database,
            self.context.clock,
        )
        self.metrics.watch_connections(self.context.database)
        state.tokens = TokenKeeper.load(self.settings, self.grants)
        state.wakeup = self.wakeup
        state.watchers = self.watchers
        state.admission = Admission(self.settings.batches_at_once)
        state.pace = Pace.of(self.settings.bulk_window, self.settings.bulk_bytes_per_second)
        for capability in self.capabilities:
            for prepare in capability.on_start:
                await prepare(self.context)
        await state.tokens.reload_revoked(self.context.database, now=self.context.clock.now())
        state.receiver = make_receiver(self.context, self.capabilities, self._telemetry)
        self.dialler = Dialler(
            settings=self.settings,
            post=self.context.post,
            database=self.context.database,
            clock=self.context.clock,
            receiver=state.receiver,
            high_water=self.context.high_water,
            transport=self._transport,
            telemetry=self._telemetry,
        )
        self._stack.push_async_callback(self.dialler.close)
        self.dialling = Dialling(
            self.dialler,
            database=self.context.database,
            clock=self.context.clock,
            wakeup=self.wakeup,
            poll_seconds=self.settings.poll_seconds,
        )
        dispatcher = Dispatcher(
            self.context,
            self.app.state.offers,
            tracer=self.tracer,
            registry=self.metrics.registry,
            transport=self._transport,
        )
        self._stack.push_async_callback(dispatcher.close)
        self.background = Background(
            self.context, self.capabilities, self.dialling, self.tracer, dispatcher
        )

    async def serve_background(self) -> None:
        """Begin what runs beside requests: listening for notifications, scheduled work, the link to the parent."""
        listener = Listener(
            self.context.database.url,
            (OUTBOX_CHANNEL, REVOKED_CHANNEL, WORK_CHANNEL, PORT_CHANNEL, *self.watchers),
            self._on_notification,
        )
        self._run(listener.run())
        if self.settings.scheduler:
            self._run(self.background.run())

    def _run(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._stack.push_async_callback(end)

    def _on_notification(self, channel: str, payload: str) -> None:
        if channel == OUTBOX_CHANNEL:
            self.wakeup.wake(payload)
        elif channel == WORK_CHANNEL:
            self.background.worker.wake(payload)
        elif channel == PORT_CHANNEL:
            self.background.dispatcher.wake(payload)
        elif channel in self.watchers:
            self.watchers[channel].wake(payload)
        elif payload:
            self.app.state.tokens.revoke_text(payload)
        else:
            self._reload = asyncio.ensure_future(
                self.app.state.tokens.reload_revoked(
                    self.context.database, now=self.context.clock.now()
                )
            )

    def let_go(self) -> None:
        """Let nobody wait any longer: held polls answer, and streams end."""
        self.wakeup.stop()
        for watchers in self.watchers.values():
            watchers.stop()

    async def stop(self) -> None:
        """Finish what was begun, close everything."""
        self.let_go()
        await self._stack.aclose()


_ROUTES: dict[tuple[int, str], tuple[APIRouter, Sequence[BaseRoute]]] = {}


def routes_of(router: APIRouter, tag: str) -> Sequence[BaseRoute]:
    """Return the routes of a router, the same for every node of this process.

    FastAPI makes the handler of a route ready when a path is first compared with it, anew for each application that
    includes its router; several nodes in one process, as in a demonstration or in tests, share that work.
    """
    kept = _ROUTES.get((id(router), tag))
    if kept is None:
        holder = FastAPI(openapi_url=None, responses=problems.DOCUMENTED)
        holder.include_router(router, tags=[tag] if tag else None)
        kept = _ROUTES[id(router), tag] = router, holder.router.routes
    return kept[1]


def create_node(
    tier: Tier,
    capabilities: Sequence[Capability],
    settings: Settings,
    *,
    clock: Clock | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Node:
    """Put a node together.

    Args:
        tier: which of the three roles it plays.
        capabilities: what it can do.
        settings: what its operator decided.
        clock: where it reads the time; the machine's clock without it.
        transport: how it reaches its parent and its ports, for tests; the network without it.

    Raises:
        TierMismatch: if the settings' code is of another tier.
        DutiesConflict: if a role would hold permissions that are declared to be kept apart.
    """
    return Node(tier, capabilities, settings, clock, transport)
