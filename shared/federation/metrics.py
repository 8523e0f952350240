"""Links and lanes as metrics, read from the tables when they are asked for.

Every worker of a node gives the same, and a node that was just started gives what is, not what it has seen. There are
as many series as a node has neighbours, lanes and directions.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from prometheus_client import Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from sqlalchemy.ext.asyncio import AsyncSession

from shared.federation import backlog
from shared.federation.backlog import Contact, Pile, Progress
from shared.federation.models import Direction

_LANE = ("peer", "lane", "direction")
_Lanes = Iterable[tuple[str, str]]


async def read(session: AsyncSession, *, now: datetime) -> list[Metric]:
    """Return the metrics of this node's links and lanes at this moment."""
    contacts = await backlog.contacts(session)
    progress = await backlog.progress(session)
    waiting = await backlog.waiting(session)
    parked = await backlog.parked(session)
    out = [(row.peer, row.lane) for row in progress if row.direction == Direction.OUT]
    in_ = [(row.peer, row.lane) for row in progress if row.direction == Direction.IN]
    return [
        *_links(contacts),
        *_positions(progress),
        *_piles(
            "guanxi_lane_waiting",
            "Messages that the peer has not acknowledged yet",
            (waiting, out, Direction.OUT),
            now,
        ),
        *_piles(
            "guanxi_lane_parked",
            "Messages from the peer that were set aside",
            (parked, in_, Direction.IN),
            now,
        ),
    ]


def _links(contacts: Sequence[Contact]) -> Iterable[Metric]:
    heard = GaugeMetricFamily(
        "guanxi_peer_last_contact_timestamp_seconds",
        "When the peer was last heard from, by this node's clock, in Unix time; 0 if never.",
        labels=("peer", "relation"),
    )
    failures = GaugeMetricFamily(
        "guanxi_peer_consecutive_failures",
        "Exchanges with the peer that failed since the last that did not.",
        labels=("peer", "relation"),
    )
    epoch = GaugeMetricFamily(
        "guanxi_peer_epoch",
        "Grows by one whenever the two had to reconcile because a database was restored from a backup.",
        labels=("peer", "relation"),
    )
    offset = GaugeMetricFamily(
        "guanxi_peer_clock_offset_seconds",
        "How far the peer's clock is ahead, while the two differ by more than signatures allow; else 0.",
        labels=("peer", "relation"),
    )
    for contact in contacts:
        labels = (contact.peer, contact.relation)
        heard.add_metric(
            labels, contact.last_contact_at.timestamp() if contact.last_contact_at else 0
        )
        failures.add_metric(labels, contact.failures)
        epoch.add_metric(labels, contact.epoch)
        offset.add_metric(labels, contact.clock_offset_seconds)
    return heard, failures, epoch, offset


def _positions(progress: Sequence[Progress]) -> Iterable[Metric]:
    numbered, acknowledged, received = (
        CounterMetricFamily(f"guanxi_lane_{name}_messages", f"{meaning}.", labels=_LANE)
        for name, meaning in (
            ("numbered", "The last sequence number given on the lane: messages made ready to send"),
            ("acknowledged", "The last sequence number that the peer has acknowledged"),
            ("received", "The last sequence number received from the peer and committed"),
        )
    )
    stopped = GaugeMetricFamily(
        "guanxi_lane_stopped",
        "1 while the lane waits for an operator because its two ends cannot agree by themselves.",
        labels=_LANE,
    )
    for row in progress:
        labels = (row.peer, row.lane, row.direction)
        stopped.add_metric(labels, int(row.stopped))
        if row.direction == Direction.OUT:
            numbered.add_metric(labels, row.numbered)
            acknowledged.add_metric(labels, row.acknowledged)
        else:
            received.add_metric(labels, row.numbered)
    return numbered, acknowledged, received, stopped


def _piles(
    name: str,
    meaning: str,
    found: tuple[Sequence[Pile], _Lanes, Direction],
    now: datetime,
) -> Iterable[Metric]:
    """Return how many messages there are and how old the oldest is, 0 where there is none."""
    piles, lanes, direction = found
    messages = GaugeMetricFamily(f"{name}_messages", f"{meaning}.", labels=_LANE)
    oldest = GaugeMetricFamily(
        f"{name}_oldest_seconds",
        f"{meaning}: the age of the oldest; 0 if there is none.",
        labels=_LANE,
    )
    by_lane = {(pile.peer, pile.lane): pile for pile in piles}
    for peer, lane in sorted({*lanes, *by_lane}):
        pile = by_lane.get((peer, lane))
        labels = (peer, lane, direction.value)
        messages.add_metric(labels, pile.messages if pile else 0)
        age = (now - pile.oldest_at).total_seconds() if pile and pile.oldest_at else 0.0
        oldest.add_metric(labels, max(age, 0.0))
    return messages, oldest
