"""One of HQ's processes taking slices in, as each worker of a node does: with its own interpreter and its own pool.

Started by :mod:`bench.stats_night` as ``python -m bench.stats_intake HOME AT_ONCE``. For each line of cities on its
standard input it makes their messages, says so, waits for a line more, takes the messages in, so many cities at once,
and says that it has.
"""

import asyncio
import gc
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog

from bench.lanes import opened
from bench.nation_figures import COMPUTED, all_keys, make_slice
from shared.capability import NodeContext
from shared.federation.delivery import Delivery, Hop
from shared.federation.envelope import Message
from shared.kernel.ids import new_id
from shared.kernel.settings import HQ_CODE
from shared.statistics.messages import handle_slices
from shared.statistics.period import Period
from shared.statistics.schemas import SLICE, SliceMessage

MONTH = Period.parse("2026-11")


def _messages(city: str, keys: dict[str, list[tuple[str, ...]]]) -> list[Message]:
    return [
        Message(
            id=new_id(),
            source=city,
            type=SLICE,
            time=COMPUTED,
            destination=HQ_CODE,
            partitionkey=f"{dataset}/{MONTH}",
            data=SliceMessage.of(make_slice(city, MONTH, dataset, each)),
        )
        for dataset, each in keys.items()
    ]


async def _take(context: NodeContext, messages: Sequence[Message]) -> None:
    async with context.database.transaction() as session:
        deliveries = [
            Delivery(
                message, (Hop(message.source, COMPUTED), Hop(HQ_CODE, COMPUTED)), session, COMPUTED
            )
            for message in messages
        ]
        await handle_slices(context, deliveries)


async def _take_all(context: NodeContext, waiting: Iterator[Sequence[Message]]) -> None:
    for messages in waiting:
        await _take(context, messages)


async def _serve(home: Path, at_once: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    keys = all_keys()
    async with opened(home, HQ_CODE) as context:
        gc.freeze()  # as a node that serves does
        print("open", flush=True)
        while named := (await asyncio.to_thread(sys.stdin.readline)).split():
            portions = [_messages(city, keys) for city in named]
            print("made", flush=True)
            await asyncio.to_thread(sys.stdin.readline)
            waiting = iter(portions)
            await asyncio.gather(*(_take_all(context, waiting) for _ in range(at_once)))
            print("taken", flush=True)


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))
