"""What happened in the window and its workers, kept for people who look for a cause."""

from __future__ import annotations

import collections
import dataclasses
import re
import time
from collections.abc import Iterator

LEVELS = ("info", "warning", "error")
KEPT = 5000  # entries; a flood pushes out the oldest
LONGEST = 2000  # characters of an entry
_ERROR = re.compile(r"^\s*(error\b|traceback|fatal|E\d{4} |[\w.]+(Error|Exception)\b)", re.I)
_WARNING = re.compile(r"^\s*(warning\b|W\d{4} )|\w+Warning:", re.I)


@dataclasses.dataclass(frozen=True)
class Entry:
    """A line of the log; ``source`` is ``window`` or a worker's name."""

    time: float
    source: str
    level: str
    text: str

    def line(self) -> str:
        """As the report writes it."""
        clock = time.strftime("%H:%M:%S", time.localtime(self.time))
        return f"{clock} {self.level:7} {self.source}: {self.text}"


class Log:
    """The last entries, oldest first.

    Attributes:
        written: how many entries there ever were; tells a view what is new.
    """

    def __init__(self, kept: int = KEPT):
        self._entries: collections.deque[Entry] = collections.deque(maxlen=kept)
        self.written = 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def write(self, source: str, text: str, level: str = "") -> Entry:
        """Add an entry; without a level the text tells it."""
        text = text if len(text) <= LONGEST else text[:LONGEST] + "…"
        entry = Entry(time.time(), source, level or level_of(text), text)
        self._entries.append(entry)
        self.written += 1
        return entry

    def since(self, written: int) -> list[Entry]:
        """The entries after the first ``written``, as far as they are kept."""
        new = min(self.written - written, len(self._entries))
        return list(self._entries)[len(self._entries) - new :] if new > 0 else []

    def sources(self) -> list[str]:
        """Who wrote, in alphabetical order."""
        return sorted({entry.source for entry in self._entries})


def level_of(line: str) -> str:
    """``error``, ``warning`` or ``info``, from how libraries begin such lines."""
    if _ERROR.match(line):
        return "error"
    return "warning" if _WARNING.search(line) else "info"


@dataclasses.dataclass(frozen=True)
class Filter:
    """Which entries are wanted: at least this level, of this source, with this text in them."""

    level: str = "info"
    source: str = ""
    search: str = ""

    def wants(self, entry: Entry) -> bool:
        """Whether an entry is shown."""
        return (
            LEVELS.index(entry.level) >= LEVELS.index(self.level)
            and self.source in ("", entry.source)
            and self.search.casefold() in entry.text.casefold()
        )
