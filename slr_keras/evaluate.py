"""``python -m slr_keras.evaluate``: accuracy of a run or a model file under attack."""

from __future__ import annotations

import argparse
import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from slr_keras import cli, schema
from slr_keras.attacks._base import Attack
from slr_keras.errors import UserError
from slr_keras.evaluation.specs import Ball, make_attack
from slr_keras.schema import PIXELS, Facts

DEFAULT_ATTACKS = ["clean", "fgsm", "pgd-20"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, evaluate, print the table, write evaluation.json; returns the exit code."""
    parser = _parser()
    options = parser.parse(arguments)
    if options.list:
        options.list_presets = False
        return 0 if cli.answer_lists(options) else 2
    if not options.target:
        raise UserError("expected a run folder or a .keras file (see --help)")
    _check_numbers(options)
    return _evaluate(options)


def _check_numbers(options: argparse.Namespace) -> None:
    for name, low in (("num_samples", 1), ("batch_size", 1), ("eval_seed", 0)):
        number = getattr(options, name)
        if number is not None and not low <= number < 2**31:
            flag = "--" + name.replace("_", "-")
            raise UserError(f"{flag}: expected a whole number >= {low}, received {number}")
    if options.out and not pathlib.Path(options.out).absolute().parent.is_dir():
        raise UserError(f"--out: no such folder: {pathlib.Path(options.out).parent}")


def _parser() -> cli.Parser:
    parser = cli.make_parser("evaluate", "Measure clean and robust accuracy.")
    add = parser.add_argument
    add("target", nargs="?", help="run folder, or .keras file with --data.name")
    add(
        "--attacks",
        nargs="+",
        default=DEFAULT_ATTACKS,
        metavar="NAME",
        help="clean, fgsm, pgd, pgd-20 (20 steps), ... [clean fgsm pgd-20]",
    )
    add("--num-samples", type=int, metavar="N", help="images; the first N of the split [all]")
    add("--which", choices=("best", "final"), help="epoch [best if there is one]")
    add("--split", choices=("test", "val", "train"), default="test", help="[test]")
    add("--norm", choices=("linf", "l2"), help="norm of the ball [as in the run]")
    add("--eps", metavar="EPS", help=f"radius, {PIXELS} [as in the run]")
    add("--step-size", metavar="STEP", help="step size [as in the run, or a quarter of eps]")
    add("--restarts", type=int, default=1, metavar="N", help="random starts [1]")
    add("--batch-size", type=int, default=250, metavar="N", help="images at once [250]")
    add("--eval-seed", type=int, default=0, metavar="SEED", help="of the attack's starts [0]")
    add("--out", metavar="FILE", help="result file [evaluation.json in the run folder]")
    add("--list", choices=cli.LISTS, metavar="|".join(cli.LISTS), help="list what there is")
    cli.add_settings(parser, ["data"])
    return parser


def _evaluate(options: argparse.Namespace) -> int:
    from slr_keras import targets

    which = options.which or targets.newest(options.target)
    target = targets.find(options.target, which, cli.values_of(options))
    ball = _ball(options, target.config.attack)
    attacks = {spec: make_attack(spec, ball) for spec in options.attacks}
    cli.import_framework()
    from slr_keras import data
    from slr_keras.evaluation import suite

    net = target.network()
    loaded = data.load(target.config.data, target.config.seed)
    x, y = _split(loaded, options)
    check_fit(net, loaded, options.target)
    with _Progress(len(y)) as progress:
        rows = suite.evaluate(
            net,
            x,
            y,
            attacks,
            seed=options.eval_seed,
            batch_size=options.batch_size,
            on_batch=progress.update,
        )
    facts = {
        "model": str(target.file),
        "which": which if target.folder else None,
        "data": target.config.data.name,
        "split": options.split,
        "seed": options.eval_seed,
    }
    _show(rows, options.split)
    result = suite.as_json(rows, net, **facts)
    return _write(result, options.out or (target.folder and target.folder["evaluation.json"]))


def _ball(options: argparse.Namespace, attack: Attack) -> Ball:
    number = Facts("radius", unit=PIXELS, at_least=0)
    eps = attack.eps if options.eps is None else schema.check("--eps", float, number, options.eps)
    step = getattr(attack, "step_size", None) if options.eps is None else None
    if options.step_size is not None:
        step = schema.check(
            "--step-size", float, Facts("step", unit=PIXELS, above=0), options.step_size
        )
    return Ball(options.norm or attack.norm, eps, step, options.restarts)


def _split(loaded: Any, options: argparse.Namespace) -> tuple[Any, Any]:
    x, y = getattr(loaded, f"x_{options.split}"), getattr(loaded, f"y_{options.split}")
    if not len(y):
        raise UserError(f"--split {options.split}: the data set has no such images")
    return x[: options.num_samples], y[: options.num_samples]


def check_fit(net: Any, loaded: Any, where: str) -> None:
    """Raise :class:`UserError` unless images and classes fit the network."""
    shape, classes = tuple(net.input_shape[1:]), net.output_shape[-1]
    fits = len(shape) == len(loaded.input_shape) and all(
        a in (None, b) for a, b in zip(shape, loaded.input_shape, strict=True)
    )
    if not fits or classes != loaded.num_classes:
        raise UserError(
            f"{where}: the model takes {shape} and has {classes} classes, the data set "
            f"{loaded.name} has {tuple(loaded.input_shape)} and {loaded.num_classes}"
        )


class _Progress:
    """A bar per attack on stderr; silent where that is no terminal."""

    def __init__(self, count: int):
        from rich.console import Console
        from rich.progress import Progress

        self.count, self.tasks = count, {}  # type: ignore[var-annotated]
        err = Console(stderr=True)
        self.bar = Progress(console=err, transient=True, disable=not err.is_terminal)

    def __enter__(self) -> _Progress:
        self.bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.bar.stop()

    def update(self, attack: str, done: int) -> None:
        """So many images are done."""
        if attack not in self.tasks:
            self.tasks[attack] = self.bar.add_task(attack, total=self.count)
        self.bar.update(self.tasks[attack], completed=done)


def _show(rows: Any, split: str) -> None:
    from rich.console import Console
    from rich.table import Table

    from slr_keras.console import percent

    table = Table(title=f"Accuracy on {rows[0].samples} {split} images")
    for column in ("attack", "accuracy %", "95 % interval", "seconds"):
        table.add_column(column, justify="left" if column == "attack" else "right")
    for row in rows:
        low, high = map(percent, row.interval)
        table.add_row(row.attack, percent(row.accuracy), f"{low} - {high}", f"{row.seconds:.1f}")
    Console().print(table)


def _write(result: dict[str, Any], path: Any) -> int:
    if path is None:
        return 0
    from slr_keras.run_folder import write_atomically

    write_atomically(pathlib.Path(path), (json.dumps(result, indent=2) + "\n").encode())
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main))
