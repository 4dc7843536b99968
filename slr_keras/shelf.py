"""``python -m slr_keras.shelf``: trained networks with digests, cards and recorded figures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from slr_keras.errors import UserError, did_you_mean
from slr_keras.evaluation.specs import AUTOATTACK, CLEAN, is_part
from slr_keras.shelves import PREFIX, Entry, Shelf, config_of
from slr_keras.terminal import cli

if TYPE_CHECKING:
    from slr_keras.shelves.measuring import Compared

OFF = 1  # exit code where a figure is outside its recorded interval


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse and do what is asked for; returns the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    cli.use_plugins(words)
    options = _parser().parse(words)
    if options.action not in ACTIONS:
        raise UserError(f"unknown action: {options.action}.{did_you_mean(options.action, ACTIONS)}")
    if (options.target is None) != (options.action == "list"):
        wanted = {"list": "nothing after list", "add": "a run folder after add"}
        raise UserError(f"expected {wanted.get(options.action, 'a name')} (see --help)")
    return ACTIONS[options.action](options, Shelf(options.shelf))


def _parser() -> cli.Parser:
    parser = cli.make_parser("shelf", "Keep trained networks with digests and their figures.")
    add = parser.add_argument
    add("action", metavar="list|add|show|verify", help="verify: the file; --measure: the figures")
    add("target", nargs="?", metavar="RUN|NAME", help="of add a run folder, else a name")
    add(
        "--shelf",
        metavar="FOLDER|URL",
        help="[that of SLR_KERAS_SHELF, or slr_keras/shelf among the user's caches]",
    )
    add("--name", help="of add: what it is called there")
    add("--which", choices=("best", "final"), help="of add: epoch [best if there is one]")
    add("--license", default="", metavar="NAME", help="of add: as Apache-2.0")
    add("--replace", action="store_true", help="of add: the name may be there already")
    add("--measure", action="store_true", help="of verify: measure the recorded figures again")
    modes = f"of --measure: {cli.MODES_HELP}"
    add("--progress", choices=cli.MODES, default="auto", help=modes)
    cli.add_settings(parser, ["data"])
    return parser


# -- list and show ----------------------------------------------------------------------------


def _list(options: argparse.Namespace, shelf: Shelf) -> int:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    entries = shelf.entries()
    if not entries:
        print(f"the shelf {shelf.place} is empty: slr-keras shelf add RUN --name NAME")
        return 0
    table = Table(title=Text(f"Shelf {shelf.place}"))
    for column in ("name", "data", "method", "model", "MB", "clean %", "robust %", "under"):
        right = column in ("MB", "clean %", "robust %")
        justify: Literal["left", "right"] = "right" if right else "left"
        table.add_column(column, justify=justify, overflow="fold", no_wrap=column == "name")
    for name, entry in sorted(entries.items()):
        strongest = _strongest(entry)
        table.add_row(
            *map(Text, (name, entry.data, entry.method, entry.model, f"{entry.size / 1e6:.1f}")),
            _percent(entry.figure(CLEAN)),
            _percent(strongest),
            Text(strongest["attack"] if strongest else "-"),
        )
    Console().print(table)
    return 0


def _strongest(entry: Entry) -> dict[str, Any] | None:
    """AutoAttack where it was run, else the attack that left least."""
    whole = [row for row in entry.figures if not is_part(row["attack"]) and row["attack"] != CLEAN]
    lowest = min(whole, key=lambda row: row["accuracy"], default=None)
    return entry.figure(AUTOATTACK) or lowest


def _percent(row: dict[str, Any] | None) -> str:
    from slr_keras.terminal.console import percent

    return percent(row["accuracy"] if row else None)


def _show(options: argparse.Namespace, shelf: Shelf) -> int:
    entry = shelf.entry(options.target)
    licensed = entry.license or "not given"
    facts = f"{entry.size:,} bytes, SHA-256 {entry.sha256}"
    print(f"{entry.name}: {entry.file}, {facts}")
    print(f"{entry.which} epoch {entry.epoch}, seed {entry.seed}, put there on {entry.date}")
    print(f"licence {licensed}; load it with slr.models.load({entry.name!r})\n")
    print(shelf.card(entry.name).split("---\n\n", 1)[-1])
    return 0


# -- add --------------------------------------------------------------------------------------


def _add(options: argparse.Namespace, shelf: Shelf) -> int:
    from slr_keras.analysis import record
    from slr_keras.terminal import targets

    if not options.name:
        raise UserError("add: expected --name and what it is to be called")
    shelf.check_room(options.name, options.replace)
    known = record.read(options.target)
    file = targets.model_file(options.target, options.which or targets.newest(options.target))
    cli.import_framework()
    from slr_keras.shelves import adding

    entry = adding.add(
        shelf, options.name, known, file, licensed=options.license, replace=options.replace
    )
    rows = ", ".join(f"{row['attack']} {_percent(row)} %" for row in entry.figures)
    print(f"{PREFIX}{entry.name}: {entry.size / 1e6:.1f} MB, {entry.figures[0]['samples']} images:")
    print(f"{rows} ({entry.measured['from']})")
    print(f"written to {shelf.folder / entry.file}")
    return 0


# -- verify -----------------------------------------------------------------------------------


def _verify(options: argparse.Namespace, shelf: Shelf) -> int:
    entry = shelf.entry(options.target)
    file = shelf.file(entry.name)
    print(f"{entry.name}: size and SHA-256 as recorded, {file}")
    return _measure(options, entry, file) if options.measure else 0


def _measure(options: argparse.Namespace, entry: Entry, file: Any) -> int:
    from slr_keras.terminal.console import evaluation_progress
    from slr_keras.terminal.signals import stopping

    config = config_of(entry, cli.values_of(options))
    progress = evaluation_progress(options.progress)
    cli.import_framework()
    from slr_keras import saving
    from slr_keras.shelves import measuring

    net = saving.load_model(file)
    x, y = measuring.images_of(entry, config)
    with progress, stopping() as code:
        try:
            found = measuring.measure(entry, net, x, y, progress)
        except KeyboardInterrupt:
            return code[0]
    _show_compared(found)
    return 0 if all(one.holds for one in found) else OFF


def _show_compared(found: Sequence[Compared]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from slr_keras.terminal.console import percent

    table = Table(title="Recorded figures, measured again")
    for column in ("attack", "images", "recorded %", "now %", "says"):
        right = column not in ("attack", "says")
        table.add_column(column, justify="right" if right else "left")
    for one in found:
        shares = percent(one.recorded), percent(one.now)
        table.add_row(Text(one.attack), str(one.samples), *shares, one.says)
    Console().print(table)


ACTIONS: dict[str, Callable[[argparse.Namespace, Shelf], int]] = {
    "list": _list,
    "add": _add,
    "show": _show,
    "verify": _verify,
}


if __name__ == "__main__":
    sys.exit(cli.run(main))
