"""``python -m slr_keras.report``: runs as one HTML page that needs nothing beside itself."""

from __future__ import annotations

import argparse
import errno
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from slr_keras.errors import UserError
from slr_keras.protocol import events
from slr_keras.terminal import cli

if TYPE_CHECKING:
    from slr_keras.analysis.measure import Measured
    from slr_keras.analysis.record import Record
    from slr_keras.protocol.channel import Channel

NAME = "report.html"


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, read the runs, ask their models unless --quick, write the page."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if cli.wants_json(words):
        return cli.through_channel("report", words, _command)
    return _command(words)


def _command(words: Sequence[str], channel: Channel | None = None) -> int:
    from slr_keras.terminal.console import reporter

    cli.use_plugins(words)
    options = _parser().parse(words)
    tell = reporter("json", channel) if channel else lambda _: None
    least = {"num_samples": 1, "targeted": 0, "batch_size": 1, "eval_seed": 0}
    cli.check_numbers(options, least)
    out = _place(options)
    from slr_keras.analysis import page, record

    records = [record.read(path) for path in options.runs]
    tell(events.PhaseStarted("importing"))
    measured = [None] * len(records) if options.quick else _measure_all(records, options)
    tell(events.PhaseStarted("exporting"))
    text = page.render([page.Subject(*pair) for pair in zip(records, measured, strict=True)])
    _write(out, text.encode())
    tell(events.TaskEnded(f"{out.name} is written", (str(out),)))
    print(f"written to {out} ({len(text.encode()) / 1e6:.1f} MB)")
    return 0


def _parser() -> cli.Parser:
    parser = cli.make_parser("report", "Write runs into one self-contained HTML page.")
    add = parser.add_argument
    add("runs", nargs="+", metavar="RUN", help="run folder; several are set side by side")
    add(
        "--out",
        metavar="FILE",
        help=f"the page [{NAME} in the run folder, of several in this folder]",
    )
    add(
        "--quick",
        action="store_true",
        help="leave out what needs the model: confusion, targets, gallery, calibration",
    )
    add("--num-samples", type=int, default=500, metavar="N", help="test images to attack [500]")
    add(
        "--targeted",
        type=int,
        default=100,
        metavar="N",
        help="of them to drive towards each other class too; 0: none [100]",
    )
    add("--batch-size", type=int, default=250, metavar="N", help="images at once [250]")
    add("--eval-seed", type=int, default=0, metavar="SEED", help="of the attack's starts [0]")
    cli.add_window(parser)
    return parser


def _place(options: argparse.Namespace) -> pathlib.Path:
    """Where the page goes; refused before anything is computed."""
    alone = pathlib.Path(options.runs[0]) if len(options.runs) == 1 else pathlib.Path()
    out = pathlib.Path(options.out) if options.out else alone / NAME
    if options.out and not out.absolute().parent.is_dir():
        raise UserError(f"--out: no such folder: {out.parent}")
    if os.path.isdir(out):  # unlike Path.is_dir, no error for a name that is too long
        raise UserError(f"--out: expected the name of a file, received the folder {out}")
    if out.parent.is_dir() and not os.access(out.parent, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(out))
    return out


def _write(out: pathlib.Path, data: bytes) -> None:
    from slr_keras.run_folder import write_atomically

    try:
        write_atomically(out, data)
    except OSError as error:
        if error.errno in cli.DISK:
            raise
        raise UserError(f"cannot write {out}: {error.strerror}; give another --out") from None


def _measure_all(records: Sequence[Record], options: argparse.Namespace) -> list[Measured | None]:
    cli.import_framework()
    from rich.console import Console
    from rich.progress import Progress

    err = Console(stderr=True)
    with Progress(console=err, transient=True, disable=not err.is_terminal) as bar:
        return [_measure(record, options, bar) for record in records]


def _measure(record: Record, options: argparse.Namespace, bar: Any) -> Measured | None:
    """Attack the run's model as its test at the end did; None while it has no model."""
    from slr_keras import data
    from slr_keras.analysis import measure
    from slr_keras.attacks.pgd import PGD
    from slr_keras.terminal import targets

    if record.which is None:
        return None
    task = bar.add_task(record.title, total=options.num_samples)
    training = record.config.attack
    step_size = getattr(training, "step_size", training.eps / 4) or 1 / 255
    attack = PGD(norm=training.norm, eps=training.eps, step_size=step_size, steps=measure.STEPS)
    net = targets.find(str(record.folder.path), record.which, {}).network()
    loaded = data.load(record.config.data, record.config.seed, read=False)
    count = min(options.num_samples, len(loaded.y_test))
    bar.update(task, total=count)
    return measure.measure(
        net,
        loaded,
        attack,
        f"pgd-{measure.STEPS}",
        samples=count,
        targeted=options.targeted,
        seed=options.eval_seed,
        batch_size=options.batch_size,
        on_batch=lambda done: bar.update(task, completed=done),
        on_target=lambda done, planned: bar.update(
            task, description=f"{record.title}: targets", completed=done, total=planned
        ),
    )


if __name__ == "__main__":
    sys.exit(cli.run(main))
