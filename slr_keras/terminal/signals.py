"""Signals that stop a measurement between two batches."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def stopping() -> Iterator[list[int]]:
    """SIGTERM stops like Ctrl-C, by KeyboardInterrupt; the list holds the exit code."""
    code = [130]

    def stop(*_: Any) -> None:
        code[0] = 143
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield code
    finally:
        signal.signal(signal.SIGTERM, before)
