"""Which run folders there are below a folder: listed again only where a folder changed."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Iterator, Mapping

OF_A_RUN = frozenset(("config.toml", "events.jsonl", "summary.json"))  # one makes a run of a folder
DEPTH = 3  # runs/demo/first: folders are searched this deep
CLOCK = 2_000_000_000  # nanoseconds in which a folder may change again and keep its date
_Stamp = tuple[int, int, int]


class Round:
    """The keys of a mapping one after the other, and then again from the first."""

    def __init__(self, keys: Mapping[str, object]):
        self._keys = keys
        self._left: list[str] = []

    def until(self, deadline: float) -> Iterator[str]:
        """What comes next, each key once at the most; one in any case."""
        for _ in range(len(self._keys)):
            if not self._left:
                self._left = list(reversed(self._keys))
            key = self._left.pop()
            if key in self._keys:
                yield key
            if time.perf_counter() > deadline:
                return

    @property
    def ended(self) -> bool:
        """Whether the next is the first again."""
        return not self._left


@dataclasses.dataclass
class _Folder:
    """One that is no run; ``inside`` are the folders in it with their inodes."""

    depth: int  # how much deeper to search
    stamp: _Stamp | None = None  # of the last listing; None: to be listed in any case
    inside: dict[str, int] = dataclasses.field(default_factory=dict)


class RunFolders:
    """The folders below ``root``, newest name first.

    Attributes:
        root: where to look.
        problem: why it cannot be listed, a sentence; empty when it can.
    """

    def __init__(self, root: str):
        self.root, self.problem = root, ""
        self._folders = {root: _Folder(DEPTH)}
        self._round = Round(self._folders)
        self._new: list[tuple[str, int]] = []  # not looked into yet, and how deep; next one last

    @property
    def pending(self) -> bool:
        """Whether there are folders that were not looked into yet."""
        return bool(self._new)

    def glance(self, deadline: float = math.inf, again: bool = False) -> list[str]:
        """List folders whose date is another than last time; returns what is gone, runs or not.

        Args:
            deadline: when to leave the rest to the next glance.
            again: whatever the dates are.
        """
        gone = []
        for path in self._round.until(deadline):
            folder, stamp = self._folders[path], _stamp(path)
            if again or stamp is None or stamp != folder.stamp or self.problem:
                gone += self._list(path, folder, stamp)
        return gone

    def look(self) -> tuple[str, bool]:
        """Look into a folder that is new; its path and whether it is a run."""
        path, depth = self._new.pop()
        stamp = _stamp(path)
        try:
            run, inside = _inside(path)
        except (FileNotFoundError, NotADirectoryError):
            return path, False
        except OSError:
            return path, True  # a closed folder is listed with its problem
        if not run:
            self._folders[path] = _Folder(depth)
            self._take(self._folders[path], stamp, inside)
        return path, run

    def forget(self, path: str) -> None:
        """A run is gone; should there be something still, or again, it is new."""
        above = self._folders.get(os.path.dirname(path))
        if above:
            above.inside.pop(path, None)
            above.stamp = None

    def _list(self, path: str, folder: _Folder, stamp: _Stamp | None) -> list[str]:
        run, inside = False, {}
        try:
            run, inside = _inside(path)
            problem = ""
        except (FileNotFoundError, NotADirectoryError):
            problem = ""
        except OSError as error:
            problem = (
                f"The runs folder {path} cannot be read: {error.strerror}. Check its permissions."
            )
        if path == self.root:
            self.problem = problem
            return [] if problem else self._take(folder, stamp, inside)
        if run or problem:
            self._new.append((path, folder.depth))
        if run or problem or stamp is None:
            return [gone for gone in self._leave(path) if gone != path]
        return self._take(folder, stamp, inside)

    def _take(self, folder: _Folder, stamp: _Stamp | None, inside: dict[str, int]) -> list[str]:
        """Note what is in a folder; returns what is gone."""
        before = folder.inside
        folder.inside = inside if folder.depth else {}
        settled = stamp is not None and time.time_ns() - stamp[0] > CLOCK
        folder.stamp = stamp if settled else None
        gone = [left for path in before.keys() - inside.keys() for left in self._leave(path)]
        came = sorted(path for path in folder.inside if before.get(path) != inside[path])
        self._new += [(path, folder.depth - 1) for path in came]
        return gone

    def _leave(self, path: str) -> list[str]:
        """A folder is gone, and what was in it."""
        folder = self._folders.pop(path, None)
        within = folder.inside if folder else {}
        return [path, *(left for inner in within for left in self._leave(inner))]


def is_run(path: str) -> bool:
    """Whether there is a run in a folder, as far as it can be read."""
    try:
        return _inside(path)[0]
    except OSError:
        return False


def _stamp(path: str) -> _Stamp | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino


def _inside(path: str) -> tuple[bool, dict[str, int]]:
    """Whether a folder is a run, and the folders in one that is none."""
    with os.scandir(path) as entries:
        found = list(entries)
    if any(entry.name in OF_A_RUN for entry in found):
        return True, {}
    folders = (entry for entry in found if not entry.name.startswith(".") and entry.is_dir())
    return False, {entry.path: entry.inode() for entry in folders}
