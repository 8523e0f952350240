"""What a node tells a scraper."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from shared.capability import Job, Role
from shared.kernel.database import Database
from shared.node import background
from shared.node.app import create_node
from tests.conftest import MakeNode, TestNode

SignIn = Callable[..., Awaitable[dict[str, str]]]
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(node: TestNode) -> Samples:
    """Every sample by its name and labels."""
    answer = await node.client.get("/metrics")
    assert answer.status_code == 200, answer.text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


def served(samples: Samples) -> dict[tuple[str, str, str], float]:
    """Requests by method, route and status."""
    found = {}
    for (name, labels), number in samples.items():
        if name == "http_server_request_duration_seconds_count":
            of = dict(labels)
            key = (of["http_request_method"], of["http_route"], of["http_response_status_code"])
            found[key] = number
    return found


@contextlib.asynccontextmanager
async def other_worker(of: TestNode) -> AsyncIterator[TestNode]:
    """Start a second node on the settings and the database of one, as another worker of it does."""
    settings = of.node.settings
    node = create_node(settings.tier, (), settings, clock=of.clock)
    await node.start()
    transport = httpx.ASGITransport(app=node.app)
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{of.code}") as client:
        yield TestNode(node, client, of.clock)
    await node.stop()


@pytest.fixture
async def node(make_node: MakeNode) -> TestNode:
    return await make_node("440300", metrics_public=True)


async def test_operators_and_programs_may_scrape_and_others_may_not(
    make_node: MakeNode, sign_in: SignIn
) -> None:
    node = await make_node("440300")
    assert (await node.client.get("/metrics")).status_code == 401
    statuses = {}
    for role in (Role.OPERATOR, Role.INTEGRATION, Role.CLERK, Role.SUPERVISOR):
        headers = await sign_in(node, role)
        answer = await node.client.get("/metrics", headers=headers)
        statuses[role] = answer.status_code
    assert statuses == {
        Role.OPERATOR: 200,
        Role.INTEGRATION: 200,
        Role.CLERK: 403,
        Role.SUPERVISOR: 403,
    }


async def test_a_node_may_be_set_to_answer_everybody(node: TestNode) -> None:
    answer = await node.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")


async def test_requests_are_counted_by_route_and_not_by_path(
    node: TestNode, sign_in: SignIn
) -> None:
    headers = await sign_in(node, Role.OPERATOR)
    for arrival in (1, 2, 3):
        await node.client.post(f"/operations/parked/{arrival}/retry", headers=headers)
    await node.client.get("/health/live")
    for path in ("/nowhere/1", "/nowhere/2"):
        await node.client.get(path)
    await node.client.request("FIND", "/nowhere/3")
    found = served(await scrape(node))
    assert found["POST", "/operations/parked/{arrival}/retry", "404"] == 3
    assert found["GET", "/health/live", "200"] == 1
    assert found["GET", "unmatched", "404"] == 2
    assert found["_OTHER", "unmatched", "404"] == 1
    assert found["POST", "/oauth/token", "200"] == 1


async def test_a_request_that_takes_its_time_is_in_the_histogram(node: TestNode) -> None:
    await node.client.get("/health/live")
    of = {
        "http_request_method": "GET",
        "http_route": "/health/live",
        "http_response_status_code": "200",
    }
    samples = await scrape(node)
    seconds = value(samples, "http_server_request_duration_seconds_sum", **of)
    assert seconds is not None
    assert 0 < seconds < 60
    assert value(samples, "http_server_request_duration_seconds_bucket", le="+Inf", **of) == 1


async def test_nodes_of_one_process_do_not_mix(make_node: MakeNode) -> None:
    city = await make_node("440300", metrics_public=True)
    province = await make_node("440000", metrics_public=True)
    await city.client.get("/health/live")
    assert ("GET", "/health/live", "200") in served(await scrape(city))
    assert ("GET", "/health/live", "200") not in served(await scrape(province))


async def test_what_runs_here_and_what_the_process_uses(node: TestNode) -> None:
    samples = await scrape(node)
    (build,) = [dict(labels) for name, labels in samples if name == "guanxi_build_info"]
    assert (build["node"], build["tier"]) == ("440300", "city")
    assert build["version"]
    assert value(samples, "process_resident_memory_bytes")
    assert value(samples, "guanxi_database_up") == 1


async def test_connections_in_use_are_seen(node: TestNode) -> None:
    async def used() -> dict[tuple[str, str], float]:
        return {
            (of["pool"], of["state"]): number
            for (name, labels), number in (await scrape(node)).items()
            if name == "guanxi_database_connections"
            for of in [dict(labels)]
        }

    assert (await used())["sessions", "used"] == 0
    pool = await node.context.database.pool()
    database = node.context.database
    async with database.transaction() as session, pool.acquire(), database.writer():
        await session.connection()
        now = await used()
    assert now["sessions", "used"] == 1
    assert now["reads", "used"] == 1
    assert now["writes", "used"] == 1
    most = value(await scrape(node), "guanxi_database_connections_max", pool="sessions")
    assert most == 2 * node.node.settings.database_pool


async def test_jobs_are_told_by_every_worker_and_after_a_restart(node: TestNode) -> None:
    broken = True

    async def work(*_: object) -> None:
        if broken:
            raise ZeroDivisionError

    odd = Job("odd", background.TIDY.summary, background.TIDY.schedule, work)
    node.node.background.jobs["odd"] = odd
    await node.node.background.run_job("odd")
    never = await scrape(node)
    assert value(never, "guanxi_job_last_success_timestamp_seconds", job="odd") == 0
    assert value(never, "guanxi_job_failures_total", job="odd") == 1
    broken = False
    node.clock.advance(timedelta(minutes=1))
    await node.node.background.run_job("odd")
    succeeded = node.clock.now().timestamp()
    broken = True
    node.clock.advance(timedelta(minutes=1))
    await node.node.background.run_job("odd")

    async with other_worker(node) as worker:
        for samples in (await scrape(node), await scrape(worker)):
            assert value(samples, "guanxi_job_runs_total", job="odd") == 3
            assert value(samples, "guanxi_job_failures_total", job="odd") == 2
            assert (
                value(samples, "guanxi_job_last_success_timestamp_seconds", job="odd") == succeeded
            )
            assert value(samples, "guanxi_job_last_duration_seconds", job="odd") is not None


async def test_while_the_database_is_away_the_rest_is_told(node: TestNode) -> None:
    await node.client.get("/health/live")
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing")
    node.app.state.database = nowhere
    samples = await scrape(node)
    assert value(samples, "guanxi_database_up") == 0
    assert ("GET", "/health/live", "200") in served(samples)
    assert not [name for name, _ in samples if name.startswith(("guanxi_lane", "guanxi_peer"))]
    await nowhere.close()


async def test_workers_of_one_node_are_told_apart(make_node: MakeNode) -> None:
    node = await make_node("440300", metrics_public=True, workers=2)
    await node.client.get("/health/live")
    labels = {name: dict(labels) for (name, labels) in await scrape(node)}
    assert "worker" in labels["http_server_request_duration_seconds_count"]
    assert "worker" in labels["guanxi_build_info"]
    assert "worker" not in labels["guanxi_database_up"], "it is of the node and not of a worker"
