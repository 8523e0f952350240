"""One request through three nodes, as their logs, their messages, a collector and a scraper see it."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import structlog
from fastapi import APIRouter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select, text

from shared.capability import Capability, Context
from shared.federation.envelope import unpack
from shared.federation.link import LinkDown
from shared.federation.models import InboxMessage, Lane, OutboxMessage
from shared.kernel.edge import Now, Transaction
from shared.kernel.language import Text as Words
from shared.kernel.tracing import TraceContext
from tests.conftest import MakeNode, Nation, TestNode, enrol
from tests.federation.conftest import (
    COUNTED,
    COUNTING,
    ECHOED,
    numbers_at,
    parked_at,
    post_numbers,
)

CODES = ("000000", "440000", "440300")
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
router = APIRouter()


@router.post("/numbers/{number}", status_code=202)
async def ask_hq_to_count(number: int, session: Transaction, context: Context, now: Now) -> None:
    """Post a number as business code does, which knows nothing of traces."""
    await context.post.post(
        session,
        COUNTED,
        "000000",
        {"number": number},
        lane=Lane.REQUEST,
        partition_key="k",
        now=now,
    )


ASKING = Capability("asking", Words("Asks HQ to count", "请求计数"), routers=(router,))


@dataclass
class Collector:
    """A receiver of OTLP over HTTP on loopback."""

    url: str
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)

    @property
    def spans(self) -> list[tuple[str, Any]]:
        """Every span with the node that sent it."""
        found = []
        for request in self.requests:
            for resource in request.resource_spans:
                of = {a.key: a.value.string_value for a in resource.resource.attributes}
                for scope in resource.scope_spans:
                    found += [(of["service.instance.id"], span) for span in scope.spans]
        return found


@pytest.fixture
def collector() -> Iterator[Collector]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            got.requests.append(ExportTraceServiceRequest.FromString(content))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        got = Collector(f"http://127.0.0.1:{server.server_port}/v1/traces")
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield got
        server.shutdown()
        serving.join()


@pytest.fixture
def log_lines() -> Iterator[list[dict[str, Any]]]:
    """What is logged from the level that nodes log from by themselves."""
    before = structlog.get_config()
    lines = structlog.testing.LogCapture()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        processors=[structlog.contextvars.merge_contextvars, lines],
    )
    yield lines.entries  # type: ignore[misc]
    structlog.configure(**before)


async def federation(make_node: MakeNode, like: Nation, **settings: Any) -> Nation:
    """HQ, Guangdong and Shenzhen with these settings."""
    nodes = {code: await make_node(code, [COUNTING, ASKING], **settings) for code in CODES}
    for child, parent in (("440000", "000000"), ("440300", "440000")):
        await enrol(nodes[child], nodes[parent])
    made = Nation(nodes, like.network, like.clock)
    await made.settle()
    return made


@pytest.fixture
def empty(network: Any, clock: Any) -> Nation:
    return Nation({}, network, clock)


async def traces_at(node: TestNode) -> dict[str, set[str]]:
    """The trace ids of the messages that a node sent or received, by type."""
    found: dict[str, set[str]] = {}
    async with node.database.transaction() as session:
        for table in (InboxMessage, OutboxMessage):
            for envelope in await session.scalars(select(table.envelope)):
                message = unpack(envelope)
                if message.type in {COUNTED, ECHOED}:
                    context = TraceContext.parse(message.traceparent)
                    assert context is not None, message
                    found.setdefault(message.type, set()).add(context.trace_id)
    return found


async def test_a_request_has_one_trace_at_every_node_though_none_exports(
    make_node: MakeNode, empty: Nation, log_lines: list[dict[str, Any]]
) -> None:
    line = await federation(make_node, empty)
    log_lines.clear()
    given = f"00-{TRACE}-{CALLER}-01"
    answer = await line["440300"].client.post("/numbers/7", headers={"traceparent": given})
    assert answer.status_code == 202
    await line.settle()
    assert await numbers_at(line["440300"], ECHOED) == [7]
    for code in CODES:
        assert await traces_at(line[code]) == {COUNTED: {TRACE}, ECHOED: {TRACE}}, code
    (served,) = [x for x in log_lines if x.get("path") == "/numbers/7"]
    assert served["trace_id"] == TRACE
    received_by = [
        (x["type"], x["peer"], x["outcome"], x["trace_id"])
        for x in log_lines
        if x["event"] == "message received"
    ]
    assert received_by == [
        (COUNTED, "440300", "forwarded", TRACE),
        (COUNTED, "440000", "handled", TRACE),
        (ECHOED, "000000", "forwarded", TRACE),
        (ECHOED, "440000", "handled", TRACE),
    ]


async def test_requests_without_a_trace_get_one_each(make_node: MakeNode, empty: Nation) -> None:
    line = await federation(make_node, empty)
    for number in (1, 2):
        await line["440300"].client.post(
            f"/numbers/{number}", headers={"traceparent": "00-nonsense"}
        )
    await line.settle()
    traces = [await traces_at(line[code]) for code in CODES]
    assert len(traces[0][COUNTED]) == 2
    assert traces[0] == traces[1] == traces[2]
    assert traces[0][COUNTED] == traces[0][ECHOED]


async def test_a_collector_gets_the_whole_way_of_a_request(
    make_node: MakeNode, empty: Nation, collector: Collector
) -> None:
    line = await federation(make_node, empty, trace_export_url=collector.url)
    given = f"00-{TRACE}-{CALLER}-01"
    await line["440300"].client.post("/numbers/7", headers={"traceparent": given})
    await line["440300"].client.get("/health/live", headers={"traceparent": given})
    await line.settle()
    for node in line.nodes.values():
        await node.node.stop()
    spans = [(code, span) for code, span in collector.spans if span.trace_id.hex() == TRACE]
    names = {span.span_id.hex(): (code, span.name) for code, span in spans}
    parents = {
        (code, span.name): names.get(span.parent_span_id.hex(), span.parent_span_id.hex())
        for code, span in spans
    }
    asked = ("440300", "POST /numbers/{number}")
    handled = ("000000", f"process {COUNTED}")
    assert parents == {
        asked: CALLER,
        ("440000", f"process {COUNTED}"): asked,
        handled: asked,
        ("440000", f"process {ECHOED}"): handled,
        ("440300", f"process {ECHOED}"): handled,
    }


async def test_an_exchange_is_one_trace_at_child_and_parent(
    make_node: MakeNode, empty: Nation, collector: Collector
) -> None:
    line = await federation(make_node, empty, trace_export_url=collector.url)
    await post_numbers(line["440300"], "440000", 1)
    await line["440300"].node.dialler.push(Lane.REQUEST)
    for node in line.nodes.values():
        await node.node.stop()
    called = {
        span.parent_span_id.hex(): (code, span.trace_id)
        for code, span in collector.spans
        if span.name == "POST /federation/v1/lanes/{lane}/batches"
    }
    pushed = [
        (called[span.span_id.hex()][0], called[span.span_id.hex()][1] == span.trace_id)
        for code, span in collector.spans
        if (code, span.name) == ("440300", "batches")
    ]
    assert pushed
    assert set(pushed) == {("440000", True)}


async def test_a_collector_that_is_away_costs_nobody_anything(
    make_node: MakeNode, empty: Nation
) -> None:
    line = await federation(make_node, empty, trace_export_url="http://127.0.0.1:1/v1/traces")
    assert (await line["440300"].client.post("/numbers/7")).status_code == 202
    await line.settle()
    assert await numbers_at(line["440300"], ECHOED) == [7]
    async with asyncio.timeout(30):
        await asyncio.gather(*[node.node.stop() for node in line.nodes.values()])


Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(node: TestNode) -> Samples:
    answer = await node.client.get("/metrics")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def lane(samples: Samples, name: str, peer: str, direction: str, of: Lane = Lane.REQUEST) -> float:
    labels = {"peer": peer, "lane": of.value, "direction": direction}
    return samples[f"guanxi_lane_{name}", frozenset(labels.items())]


def received(samples: Samples, peer: str) -> dict[tuple[str, str], float]:
    """Messages from a peer by lane and outcome."""
    return {
        (of["lane"], of["outcome"]): number
        for (name, labels), number in samples.items()
        if name == "guanxi_messages_received_total"
        for of in [dict(labels)]
        if of["peer"] == peer
    }


async def test_what_waits_on_a_lane_is_told_with_its_age(
    make_node: MakeNode, empty: Nation
) -> None:
    line = await federation(make_node, empty, metrics_public=True)
    city, province = line["440300"], line["440000"]
    line.network.cut.add("440000")
    await post_numbers(city, "000000", 1, 2)
    line.clock.advance(timedelta(seconds=60))
    samples = await scrape(city)
    assert lane(samples, "waiting_messages", "440000", "out") == 2
    assert lane(samples, "waiting_oldest_seconds", "440000", "out") == 60
    assert lane(samples, "numbered_messages_total", "440000", "out") == 0
    with pytest.raises(LinkDown):
        await city.node.dialler.push(Lane.REQUEST)
    await post_numbers(city, "000000", 3)
    line.clock.advance(timedelta(seconds=30))
    samples = await scrape(city)
    assert lane(samples, "waiting_messages", "440000", "out") == 3
    assert lane(samples, "waiting_oldest_seconds", "440000", "out") == 90
    assert lane(samples, "waiting_messages", "440000", "out", Lane.BULK) == 0
    assert lane(samples, "waiting_oldest_seconds", "440000", "out", Lane.BULK) == 0
    assert lane(samples, "numbered_messages_total", "440000", "out") == 2
    assert lane(samples, "acknowledged_messages_total", "440000", "out") == 0

    line.network.cut.clear()
    await line.settle()
    samples = await scrape(city)
    assert lane(samples, "waiting_messages", "440000", "out") == 0
    assert lane(samples, "acknowledged_messages_total", "440000", "out") == 3
    assert lane(samples, "received_messages_total", "440000", "in") == 3
    assert lane(await scrape(province), "received_messages_total", "440300", "in") == 3


async def test_what_waits_for_a_parent_is_told_too(make_node: MakeNode) -> None:
    alone = await make_node("440300", [COUNTING], metrics_public=True)
    await post_numbers(alone, "000000", 1)
    assert lane(await scrape(alone), "waiting_messages", "none", "out") == 1


async def test_messages_are_counted_by_what_became_of_them(
    make_node: MakeNode, empty: Nation
) -> None:
    line = await federation(make_node, empty, metrics_public=True)
    await post_numbers(line["440300"], "000000", 1, key="a")
    await post_numbers(line["440300"], "000000", 2, key="a", poison=True)
    await post_numbers(line["440300"], "000000", 3, key="a")
    await line.settle()
    line.clock.advance(timedelta(seconds=30))
    hq, province = await scrape(line["000000"]), await scrape(line["440000"])
    assert received(hq, "440000") == {
        ("request", "handled"): 1,
        ("request", "parked"): 2,
        ("control", "handled"): 1,  # the enrolment of the city
    }
    assert received(province, "440300") == {("request", "forwarded"): 3}
    assert lane(hq, "parked_messages", "440000", "in") == 2
    assert lane(hq, "parked_oldest_seconds", "440000", "in") >= 30
    assert lane(province, "parked_messages", "440300", "in") == 0
    assert len(await parked_at(line["000000"])) == 2


async def test_a_batch_that_is_not_committed_is_not_counted(
    make_node: MakeNode, empty: Nation
) -> None:
    line = await federation(make_node, empty, metrics_public=True)
    city, province = line["440300"], line["440000"]
    async with province.database.engine.begin() as connection:
        for statement in (
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'disk full'; END $$",
            "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON federation_inbox DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()",
        ):
            await connection.execute(text(statement))
    await post_numbers(city, "440000", 1, 2)
    with pytest.raises(LinkDown, match="answered 500"):
        await city.node.dialler.push(Lane.REQUEST)
    assert received(await scrape(province), "440300") == {}
    async with province.database.engine.begin() as connection:
        await connection.execute(text("DROP TRIGGER refuse ON federation_inbox"))
    await line.settle()
    assert received(await scrape(province), "440300") == {("request", "handled"): 2}


async def test_links_and_exchanges_are_told(make_node: MakeNode, empty: Nation) -> None:
    line = await federation(make_node, empty, metrics_public=True)
    city = line["440300"]
    await city.node.dialler.poll(wait=0)
    heard = line.clock.now().timestamp()
    line.clock.advance(timedelta(minutes=5))
    line.network.cut.add("440000")
    with contextlib.suppress(LinkDown):
        await city.node.dialler.poll(wait=0)
    await city.node.dialling.attempt(lambda: city.node.dialler.poll(wait=0))
    samples = await scrape(city)
    of = frozenset({"peer": "440000", "relation": "parent"}.items())
    told = samples["guanxi_peer_last_contact_timestamp_seconds", of]
    assert heard - 1 <= told <= heard  # written down once a second at most
    assert samples["guanxi_peer_consecutive_failures", of] == 1
    exchanges = {
        (dict(labels)["operation"], dict(labels)["outcome"]): number
        for (name, labels), number in samples.items()
        if name == "guanxi_exchange_duration_seconds_count"
    }
    assert exchanges["poll", "failed"] == 1
    assert exchanges["reconciliations", "failed"] == 1, "a dialler reconciles before it polls"
    assert exchanges["poll", "done"] >= 1
    assert exchanges["enrolments", "done"] == 1
