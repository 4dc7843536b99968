"""``python -m slr_keras.evaluate``: accuracy of a run or a model file under attack."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import io
import json
import pathlib
import platform
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from slr_keras import __version__, installing, networks, texts
from slr_keras.errors import UserError
from slr_keras.evaluation.flags import FLAGS
from slr_keras.evaluation.plan import Plan
from slr_keras.evaluation.specs import Step, is_change
from slr_keras.protocol import events
from slr_keras.terminal import cli
from slr_keras.terminal.signals import stopping

if TYPE_CHECKING:
    from slr_keras.protocol.channel import Channel

FORMAT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, evaluate, print the table, write evaluation.json; returns the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if cli.wants_json(words):
        return cli.through_channel("evaluate", words, _command)
    return _command(words)


def _command(words: Sequence[str], channel: Channel | None = None) -> int:
    cli.use_plugins(words)
    options = _parser().parse(words)
    if options.list:
        options.list_presets = False
        return 0 if cli.answer_lists(options) else 2
    if not options.target:
        raise UserError("expected a run folder or a .keras file (see --help)")
    _check_options(options)
    return _evaluate(options, channel)


def _check_options(options: argparse.Namespace) -> None:
    lowest = {flag.dest: flag.lowest for flag in FLAGS if flag.lowest is not None}
    cli.check_numbers(options, lowest)
    for flag in ("out", "save_adversarial", "robustbench"):
        path = getattr(options, flag)
        if path and not pathlib.Path(path).absolute().parent.is_dir():
            raise UserError(
                f"--{flag.replace('_', '-')}: no such folder: {pathlib.Path(path).parent}"
            )
    if options.save_adversarial and pathlib.Path(options.save_adversarial).suffix != ".npz":
        raise UserError(
            f"--save-adversarial: expected a file ending in .npz, "
            f"received {options.save_adversarial}"
        )


def _parser() -> cli.Parser:
    parser = cli.make_parser("evaluate", "Measure clean and robust accuracy.")
    add = parser.add_argument
    add("target", nargs="?", help="run folder, or .keras file with --data.name")
    for flag in FLAGS:
        add(flag.name, **flag.argument)
    modes = f"{cli.MODES_HELP}; json for a window"
    add("--progress", choices=(*cli.MODES, "json"), default="auto", help=modes)
    add("--out", metavar="FILE", help="result file [evaluation.json in the run folder]")
    add("--list", choices=cli.LISTS, metavar="|".join(cli.LISTS), help="list what there is")
    cli.add_settings(parser, ["data"])
    return parser


# -- the evaluation ---------------------------------------------------------------------------


def _evaluate(options: argparse.Namespace, channel: Channel | None) -> int:
    from slr_keras.terminal import tables, targets
    from slr_keras.terminal.console import evaluation_progress

    which = options.which or targets.newest(options.target)
    target = targets.find(options.target, which, cli.values_of(options))
    plan = Plan.of(options, target.config.attack)
    source = options.transfer_from and _source_file(options.transfer_from)
    progress = evaluation_progress(options.progress, channel)
    tell = progress if channel else lambda _: None
    tell(events.PhaseStarted("importing"))
    cli.import_framework("attacks")
    from slr_keras import data
    from slr_keras.evaluation import suite

    tell(events.PhaseStarted("loading data"))
    net = _network(options, target)
    loaded = data.load(target.config.data, target.config.seed, read=False)
    x, y = _split(loaded, options)
    x = data.read_images(x, target.config.data)
    check_fit(net, loaded, options.target)
    classes = networks.num_classes(net)
    table, curve = [*plan.table(classes), *plan.proofs()], plan.curve(classes)
    if classes < 4 and table != [*plan.table(10), *plan.proofs()]:
        text = f"with {classes} classes attacks have fewer targets and the cross-entropy for DLR"
        print(f"warning: {text}", file=sys.stderr)
    if source:
        table.append(_transfer(plan, source, net, x, options.transfer_from))
    suite.check_steps([*table, *curve], x, classes)
    facts = _facts(options, target, net, loaded, x, y)
    path = pathlib.Path(options.out) if options.out else _default_path(target, options)
    with progress, stopping() as code:
        measured = _measurement(options, net, x, y, [*table, *curve], facts, path, progress)
        names = tuple(step.name for step in measured.steps)
        begun = facts["which"], len(y), names, measured.resumed
        tell(events.EvaluationStarted(options.target, *begun))
        tell(events.PhaseStarted("evaluating"))
        try:
            measured.run()
            tell(events.PhaseStarted("checking"))
            result = _result(options, measured, plan, len(table), target, facts)
        except KeyboardInterrupt:
            progress.line(f"stopped; the same command goes on from {measured.store.path}")
            return int(progress.code(code[0]))
    if channel is None:
        tables.show(result, options.curve_attack, loaded.class_names if options.per_class else None)
    written = _write(result, measured, path, options, target.config)
    tell(events.TaskEnded(_sentence(result), tuple(map(str, written))))
    for file in written if channel is None else ():
        print(f"written to {file}")
    return 0


def _network(options: argparse.Namespace, target: Any) -> Any:
    """The target's, or the mean of several."""
    from slr_keras.terminal import targets

    if not options.ensemble:
        return target.network()
    return targets.networks_of([str(target.file), *options.ensemble])


