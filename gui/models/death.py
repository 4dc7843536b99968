"""How a worker ended, and what is said of it."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Sequence

from slr_keras.errors import TIME_IS_UP


@dataclasses.dataclass(frozen=True)
class Death:
    """How a worker ended.

    Attributes:
        cause: ``exit`` (it left by itself), ``crash`` (a signal) or ``no_start``.
        code: exit code, or signal number after a crash.
        sentence: for people.
        stderr: its last lines.
    """

    cause: str
    code: int
    sentence: str
    stderr: tuple[str, ...]

    @property
    def well(self) -> bool:
        """Whether the worker ended as it should."""
        return self.cause == "exit" and self.code in (0, TIME_IS_UP, 130, 143)

    @classmethod
    def of(cls, name: str, cause: str, code: int, lines: Sequence[str]) -> Death:
        """Of the worker called ``name``, from the last lines that it wrote."""
        return cls(cause, code, _sentence(name, cause, code, lines), tuple(lines))


_SIGNALS = {
    "SIGKILL": "was killed (SIGKILL); systems do this when memory runs out",
    "SIGSEGV": "crashed (SIGSEGV, a fault in a native library)",
    "SIGABRT": "crashed (SIGABRT, a native library gave up)",
    "SIGBUS": "crashed (SIGBUS; the disk may be full)",
    "SIGILL": "crashed (SIGILL; a library needs a newer processor)",
    "SIGTERM": "was ended from outside (SIGTERM)",
}


def _sentence(name: str, cause: str, code: int, lines: Sequence[str]) -> str:
    said = next((line[7:] for line in reversed(lines) if line.startswith("error: ")), "")
    if cause == "crash":
        return f"The {name} {_SIGNALS.get(_signal_name(code), f'was ended by signal {code}')}."
    if code == 0:
        return f"The {name} has finished."
    if code == TIME_IS_UP:
        return f"The {name} left before its time limit; its state is saved."
    if code in (130, 143):
        return f"The {name} was stopped from outside; its state is saved."
    if said:
        return said
    last = f" Its last line was: {lines[-1]}" if lines else " It did not say why."
    return f"The {name} ended with code {code}.{last}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""
