"""``python -m slr_keras.transfer``: whose attack fools whom, as a matrix over models."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import pathlib
import platform
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from slr_keras import __version__
from slr_keras.attacks._base import Attack
from slr_keras.errors import UserError
from slr_keras.evaluation.specs import TRANSFER, Step, fitted, make_attack, read_ball
from slr_keras.protocol import events
from slr_keras.settings import registry
from slr_keras.settings.schema import PIXELS
from slr_keras.shelves import PREFIX
from slr_keras.terminal import cli

if TYPE_CHECKING:
    from slr_keras.protocol.channel import Channel

ENSEMBLE = "ensemble"
FORMAT = 1
NAME = "transfer.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, measure, print the tables, write transfer.json and its picture."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if cli.wants_json(words):
        return cli.through_channel("transfer", words, _command)
    return _command(words)


def _command(words: Sequence[str], channel: Channel | None = None) -> int:
    cli.use_plugins(words)
    options = _parser().parse(words)
    if options.list:
        options.list_presets = False
        return 0 if cli.answer_lists(options) else 2
    _check_options(options)
    return _transfer(options, channel)


def _parser() -> cli.Parser:
    parser = cli.make_parser("transfer", "Judge attacks on each model on all of them.")
    add = parser.add_argument
    add("models", nargs="*", metavar="MODEL", help="run folder, .keras file or shelf:NAME")
    add(
        "--ensemble",
        nargs="+",
        metavar="MODEL",
        help="adds the mean of these models' logits as one more model",
    )
    add("--attack", default=TRANSFER, metavar="NAME", help=f"as pgd-20 [{TRANSFER}]")
    add("--norm", choices=("linf", "l2", "l1"), help="norm of the ball [as in the first run]")
    add("--eps", metavar="EPS", help=f"radius, {PIXELS} [as in the first run]")
    add("--num-samples", type=int, metavar="N", help="images; the first N of the split [all]")
    add("--which", choices=("best", "final"), help="epoch [best if there is one]")
    add("--split", choices=("test", "val", "train"), default="test", help="[test]")
    add("--batch-size", type=int, default=250, metavar="N", help="images at once [250]")
    add("--eval-seed", type=int, default=0, metavar="SEED", help="of the attack's starts [0]")
    modes = f"{cli.MODES_HELP}; json for a window"
    add("--progress", choices=(*cli.MODES, "json"), default="auto", help=modes)
    add("--out", metavar="FILE", help=f"result file, its picture beside it [{NAME}]")
    add("--list", choices=cli.LISTS, metavar="|".join(cli.LISTS), help="list what there is")
    cli.add_settings(parser, ["data"])
    return parser


def _check_options(options: argparse.Namespace) -> None:
    count = len(options.models) + bool(options.ensemble)
    if count < 2:
        raise UserError(f"expected two models or more, received {count} (see --help)")
    twice = next((path for path in options.models if options.models.count(path) > 1), None)
    if twice:
        raise UserError(f"{twice} is given twice")
    if options.ensemble and len(options.ensemble) < 2:
        raise UserError(f"--ensemble: expected two models or more, received {options.ensemble[0]}")
    cli.check_numbers(options, {"num_samples": 1, "batch_size": 1, "eval_seed": 0})
    out = pathlib.Path(options.out or NAME)
    if not out.absolute().parent.is_dir():
        raise UserError(f"--out: no such folder: {out.parent}")
    if not os.access(out.absolute().parent, os.W_OK):
        raise UserError(f"--out: cannot write into {out.absolute().parent}")
    if out.is_dir() or out.suffix != ".json":
        raise UserError(f"--out: expected the name of a .json file, received {out}")


# -- the models -------------------------------------------------------------------------------


def _targets(options: argparse.Namespace) -> dict[str, Any]:
    """Each model by the name of its row; files say nothing of their data, so runs lend theirs."""
    from slr_keras.terminal import targets

    values = cli.values_of(options)
    config = _lent(options, values)
    found: dict[str, Any] = {}
    for path in options.models:
        which = options.which or targets.newest(path)
        if targets.says_its_data(path):
            target = targets.find(path, which, values)
        else:
            target = targets.Target(targets.model_file(path, which), None, config)
        found[_row_name(path, target, found)] = target
    return found


def _lent(options: argparse.Namespace, values: dict[str, Any]) -> Any:
    """The configuration of the first model that has one, else what the flags say of the data."""
    from slr_keras import config as configs
    from slr_keras.terminal import targets

    every = (*options.models, *(options.ensemble or ()))
    lender = next(filter(targets.says_its_data, every), None)
    if lender:
        return targets.find(lender, options.which or targets.newest(lender), values).config
    if "name" not in values.get("data", {}):
        raise UserError("these files say nothing of their data: give --data.name")
    return configs.load(values=values)


def _row_name(path: str, target: Any, taken: dict[str, Any]) -> str:
    """The run's or the file's name, where two have the same the whole path."""
    name = target.folder.path.resolve().name if target.folder else target.file.stem
    name = path.removeprefix(PREFIX) if path.startswith(PREFIX) else name
    return path if name in taken or name == ENSEMBLE else name


def _ensemble(options: argparse.Namespace) -> Any:
    from slr_keras.terminal import targets

    try:
        return targets.networks_of(options.ensemble, options.which)
    except UserError as error:
        raise UserError(f"--ensemble: {error}") from None


def _warn_of_other_data(found: dict[str, Any]) -> None:
    """Images that one model is tested on may have trained another."""
    (first, target), *others = found.items()
    for name, other in others:
        if other.config.data.name != target.config.data.name:
            where = f"{other.config.data.name}, not on {target.config.data.name} as {first}"
            print(f"warning: {name} was trained on {where}", file=sys.stderr)


# -- the matrix -------------------------------------------------------------------------------


def _transfer(options: argparse.Namespace, channel: Channel | None) -> int:
    from slr_keras.terminal.console import evaluation_progress
    from slr_keras.terminal.signals import stopping

    found = _targets(options)
    target = next(iter(found.values()))
    attack = _attack(options, target.config.attack)
    _warn_of_other_data(found)
    progress = evaluation_progress(options.progress, channel)
    tell = progress if channel else lambda _: None
    tell(events.PhaseStarted("importing"))
    cli.import_framework("attacks")
    from slr_keras import evaluation

    nets = {name: target.network() for name, target in found.items()}
    if options.ensemble:
        nets[ENSEMBLE] = _ensemble(options)
    tell(events.PhaseStarted("loading data"))
    x, y = _images(options, target.config, nets)
    attack = fitted(attack, _classes(nets))
    facts = _facts(options, attack, found, nets, x, y)
    path = pathlib.Path(options.out or NAME)
    store = _store(path, facts, options, attack, progress)
    with progress, stopping() as code:
        begun = " ".join(options.models), None, len(y), tuple(nets), store.path.exists()
        tell(events.EvaluationStarted(*begun))
        tell(events.PhaseStarted("evaluating"))
        try:
            matrix = evaluation.transfer_matrix(
                nets,
                x,
                y,
                attack,
                seed=options.eval_seed,
                batch_size=options.batch_size,
                store=store,
                on_progress=progress,
            )
        except KeyboardInterrupt:
            progress.line(f"stopped; the same command goes on from {store.path}")
            return int(progress.code(code[0]))
    written = _write(facts, matrix, options, path)
    store.remove()
    if channel is None:
        _show(facts, matrix, options)
    tell(events.TaskEnded(_sentence(matrix, options), tuple(map(str, written))))
    for file in written if channel is None else ():
        print(f"written to {file}")
    return 0


def _attack(options: argparse.Namespace, like: Attack) -> Attack:
    ball = read_ball(like, options.norm, options.eps, None, restarts=1)
    return make_attack(options.attack, ball)


def _images(options: argparse.Namespace, config: Any, nets: dict[str, Any]) -> tuple[Any, Any]:
    from slr_keras import data, networks

    loaded = data.load(config.data, config.seed, read=False)
    for name, net in nets.items():
        shape, classes = networks.input_shape(net)[1:], networks.num_classes(net)
        if not networks.fits(shape, tuple(loaded.input_shape)) or classes != loaded.num_classes:
            raise UserError(
                f"{name}: the model takes {shape} and has {classes} classes, the data set "
                f"{loaded.name} has {tuple(loaded.input_shape)} and {loaded.num_classes}"
            )
    x, y = (getattr(loaded, f"{letter}_{options.split}")[: options.num_samples] for letter in "xy")
    if not len(y):
        raise UserError(f"--split {options.split}: the data set has no such images")
    return data.read_images(x, config.data), y


def _classes(nets: dict[str, Any]) -> int:
    from slr_keras import networks

    return networks.num_classes(next(iter(nets.values())))


def _store(
    path: pathlib.Path, facts: dict[str, Any], options: argparse.Namespace, attack: Attack, out: Any
) -> Any:
    """Finished rows, kept for the same models, images and settings."""
    from slr_keras.evaluation import suite
    from slr_keras.evaluation.tally import Store

    names = ("data_digest", "seed", "batch_size", "versions")
    models = [(model["name"], model["digest"]) for model in facts["models"]]
    decisive = {key: facts[key] for key in names} | {"models": models}
    digest = suite.settings_digest([Step(options.attack, attack)], **decisive)
    store = Store(path, digest, out.warn)
    if store.path.exists():
        out.line(f"going on from {store.path}")
    return store


# -- what comes of it -------------------------------------------------------------------------


def _facts(
    options: argparse.Namespace,
    attack: Attack,
    found: dict[str, Any],
    nets: dict[str, Any],
    x: Any,
    y: Any,
) -> dict[str, Any]:
    """What every figure of the result rests on."""
    from slr_keras import backend
    from slr_keras.evaluation import suite

    places = {name: [str(target.file)] for name, target in found.items()}
    places[ENSEMBLE] = options.ensemble
    frameworks = {"keras": backend.keras.__version__} | backend.versions()
    return {
        "format": FORMAT,
        "attack": options.attack,
        "settings": registry.describe(attack),
        "models": [
            {"name": name, "files": places[name], "digest": suite.network_digest(net)}
            for name, net in nets.items()
        ],
        "data": next(iter(found.values())).config.data.name,
        "data_digest": suite.data_digest(x, y),
        "split": options.split,
        "samples": len(y),
        "seed": options.eval_seed,
        "batch_size": options.batch_size,
        "device": backend.describe_device(),
        "versions": {"slr_keras": __version__, "python": platform.python_version(), **frameworks},
        "time": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _write(
    facts: dict[str, Any], matrix: Any, options: argparse.Namespace, path: pathlib.Path
) -> list[pathlib.Path]:
    from slr_keras.evaluation.heat_map import draw_matrix
    from slr_keras.run_folder import write_atomically

    result = facts | {"clean": matrix.clean_rows(), "results": matrix.rows()}
    write_atomically(path, (json.dumps(result, indent=2) + "\n").encode())
    picture = path.with_suffix(".png")
    draw_matrix(matrix.names, matrix.accuracy, _title(facts), picture)
    return [path, picture]


def _title(facts: dict[str, Any]) -> str:
    return f"{facts['attack']}, {facts['settings']['norm']}, eps {facts['settings']['eps']}"


def _sentence(matrix: Any, options: argparse.Namespace) -> str:
    """The outcome in a line: how the strongest foreign attack on each model compares."""
    import numpy as np

    foreign = np.where(np.eye(len(matrix.names), dtype=bool), 1.0, matrix.accuracy)
    shares = [
        f"{name} {100 * matrix.accuracy[m, m]:.1f} % (from others {100 * foreign[:, m].min():.1f})"
        for m, name in enumerate(matrix.names)
    ]
    return f"{matrix.clean.shape[1]:,} images, {options.attack}: {', '.join(shares)}"


def _show(facts: dict[str, Any], matrix: Any, options: argparse.Namespace) -> None:
    from rich.console import Console

    from slr_keras.terminal.console import percent

    console, rows = Console(), matrix.rows()
    title = f"Accuracy % on {facts['samples']} {facts['split']} images, {_title(facts)}"
    clean = [_cell(row["accuracy"], row["interval"], percent) for row in matrix.clean_rows()]
    lines = [("clean", clean)]
    for row in rows:
        cells = [_cell(on["accuracy"], on["interval"], percent) for on in row["on"]]
        lines.append((row["source"], cells))
    console.print(_table(title, matrix.names, lines))
    lines = []
    for row in rows:
        cells = [_cell(on["success"], on["success_interval"], percent) for on in row["on"]]
        lines.append((row["source"], cells))
    title = "Fooled %, of images that source and model get right"
    console.print(_table(title, matrix.names, lines))


def _cell(share: float | None, interval: Any, percent: Any) -> str:
    if share is None:
        return "-"
    low, high = map(percent, interval)
    return f"{percent(share)}\n{low} - {high}"


def _table(title: str, names: Sequence[str], lines: list[tuple[str, list[str]]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), show_lines=True)
    table.add_column("made on")
    for name in names:
        table.add_column(Text(name), justify="right", overflow="fold")
    for name, cells in lines:
        table.add_row(Text(name), *cells)
    return table


if __name__ == "__main__":
    sys.exit(cli.run(main))
