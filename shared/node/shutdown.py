"""Ending in good order: what waits is let go as soon as the signal comes.

The server stops taking requests at SIGTERM and waits for those under way; a held poll would make it wait for half
a minute. So the node hears of the signal too, at once, and lets its polls answer.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType


def on_termination(act: Callable[[], None]) -> None:
    """Call ``act`` when the process is told to end, before whoever handled the signal so far.

    Outside the main thread, where Python takes no handlers, nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)

        def handle(signum: int, frame: FrameType | None, before: object = before) -> None:
            act()
            if callable(before):
                before(signum, frame)

        if callable(before):
            signal.signal(number, handle)
