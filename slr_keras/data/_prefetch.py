"""An iterator that works ahead in a thread."""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from collections.abc import Iterator
from typing import Any

POLL = 0.1  # seconds after which a thread whose work waits to be fetched looks whether it ends


class Prefetched(Iterator[Any]):
    """Iterates ``items``, up to ``size`` of them made ahead by a daemon thread.

    The thread starts with the first ``next`` and ends with the items. What they raise is raised
    here, after the items before it. ``close``, or leaving the iterator as a context, ends the
    thread and waits for it. One that is merely dropped tells its thread to end and waits for
    nobody: the collector may come anywhere, also while Python ends, when no other thread runs
    any more.

    Example:
        >>> with Prefetched(iter(range(3)), 2) as items:
        ...     list(items)
        [0, 1, 2]
    """

    def __init__(self, items: Iterator[Any], size: int):
        self._work = _Work(items, size)

    def __next__(self) -> Any:
        work = self._work
        if work.ident is None and not work.ended:
            work.start()
        if work.ended:
            raise StopIteration
        item, error = work.ready.get()
        if error is not None:
            self.close()
            raise error
        return item

    def close(self) -> None:
        """End the thread; returns when it has ended."""
        work = self._work
        work.ended = True
        started = work.ident is not None
        if started and work is not threading.current_thread() and not sys.is_finalizing():
            work.join()

    def __enter__(self) -> Prefetched:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __del__(self) -> None:
        self._work.ended = True  # and nothing else: a thread that stands may hold any lock


class _Work(threading.Thread):
    """Makes the items. It knows nothing of who fetches them, who can be collected therefore."""

    def __init__(self, items: Iterator[Any], size: int):
        super().__init__(name="slr-batches", daemon=True)
        self.items, self.ended = items, False
        self.ready: queue.Queue[tuple[Any, BaseException | None]] = queue.Queue(size)

    def run(self) -> None:
        entry: tuple[Any, BaseException | None] = (None, None)
        while entry[1] is None and not self.ended:
            try:
                entry = next(self.items), None
            except BaseException as error:  # StopIteration too: it marks the end
                entry = None, error
            self._hand_over(entry)
        with contextlib.suppress(queue.Full):  # somebody may still wait for what never comes
            self.ready.put_nowait((None, StopIteration()))

    def _hand_over(self, entry: tuple[Any, BaseException | None]) -> None:
        while not self.ended:
            try:
                return self.ready.put(entry, timeout=POLL)
            except queue.Full:
                continue
        return None
