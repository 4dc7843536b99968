"""A long run on GPU machines that keep nothing, in pieces of a few minutes.

A machine may take 60 MiB a call, run a command for ten minutes and hand back eight files of
16 MiB, 64 MiB together. HOME is the folder of one run where files are kept; WORK becomes the same
on the machine, outside the checkout. The data once, at home:

    python -m benchmarks.gpu.images prepare cifar10 data/cifar10.packed --dir ~/tensorflow_datasets
    python -m benchmarks.gpu.parts cut data PARTS --name data --mib 50

For each piece, at home (the first has no run to pack yet):

    python -m benchmarks.gpu.piece pack HOME PARTS --mib 50

On the machine, once all parts were brought to WORK/in, as many to a call as fit; ``run`` leaves
with 75 if the run is to be continued, with 0 once it is complete, and hands out the first files:

    python -m benchmarks.gpu.piece run WORK --out OUT --minutes 9.5 -- \\
        --preset cifar10-resnet18-slr --data.name cifar10.npz --seed 0
    python -m benchmarks.gpu.piece send WORK 2 --out OUT        # the next, as often as it says

At home, with all that came back in one folder:

    python -m benchmarks.gpu.parts join CAME HOME --name run

HOME/run is an ordinary run folder; at the end evaluation-final.json and evaluation-best.json are
in it. A piece that is lost costs itself: bring the same parts again. What follows ``--`` counts
for the first piece, later ones go on with the run's own settings. For ResNet-18 the state is 90
MB, and 45 MB more where the best epoch is new: two or three handfuls. Older checkpoints that
gather in HOME/run/checkpoints may be deleted. Compiled programs travel too (JAX, HOME/xla).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence

from benchmarks.gpu import images, parts
from slr_keras.errors import TIME_IS_UP, UserError
from slr_keras.terminal import cli

ROOT = pathlib.Path(__file__).parent.parent.parent
PART = 16 * parts.MIB  # of a file that comes back
HANDFUL = 8, 64 * parts.MIB  # files and bytes that come back at once
KEPT = 30.0  # seconds of a piece for stopping and cutting
GRACE = 10.0  # seconds between asking a program to stop and ending it
SUITE = "--attacks clean pgd-20 autoattack --batch-size 500"
WHICH = ("final", "best")
STOPPED = {TIME_IS_UP, 130, 143, -9, -15}
FILES = ("config.toml", "events.jsonl", "history.csv", "best.keras", "final.keras", "summary.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Pack, run or send; the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    here = words.index("--") if "--" in words else len(words)
    flags = _parser().parse(words[:here])
    if flags.command == "pack":
        cut(flags.folder, flags.out, flags.mib * parts.MIB)
        print(f"parts in {flags.out}")
        return 0
    if flags.command == "send":
        hand_out(flags.folder / "out", flags.out, flags.number)
        return 0
    flags.words = words[here + 1 :]
    return run(flags)


def _parser() -> cli.Parser:
    parser = cli.Parser(prog="python -m benchmarks.gpu.piece", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True, parser_class=cli.Parser)
    for name in ("pack", "run", "send"):
        commands.add_parser(name).add_argument("folder", type=pathlib.Path)
    pack, piece, send = (commands.choices[name] for name in ("pack", "run", "send"))
    pack.add_argument("out", type=pathlib.Path)
    pack.add_argument("--mib", type=int, default=50, help="size of a part, at most [50]")
    send.add_argument("number", type=int, help="of the handful, from 1")
    piece.add_argument("--minutes", type=float, default=9.5, help="of the whole command [9.5]")
    piece.add_argument("--evaluate", default=SUITE, help=f"flags of slr_keras.evaluate [{SUITE}]")
    for one in (piece, send):
        one.add_argument("--out", type=pathlib.Path, required=True, help="gets what goes home")
    return parser


# -- a piece ---------------------------------------------------------------------------------------


def run(flags: argparse.Namespace) -> int:
    """Join what was brought, go on with the run, cut what goes home; 0 complete, 75 not yet."""
    deadline = time.monotonic() + 60 * flags.minutes - KEPT
    work = flags.folder.absolute()
    known = unpack(work)
    before = mark(work)
    code = 0
    for job in jobs(work, flags):
        left = deadline - time.monotonic()
        code = call(job, left, work) if left > 0 else TIME_IS_UP
        if code:
            break
    listing = cut(work, work / "out", PART, known.files)
    hand_out(work / "out", flags.out, 1)
    if code not in {0, *STOPPED}:
        return code if code > 0 else 1
    if code and mark(work) == before:
        raise UserError(
            f"--minutes {flags.minutes:g}: the piece left no checkpoint, expected more minutes"
        )
    print(f"complete: {len(listing.files)} files" if not code else "to be continued", flush=True)
    return TIME_IS_UP if code else 0


def unpack(work: pathlib.Path) -> parts.Listing:
    """Join the parts in WORK/in; what came of the run is known at home."""
    brought, data = work / "in", work / "data"
    data.mkdir(parents=True, exist_ok=True)
    if (brought / "data.json").exists() and not any(data.iterdir()):
        parts.join(brought, data, "data")
        for packed in data.glob("*.packed"):
            images.main(["unpack", str(packed), str(packed.with_suffix(".npz"))])
    if not (brought / "run.json").exists() or (work / "run").exists():
        return parts.Listing()
    return parts.join(brought, work, "run")


def jobs(work: pathlib.Path, flags: argparse.Namespace) -> Iterator[list[str]]:
    """What is left to do, one program after the other."""
    folder = work / "run"
    if not (folder / "summary.json").exists():
        begun = (folder / "config.toml").exists()
        words = ["--resume", str(folder)] if begun else [*flags.words, "--run-dir", str(folder)]
        yield ["slr_keras.train", *words]
    for which in WHICH:
        result = folder / f"evaluation-{which}.json"
        if (folder / f"{which}.keras").exists() and not result.exists():
            options = ["--which", which, "--out", str(result), *shlex.split(flags.evaluate)]
            yield ["slr_keras.evaluate", str(folder), *options]


def call(job: list[str], seconds: float, work: pathlib.Path) -> int:
    """Run a program, at most so long; its exit code. Its data lie in the folder where it runs."""
    limit = []
    if job[0] == "slr_keras.train":  # it leaves by itself; unless compiling takes longer than that
        limit, seconds = ["--train.max_minutes", f"{seconds / 60:.3f}"], seconds + GRACE
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *_python_path()])}
    environment |= {
        "JAX_COMPILATION_CACHE_DIR": str(work / "xla"),
        "JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES": "none",  # they tie the programs to the folder
    }
    command = [sys.executable, "-m", *job, *limit, "--progress", "plain"]
    with subprocess.Popen(command, cwd=work / "data", env=environment) as process:
        for wait, end in ((seconds, process.terminate), (GRACE, process.kill)):
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(wait)
            end()
        return process.wait()


def _python_path() -> list[str]:
    return [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]


def mark(work: pathlib.Path) -> list[str]:
    """What grows as the run goes on: its checkpoint, its results, and how an evaluation stands."""
    folder = work / "run"
    newest = [path.stem for path in checkpoint(folder)]
    found = [folder / "summary.json", *sorted(folder.glob("evaluation-*"))]
    return newest + [f"{p.name} {parts.digest(p)}" for p in found if p.exists()]


def checkpoint(folder: pathlib.Path) -> list[pathlib.Path]:
    """The newest, if there is one: the list of it, which is written last."""
    return sorted((folder / "checkpoints").glob("*.json"))[-1:]


# -- what travels ----------------------------------------------------------------------------------


def cut(
    work: pathlib.Path, out: pathlib.Path, limit: int, known: Sequence[parts.Entry] = ()
) -> parts.Listing:
    """Cut what the next piece or home needs."""
    return parts.cut(work, out, "run", limit, travelling(work), known)


def travelling(work: pathlib.Path) -> list[str]:
    """Paths in WORK of the run and of compiled programs; older checkpoints stay behind.

    Nor does a checkpoint travel once the test at the end is done.
    """
    folder = work / "run"
    done = (folder / "summary.json").exists()
    newest = [] if done else checkpoint(folder)
    found = [folder / name for name in FILES]
    found += [path.with_suffix(end) for path in newest for end in (".json", ".npz")]
    found += [folder / "curves.png", *folder.glob("evaluation-*")]
    found += (work / "xla").rglob("*")
    return sorted(str(path.relative_to(work)) for path in found if path.is_file())


def hand_out(source: pathlib.Path, out: pathlib.Path, number: int) -> None:
    """Copy the files of one handful, and say how many there are."""
    listing = parts.Listing.read(source / "run.json")
    sizes = {"run.json": (source / "run.json").stat().st_size}
    handfuls = share(sizes | {part.name: part.size for part in listing.parts})
    if not 1 <= number <= len(handfuls):
        raise UserError(
            f"expected the number of a handful, 1 to {len(handfuls)}, received {number}"
        )
    out.mkdir(parents=True, exist_ok=True)
    for name in handfuls[number - 1]:
        shutil.copy2(source / name, out / name)
    print(f"handful {number} of {len(handfuls)}: {' '.join(handfuls[number - 1])}", flush=True)


def share(sizes: dict[str, int]) -> list[list[str]]:
    """Files in handfuls that may come back at once."""
    handfuls: list[list[str]] = [[]]
    for name, size in sizes.items():
        held = handfuls[-1]
        if len(held) == HANDFUL[0] or sum(sizes[n] for n in held) + size > HANDFUL[1]:
            handfuls.append([])
        handfuls[-1].append(name)
    return handfuls


if __name__ == "__main__":
    sys.exit(cli.run(main))