def _sentence(result: dict[str, Any]) -> str:
    """The outcome in a line."""
    rows = [row for row in result["results"] if not is_change(row["attack"])]
    shares = [f"{row['attack']} {100 * row['accuracy']:.1f} %" for row in rows]
    return f"{result['samples']:,} images: {', '.join(shares)}"


def _source_file(path: str) -> pathlib.Path:
    """The model that transferred attacks are made on."""
    from slr_keras.terminal import targets

    return targets.model_file(path, targets.newest(path))


def _transfer(plan: Plan, file: pathlib.Path, net: Any, x: Any, name: str) -> Step:
    """The row of an attack that is made on the model of a file."""
    from slr_keras import saving
    from slr_keras.evaluation import suite

    other = saving.load_model(file)
    try:
        return suite.transfer_step(plan.transfer_attack, plan.ball, other, str(file), net, x)
    except UserError as error:
        raise UserError(f"--transfer-from {name}: {error}") from None


def _measurement(
    options: argparse.Namespace,
    net: Any,
    x: Any,
    y: Any,
    steps: list[Step],
    facts: dict[str, Any],
    path: pathlib.Path,
    progress: Any,
) -> Any:
    from slr_keras.evaluation import suite
    from slr_keras.evaluation.measurement import Measurement
    from slr_keras.evaluation.tally import Store

    names = ("model_digest", "data_digest", "seed", "versions")
    keep = bool(options.save_adversarial)
    decisive = {key: facts[key] for key in names} | {"keep": keep, "batch": options.batch_size}
    measured = Measurement(
        net,
        x,
        y,
        steps,
        seed=options.eval_seed,
        batch_size=options.batch_size,
        keep_images=keep,
        store=Store(path, suite.settings_digest(steps, **decisive), progress.warn),
        on_progress=progress,
    )
    if measured.resumed:
        progress.line(f"going on from {measured.store.path}")  # type: ignore[union-attr]
    return measured


def _default_path(target: Any, options: argparse.Namespace) -> pathlib.Path:
    suffix = ".ensemble" if options.ensemble else ""
    name = f"evaluation{suffix}.json"
    return pathlib.Path(target.home, name if target.folder else f"{target.file.stem}.{name}")


def _split(loaded: Any, options: argparse.Namespace) -> tuple[Any, Any]:
    x, y = getattr(loaded, f"x_{options.split}"), getattr(loaded, f"y_{options.split}")
    if not len(y):
        raise UserError(f"--split {options.split}: the data set has no such images")
    return x[: options.num_samples], y[: options.num_samples]


def check_fit(net: Any, loaded: Any, where: str) -> None:
    """Raise :class:`UserError` unless images and classes fit the network."""
    shape, classes = tuple(networks.input_shape(net)[1:]), networks.num_classes(net)
    fits = len(shape) == len(loaded.input_shape) and all(
        a in (None, b) for a, b in zip(shape, loaded.input_shape, strict=True)
    )
    if not fits or classes != loaded.num_classes:
        raise UserError(
            f"{where}: the model takes {shape} and has {classes} classes, the data set "
            f"{loaded.name} has {tuple(loaded.input_shape)} and {loaded.num_classes}"
        )


# -- what comes of it -------------------------------------------------------------------------


