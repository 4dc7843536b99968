"""``python -m slr_keras.study``: a grid of runs, their evaluation and the table of it."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import pathlib
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from slr_keras import backend, installing
from slr_keras.errors import UserError
from slr_keras.run_folder import RunFolder
from slr_keras.studies import plan
from slr_keras.studies.pace import Pace, rest_of_training
from slr_keras.studies.work import RESULTS, TRAIN, Ended, Local, Place, on_cluster, other_settings
from slr_keras.terminal import cli
from slr_keras.terminal.console import study_progress, time_left

MEMORY = 2.0  # GiB that a worker is allowed for
MANY = 500  # runs; it is asked before more


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, run what is missing, write what came of it; returns the exit code."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    cli.use_plugins(words)
    options = _parser().parse(words)
    if options.list:
        for name in plan.shipped():
            print(f"{name:20} {plan.read(plan.find(name)).question}")
        return 0
    if not options.study:
        raise UserError("expected a study file, or the name of one that ships (see --list)")
    ask = lambda count: _ask(count, options)  # noqa: E731
    study = plan.read(plan.find(options.study), cli.values_of(options), ask)
    if options.only:
        study = study.only(options.only)
    place = _place(options, study)
    if options.dry_run:
        return _commands(place)
    if options.status:
        return _status(place, _sizes(options, place)[0])
    if options.on:
        return _submit(place, options)
    if options.only_table:
        return _write(place, options)
    with _alone(place):
        code = _work(place, options)
    nothing = all(place.missing(run) for run in study.runs)
    return code if code > 1 or (code and nothing) else _write(place, options) or code


def _parser() -> cli.Parser:
    parser = cli.make_parser("study", "Run a grid of runs, evaluate them, write the table.")
    add = parser.add_argument
    add("study", nargs="?", help="a .toml file, or the name of a study that ships")
    add("--out", metavar="DIR", help="folder of the study [runs/<name>]")
    add(
        "--results",
        metavar="DIR",
        help="results, table and figure go there too, beside what is there",
    )
    add("--status", action="store_true", help="what is done, what is missing, how long it takes")
    add("--dry-run", action="store_true", help="the commands that would be run")
    add("--only-table", action="store_true", help="run nothing, write the table")
    held = "runs whose names hold one of the words; a whole name is one run"
    add("--only", nargs="+", metavar="WORD", help=held)
    add("--workers", type=int, metavar="N", help="runs at once [one a core, where memory allows]")
    add("--threads", type=int, metavar="N", help="cores of each [shared evenly]")
    add("--on", choices=("slurm", "local"), help="submit a job for each run, through submitit")
    add("--job", nargs="+", default=[], metavar="KEY=VALUE", help="settings of submitit's executor")
    add("--yes", action="store_true", help=f"do not ask before more than {MANY} runs")
    add("--progress", choices=cli.MODES, default="auto", help=cli.MODES_HELP)
    add("--list", action="store_true", help="list the studies that ship")
    cli.add_settings(parser, ["data", "train", "eval"])
    return parser


def _place(options: argparse.Namespace, study: plan.Study) -> Place:
    path = pathlib.Path(options.out or pathlib.Path("runs", study.name))
    if path.exists() and not path.is_dir():
        raise UserError(f"--out: {path} is a file")
    place = Place(path, study)
    place.refuse_another()
    return place


def _ask(count: int, options: argparse.Namespace) -> None:
    """Whether so many runs are meant, where they are to be run."""
    looks = options.status or options.dry_run or options.only_table
    if count <= MANY or options.yes or looks:
        return
    if not sys.stdin.isatty():
        raise UserError(f"{count:,} runs are asked for: give --yes, or fewer seeds, arms or axes")
    if input(f"{count:,} runs are asked for. Go on? [y/N] ").strip().lower() not in ("y", "yes"):
        raise UserError("not begun")


@contextlib.contextmanager
def _alone(place: Place) -> Iterator[None]:
    """Hold the folder of a study: two that run the same stages would write the same files."""
    folder = RunFolder(place.path)
    owner = folder.owner()
    if owner is not None:
        raise UserError(
            f"process {owner} runs a study in {place.path}: wait for it, or give another --out"
        )
    place.path.mkdir(parents=True, exist_ok=True)
    with folder.lock():
        yield


def _sizes(options: argparse.Namespace, place: Place) -> tuple[int, int]:
    """Runs at once and cores of each."""
    import psutil

    cores = backend.cores()
    room = int(psutil.virtual_memory().available / 2**30 / MEMORY)
    unfinished = sum(bool(place.missing(run)) for run in place.study.runs)
    workers = options.workers or max(1, min(cores, room, unfinished))
    threads = options.threads or max(1, cores // workers)
    for flag, number in (("workers", workers), ("threads", threads)):
        if number < 1:
            raise UserError(f"--{flag}: expected 1 or more, received {number}")
    return workers, threads


def _commands(place: Place) -> int:
    """The commands of what is missing."""
    for run in place.study.runs:
        for stage in place.missing(run):
            print(" ".join(place.command(stage, write=False)))
    return 0


def _status(place: Place, workers: int) -> int:
    """A line for each run, and how long the rest takes with so many at once."""
    stages = missing = 0
    for run in place.study.runs:
        todo = place.missing(run)
        done = [stage.name for stage in place.stages(run) if stage not in todo]
        state = f"{', '.join(done) or 'nothing'} done, {_state(place, run)}" if todo else "done"
        print(f"{run.name:40} {state}")
        stages, missing = stages + len(todo) + len(done), missing + len(todo)
    _tell_strangers(place, print)
    left = time_left(Pace(place).left(workers)) if missing else ""
    at_once = f"; {left} with {workers} at once" if left else ""
    print(f"{missing} of {stages} stages left{at_once}")
    return 0


def _tell_strangers(place: Place, tell: Callable[[str], None]) -> None:
    """Runs in the folder that the study file no longer asks for."""
    names = place.strangers()
    if names:
        tell(f"not of the study any more, and kept: {', '.join(names)}")


def _state(place: Place, run: plan.StudyRun) -> str:
    """Where the first missing stage stands."""
    if place.changes(run):
        return other_settings(place, run)
    stage = place.missing(run)[0]
    if stage.name != TRAIN:
        return f"evaluation of {stage.name} is next"
    folder, epochs = RunFolder(place.run_dir(run)), run.config.train.epochs
    last = folder.last_epoch()
    if last is None:
        return "training is next"
    return (
        f"training {folder.status()} at epoch {last.epoch} of {epochs}, "
        f"{rest_of_training(last, epochs) / 60:.0f} min left"
    )


def _work(place: Place, options: argparse.Namespace) -> int:
    """Run what is missing; 1 if a run failed, and what a signal asks for."""
    from slr_keras.studies import pages, results  # noqa: F401  # before the code is updated meanwhile

    workers, threads = _sizes(options, place)
    local, pace = Local(place, workers, threads), Pace(place)
    failed: list[str] = []
    with study_progress(options.progress) as progress, _leaving(local) as code:
        total = sum(len(place.missing(run)) for run in place.study.runs)
        side = f"{workers} runs at once, {threads} cores each" if workers > 1 else "one at a time"
        progress.begin(total, f"{total} stages to do, {side}; folder {place.path}")
        _tell_strangers(place, progress.line)
        for ended in local.work():
            if code[0]:
                continue
            if ended and ended.code:
                failed.append(ended.stage.run.name)
            left = pace.left(workers, without=failed)
            if ended is None:
                progress.look(left)
                continue
            progress.ended(str(ended.stage), ended.seconds, left)
            if ended.code:
                progress.warn(f"{ended.stage} {_failure(place, ended)}")
            elif not place.missing(ended.stage.run):
                try:
                    _save(place, options)
                except OSError as error:  # a full disk; it is tried again after the next run
                    progress.warn(f"the table was not written: {error.strerror}")
    if code[0]:
        print("stopped; the same command goes on", file=sys.stderr)
        return code[0]
    return int(bool(failed))


def _failure(place: Place, ended: Ended) -> str:
    """How a stage failed, and why."""
    if ended.why:
        return f"was not started: {ended.why}"
    if ended.code < 0:
        return f"was ended by signal {-ended.code}; the same command goes on"
    return f"failed (exit {ended.code}): {_last_line(place.log(ended.stage.run))}"


def _last_line(path: pathlib.Path) -> str:
    with contextlib.suppress(OSError):
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")
    return "its log is gone"


@contextlib.contextmanager
def _leaving(local: Local) -> Iterator[list[int]]:
    """Ctrl-C and SIGTERM ask the processes to save and leave; the list holds the exit code."""
    code = [0]

    def leave(number: int, frame: Any) -> None:
        code[0] = 128 + number
        local.stop()

    before = {s: signal.signal(s, leave) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _submit(place: Place, options: argparse.Namespace) -> int:
    """A job for each run that is not done."""
    if importlib.util.find_spec("submitit") is None:
        raise UserError(f"--on needs submitit: {installing.command('cluster')}")
    settings: dict[str, Any] = {}
    for text in options.job:
        key, sign, value = text.partition("=")
        if not sign:
            raise UserError(f"--job: expected KEY=VALUE, received {text!r}")
        settings[key] = int(value) if value.isdecimal() else value
    jobs = on_cluster(place, options.on, options.threads or 1, settings)
    print(f"{len(jobs)} jobs submitted; --status says how they stand, --only-table collects")
    if options.on == "slurm":
        return 0
    failed = [name for name, job in jobs.items() if _ended(job)]
    for name in failed:
        last = _last_line(place.path / "logs" / f"{name}.log")
        print(f"warning: {name} failed: {last}", file=sys.stderr)
    return _write(place, options) or int(bool(failed))


def _ended(job: Any) -> int:
    """The exit code of a job; 1 where its process is gone."""
    try:
        return int(job.result())
    except Exception:  # submitit's own, and what the job raised
        return 1


def _write(place: Place, options: argparse.Namespace) -> int:
    """What came of it, and the table on stdout."""
    from slr_keras.studies import tables

    found, made = _save(place, options)
    print(tables.table(found))
    print(f"\nwritten to {', '.join(map(str, made))}")
    return 0


def _save(place: Place, options: argparse.Namespace) -> tuple[dict[str, Any], list[pathlib.Path]]:
    """results.json, the table, the figure and the page of the runs that are done."""
    from slr_keras.studies import pages, results

    found = results.collect(place)
    if not found["runs"]:
        raise UserError(f"no run in {place.path} is done yet (see --status)")
    made = pages.write(place.path, found)
    if options.results:
        folder = pathlib.Path(options.results)
        if (folder / RESULTS).exists():
            found = results.joined(found, results.load(folder))
        made = pages.write(folder, found)
    return found, made


if __name__ == "__main__":
    sys.exit(cli.run(main))
