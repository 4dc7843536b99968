"""Files in parts of a limited size, with a list that proves them whole, and back again.

    python -m benchmarks.gpu.parts cut FOLDER OUT --name data --mib 50    # data.json, data.000, ...
    python -m benchmarks.gpu.parts join OUT FOLDER --name data

The parts are the files' bytes one after the other. ``NAME.json`` has name, size and SHA-256 of
every file and every part. What is damaged or missing is refused before the folder is touched.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence

from slr_keras.errors import UserError
from slr_keras.run_folder import write_atomically
from slr_keras.terminal import cli

MIB = 2**20
BLOCK = MIB


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file or a part: its name (of a file, its path in the folder), bytes and SHA-256."""

    name: str
    size: int
    sha256: str


@dataclasses.dataclass(frozen=True)
class Listing:
    """What ``NAME.json`` says: the files, and the parts that hold the files of ``moved``.

    The files that are not in ``moved`` are the same on both sides already.
    """

    files: tuple[Entry, ...] = ()
    moved: tuple[str, ...] = ()
    parts: tuple[Entry, ...] = ()

    @classmethod
    def read(cls, path: pathlib.Path) -> Listing:
        """Raises :class:`UserError` where there is none."""
        try:
            raw = json.loads(path.read_bytes())
            files, parts = (tuple(Entry(**e) for e in raw[key]) for key in ("files", "parts"))
            return cls(files, tuple(raw["moved"]), parts)
        except FileNotFoundError:
            raise UserError(f"no list of parts: {path}. Bring it with the parts") from None
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is no list of parts ({error}); bring it again") from None

    def write(self, path: pathlib.Path) -> None:
        """As JSON."""
        write_atomically(path, (json.dumps(dataclasses.asdict(self), indent=1) + "\n").encode())


def cut(
    folder: pathlib.Path,
    out: pathlib.Path,
    name: str,
    limit: int,
    files: Iterable[str] | None = None,
    known: Iterable[Entry] = (),
) -> Listing:
    """Cut files into ``out/NAME.000``, ...; write the list last.

    Args:
        folder: where the files are.
        out: where the parts go; parts of the same name that lie there are removed.
        name: of the list and the parts.
        limit: bytes of a part, at most.
        files: their paths in the folder; None for all.
        known: files that the other side has; what equals them does not travel.
    """
    if not folder.is_dir():
        raise UserError(f"no such folder: {folder}")
    out.mkdir(parents=True, exist_ok=True)
    for old in out.iterdir():
        if re.fullmatch(rf"{re.escape(name)}\.(\d{{3,}}|json)", old.name):
            old.unlink()
    names = sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
    entries = [_entry(n, folder / n) for n in (names if files is None else files)]
    moved = [entry.name for entry in entries if entry not in set(known)]
    parts = []
    for number, data in enumerate(_slices((folder / n for n in moved), limit)):
        path = out / f"{name}.{number:03d}"
        write_atomically(path, data)
        parts.append(_entry(path.name, path))
    listing = Listing(tuple(entries), tuple(moved), tuple(parts))
    listing.write(out / f"{name}.json")
    return listing


def _entry(name: str, path: pathlib.Path) -> Entry:
    return Entry(name, path.stat().st_size, digest(path))


def digest(path: pathlib.Path) -> str:
    """SHA-256 of a file."""
    total = hashlib.sha256()
    for block in _blocks(path):
        total.update(block)
    return total.hexdigest()


def _slices(paths: Iterable[pathlib.Path], limit: int) -> Iterator[bytes]:
    """The bytes of files, joined and cut anew."""
    held = bytearray()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(limit - len(held)):
                held += block
                if len(held) == limit:
                    yield bytes(held)
                    held.clear()
    if held:
        yield bytes(held)


def join(source: pathlib.Path, folder: pathlib.Path, name: str) -> Listing:
    """Make the files of a list in ``folder`` from the parts in ``source``.

    Raises:
        UserError: a part is missing or damaged, or a file that did not travel is not there.
    """
    listing = Listing.read(source / f"{name}.json")
    for part in listing.parts:
        _check(part, source / part.name, "bring it again")
    for entry in listing.files:
        _refuse_outside(entry.name)
        if entry.name not in listing.moved:
            _check(entry, folder / entry.name, "it did not travel; start from the folder as it was")
    blocks = (block for part in listing.parts for block in _blocks(source / part.name))
    held = bytearray()
    for entry in listing.files:
        if entry.name in listing.moved:
            while len(held) < entry.size and (block := next(blocks, b"")):
                held += block
            path = folder / entry.name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, bytes(held[: entry.size]))
            del held[: entry.size]
            _check(entry, path, "the list is not of these parts")
    return listing


def _blocks(path: pathlib.Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def _check(entry: Entry, path: pathlib.Path, hint: str) -> None:
    if not path.is_file():
        raise UserError(f"{path} is missing: {hint}")
    found = _entry(entry.name, path)
    if found != entry:
        what = f"expected {entry.size} bytes with SHA-256 {entry.sha256[:12]}..."
        came = f"received {found.size} with {found.sha256[:12]}..."
        raise UserError(f"{path} is damaged: {what}, {came}: {hint}")


def _refuse_outside(name: str) -> None:
    path = pathlib.PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise UserError(f"the list of parts names a file outside its folder: {name}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Cut or join; 0."""
    parser = cli.Parser(prog="python -m benchmarks.gpu.parts", description="Cut and join files.")
    commands = parser.add_subparsers(dest="command", required=True, parser_class=cli.Parser)
    for command, words in (("cut", ("FOLDER", "OUT")), ("join", ("OUT", "FOLDER"))):
        one = commands.add_parser(command)
        one.add_argument("source", type=pathlib.Path, metavar=words[0])
        one.add_argument("target", type=pathlib.Path, metavar=words[1])
        one.add_argument("--name", default="files", help="of the list and the parts [files]")
    commands.choices["cut"].add_argument(
        "--mib", type=int, default=16, metavar="N", help="size of a part, at most [16]"
    )
    flags = parser.parse(arguments)
    if flags.command == "join":
        listing = join(flags.source, flags.target, flags.name)
    elif flags.mib < 1:
        raise UserError(f"--mib: expected 1 or more, received {flags.mib}")
    else:
        listing = cut(flags.source, flags.target, flags.name, flags.mib * MIB)
    print(f"{len(listing.files)} files, {len(listing.parts)} parts")
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main))