def _facts(
    options: argparse.Namespace, target: Any, net: Any, loaded: Any, x: Any, y: Any
) -> dict[str, Any]:
    """What every figure of the result rests on."""
    from slr_keras import backend
    from slr_keras.evaluation import suite

    which = target.file.stem if target.folder else None
    frameworks = {"keras": backend.keras.__version__} | backend.versions()
    return {
        "format": FORMAT,
        "model": str(target.file),
        "ensemble": [str(target.file), *options.ensemble] if options.ensemble else [],
        "model_digest": suite.network_digest(net),
        "which": which,
        "epoch": _recorded(target).get("epoch"),
        "data": target.config.data.name,
        "data_digest": suite.data_digest(x, y),
        "split": options.split,
        "samples": len(y),
        "split_samples": len(getattr(loaded, f"y_{options.split}")),
        "class_names": list(loaded.class_names),
        "seed": options.eval_seed,
        "batch_size": options.batch_size,
        "device": backend.describe_device(),
        "commit": installing.commit(),
        "versions": {"slr_keras": __version__, "python": platform.python_version(), **frameworks},
        "time": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _recorded(target: Any) -> dict[str, Any]:
    """What summary.json says of this model; empty without one."""
    try:
        summary = texts.from_json(target.folder["summary.json"].read_bytes())
        return {"samples": summary["test_samples"], **summary[target.file.stem]}
    except (TypeError, OSError, ValueError, KeyError):
        return {}


def _result(
    options: argparse.Namespace,
    measured: Any,
    plan: Plan,
    count: int,
    target: Any,
    facts: dict[str, Any],
) -> dict[str, Any]:
    """The content of evaluation.json."""
    from slr_keras.evaluation import checks, natural, proofs, suite
    from slr_keras.evaluation.smoothing import trained_with_noise

    rows = [row.as_dict() for row in suite.rows_of(measured, count)]
    curve = suite.curve_of(measured, count, plan.radii)
    recorded = {} if options.ensemble else _recorded(target)
    same = recorded and options.split == "test" and not cli.values_of(options)
    found = checks.run(
        measured,
        options.checks,
        recorded=(recorded["accuracy"], recorded["samples"]) if same else None,
        curve=[point["accuracy"] for point in curve],
        noisy=trained_with_noise(target.config) if target.folder else None,
        seed=options.eval_seed,
    )
    more: dict[str, Any] = {
        "checks": [dataclasses.asdict(check) for check in found],
        "results": rows,
    }
    more |= {
        "corruptions": natural.summary(measured, plan.baseline),
        "certificates": proofs.summary(measured),
    }
    more["seconds"] = round(float(measured.tally.seconds.sum()), 2)
    return facts | more | {"per_class": suite.per_class(measured, count), "curve": curve}


def _write(
    result: dict[str, Any],
    measured: Any,
    path: pathlib.Path,
    options: argparse.Namespace,
    config: Any,
) -> list[pathlib.Path]:
    """evaluation.json, pictures, images, an entry; then what was kept may go."""
    from slr_keras.run_folder import write_atomically

    write_atomically(path, (json.dumps(result, indent=2) + "\n").encode())
    written = [path]
    written += _pictures(result, path)
    if options.save_adversarial:
        import numpy as np

        from slr_keras.evaluation import suite

        buffer = io.BytesIO()
        np.savez_compressed(buffer, **suite.adversarials(measured))  # type: ignore[arg-type]
        images = pathlib.Path(options.save_adversarial)
        write_atomically(images, buffer.getvalue())
        written.append(images)
    if options.robustbench:
        from slr_keras.evaluation import robustbench

        file = pathlib.Path(options.robustbench)
        entry = robustbench.entry(result, config if result["which"] else None)
        write_atomically(file, (json.dumps(entry, indent=2) + "\n").encode())
        written.append(file)
    measured.store.remove()
    return written


def _pictures(result: dict[str, Any], path: pathlib.Path) -> list[pathlib.Path]:
    """Accuracy against epsilon, and how far the nearest adversarial images are."""
    from slr_keras.evaluation import curves

    rows = [row for row in result["results"] if "distance" in row]
    drawn = {
        "curve": lambda file: curves.draw_radii(result["curve"], file),
        "distances": lambda file: curves.draw_distances(rows, result["certificates"], file),
    }
    wanted = {"curve": result["curve"], "distances": rows or result["certificates"]}
    files = {name: path.with_name(f"{path.stem}_{name}.png") for name in drawn if wanted[name]}
    for name, file in files.items():
        drawn[name](file)
    return list(files.values())


if __name__ == "__main__":
    sys.exit(cli.run(main))
