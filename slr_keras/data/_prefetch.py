"""An iterator that works ahead in a thread."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any


def prefetched(items: Iterator[Any], size: int) -> Iterator[Any]:
    """Yields ``items``, up to ``size`` of them made ahead by a daemon thread.

    The thread starts with the first ``next`` and ends when the generator is closed, used up or
    collected. What ``items`` raises is raised here, after the items before it.
    """
    ready: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(maxsize=size)
    stop = threading.Event()
    thread = threading.Thread(
        target=_fill, args=(items, ready, stop), name="slr-batches", daemon=True
    )
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item
    finally:
        stop.set()
        _drain(ready)  # a put that waits for room goes on, sees the event and ends
        if thread is not threading.current_thread():  # the collector may run anywhere
            thread.join()


def _fill(items: Iterator[Any], ready: queue.Queue, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            entry = (next(items), None)
        except BaseException as error:  # StopIteration too: it marks the end
            ready.put((None, error))
            return
        ready.put(entry)


def _drain(ready: queue.Queue) -> None:
    while True:
        try:
            ready.get_nowait()
        except queue.Empty:
            return
