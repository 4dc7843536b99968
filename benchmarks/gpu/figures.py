"""The paper's figures from finished runs, as a Markdown table, and their curves.

    python -m benchmarks.gpu.figures gpu/at/run gpu/slr/run --curves curves.png

Each run folder needs evaluation-final.json and evaluation-best.json, as ``benchmarks.gpu.piece``
leaves them. Where a command may run long, this makes them:

    python -m slr_keras.evaluate gpu/slr/run --which final --attacks clean pgd-20 autoattack \\
        --batch-size 500 --out gpu/slr/run/evaluation-final.json

What was not measured is a dash. The paper's figures stand beside those of its setting, final epoch.
"""

from __future__ import annotations

import json
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import phenomenon
from slr_keras.analysis import record
from slr_keras.errors import UserError
from slr_keras.terminal import cli

PAPER = {"AT": (82.4, 41.4, 40.2), "AT + SLR": (83.0, 55.9, 50.2)}  # the authors' README
NAMES = {"at": "AT", "slr": "AT + SLR"}
COLUMNS = ("clean", "pgd-20", "autoattack")
HEAD = """| method | epoch | clean | PGD-20 | AutoAttack | paper (clean / PGD / AutoAttack) |
|---|---|---|---|---|---|"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table and what it rests on; 0."""
    parser = cli.Parser(prog="python -m benchmarks.gpu.figures", description="The paper's figures.")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="finished run folders")
    parser.add_argument("--curves", type=pathlib.Path, metavar="FILE.png", help="draw the epochs")
    flags = parser.parse(arguments)
    runs = [read(path) for path in flags.runs]
    print(table(runs))
    print("\n" + "\n".join(f"- {basis(run)}" for run in runs))
    if flags.curves:
        named: dict[str, list[Any]] = {}
        for run in runs:
            named.setdefault(name_of(run), []).append(run.folder)
        phenomenon.draw(named, flags.curves)
        print(f"\ncurves {flags.curves}")
    return 0


def read(path: str) -> record.Record:
    """A finished run; raises :class:`UserError` for any other."""
    run = record.read(path)
    if run.summary is None:
        raise UserError(f"{path} is not finished: it has no summary.json; go on with the run")
    if run.config.method.name not in NAMES:
        known = ", ".join(NAMES)
        raise UserError(f"{path}: expected method {known}, received {run.config.method.name}")
    return run


def name_of(run: record.Record) -> str:
    """As the paper calls the method; with weight averaging, which it does not have."""
    return NAMES[run.config.method.name] + " + EMA" * bool(run.config.ema.decay)


def is_the_papers(run: record.Record) -> bool:
    """Whether the paper has figures of this network, data set and method."""
    setting = run.config.model.name == "resnet18" and "cifar10" in run.config.data.name
    return setting and name_of(run) in PAPER


def table(runs: Sequence[record.Record]) -> str:
    """A row for the final and for the best epoch of each run."""
    return "\n".join([HEAD, *(row(run, which) for run in runs for which in ("final", "best"))])


def row(run: record.Record, which: str) -> str:
    """One row; PGD-20 and clean are the summary's where there is no evaluation."""
    summary = (run.summary or {}).get(which, {})
    found = {"clean": summary.get("accuracy")}
    if (run.summary or {}).get("attack") == "pgd-20":
        found["pgd-20"] = summary.get("robust_accuracy")
    found |= {r["attack"]: r["accuracy"] for r in evaluation(run, which).get("results", [])}
    cells = [_percent(found.get(column)) for column in COLUMNS]
    asked = which == "final" and is_the_papers(run)
    paper = " / ".join(map(str, PAPER[name_of(run)])) if asked else ""
    epoch = f"{which}, {summary['epoch']}" if summary else which
    return f"| {name_of(run)} | {epoch} | {' | '.join(cells)} | {paper} |"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}"


def evaluation(run: record.Record, which: str) -> dict[str, Any]:
    """The content of evaluation-<which>.json; empty without one."""
    path = run.folder[f"evaluation-{which}.json"]
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); evaluate again") from None
    if content.get("which") != which:
        raise UserError(f"{path}: expected the {which} epoch, received {content.get('which')}")
    return dict(content)


def basis(run: record.Record) -> str:
    """What the figures of a run rest on, in a sentence."""
    config, summary = run.config, run.summary or {}
    device = run.started.device if run.started else "unknown"
    results = [evaluation(run, which) for which in ("final", "best")]
    seconds = sum(result.get("seconds", 0.0) for result in results)
    attacked = {result["device"] for result in results if result}
    ema = config.ema
    average = f"EMA {ema.decay} from epoch {ema.start_epoch} on, " if ema.decay else ""
    more = f"; evaluated in {_hours(seconds)} on {', '.join(sorted(attacked))}" if attacked else ""
    samples = {summary["test_samples"]} | {result["samples"] for result in results if result}
    return (
        f"{name_of(run)}: seed {config.seed}, {config.train.epochs} epochs of batches of "
        f"{config.train.batch_size}, {config.precision} (attack "
        f"{config.precision if config.attack_precision == 'same' else config.attack_precision}), "
        f"{average}{device}, {config.data.name} with {config.data.val_fraction:.0%} for "
        f"validation, {' and '.join(f'{n:,}' for n in sorted(samples))} test images, "
        f"trained in {_hours(summary['training_seconds'])}{more}"
    )


def _hours(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


if __name__ == "__main__":
    sys.exit(cli.run(main))
